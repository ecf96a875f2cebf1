//! The one place that asks the time.

use nix::time::{ClockId, clock_gettime};

/// CLOCK_BOOTTIME in nanoseconds: what the data plane holds leases against. It goes on while the machine sleeps.
#[must_use]
pub fn boottime() -> u64 {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(0, |time| {
        let (seconds, nanoseconds) = (time.tv_sec(), time.tv_nsec());
        u64::try_from(seconds)
            .unwrap_or(0)
            .saturating_mul(1_000_000_000)
            .saturating_add(u64::try_from(nanoseconds).unwrap_or(0))
    })
}
