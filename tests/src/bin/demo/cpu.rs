//! CPU time that forwarding takes, as far as it can be told apart.
//!
//! XDP has no process: it runs in softirqs, in the context of whoever sends to the veth, which is ffmpeg inside `sendto`, or in
//! ksoftirqd when the kernel puts it off. The same softirq carries the frames on through the receivers' network stack into their
//! sockets. So the sum of these times is more than forwarding alone, and said to be "at most".

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use forwarder_tests::Node;
use nix::unistd::{SysconfVar, sysconf};

/// CPU time from the start of the media on, seconds.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Used {
    /// The forwarder's process, user and system.
    pub forwarder_s: f64,
    /// The publishers' system time: their sends, and in their context XDP and the receivers' network stack.
    pub publishers_system_s: f64,
    /// The kernel's ksoftirqd threads.
    pub ksoftirqd_s: f64,
    /// The machine's softirq time as its timer tick samples it, whoever's context it ran in; 0 where the kernel is built not to.
    pub machine_softirq_s: f64,
    /// All CPUs of the machine, whatever they did: encoding, decoding, checking and other programs too.
    pub machine_s: f64,
}

impl Used {
    /// The most that forwarding can have taken, with the receivers' network stack.
    pub fn forwarding_s(&self) -> f64 {
        self.forwarder_s + self.publishers_system_s + self.ksoftirqd_s
    }

    /// The same per replica, nanoseconds; 0 if there was none.
    pub fn per_replica_ns(&self, replicas: u64) -> f64 {
        if replicas == 0 {
            0.0
        } else {
            self.forwarding_s() * 1e9 / replicas as f64
        }
    }
}

/// Measures from its making on.
pub struct Meter {
    publishers: Vec<u32>,
    ksoftirqd: Vec<u32>,
    tick_s: f64,
    start: Used,
    /// Of publishers that may have ended since: what they had used when last seen.
    last: Used,
}

impl Meter {
    /// Starts to measure, with the publishers' process ids, which have just begun.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn start(node: &Node, publishers: Vec<u32>) -> Result<Self> {
        let per_second = sysconf(SysconfVar::CLK_TCK)?.context("no clock tick")?;
        let mut meter = Self {
            publishers,
            ksoftirqd: ksoftirqd()?,
            tick_s: 1.0 / per_second as f64,
            start: Used::default(),
            last: Used::default(),
        };
        let mut start = meter.read(node)?;
        start.publishers_system_s = 0.0;
        meter.start = start;
        Ok(meter)
    }

    /// What was used up to now.
    ///
    /// # Errors
    /// When the forwarder is gone.
    pub fn used(&mut self, node: &Node) -> Result<Used> {
        let now = self.read(node)?;
        self.last = Used {
            forwarder_s: now.forwarder_s - self.start.forwarder_s,
            // A publisher that has ended and was waited for has no entry any more.
            publishers_system_s: now.publishers_system_s.max(self.last.publishers_system_s),
            ksoftirqd_s: now.ksoftirqd_s - self.start.ksoftirqd_s,
            machine_s: now.machine_s - self.start.machine_s,
            machine_softirq_s: now.machine_softirq_s - self.start.machine_softirq_s,
        };
        Ok(self.last)
    }

    fn read(&self, node: &Node) -> Result<Used> {
        let system_time = |pids: &[u32]| -> f64 {
            let ticks: u64 = pids.iter().filter_map(|pid| system_ticks(*pid)).sum();
            ticks as f64 * self.tick_s
        };
        Ok(Used {
            forwarder_s: Duration::as_secs_f64(&node.cpu_time()?),
            publishers_system_s: system_time(&self.publishers),
            ksoftirqd_s: system_time(&self.ksoftirqd),
            machine_s: machine_ticks(&BUSY)? as f64 * self.tick_s,
            machine_softirq_s: machine_ticks(&BUSY[4..5])? as f64 * self.tick_s,
        })
    }
}

/// System time of a process, from /proc/PID/stat: the 13th field after the name, which is in parentheses (proc_pid_stat(5)).
fn system_ticks(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let rest = text.rsplit_once(')')?.1;
    rest.split_whitespace().nth(12)?.parse().ok()
}

/// The places in /proc/stat (proc_stat(5)) of user, nice, system, irq, softirq and steal: all that is not idle.
const BUSY: [usize; 6] = [0, 1, 2, 5, 6, 7];

/// Time of all CPUs together by these places.
fn machine_ticks(which: &[usize]) -> Result<u64> {
    let text = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let fields = text.lines().next().unwrap_or_default();
    let values: Vec<u64> = fields
        .split_whitespace()
        .skip(1)
        .map(|value| value.parse().unwrap_or(0))
        .collect();
    Ok(which.iter().filter_map(|n| values.get(*n)).sum())
}

fn ksoftirqd() -> Result<Vec<u32>> {
    let entries = fs::read_dir("/proc").context("cannot read /proc")?;
    Ok(entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok()?.parse().ok())
        .filter(|pid: &u32| {
            fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|name| name.starts_with("ksoftirqd/"))
        })
        .collect())
}
