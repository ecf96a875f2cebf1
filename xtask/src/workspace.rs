//! Where things are: the repository, the target folders, the objects.

use std::env;
use std::path::{Path, PathBuf};

/// The paths of this repository.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The repository that this xtask was built from.
    pub fn locate() -> Self {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .parent()
            .map_or_else(|| manifest.clone(), Path::to_path_buf);
        Self { root }
    }

    /// The top of the repository.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What belongs to the eBPF build stays under `target/` of the repository, whatever `CARGO_TARGET_DIR` says: the build
    /// scripts look for it there.
    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Where cargo puts the host programs.
    pub fn host_target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.target(), |dir| self.root.join(dir))
    }

    /// A built host program.
    pub fn program(&self, profile: &str, name: &str) -> PathBuf {
        self.host_target().join(profile).join(name)
    }

    /// A finished eBPF object, for example `forwarder.o`.
    pub fn object(&self, name: &str) -> PathBuf {
        self.target().join("bpf").join(name)
    }

    /// `path` as a reader would type it from the top of the repository.
    pub fn display<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}
