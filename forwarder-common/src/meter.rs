//! How many packets a stranger may send up the stack: the generic cell rate algorithm (ITU-T I.371), whose whole state is one word, so
//! that two CPUs that race lose a count and nothing else.

/// Nanoseconds between two packets at the admitted rate of 500 packets per second and source address: a hundred clients behind one NAT
/// that all begin at once, with a check every 20 ms each (RFC 8445 §14), are a tenth slowed down.
pub const INTERVAL: u64 = 2_000_000;
/// Nanoseconds that a source may be ahead of that rate: bursts of 256 packets.
pub const BURST: u64 = 256 * INTERVAL;

/// Judges a packet at `now` of a source that has used up its rate until `until`: its new `until` if the packet is admitted.
#[inline(always)]
#[must_use]
pub const fn admit(until: u64, now: u64) -> Option<u64> {
    let from = if until > now { until } else { now };
    if from - now > BURST {
        return None;
    }
    Some(from + INTERVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_does() {
        let mut until = 0;
        let mut at = |now| match admit(until, now) {
            Some(next) => {
                until = next;
                true
            }
            None => false,
        };
        let start = 7_000_000_000;
        assert_eq!((0..1000).filter(|_| at(start)).count(), 257);
        let second = (1..=1000)
            .filter(|tick| at(start + tick * 1_000_000))
            .count();
        assert_eq!(second, 500);
        assert!(at(start + 60_000_000_000), "a quiet source is forgiven");
    }
}
