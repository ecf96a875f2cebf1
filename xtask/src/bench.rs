//! `bench`: builds and runs the bench program.

use std::fs::File;

use anyhow::{Context as _, Result, bail};

use crate::args::{self, BenchFlags, BenchKind};
use crate::build::{self, Profile};
use crate::clients;
use crate::privilege::{NO_ROOT, Privilege};
use crate::process::hand_over;
use crate::setup;
use crate::workspace::Workspace;

/// `cargo xtask bench`.
pub fn run(workspace: &Workspace, args: &args::Bench) -> Result<()> {
    let (name, flags) = match &args.what {
        BenchKind::Fanout(flags) => ("fanout", flags),
        BenchKind::Scaling(flags) => ("scaling", flags),
        BenchKind::Latency(flags) => ("latency", flags),
        BenchKind::Sealed(flags) => ("sealed", flags),
        BenchKind::Sessions(flags) => ("sessions", flags),
        BenchKind::Browsers(flags) => ("browsers", flags),
        BenchKind::Api(flags) => ("api", flags),
    };
    let privilege = Privilege::acquire();
    if privilege == Privilege::None {
        bail!("the benches load XDP programs, which needs root: {NO_ROOT}. Run them as root");
    }
    run_kind(workspace, privilege, name, flags, Profile::Release)
}

/// Runs one bench. Figures of [`Profile::Dev`] say nothing.
pub fn run_kind(
    workspace: &Workspace,
    privilege: Privilege,
    name: &str,
    flags: &BenchFlags,
    profile: Profile,
) -> Result<()> {
    setup::packages(setup::LAB)?;
    if name == "browsers" {
        clients::ensure(workspace)?;
    }
    build::all(workspace, profile)?;
    let Some(mut command) = privilege.command(workspace.program(profile.folder(), "bench")) else {
        bail!("the benches need root: {NO_ROOT}");
    };
    command
        .arg(name)
        .args(flags.json.then_some("--json"))
        .args(flags.quick.then_some("--quick"));
    if name == "fanout" {
        // Made here, so that it belongs to the user even where the bench runs as root.
        let chart = workspace.target().join("bench/fanout.svg");
        std::fs::create_dir_all(workspace.target().join("bench"))?;
        File::create(&chart).with_context(|| format!("cannot write {}", chart.display()))?;
        command.arg("--svg").arg(chart);
    }
    command.args(&flags.rest).env(
        "FORWARDER_BIN",
        workspace.program(profile.folder(), "forwarder"),
    );
    hand_over(&mut command)
}
