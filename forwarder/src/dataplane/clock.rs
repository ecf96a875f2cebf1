//! The clock that deadlines are held against, here and in XDP (`bpf_ktime_get_boot_ns`).

use nix::time::{ClockId, clock_gettime};

/// CLOCK_BOOTTIME in nanoseconds. It cannot fail on any kernel that runs this; if it did, the end of time would let
/// every lease be past.
#[must_use]
pub fn boottime() -> u64 {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(u64::MAX, |time| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
        let nanoseconds = u64::try_from(time.tv_nsec()).unwrap_or(0);
        seconds * 1_000_000_000 + nanoseconds
    })
}
