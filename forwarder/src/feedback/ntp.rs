//! Times in the formats of RTCP (RFC 3550 §4): NTP timestamps, their middle 32 bits, and durations of the same unit.

const SECOND: u64 = 1_000_000_000;

/// A time or duration in nanoseconds as an NTP timestamp: seconds with 32 bits of fraction. Of a clock that counts from
/// elsewhere than 1900, as RFC 3550 §4 allows, since receivers only compare.
#[must_use]
pub const fn from_nanos(nanos: u64) -> u64 {
    let (seconds, rest) = (nanos / SECOND, nanos % SECOND);
    (seconds << 32) | ((rest << 32) / SECOND)
}

/// The middle 32 bits: what a report block's LSR is (RFC 3550 §6.4.1).
#[must_use]
pub const fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// A duration in nanoseconds in units of 1/65536 s, as DLSR has it; the longest that can be said if it is longer.
#[must_use]
pub const fn short_from_nanos(nanos: u64) -> u32 {
    let units = from_nanos(nanos) >> 16;
    if units > u32::MAX as u64 {
        u32::MAX
    } else {
        units as u32
    }
}

/// A duration in units of 1/65536 s in nanoseconds.
#[must_use]
pub const fn nanos_from_short(units: u32) -> u64 {
    (units as u64 * SECOND) >> 16
}

/// A duration in nanoseconds in units of a media clock, modulo 2^32 as RTP timestamps are.
#[must_use]
pub const fn media_units(nanos: u64, clock_rate: u32) -> u32 {
    let (seconds, rest) = (nanos / SECOND, nanos % SECOND);
    let rate = clock_rate as u64;
    (seconds.wrapping_mul(rate)).wrapping_add(rest * rate / SECOND) as u32
}
