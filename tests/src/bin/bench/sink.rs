//! What arrived, how late, and what receiving it took.

use std::time::{Duration, Instant};

use anyhow::Result;
use aya::maps::{Array, MapData, PerCpuArray, PerCpuValues};

use crate::generator;
use crate::layout::{BUCKETS, MAX_CPUS, Polls, Seen, bucket_end};
use crate::one_core;
use crate::programs::Programs;

/// After this long without another frame none is expected any more.
const PATIENCE: Duration = Duration::from_millis(100);

/// The counters of the sinks.
pub struct Sink {
    seen: Array<MapData, Seen>,
    latency: Array<MapData, u64>,
    polls: PerCpuArray<MapData, Polls>,
    cores: u32,
}

impl Sink {
    /// The maps of the lab's sinks and trace points.
    ///
    /// # Errors
    /// A map is missing.
    pub fn new(programs: &mut Programs) -> Result<Self> {
        Ok(Self {
            seen: programs.take_array("SEEN")?,
            latency: programs.take_array("LATENCY")?,
            polls: PerCpuArray::try_from(programs.take("POLLS")?)?,
            cores: u32::try_from(one_core::count())?.min(MAX_CPUS),
        })
    }

    /// Frames seen by sinks, ever, on all cores.
    ///
    /// # Errors
    /// The kernel's.
    pub fn frames(&self) -> Result<u64> {
        (0..self.cores).try_fold(0, |sum, core| Ok(sum + self.frames_on(core)?))
    }

    /// Frames seen by sinks on one core.
    ///
    /// # Errors
    /// The kernel's.
    pub fn frames_on(&self, core: u32) -> Result<u64> {
        Ok(self.seen.get(&core, 0)?.frames)
    }

    /// Waits until so many frames have been seen, ever, and lends the core to whoever is to send them; gives up when
    /// none comes any more.
    ///
    /// # Errors
    /// The kernel's.
    pub fn wait_for(&self, programs: &Programs, frames: u64) -> Result<()> {
        wait(programs, frames, || self.frames())
    }

    /// The same, for frames seen on one core.
    ///
    /// # Errors
    /// The kernel's.
    pub fn wait_for_on(&self, core: u32, programs: &Programs, frames: u64) -> Result<()> {
        wait(programs, frames, || self.frames_on(core))
    }

    /// What polls took, on all cores.
    ///
    /// # Errors
    /// The kernel's.
    pub fn polls(&self) -> Result<Polls> {
        let mut sum = Polls::default();
        for polls in self.polls.get(&0, 0)?.iter() {
            sum.sink_time += polls.sink_time;
            sum.sink_polls += polls.sink_polls;
            sum.other_time += polls.other_time;
            sum.other_polls += polls.other_polls;
        }
        Ok(sum)
    }

    /// Forgets what polls took.
    ///
    /// # Errors
    /// The kernel's.
    pub fn forget_polls(&mut self) -> Result<()> {
        let zero = vec![Polls::default(); aya::util::nr_cpus().map_err(|(_, error)| error)?];
        Ok(self.polls.set(0, PerCpuValues::try_from(zero)?, 0)?)
    }

    /// Takes the histogram of one core, and empties it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn take_latencies(&mut self, core: u32) -> Result<Histogram> {
        let mut frames = Vec::new();
        for bucket in 0..BUCKETS {
            let index = core * BUCKETS + bucket;
            frames.push(self.latency.get(&index, 0)?);
            self.latency.set(index, 0, 0)?;
        }
        Ok(Histogram { frames })
    }
}

/// Waits until `seen` gives so many frames.
fn wait(programs: &Programs, frames: u64, seen: impl Fn() -> Result<u64>) -> Result<()> {
    let mut last = (seen()?, Instant::now());
    while last.0 < frames {
        generator::serve_softirqs(programs)?;
        std::thread::yield_now();
        let now = seen()?;
        if now != last.0 {
            last = (now, Instant::now());
        } else if last.1.elapsed() > PATIENCE {
            break;
        }
    }
    Ok(())
}

/// Frames by latency.
#[derive(Debug, Default)]
pub struct Histogram {
    frames: Vec<u64>,
}

impl Histogram {
    /// The latency in nanoseconds that this share of all frames does not exceed; rounded up to the end of a bucket.
    pub fn quantile(&self, share: f64) -> u64 {
        let total: u64 = self.frames.iter().sum();
        let rank = (total as f64 * share).ceil() as u64;
        let mut sum = 0;
        for (bucket, frames) in (0..).zip(&self.frames) {
            sum += frames;
            if sum >= rank {
                return bucket_end(bucket);
            }
        }
        bucket_end(BUCKETS - 1)
    }

    /// Adds another histogram.
    pub fn add(&mut self, other: &Self) {
        self.frames.resize(other.frames.len(), 0);
        for (sum, frames) in self.frames.iter_mut().zip(&other.frames) {
            *sum += frames;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::bucket;

    #[test]
    fn buckets_follow_one_another() {
        for number in 0..447 {
            let end = bucket_end(number);
            assert_eq!(bucket(end - 1), number, "the last of bucket {number}");
            assert_eq!(bucket(end), number + 1, "the first beyond bucket {number}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_the_ends_of_buckets() {
        let mut histogram = Histogram::default();
        let mut frames = vec![0; BUCKETS as usize];
        frames[bucket(1000) as usize] = 98;
        frames[bucket(9000) as usize] = 2;
        histogram.add(&Histogram { frames });
        assert_eq!(histogram.quantile(0.5), bucket_end(bucket(1000)));
        assert_eq!(histogram.quantile(0.98), bucket_end(bucket(1000)));
        assert_eq!(histogram.quantile(0.99), bucket_end(bucket(9000)));
    }
}
