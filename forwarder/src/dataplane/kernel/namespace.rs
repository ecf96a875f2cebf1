//! A network namespace of our own: the loop lives there, away from network managers, address detection and multicast
//! chatter, and it stays when this process dies, since it is bound to a file as `ip netns` does it.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context, Result, anyhow};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
};

const DIRECTORY: &str = "/run/netns";

/// A network namespace that is bound to a file.
#[derive(Debug)]
pub struct Namespace {
    path: PathBuf,
}

impl Namespace {
    /// Makes a namespace called `name`, visible to `ip netns`.
    ///
    /// # Errors
    /// No privilege, or the name is taken.
    pub fn make(name: &str) -> Result<Self> {
        fs::create_dir_all(DIRECTORY).with_context(|| format!("cannot make {DIRECTORY}"))?;
        let path = Path::new(DIRECTORY).join(name);
        File::create_new(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let made = on_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            // No address detection and no multicast reports on the wires of this namespace: frames there are ours.
            for which in ["all", "default"] {
                let path = format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6");
                // A kernel without IPv6 has no such file, and sends nothing either.
                let _without_ipv6 = fs::write(path, "1");
            }
            // This thread's namespace, not the process's.
            mount(
                Some("/proc/thread-self/ns/net"),
                &path,
                None::<&str>,
                MsFlags::MS_BIND,
                None::<&str>,
            )?;
            Ok(())
        });
        if let Err(error) = made {
            let _best_effort = fs::remove_file(&path);
            return Err(error).context("cannot make a network namespace");
        }
        Ok(Self { path })
    }

    /// Runs `work` on a thread inside of the namespace, and waits for it.
    ///
    /// # Errors
    /// Those of `work`, and of entering.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let file = File::open(&self.path)
            .with_context(|| format!("cannot open {}", self.path.display()))?;
        on_thread(move || {
            setns(file, CloneFlags::CLONE_NEWNET).context("cannot enter the namespace")?;
            work()
        })
    }

    /// Removes the file; the namespace goes with its last user, and its interfaces with it.
    ///
    /// # Errors
    /// The file system's.
    pub fn remove(self) -> io::Result<()> {
        remove(&self.path)
    }

    /// Removes all namespaces whose name is `prefix` followed by a dot and anything, but for `keep`; gives how many.
    pub fn sweep(prefix: &str, keep: Option<&Self>) -> usize {
        let Ok(entries) = fs::read_dir(DIRECTORY) else {
            return 0;
        };
        entries
            .flatten()
            .filter(|entry| {
                let name = entry.file_name();
                name.to_str()
                    .and_then(|name| name.strip_prefix(prefix)?.strip_prefix('.'))
                    .is_some()
                    && keep.is_none_or(|keep| keep.path != entry.path())
            })
            .filter(|entry| remove(&entry.path()).is_ok())
            .count()
    }
}

fn remove(path: &Path) -> io::Result<()> {
    // Not mounted any more, after a restart of the machine for example: the file is all there is.
    let _unmounted = umount2(path, MntFlags::MNT_DETACH);
    fs::remove_file(path)
}

fn on_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        scope
            .spawn(work)
            .join()
            .map_err(|_| anyhow!("the thread in the namespace panicked"))?
    })
}
