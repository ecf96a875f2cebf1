//! The key of a node that was given none: made at start, in a file of its user's alone, gone with the node.
//!
//! It is the admin key and the secret of tokens at once: who may read one may read the other.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow};

use super::lock;
use crate::config::{Control, Secret, parse_secret_file};

/// Bytes that are drawn.
const LENGTH: usize = 32;

/// A key in its file. Dropped, the file is removed.
#[derive(Debug)]
pub struct MadeKey {
    file: PathBuf,
    key: Secret,
}

impl MadeKey {
    /// Makes one for the node called `name`, whose lock the caller holds. That of a run that was killed goes.
    ///
    /// # Errors
    /// The system's.
    pub fn make(name: &str) -> Result<Self> {
        let mut drawn = [0; LENGTH];
        aws_lc_rs::rand::fill(&mut drawn).map_err(|_| anyhow!("the random generator failed"))?;
        let text: String = drawn.iter().map(|byte| format!("{byte:02x}")).collect();
        let made = Self {
            file: path(name),
            key: Secret::new(text),
        };
        made.write()
            .with_context(|| format!("cannot make {}", made.file.display()))?;
        Ok(made)
    }

    fn write(&self) -> io::Result<()> {
        remove(&self.file)?;
        // A new file, so that it has this mode, and is in nobody's hands yet.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.file)?;
        writeln!(file, "{}", self.key.expose())
    }

    /// Where it is.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Lets the API check with it.
    pub fn apply(&self, control: &mut Control) {
        control.admin_key = Some(self.key.clone());
        control.token_secret = Some(self.key.clone());
    }
}

impl Drop for MadeKey {
    fn drop(&mut self) {
        let _best_effort = remove(&self.file);
    }
}

/// The key that the running node called `name` has made.
///
/// # Errors
/// It runs with other keys, or does not run, or is somebody else's.
pub fn made_key(name: &str) -> Result<Secret> {
    let file = path(name);
    parse_secret_file(&file.display().to_string()).map_err(|allowed| {
        anyhow!(
            "node {name:?} has made no key ({}: {allowed}): it does not run, or not as this user, or has keys of its configuration; \
             allowed: --token-secret-file or --private-key with what it was given",
            file.display()
        )
    })
}

/// Removes what a node that was killed has left. The caller holds its lock.
pub(super) fn clean_up(name: &str) {
    let _best_effort = remove(&path(name));
}

fn path(name: &str) -> PathBuf {
    lock::directory().join(format!("{name}.key"))
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
