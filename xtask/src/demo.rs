//! `demo`: builds and runs the demo program.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::args;
use crate::build::{self, Profile};
use crate::privilege::{NO_ROOT, Privilege};
use crate::progress;
use crate::setup;
use crate::workspace::Workspace;

/// `cargo xtask demo`. xtask becomes the demo (or sudo), so that Ctrl-C reaches it and nothing outlives the command.
pub fn run(workspace: &Workspace, args: &args::Demo) -> Result<()> {
    let program = workspace.program("release", "demo");
    let mut command = Privilege::acquire().command(&program).unwrap_or_else(|| {
        progress::note(&format!(
            "running without root, hence on the socket path: {NO_ROOT}"
        ));
        Command::new(&program)
    });
    setup::packages(setup::DEMO)?;
    build::all(workspace, Profile::Release)?;
    let counts = [
        ("--publishers", args.publishers.map(u32::from)),
        ("--subscribers", args.subscribers.map(u32::from)),
        ("--receivers", args.receivers),
        ("--port", args.port.map(u32::from)),
    ];
    for (flag, count) in counts {
        if let Some(count) = count {
            command.args([flag, &count.to_string()]);
        }
    }
    let duration = &args.duration;
    command
        .args(args.plain.then_some("--plain"))
        .args(args.browser.then_some("--browser"))
        .args(duration.iter().flat_map(|text| ["--for", text.as_str()]))
        .args(["--path", &name(args.path)])
        .args(["--codec", &name(args.codec)])
        .args(args.ipv6.then_some("--ipv6"))
        .args(args.json.then_some("--json"))
        .args(&args.rest)
        .env("FORWARDER_BIN", workspace.program("release", "forwarder"));
    let error = command.exec();
    Err(error).with_context(|| format!("cannot run {}", program.display()))
}

fn name(value: impl clap::ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}
