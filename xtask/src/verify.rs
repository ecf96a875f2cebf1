//! `verify`: loads the objects into the kernel and holds them against the budget.

use std::fs::OpenOptions;

use anyhow::{Context as _, Result};

use crate::args;
use crate::bpf::{self, Variant};
use crate::build::{self, Profile};
use crate::privilege::{NO_ROOT, Privilege};
use crate::process::hand_over;
use crate::workspace::Workspace;

/// `cargo xtask verify`.
pub fn run(workspace: &Workspace, args: &args::Verify) -> Result<()> {
    let privilege = Privilege::acquire();
    if privilege == Privilege::None {
        bpf::build(workspace, &[Variant::Plain, Variant::Trace])?;
        println!("built both variants; left out: loading them into the kernel ({NO_ROOT})");
        return Ok(());
    }
    bpf::build(workspace, &[Variant::Trace])?;
    // The objects are what is measured, and the same under every profile of the program that loads them.
    build::all(workspace, Profile::Dev)?;
    let Some(mut command) = privilege.command(workspace.program(Profile::Dev.folder(), "verify"))
    else {
        return Ok(());
    };
    let budget = workspace.root().join("forwarder-ebpf/budget.toml");
    // Made here, so that it belongs to the user even where the program runs as root.
    OpenOptions::new()
        .append(true)
        .create(args.update)
        .open(&budget)
        .with_context(|| {
            format!(
                "cannot open {}; `cargo xtask verify --update` writes it",
                workspace.display(&budget)
            )
        })?;
    command
        .arg("--budget")
        .arg(budget)
        .args(args.update.then_some("--update"))
        .args(args.json.then_some("--json"))
        .arg(workspace.object("forwarder.o"))
        .arg(workspace.object("forwarder-trace.o"));
    hand_over(&mut command)
}
