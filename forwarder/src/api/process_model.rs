//! What the process uses, as the system accounts it.

use procfs::process::Process as Entry;
use serde::Serialize;
use utoipa::ToSchema;

/// The process.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Process {
    /// Memory that is in use and not swapped out, shared tables included.
    resident_bytes: u64,
    threads: Vec<Thread>,
}

/// A thread that lives.
#[derive(Debug, Serialize, ToSchema)]
struct Thread {
    name: String,
    /// Time on a CPU since it was started, that of the system calls included: what XDP sends within a worker's `send` is
    /// here, what softirqs do in between is not.
    cpu_ns: u64,
}

impl Process {
    /// Reads it anew; what the system does not tell is left out. Takes some system calls per thread, so it is nothing for
    /// the node's task.
    #[must_use]
    pub fn read() -> Self {
        let Ok(entry) = Entry::myself() else {
            return Self::default();
        };
        let pages = entry.statm().map_or(0, |memory| memory.resident);
        let tasks = entry.tasks().into_iter().flatten().flatten();
        let thread = |task: procfs::process::Task| {
            Some(Thread {
                name: task.stat().ok()?.comm,
                cpu_ns: task.schedstat().ok()?.sum_exec_runtime,
            })
        };
        Self {
            resident_bytes: pages.saturating_mul(procfs::page_size()),
            threads: tasks.filter_map(thread).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc::{TryRecvError, channel},
        thread::Builder,
        time::{Duration, Instant},
    };

    use super::Process;

    fn cpu_ns(process: &Process, name: &str) -> Option<u64> {
        let mut threads = process.threads.iter();
        let found = threads.find(|thread| thread.name == name);
        found.map(|thread| thread.cpu_ns)
    }

    #[test]
    fn a_thread_that_works_is_seen_to_work_until_it_ends() {
        let started = Instant::now();
        let (let_go, wait) = channel::<()>();
        let busy = Builder::new()
            .name("busy-thread".into())
            .spawn(move || {
                while wait.try_recv() == Err(TryRecvError::Empty) {
                    std::hint::spin_loop();
                }
            })
            .unwrap();
        // Other programs may have the CPU for most of the time.
        let mut worked = None;
        until(|| {
            let during = Process::read();
            assert!(during.resident_bytes > 100_000, "{during:?}");
            worked = cpu_ns(&during, "busy-thread");
            worked > Some(1_000_000)
        });
        let passed = u64::try_from(started.elapsed().as_nanos()).unwrap();
        assert!(worked <= Some(passed), "{worked:?} of {passed} ns");
        drop(let_go);
        busy.join().unwrap();
        // The system shows it for a moment after its end.
        until(|| cpu_ns(&Process::read(), "busy-thread").is_none());
    }

    fn until(mut done: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !done() {
            assert!(Instant::now() < end, "it did not come about");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
