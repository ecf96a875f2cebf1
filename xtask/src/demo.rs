//! `demo`: builds and runs the demo program.

use anyhow::{Result, bail};

use crate::args;
use crate::build::{self, Profile};
use crate::privilege::{NO_ROOT, Privilege};
use crate::process::hand_over;
use crate::setup;
use crate::workspace::Workspace;

/// `cargo xtask demo`.
pub fn run(workspace: &Workspace, args: &args::Demo) -> Result<()> {
    let Some(mut command) = Privilege::acquire().command(workspace.program("release", "demo"))
    else {
        bail!("the demo makes network namespaces, which needs root: {NO_ROOT}. Run it as root");
    };
    setup::packages(setup::DEMO)?;
    build::all(workspace, Profile::Release)?;
    command
        .args(["--receivers", &args.receivers.to_string()])
        .args(["--for", &args.duration])
        .args(["--path", &name(args.path)])
        .args(["--codec", &name(args.codec)])
        .args(args.ipv6.then_some("--ipv6"))
        .args(args.json.then_some("--json"))
        .args(&args.rest)
        .env("FORWARDER_BIN", workspace.program("release", "forwarder"));
    hand_over(&mut command)
}

fn name(value: impl clap::ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}
