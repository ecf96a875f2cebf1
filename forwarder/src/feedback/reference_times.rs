//! The round trip of receivers that send nothing: their reference times answered (RFC 3611 §4.4 and §4.5).

use arrayvec::ArrayVec;

use super::{
    ntp,
    rtcp::{MAX_ITEMS, ReceiverDelay},
};

/// How many sources of one session are remembered: a peer reports from one, rarely from more.
const SOURCES: usize = 8;

/// The last reference time of each of a session's sources.
#[derive(Clone, Debug, Default)]
pub struct ReferenceTimes {
    /// SSRC, middle 32 bits of the time it sent, and when it came; the latest last.
    last: ArrayVec<(u32, u32, u64), SOURCES>,
}

impl ReferenceTimes {
    /// A source said what time it has. The oldest gives way where there are too many.
    pub fn handle_reference(&mut self, now: u64, sender: u32, ntp: u64) {
        self.last.retain(|(source, ..)| *source != sender);
        if self.last.is_full() {
            self.last.remove(0);
        }
        self.last.push((sender, ntp::middle(ntp), now));
    }

    /// What goes back with the next report: each once.
    pub fn take_delays(&mut self, now: u64) -> ArrayVec<ReceiverDelay, MAX_ITEMS> {
        let answer = |(ssrc, last_reference, at)| ReceiverDelay {
            ssrc,
            last_reference,
            delay: ntp::short_from_nanos(now.saturating_sub(at)),
        };
        self.last.drain(..).map(answer).collect()
    }
}
