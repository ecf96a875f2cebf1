//! What outlives this process: links and maps, pinned in bpffs, so that media goes on until the lease runs out.
//!
//! `/sys/fs/bpf/forwarder/NAME/ABI/`: one directory per object and table sizes, so that a node that starts with others
//! does not take maps for its own that it cannot read.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use nix::{
    mount::{MsFlags, mount},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};

const BPFFS: &str = "/sys/fs/bpf";

/// The directory of one run of a node.
#[derive(Debug)]
pub struct Pins {
    directory: PathBuf,
}

impl Pins {
    /// Makes the directory, empty, and mounts bpffs where it is not.
    ///
    /// # Errors
    /// No privilege.
    pub fn make(name: &str, abi: u64) -> Result<Self> {
        mount_bpffs()?;
        // A node that was killed and starts again with the same object finds its old pins under the same name.
        let parent = node_directory(name);
        let directory = (0..)
            .map(|run| parent.join(format!("{abi:016x}-{run}")))
            .find(|path| !path.exists())
            .context("no free name for the pins")?;
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        Ok(Self { directory })
    }

    /// Where something called `name` is pinned.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Unpins everything; what nobody else holds is gone then.
    ///
    /// # Errors
    /// The file system's.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_dir_all(&self.directory)?;
        remove_empty_parents(&self.directory);
        Ok(())
    }
}

/// The pins of all runs of a node.
#[must_use]
pub fn node_directory(name: &str) -> PathBuf {
    Path::new(BPFFS).join("forwarder").join(name)
}

/// Where runs of `name` other than `keep` pinned a link called `link`.
#[must_use]
pub fn find_links(name: &str, link: &str, keep: &Pins) -> Vec<PathBuf> {
    runs(name)
        .filter(|directory| *directory != keep.directory)
        .map(|directory| directory.join(link))
        .filter(|path| path.exists())
        .collect()
}

/// Removes the pins of all runs of `name` but `keep`; gives how many runs.
#[must_use]
pub fn sweep(name: &str, keep: Option<&Pins>) -> usize {
    let swept = runs(name)
        .filter(|directory| keep.is_none_or(|keep| keep.directory != *directory))
        .filter(|directory| fs::remove_dir_all(directory).is_ok())
        .count();
    remove_empty_parents(&node_directory(name).join("any"));
    swept
}

/// Removes the directories of the node and of all nodes, where this run was the last one with pins in them.
fn remove_empty_parents(run: &Path) {
    for directory in run.ancestors().skip(1).take(2) {
        // Fails while there is anything in it.
        let _kept = fs::remove_dir(directory);
    }
}

fn runs(name: &str) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(node_directory(name))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
}

fn mount_bpffs() -> Result<()> {
    if statfs(BPFFS).is_ok_and(|stat| stat.filesystem_type() == BPF_FS_MAGIC) {
        return Ok(());
    }
    mount(
        Some("bpf"),
        BPFFS,
        Some("bpf"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
        Some("mode=0700"),
    )
    .with_context(|| format!("cannot mount bpffs at {BPFFS}: run `mount -t bpf bpf {BPFFS}`"))
}
