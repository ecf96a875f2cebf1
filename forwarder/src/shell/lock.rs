//! One node per name: a locked file that holds its process id. The lock goes with the process, however that ends.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use nix::{
    fcntl::{Flock, FlockArg},
    unistd::{Pid, geteuid},
};

/// The lock of a running node.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    _file: Flock<File>,
}

impl Lock {
    /// Takes the lock of a node called `name`.
    ///
    /// # Errors
    /// A node of this name is running, or the file cannot be made.
    pub fn take(name: &str) -> Result<Self> {
        make_directory()?;
        let path = path(name);
        let mut file = loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o644)
                .open(&path)
                .with_context(|| format!("cannot open {}", path.display()))?;
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                // A node that was just ending may have removed the file that was opened: that one locks nothing.
                Ok(file) if is_at(&file, &path)? => break file,
                Ok(_) => {}
                Err((mut file, _)) => {
                    let mut pid = String::new();
                    file.read_to_string(&mut pid)?;
                    bail!(
                        "name: {name:?} is taken by process {}; allowed: another --name, or `forwarder stop --name \
                         {name}` first",
                        pid.trim()
                    );
                }
            }
        };
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { path, _file: file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Still locked: nobody can have taken it meanwhile.
        let _best_effort = fs::remove_file(&self.path);
    }
}

/// The process of the node called `name`, if it runs.
#[must_use]
pub fn holder(name: &str) -> Option<Pid> {
    let mut file = File::open(path(name)).ok()?;
    let mut pid = String::new();
    file.read_to_string(&mut pid).ok()?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        // Nobody holds it: its process died.
        Ok(_) => None,
        // 0 and negative numbers would signal whole groups of processes.
        Err(_) => pid
            .trim()
            .parse()
            .ok()
            .filter(|pid| *pid > 0)
            .map(Pid::from_raw),
    }
}

/// Whether there is a lock file, of a node that runs or died.
#[must_use]
pub fn exists(name: &str) -> bool {
    path(name).exists()
}

/// Whether `path` still leads to this open file.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn path(name: &str) -> PathBuf {
    directory().join(format!("{name}.lock"))
}

/// Makes the directory of what nodes of this user leave for each other. Others may not write there: they could put their own into its
/// place, also in one that they made before.
fn make_directory() -> Result<()> {
    let directory = directory();
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    let there = fs::symlink_metadata(&directory)?;
    if !there.is_dir() || there.uid() != geteuid().as_raw() || there.mode() & 0o022 != 0 {
        bail!(
            "{}: allowed is a directory of the user {} that nobody else may write to; remove it, or set XDG_RUNTIME_DIR",
            directory.display(),
            geteuid()
        );
    }
    Ok(())
}

/// Where nodes of this user are known.
pub(super) fn directory() -> PathBuf {
    if geteuid().is_root() {
        PathBuf::from("/run/forwarder")
    } else {
        let given = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        // One that is not absolute counts as none (XDG Base Directory Specification).
        given
            .filter(|directory| directory.is_absolute())
            .map_or_else(
                || std::env::temp_dir().join(format!("forwarder-{}", geteuid())),
                |directory| directory.join("forwarder"),
            )
    }
}
