//! What a process holds and has used, and the kernel's memory.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// What a process holds, bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Resident pages, shared ones counted whole.
    pub resident: u64,
    /// Of these, those that are no file's: heap and stacks.
    pub anonymous: u64,
    /// Objects in the slabs of the whole system: what sockets and descriptors are made of, and more.
    pub slab: u64,
}

impl Memory {
    /// What the process holds now (proc(5), `smaps_rollup` and `slabinfo`).
    ///
    /// # Errors
    /// It is gone.
    pub fn of(pid: i32) -> Result<Self> {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let slabs = fs::read_to_string("/proc/slabinfo")?;
        Ok(Self {
            resident: kibibytes(&rollup, "Rss:")?,
            anonymous: kibibytes(&rollup, "Anonymous:")?,
            slab: slabs.lines().filter_map(in_use).sum(),
        })
    }

    /// Growth since `before` per each of `count`.
    pub fn growth_each(self, before: Self, count: usize) -> Self {
        let each = |now: u64, before: u64| now.saturating_sub(before) / count.max(1) as u64;
        Self {
            resident: each(self.resident, before.resident),
            anonymous: each(self.anonymous, before.anonymous),
            slab: each(self.slab, before.slab),
        }
    }
}

/// CPU time that the threads of a process have used until now, user and system. To the nanosecond, which utime and stime of proc(5) are
/// not; threads that have ended do not count.
///
/// # Errors
/// The process is gone.
pub fn cpu_time(pid: i32) -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // Documentation/scheduler/sched-stats.rst: the first field is the time spent on the CPU.
        let text = match fs::read_to_string(thread?.path().join("schedstat")) {
            Ok(text) => text,
            // It has ended since the folder was read.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => {
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let first = text.split_whitespace().next();
        sum += Duration::from_nanos(first.context("an empty schedstat")?.parse()?);
    }
    Ok(sum)
}

/// A line such as `Rss: 1234 kB`, in bytes.
fn kibibytes(text: &str, key: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_whitespace().next());
    let number = number.with_context(|| format!("no {key} where memory is shown"))?;
    Ok(number.parse::<u64>()? * 1024)
}

/// Bytes of the objects that a cache of slabinfo(5) holds: its name, how many are active, how many there are, and how large each is.
fn in_use(line: &str) -> Option<u64> {
    let mut fields = line.split_whitespace().skip(1);
    let active: u64 = fields.next()?.parse().ok()?;
    let size: u64 = fields.nth(1)?.parse().ok()?;
    Some(active * size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_shows_is_read() {
        assert_eq!(
            kibibytes("Size: 1 kB\nRss:   12 kB\n", "Rss:").unwrap(),
            12 << 10
        );
        assert!(kibibytes("Size: 1 kB\n", "Rss:").is_err());
        assert_eq!(
            in_use("UDP   150  168  1344   24    8 : tunables 0 0 0"),
            Some(150 * 1344)
        );
        assert_eq!(
            in_use("# name            <active_objs> <num_objs> <objsize>"),
            None
        );
        assert_eq!(in_use("slabinfo - version: 2.1"), None);
        assert!(cpu_time(std::process::id() as i32).unwrap() > Duration::ZERO);
    }
}
