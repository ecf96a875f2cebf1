//! Clearing up after labs whose process is gone: killed tests leave namespaces, and nodes in them.
//!
//! Everything a lab makes bears its process id in its name (`fwl123n0-rx0`; a node's name is `fwl123n0`), so that a later lab knows whose it
//! was, and touches only what belonged to a lab that is dead.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::netns::{Netns, RUN_NETNS};

/// What every name of the lab starts with.
pub const PREFIX: &str = "fwl";

/// The name of the `count`th lab of this process.
#[must_use]
pub fn lab_name(count: usize) -> String {
    format!("{PREFIX}{}n{count}", std::process::id())
}

/// The process that a name of the lab belongs to; `forwarder-` before it, as a node's own namespace has, is looked past.
fn owner(name: &str) -> Option<i32> {
    let rest = name
        .strip_prefix("forwarder-")
        .unwrap_or(name)
        .strip_prefix(PREFIX)?;
    let (pid, rest) = rest.split_once('n')?;
    rest.starts_with(|c: char| c.is_ascii_digit())
        .then(|| pid.parse().ok())
        .flatten()
}

/// Removes what labs of dead processes left. Best effort: another lab may be sweeping at the same time.
pub fn sweep_the_dead() {
    let dead = |name: &str| {
        owner(name)
            .is_some_and(|pid| kill(Pid::from_raw(pid), None) == Err(nix::errno::Errno::ESRCH))
    };
    for name in entries(RUN_NETNS).filter(|name| dead(name)) {
        if let Ok(netns) = Netns::open(&name) {
            remove_with_processes(&netns);
        }
    }
    remove_node_state(dead);
}

/// Removes what the nodes of this lab left, when one was killed and nobody ran `forwarder stop`.
pub fn remove_state_of(lab: &str) {
    for name in entries(RUN_NETNS).filter(|name| owned_by(name, lab)) {
        if let Ok(netns) = Netns::open(&name) {
            remove_with_processes(&netns);
        }
    }
    remove_node_state(|name| owned_by(name, lab));
}

/// Whether `name` is that of a node of `lab`: `fwl1n0` itself or `fwl1n0-b`, but not `fwl1n01`.
fn owned_by(name: &str, lab: &str) -> bool {
    let name = name.strip_prefix("forwarder-").unwrap_or(name);
    name.strip_prefix(lab)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Pins and locks of nodes whose name (the file's, up to its extension) is chosen.
fn remove_node_state(chosen: impl Fn(&str) -> bool) {
    for name in entries("/sys/fs/bpf/forwarder").filter(|name| chosen(name)) {
        // Pins are files, and folders hold nothing else: removing them unpins.
        let _ = fs::remove_dir_all(Path::new("/sys/fs/bpf/forwarder").join(name));
    }
    for name in entries("/run/forwarder").filter(|name| chosen(name)) {
        let path = Path::new("/run/forwarder").join(name);
        let _ = if path.is_dir() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
    }
}

fn entries(folder: &str) -> impl Iterator<Item = String> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
}

/// Ends the processes inside the namespace, then removes it. Only ever called on the lab's own.
pub fn remove_with_processes(netns: &Netns) {
    for pid in processes_in(netns) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let _ = netns.remove();
}

/// The processes whose main thread is in the namespace, other than this one.
#[must_use]
pub fn processes_in(netns: &Netns) -> Vec<i32> {
    use std::os::unix::fs::MetadataExt;
    let Ok(identity) = netns.identity() else {
        return Vec::new();
    };
    let own = std::process::id();
    entries("/proc")
        .filter_map(|name| name.parse::<u32>().ok())
        .filter(|pid| *pid != own)
        .filter(|pid| {
            fs::metadata(format!("/proc/{pid}/ns/net"))
                .is_ok_and(|ns| (ns.dev(), ns.ino()) == identity)
        })
        .filter_map(|pid| i32::try_from(pid).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_their_owner() {
        assert_eq!(owner("fwl123n0-rx0"), Some(123));
        assert_eq!(owner("forwarder-fwl77n3"), Some(77));
        assert_eq!(owner("fwl77n3.lock"), Some(77));
        assert_eq!(owner("default"), None);
        assert_eq!(owner("fwlabc"), None);
        assert!(owned_by("forwarder-fwl1n0", "fwl1n0") && owned_by("fwl1n0-b", "fwl1n0"));
        assert!(!owned_by("fwl1n01", "fwl1n0"));
    }
}
