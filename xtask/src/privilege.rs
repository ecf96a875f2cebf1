//! Who may load programs into the kernel here: root, a user with sudo, or nobody.

use std::ffi::OsStr;
use std::io::IsTerminal as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};

/// How a program can be run as root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// The user is root.
    Root,
    /// `sudo -n` works.
    Sudo,
    /// Neither.
    None,
}

/// Why something is left out, for the user to read.
pub const NO_ROOT: &str =
    "the user is not root, and `sudo -n -E` is not allowed or asks for a password";

impl Privilege {
    /// What holds now, without asking the user anything.
    pub fn detect() -> Self {
        // The owner of /proc/self is the effective user.
        if std::fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0) {
            Self::Root
        } else if quiet(Command::new("sudo").args(["-n", "-E", "true"])) {
            Self::Sudo
        } else {
            Self::None
        }
    }

    /// As [`detect`](Self::detect), but lets sudo ask for a password where there is someone to ask.
    pub fn acquire() -> Self {
        let found = Self::detect();
        if found != Self::None || !std::io::stdin().is_terminal() {
            return found;
        }
        match Command::new("sudo").arg("-v").status() {
            Ok(status) if status.success() => Self::Sudo,
            _ => Self::None,
        }
    }

    /// A command that runs `program` as root, with the caller's environment; `None` if that is not possible.
    pub fn command(self, program: impl AsRef<OsStr>) -> Option<Command> {
        match self {
            Self::Root => Some(Command::new(program)),
            Self::Sudo => {
                let mut command = Command::new("sudo");
                command.args(["-n", "-E", "--"]).arg(program);
                Some(command)
            }
            Self::None => None,
        }
    }
}

fn quiet(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
