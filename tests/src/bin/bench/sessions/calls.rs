//! How long calls of the API take, as a client on the same host sees them.

use std::time::Duration;

use serde::Serialize;

/// Durations of one call, many times.
#[derive(Debug)]
pub struct Calls {
    call: &'static str,
    took: Vec<Duration>,
}

/// The same in brief.
#[derive(Clone, Debug, Serialize)]
pub struct CallRow {
    /// `POST /v0/sessions`.
    pub call: &'static str,
    /// How often it was made.
    pub calls: usize,
    /// Half of them were as fast, microseconds.
    pub p50_us: u64,
    /// 99 of 100 were as fast, microseconds.
    pub p99_us: u64,
}

impl Calls {
    /// None yet.
    pub const fn new(call: &'static str) -> Self {
        Self {
            call,
            took: Vec::new(),
        }
    }

    /// One more.
    pub fn note(&mut self, took: Duration) {
        self.took.push(took);
    }

    /// All of them in brief.
    pub fn row(&self) -> CallRow {
        CallRow {
            call: self.call,
            calls: self.took.len(),
            p50_us: quantile(&self.took, 0.5).as_micros() as u64,
            p99_us: quantile(&self.took, 0.99).as_micros() as u64,
        }
    }
}

/// A quantile of some durations, 0 if there are none.
pub fn quantile(took: &[Duration], quantile: f64) -> Duration {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len().saturating_sub(1) as f64 * quantile).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}
