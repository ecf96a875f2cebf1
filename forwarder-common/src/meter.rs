//! How many packets a stranger may send up the stack: the generic cell rate algorithm (ITU-T I.371), whose whole state is one word, so
//! that two CPUs that race lose a count and nothing else.

/// A rate that is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Nanoseconds between two packets.
    pub interval: u64,
    /// Nanoseconds that a source may be ahead.
    pub burst: u64,
}

/// Of strangers' checks, per source address, and of what a worker hands to control, per socket: 500 packets per second in bursts of 257.
/// A hundred clients behind one NAT that all begin at once, with a check every 20 ms each (RFC 8445 §14), are a tenth slowed down.
pub const CHECKS: Rate = Rate {
    interval: 2_000_000,
    burst: 256 * 2_000_000,
};

/// Of RTP of one session while the ring of its worker is half full: 10,000 packets per second in bursts of 257. That is 100 Mbit/s of
/// video, more than browsers send.
pub const RTP: Rate = Rate {
    interval: 100_000,
    burst: 256 * 100_000,
};

impl Rate {
    /// Judges a packet at `now` of a source that has used up its rate until `until`: its new `until` if the packet is admitted.
    #[inline(always)]
    #[must_use]
    pub const fn admit(self, until: u64, now: u64) -> Option<u64> {
        let from = if until > now { until } else { now };
        if from - now > self.burst {
            return None;
        }
        Some(from + self.interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_does() {
        let mut until = 0;
        let mut at = |now| match CHECKS.admit(until, now) {
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
