//! Floods: prepared frames into a wire at hundreds of thousands a second.
//!
//! They come through a packet socket, [`BATCH`] per system call, from a thread with real-time priority: a wire does not wait until
//! the machine that it ends at has time. That machine's work on a frame, up to its XDP program's verdict or to the socket that
//! takes it, is done on the thread's CPU, in the softirq that follows each system call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use crate::mmsg::BATCH;
use crate::netns::Netns;
use crate::plan::Leaf;
use crate::publisher::RawSender;

/// Batches that make up for lost time in one go: more would be another flood.
const CATCH_UP: u64 = 32;

/// A flood, until it is stopped.
#[derive(Debug)]
pub struct Flood {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(u64, Duration)>>,
}

/// A flood that is over.
#[derive(Clone, Copy, Debug)]
pub struct Flooded {
    /// Frames that were sent.
    pub sent: u64,
    /// For how long.
    pub lasted: Duration,
}

impl Flooded {
    /// Frames a second.
    #[must_use]
    pub fn rate(self) -> f64 {
        self.sent as f64 / self.lasted.as_secs_f64()
    }
}

impl Flood {
    /// Begins to send these frames over and over from a leaf's interface: so many a second.
    ///
    /// # Errors
    /// There are no frames, or the system's.
    pub fn start(leaf: &Leaf, frames: &[Vec<u8>], rate: u64) -> Result<Self> {
        ensure!(!frames.is_empty(), "a flood of no frames");
        let sender = RawSender::open(leaf)?;
        // Whole batches of all frames in turn.
        let count = frames.len().next_multiple_of(BATCH);
        let frames: Vec<Vec<u8>> = frames.iter().cycle().take(count).cloned().collect();
        let stop = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("flood".to_owned())
            .spawn(move || pour(&sender, &frames, rate, &theirs))?;
        Ok(Self { stop, thread })
    }

    /// Ends it.
    ///
    /// # Errors
    /// What went wrong while it lasted.
    pub fn stop(self) -> Result<Flooded> {
        self.stop.store(true, Ordering::Relaxed);
        let outcome = self.thread.join();
        let (sent, lasted) = outcome.map_err(|_| anyhow!("the flood's thread panicked"))??;
        Ok(Flooded { sent, lasted })
    }
}

/// Packets that an interface has received, whatever became of them.
///
/// # Errors
/// When there is no such interface.
pub fn received(netns: &Netns, interface: &str) -> Result<u64> {
    let table = netns.enter(|| std::fs::read_to_string("/proc/thread-self/net/dev"))?;
    let lines = table.lines().filter_map(|line| line.split_once(':'));
    let mut counts = lines.filter(|(name, _)| name.trim() == interface);
    let (_, counts) = counts
        .next()
        .with_context(|| format!("no interface {interface}"))?;
    let packets = counts.split_whitespace().nth(1);
    Ok(packets.context("a count of packets")?.parse()?)
}

fn pour(
    sender: &RawSender,
    frames: &[Vec<u8>],
    rate: u64,
    stop: &AtomicBool,
) -> Result<(u64, Duration)> {
    come_first()?;
    let began = Instant::now();
    let mut sent = 0;
    let mut batches = frames.chunks_exact(BATCH).cycle();
    while !stop.load(Ordering::Relaxed) {
        let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
        let missing = due.saturating_sub(sent) / BATCH as u64;
        for batch in batches.by_ref().take(missing.min(CATCH_UP) as usize) {
            sender.send(batch)?;
            sent += BATCH as u64;
        }
        // Whoever has less priority gets a turn in any case.
        std::thread::sleep(Duration::from_micros(100));
    }
    Ok((sent, began.elapsed()))
}

/// Gives the calling thread real-time priority.
fn come_first() -> Result<()> {
    let param = libc::sched_param { sched_priority: 1 };
    // SAFETY: a plain system call that reads `param`.
    let outcome = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const param) };
    ensure!(
        outcome == 0,
        "no real-time priority: {}",
        std::io::Error::last_os_error()
    );
    Ok(())
}
