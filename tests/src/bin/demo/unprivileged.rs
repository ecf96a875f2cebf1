//! The demo without root: a user namespace in which this process may make network namespaces. XDP stays out of reach there,
//! since loading its programs takes privileges of the machine itself (capabilities(7)), so the socket path forwards.

use std::fs;

use anyhow::{Context, Result, bail};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use crate::options::Path;

/// What is left out without root, for the user to read; `None` for root.
///
/// Must be called before this process has a second thread: a user namespace is entered by processes of one.
///
/// # Errors
/// When the path that is asked for needs root, or user namespaces are forbidden; with what to do.
pub fn settle(path: Path) -> Result<Option<String>> {
    if forwarder_tests::root::is_root() {
        return Ok(None);
    }
    if path == Path::Kernel {
        bail!(
            "--path kernel needs root (CAP_BPF and CAP_NET_ADMIN): run it as root, or leave --path out"
        );
    }
    enter().context(
        "the demo makes network namespaces, for which it needs root or user namespaces, and neither can be had: \
         run it as root, or allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, \
         or kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu)",
    )?;
    Ok(Some(
        "without root: XDP is left out, for loading its programs takes root; the socket path forwards, \
         inside a user namespace"
            .to_owned(),
    ))
}

fn enter() -> Result<()> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)?;
    // user_namespaces(7): groups can be mapped without privilege only once setgroups is given up.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1"))?;
    // A /run of our own: the names of namespaces and the locks of nodes go there.
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(
        Some("forwarder-demo"),
        "/run",
        Some("tmpfs"),
        MsFlags::empty(),
        none,
    )?;
    Ok(())
}
