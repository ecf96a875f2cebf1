//! `run`: builds and starts a node.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::args;
use crate::build::{self, Profile};
use crate::privilege::{NO_ROOT, Privilege};
use crate::progress;
use crate::workspace::Workspace;

/// `cargo xtask run`. xtask becomes the forwarder (or sudo), so that signals reach it.
pub fn run(workspace: &Workspace, args: &args::Run) -> Result<()> {
    build::all(workspace, Profile::Release)?;
    let program = workspace.program("release", "forwarder");
    let mut command = Privilege::acquire().command(&program).unwrap_or_else(|| {
        progress::note(&format!(
            "running without root, hence on the socket path: {NO_ROOT}"
        ));
        Command::new(&program)
    });
    let error = command.arg("run").args(&args.args).exec();
    Err(error).with_context(|| format!("cannot run {}", program.display()))
}
