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
    let privileged = if wants_socket(&args.args) {
        None
    } else {
        Privilege::acquire().command(&program)
    };
    let mut command = privileged.unwrap_or_else(|| {
        if !wants_socket(&args.args) {
            progress::note(&format!(
                "running without root, hence on the socket path: {NO_ROOT}"
            ));
        }
        Command::new(&program)
    });
    let error = command.arg("run").args(&args.args).exec();
    Err(error).with_context(|| format!("cannot run {}", program.display()))
}

/// Whether the arguments ask for the path that needs no privilege.
fn wants_socket(args: &[String]) -> bool {
    let pairs = args.iter().zip(args.iter().skip(1));
    args.iter().any(|arg| arg == "--path=socket")
        || pairs
            .into_iter()
            .any(|(flag, value)| flag == "--path" && value == "socket")
}

#[cfg(test)]
mod tests {
    use super::wants_socket;

    #[test]
    fn the_socket_path_is_seen_in_both_spellings() {
        let args = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(wants_socket(&args("--path socket --ttl 9")));
        assert!(wants_socket(&args("--ttl 9 --path=socket")));
        assert!(!wants_socket(&args("--path kernel --name socket")));
    }
}
