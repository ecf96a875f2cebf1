//! When reports are due.
//!
//! RFC 3550 §6.2 scales the interval with the number of members and the bandwidth; between a peer and us there are two
//! members, and a report a second is far below 5 % of any call. What stays is the variation of §6.3.1, without which
//! sessions that join together would report together for ever.

const MEAN: u64 = 1_000_000_000;

/// After so long the first report goes out: receivers need it to play sound and picture in time (RFC 6051 §2).
const FIRST: u64 = 200_000_000;

/// Deadlines between 0.5 and 1.5 s apart.
#[derive(Clone, Debug)]
pub struct ReportInterval {
    next: u64,
    random: u64,
}

impl ReportInterval {
    /// The first report is due soon after `now`. `seed` varies the intervals; an SSRC will do.
    #[must_use]
    pub const fn new(now: u64, seed: u32) -> Self {
        Self {
            next: now.saturating_add(FIRST),
            random: seed as u64,
        }
    }

    /// When the next report is due.
    #[must_use]
    pub const fn poll_timeout(&self) -> u64 {
        self.next
    }

    /// Whether a report is due, and if so sets the next deadline.
    pub fn handle_timeout(&mut self, now: u64) -> bool {
        if now < self.next {
            return false;
        }
        // splitmix64: its low bits are good enough to spread deadlines.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let part = (mixed ^ (mixed >> 27)) >> 32;
        self.next = now.saturating_add(MEAN / 2 + ((MEAN * part) >> 32));
        true
    }
}
