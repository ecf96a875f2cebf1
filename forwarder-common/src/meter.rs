//! How many packets strangers and pairs may send up the stack: the generic cell rate algorithm (ITU-T I.371), whose whole state is one word, so
//! that two CPUs that race lose a count and nothing else.

/// A rate that is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Nanoseconds between two packets.
    pub interval: u64,
    /// Nanoseconds that a source may be ahead.
    pub burst: u64,
}

/// Of strangers' checks, per source address: 500 packets per second in bursts of 257. A hundred clients behind one NAT that all begin at once, with a
/// check every 20 ms each (RFC 8445 §14), are a tenth slowed down.
pub const CHECKS: Rate = Rate {
    interval: 2_000_000,
    burst: 256 * 2_000_000,
};

/// Of STUN, DTLS and RTCP of one pair together: 1,000 packets per second in bursts of 513. XDP holds each 5-tuple to it, and a worker each
/// socket and TCP connection. A client with some hundred tracks stays below: a receiver report a second of each, as browsers send them,
/// keyframe requests for all of them at once when it joins, transport-wide feedback 20 times a second,
/// checks every 20 ms (RFC 8445 §14), and flights of a handshake, which have a dozen datagrams.
pub const PAIR: Rate = Rate {
    interval: 1_000_000,
    burst: 512 * 1_000_000,
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

    /// Of packets that come at `times`, how many are admitted.
    fn admitted(rate: Rate, until: &mut u64, times: impl IntoIterator<Item = u64>) -> usize {
        let admit = |now: &u64| match rate.admit(*until, *now) {
            Some(next) => {
                *until = next;
                true
            }
            None => false,
        };
        times.into_iter().filter(admit).count()
    }

    #[test]
    fn a_burst_passes_then_the_rate_does() {
        let start = 7_000_000_000;
        for (rate, burst, per_second) in [(CHECKS, 257, 500), (PAIR, 513, 1000), (RTP, 257, 10_000)]
        {
            let mut until = 0;
            assert_eq!(admitted(rate, &mut until, [start; 1000]), burst);
            // Twenty thousand in the second after it.
            let flood = (1..=20_000).map(|tick| start + tick * 50_000);
            assert_eq!(admitted(rate, &mut until, flood), per_second);
            let later = start + 60_000_000_000;
            assert_eq!(
                admitted(rate, &mut until, [later]),
                1,
                "a quiet source is forgiven"
            );
        }
    }

    #[test]
    fn what_a_pair_may_need_passes() {
        // Three hundred tracks: a keyframe request for each within 50 ms of joining, then a report of each every second and feedback.
        let joining = (0..300).map(|track| track * 50_000_000 / 300);
        let second = |n: u64| {
            let reports = (0..300).map(move |track| n * 1_000_000_000 + track * 3_333_333);
            let feedback = (0..20).map(move |tick| n * 1_000_000_000 + tick * 50_000_000);
            let checks = (0..50).map(move |tick| n * 1_000_000_000 + tick * 20_000_000);
            reports.chain(feedback).chain(checks)
        };
        let mut times: Vec<u64> = joining.chain((0..10).flat_map(second)).collect();
        times.sort_unstable();
        let all = times.len();
        assert_eq!(admitted(PAIR, &mut 0, times), all);
    }
}
