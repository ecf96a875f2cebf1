//! SSRCs that we send with: unique in a session for as long as its keys live.
//!
//! An SRTP index may be used once per key and SSRC (RFC 3711 §9.1), so an SSRC that was given back must not come again
//! under the same keys. Walking through all 2^32 values in steps of an odd number visits each once before any comes
//! again, which takes 8 bytes per session where a set of the used ones would grow.

/// The walk of one session.
#[derive(Clone, Debug)]
pub struct Ssrcs {
    next: u32,
    step: u32,
}

impl Ssrcs {
    /// A walk from a random start in random steps.
    pub const fn new(start: u32, step: u32) -> Self {
        // A step near 0 would make neighbours of one another, which is allowed, but hard to tell apart in logs.
        Self {
            next: start,
            step: step | 0x0100_0001,
        }
    }

    /// The next SSRC that is not 0 (which some receivers take for "none") and that `taken` does not hold: a peer's own
    /// SSRCs would look like a collision (RFC 3550 §8.2).
    pub fn take(&mut self, taken: impl Fn(u32) -> bool) -> u32 {
        loop {
            let ssrc = self.next;
            self.next = self.next.wrapping_add(self.step);
            if ssrc != 0 && !taken(ssrc) {
                return ssrc;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_ssrc_comes_twice_and_taken_ones_are_left_out() {
        for (start, step) in [(0, 0), (1, 2), (u32::MAX, u32::MAX), (7, 0x8000_0000)] {
            let mut ssrcs = Ssrcs::new(start, step);
            let taken = start.wrapping_add(step | 0x0100_0001);
            let seen: HashSet<u32> = (0..100_000).map(|_| ssrcs.take(|it| it == taken)).collect();
            assert_eq!(seen.len(), 100_000);
            assert!(!seen.contains(&0) && !seen.contains(&taken));
        }
    }
}
