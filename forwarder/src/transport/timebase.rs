//! Times as this program has them, and as crates have them that want an `Instant`.

use std::time::{Duration, Instant};

/// One moment in both: nanoseconds of CLOCK_BOOTTIME, and an `Instant`. Converting reads no clock.
#[derive(Debug, Clone, Copy)]
pub struct Timebase {
    boottime: u64,
    instant: Instant,
}

impl Timebase {
    /// `boottime` (nanoseconds) and `instant` are the same moment.
    #[must_use]
    pub const fn new(boottime: u64, instant: Instant) -> Self {
        Self { boottime, instant }
    }

    /// The instant of a time in nanoseconds. A time before the base is the base: nothing here happened before the start.
    #[must_use]
    pub fn instant(&self, now: u64) -> Instant {
        let since = Duration::from_nanos(now.saturating_sub(self.boottime));
        self.instant.checked_add(since).unwrap_or(self.instant)
    }

    /// Nanoseconds of an instant; one that is too far away is `u64::MAX`.
    #[must_use]
    pub fn nanoseconds(&self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.instant);
        u64::try_from(since.as_nanos())
            .ok()
            .and_then(|since| self.boottime.checked_add(since))
            .unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let base = Timebase::new(7_000, Instant::now());
        for now in [7_000, 7_001, 1 << 40, 1 << 60] {
            assert_eq!(base.nanoseconds(base.instant(now)), now);
        }
        assert_eq!(base.nanoseconds(base.instant(3)), 7_000);
    }
}
