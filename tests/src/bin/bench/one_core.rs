//! One saturated core: the calling thread, and the threads it starts from then on, run on it and before all others.

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Pins the calling thread to a core.
///
/// # Errors
/// No such core.
pub fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("cannot run on core {core}"))
}

/// Pins all threads that a process has, and with them those that they start from then on.
///
/// # Errors
/// No such core, or the process is gone.
pub fn pin_process(pid: i32, core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let name = thread?.file_name();
        let id: i32 = name.to_string_lossy().parse()?;
        sched_setaffinity(Pid::from_raw(id), &set)
            .with_context(|| format!("cannot run on core {core}"))?;
    }
    Ok(())
}

/// Gives the calling thread real-time priority: ordinary threads, ksoftirqd among them, wait until it sleeps.
///
/// # Errors
/// No privilege.
pub fn first_in_line() -> Result<()> {
    in_line(1)
}

/// Gives the calling thread this real-time priority: those with a lower one wait, too.
///
/// # Errors
/// No privilege.
pub fn in_line(priority: i32) -> Result<()> {
    schedule(libc::SCHED_FIFO, priority)
}

/// Makes the calling thread an ordinary one again.
///
/// # Errors
/// The system's.
pub fn like_others() -> Result<()> {
    schedule(libc::SCHED_OTHER, 0)
}

fn schedule(policy: i32, priority: i32) -> Result<()> {
    let param = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: a plain system call that reads `param`.
    let outcome = unsafe { libc::sched_setscheduler(0, policy, &raw const param) };
    if outcome == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error()).context("cannot get real-time priority")
    }
}

/// How many cores there are.
pub fn count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
