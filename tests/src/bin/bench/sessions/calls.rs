//! How long calls of the API take, as a client on the same host sees them.

use std::time::Duration;

use serde::Serialize;

/// Durations of one call, many times.
#[derive(Debug)]
pub struct Calls {
    method: &'static str,
    path: &'static str,
    took: Vec<Duration>,
    bytes: usize,
}

/// The same in brief.
#[derive(Clone, Debug, Serialize)]
pub struct CallRow {
    /// `POST`.
    pub method: &'static str,
    /// `/v0/sessions`.
    pub path: &'static str,
    /// How often it was made.
    pub calls: usize,
    /// Half of them were as fast, microseconds.
    pub p50_us: u64,
    /// 99 of 100 were as fast, microseconds.
    pub p99_us: u64,
    /// All were as fast, microseconds.
    pub slowest_us: u64,
    /// The largest answer.
    pub bytes: usize,
}

impl Calls {
    /// None yet.
    pub const fn new(method: &'static str, path: &'static str) -> Self {
        Self {
            method,
            path,
            took: Vec::new(),
            bytes: 0,
        }
    }

    /// One more, and the size of its answer.
    pub fn note(&mut self, took: Duration, bytes: usize) {
        self.took.push(took);
        self.bytes = self.bytes.max(bytes);
    }

    /// All of them in brief.
    pub fn row(&self) -> CallRow {
        let at = |of| quantile(&self.took, of).as_micros() as u64;
        CallRow {
            method: self.method,
            path: self.path,
            calls: self.took.len(),
            p50_us: at(0.5),
            p99_us: at(0.99),
            slowest_us: at(1.0),
            bytes: self.bytes,
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
