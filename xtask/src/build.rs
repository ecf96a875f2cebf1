//! `build`: the eBPF objects, then the host programs that embed them.

use std::process::Command;

use anyhow::Result;

use crate::args;
use crate::bpf::{self, Variant};
use crate::process::{cargo, run as run_command};
use crate::workspace::Workspace;

/// How the host crates are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// With debug assertions and overflow checks.
    Dev,
    /// What is deployed, shown and measured.
    Release,
}

impl Profile {
    /// The folder under the target folder.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }

    /// Adds the flag of cargo.
    pub fn apply(self, command: &mut Command) {
        if self == Self::Release {
            command.arg("--release");
        }
    }
}

/// `cargo xtask build`.
pub fn run(workspace: &Workspace, args: &args::Build) -> Result<()> {
    bpf::build(workspace, &[Variant::Plain])?;
    if args.trace {
        bpf::build(workspace, &[Variant::Trace])?;
    }
    if args.bpf_only {
        return Ok(());
    }
    let mut command = host(workspace, Profile::Release);
    if args.trace {
        command.env(
            "FORWARDER_BPF_OBJECT",
            workspace.object("forwarder-trace.o"),
        );
    }
    run_command(&mut command)?;
    let program = workspace.program("release", "forwarder");
    println!("built {}", workspace.display(&program));
    Ok(())
}

/// Sets up and builds everything that runs: what demo, bench, verify and run begin with.
pub fn all(workspace: &Workspace, profile: Profile) -> Result<()> {
    bpf::build(workspace, &[Variant::Plain])?;
    run_command(&mut host(workspace, profile))
}

/// Builds all tests, and the programs that they start, for [`Profile::Dev`].
pub fn tests(workspace: &Workspace) -> Result<()> {
    bpf::build(workspace, &[Variant::Plain])?;
    let mut command = cargo(workspace);
    command.args(["test", "--quiet", "--no-run"]);
    command.args(["--workspace", "--exclude", "forwarder-ebpf"]);
    run_command(&mut command)
}

/// Every task selects the same packages: cargo resolves features per selection, and another selection would compile the
/// dependencies anew.
fn host(workspace: &Workspace, profile: Profile) -> Command {
    let mut command = cargo(workspace);
    command.args([
        "build",
        "--workspace",
        "--exclude",
        "forwarder-ebpf",
        "--exclude",
        "xtask",
        "--bins",
    ]);
    profile.apply(&mut command);
    command
}
