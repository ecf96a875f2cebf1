//! Requests for keyframes: receivers ask often and together, and a publisher is asked once.
//!
//! A keyframe is many times the size of another frame and hurts everybody's rate, so requests are limited for each
//! receiver and for the source (RFC 5104 §4.3.1.2 wants no more than the round trip allows), and one that did not help
//! is repeated, since it or the keyframe may have been lost.

use std::collections::HashMap;

use arrayvec::ArrayVec;

const MILLISECOND: u64 = 1_000_000;

/// The least time between two requests to the source, and between two of one receiver.
const APART: u64 = 200 * MILLISECOND;

/// When a request is repeated if no keyframe came.
const RETRY: u64 = 1000 * MILLISECOND;

/// A receiver's requests in [`WINDOW`].
const LIMIT: usize = 3;
const WINDOW: u64 = 10_000 * MILLISECOND;

/// Why a receiver needs a keyframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It lost something: PLI (RFC 4585 §6.3.1).
    Loss,
    /// Its decoder starts: a new subscription, or FIR (RFC 5104 §4.3.1).
    NewDecoder,
}

/// What of it a publisher reads (`a=rtcp-fb`, RFC 4585 §4.2, RFC 5104 §7.1). One that reads neither is asked for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Understands {
    /// Picture loss indications (`nack pli`).
    pub pli: bool,
    /// Full intra requests (`ccm fir`).
    pub fir: bool,
}

/// What is to be sent to the publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyframeRequest {
    /// A picture loss indication.
    PictureLoss,
    /// A full intra request with this command sequence number (RFC 5104 §4.3.1.1).
    FullIntra {
        /// The command sequence number.
        sequence: u8,
    },
}

/// The last accepted requests of one receiver, oldest first.
type Accepted = ArrayVec<u64, LIMIT>;

/// The requests for keyframes of one publication.
#[derive(Clone, Debug)]
pub struct Keyframes {
    understands: Understands,
    /// Of the last command.
    sequence: u8,
    receivers: HashMap<u32, Accepted>,
    /// The latest request that no keyframe has answered, and the strongest reason among them.
    wanted: Option<(u64, Reason)>,
    /// How often all that is wanted was passed on already: to pass it on again is a repetition.
    asked: u32,
    /// When the source was asked last.
    last: Option<u64>,
    /// When a receiver that missed too many may be asked for again.
    owed: Option<u64>,
}

impl Keyframes {
    /// For a publication whose publisher understands this.
    #[must_use]
    pub fn new(understands: Understands) -> Self {
        Self {
            understands,
            sequence: 0,
            receivers: HashMap::new(),
            wanted: None,
            asked: 0,
            last: None,
            owed: None,
        }
    }

    /// A receiver, known by the number of its leg, needs a keyframe. `rtt` is its round trip in nanoseconds, if known.
    /// False if it asks too often: less than 200 ms or a round trip after its last request, or a fourth time in 10 s.
    /// There is one entry per receiver, kept until [`Self::forget`]: call this only for legs that there are.
    pub fn request(&mut self, now: u64, receiver: u32, reason: Reason, rtt: Option<u64>) -> bool {
        let accepted = self.receivers.entry(receiver).or_default();
        let apart = APART.max(rtt.unwrap_or(0)).min(WINDOW);
        let too_soon = accepted
            .last()
            .is_some_and(|last| now < last.saturating_add(apart));
        accepted.retain(|at| now < at.saturating_add(WINDOW));
        if too_soon || accepted.try_push(now).is_err() {
            return false;
        }
        let strongest = match self.wanted {
            Some((_, Reason::NewDecoder)) => Reason::NewDecoder,
            _ => reason,
        };
        (self.wanted, self.asked) = (Some((now, strongest)), 0);
        true
    }

    /// A keyframe came, and could not be sent to this receiver, which waits for one: another is wanted. False if that happened to
    /// it, together with its own requests, a fourth time in 10 s: then it is wanted when those are over, unless one came by then.
    pub fn missed(&mut self, now: u64, receiver: u32) -> bool {
        let accepted = self.receivers.entry(receiver).or_default();
        accepted.retain(|at| now < at.saturating_add(WINDOW));
        if accepted.try_push(now).is_err() {
            let due = accepted.first().unwrap_or(&now).saturating_add(WINDOW);
            self.owed = Some(self.owed.map_or(due, |owed| owed.min(due)));
            return false;
        }
        (self.wanted, self.asked) = (Some((now, Reason::NewDecoder)), 0);
        true
    }

    /// A receiver is gone. With the last one goes what was asked for.
    pub fn forget(&mut self, receiver: u32) {
        self.receivers.remove(&receiver);
        if self.receivers.is_empty() {
            (self.wanted, self.owed) = (None, None);
        }
    }

    /// Another source sends the stream now, and no receiver can decode it before its first keyframe. What was asked of the
    /// former source does not count against it.
    pub const fn source_changed(&mut self, now: u64) {
        self.wanted = Some((now, Reason::NewDecoder));
        self.asked = 0;
        self.last = None;
    }

    /// A keyframe began at the time `at`, which may lie before requests that came meanwhile: those stay.
    pub fn keyframe_seen(&mut self, at: u64) {
        if self.wanted.is_some_and(|(wanted, _)| wanted <= at) {
            self.wanted = None;
        }
        // Whoever misses this one too says so after it.
        self.owed = None;
    }

    /// What is to be sent now, if anything; it counts as sent.
    pub fn poll(&mut self, now: u64) -> Option<KeyframeRequest> {
        if self.owed.take_if(|owed| *owed <= now).is_some() && self.wanted.is_none() {
            (self.wanted, self.asked) = (Some((now, Reason::NewDecoder)), 0);
        }
        let (_, reason) = self.wanted?;
        if now < self.poll_timeout() {
            return None;
        }
        let before = self.asked;
        self.asked = before.saturating_add(1);
        self.last = Some(now);
        // FIR is not for loss (RFC 5104 §4.3.1.2), unless the publisher reads nothing else.
        let Understands { pli, fir } = self.understands;
        if pli && (reason == Reason::Loss || !fir) {
            return Some(KeyframeRequest::PictureLoss);
        }
        // A repetition keeps its number (RFC 5104 §4.3.1.1), and a publisher ignores it if the first one arrived. Where that did
        // not help, the keyframe was lost and not the request: the next one is a new command.
        if before.is_multiple_of(2) {
            self.sequence = self.sequence.wrapping_add(1);
        }
        let sequence = self.sequence;
        Some(KeyframeRequest::FullIntra { sequence })
    }

    /// When [`Self::poll`] has something, if nothing happens until then.
    #[must_use]
    pub fn poll_timeout(&self) -> u64 {
        let Understands { pli, fir } = self.understands;
        match (self.wanted, self.last) {
            _ if !(pli || fir) => u64::MAX,
            (None, _) => self.owed.unwrap_or(u64::MAX),
            (Some(_), None) => 0,
            (Some(_), Some(last)) if self.asked > 0 => last.saturating_add(RETRY),
            (Some(_), Some(last)) => last.saturating_add(APART),
        }
    }
}
