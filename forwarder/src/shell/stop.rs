//! `forwarder stop`: ends a node, and cleans up after one that died.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};

use super::{
    lock::{self, Lock},
    made_key,
};
use crate::dataplane::kernel;

/// A node that takes longer than this to stop is stuck.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// Stops the node called `name` and removes what it left, alive or dead.
///
/// # Errors
/// It is not ours to stop, it does not stop, or there is nothing of this name.
pub fn stop(name: &str) -> Result<()> {
    let found = lock::exists(name);
    let mut stopped = false;
    if let Some(pid) = lock::holder(name) {
        stopped = true;
        kill(pid, Signal::SIGTERM).with_context(|| format!("cannot stop process {pid}"))?;
        let deadline = Instant::now() + PATIENCE;
        while lock::holder(name) == Some(pid) {
            if Instant::now() > deadline {
                bail!(
                    "process {pid} does not stop; `kill -9 {pid}` and then `forwarder stop --name {name}` again"
                );
            }
            std::thread::sleep(POLL);
        }
        println!("stopped process {pid}");
    }
    // Under the lock, so that a node that a supervisor starts meanwhile keeps what it has made.
    let lock = match Lock::take(name) {
        Ok(lock) => lock,
        Err(_) if stopped => return Ok(()),
        Err(error) => return Err(error),
    };
    made_key::clean_up(name);
    let swept = kernel::sweep(name);
    if swept > 0 {
        println!("removed what {swept} dead run(s) had left in the kernel");
    }
    drop(lock);
    if found || swept > 0 {
        return Ok(());
    }
    bail!("name: there is no node {name:?}, running or dead")
}
