//! Transport-wide feedback: when each packet of a publisher's transport arrived
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01). From it the publisher learns what it may send.

use std::collections::VecDeque;

use rtcp_types::{TransportFeedback, Twcc, TwccPacketStatus};

use super::append;
use crate::media::Unwrapper;

const MILLISECOND: u64 = 1_000_000;

/// The longest and the shortest time between the first arrival and its feedback. At [`PLENTY`] packets feedback is well
/// under 3 % of the media even at the shorter.
const LATEST: u64 = 100 * MILLISECOND;
const SOONEST: u64 = 50 * MILLISECOND;
const PLENTY: usize = 32;

/// The most sequence numbers that are remembered.
const REMEMBERED: usize = 8192;

/// How long a packet that was reported is remembered, in ticks: half a second. A late packet before it is reported
/// together with it, since feedback cannot leave numbers out.
const KEPT: u32 = 2000;

/// Bytes of the control information of one packet, so that it is smaller than any path's MTU.
const MAX_CONTROL: usize = 1000;

/// The unit of arrival times on the wire.
const TICK: u64 = 250_000;

/// Ticks in the unit of reference times, 64 ms.
const REFERENCE_BITS: u32 = 8;

/// In place of an arrival time: none. A real one is never this.
const MISSING: u32 = u32::MAX;

/// The arrivals of one transport that are to be reported.
#[derive(Clone, Debug)]
pub struct TransportCc {
    sender: u32,
    media: u32,
    unwrapper: Option<Unwrapper>,
    /// Arrival times in ticks, modulo 2^32, from the sequence number `first` on; the last one is never missing.
    arrivals: VecDeque<u32>,
    first: u64,
    /// The lowest sequence number of the next feedback.
    base: u64,
    /// What is before this was forgotten; a packet from there comes too late.
    floor: u64,
    /// Arrivals since the last feedback.
    fresh: usize,
    count: u8,
    deadline: u64,
    /// When feedback went out last.
    last: u64,
}

impl TransportCc {
    /// Feedback from a sender with this SSRC.
    #[must_use]
    pub const fn new(sender: u32) -> Self {
        Self {
            sender,
            media: 0,
            unwrapper: None,
            arrivals: VecDeque::new(),
            first: 0,
            base: 0,
            floor: 0,
            fresh: 0,
            count: 0,
            deadline: u64::MAX,
            last: 0,
        }
    }

    /// A packet of the stream `media` arrived at the time `at`. One that came twice counts once; one that is half a
    /// second late, or by 8,192 others, is not reported.
    pub fn arrived(&mut self, media: u32, sequence: u16, at: u64) {
        let sequence = match &mut self.unwrapper {
            Some(unwrapper) => unwrapper.extend(sequence),
            None => {
                let unwrapper = self.unwrapper.insert(Unwrapper::starting_at(sequence));
                (self.first, self.base) = (unwrapper.highest(), unwrapper.highest());
                unwrapper.highest()
            }
        };
        let Some(place) = self.place(sequence) else {
            return;
        };
        if *place != MISSING {
            return;
        }
        *place = ((at / TICK) as u32).min(MISSING - 1);
        self.media = media;
        self.base = self.base.min(sequence);
        self.fresh += 1;
        if self.fresh == 1 {
            self.deadline = at.saturating_add(LATEST);
        }
        if self.fresh >= PLENTY {
            self.deadline = self.deadline.min(self.last.saturating_add(SOONEST).max(at));
        }
    }

    /// The place of a sequence number, room made for it; `None` if it is too far behind.
    fn place(&mut self, sequence: u64) -> Option<&mut u32> {
        let end = self.first + self.arrivals.len() as u64;
        if sequence >= end + REMEMBERED as u64 {
            // So far ahead that nothing before it can stay: the sender began anew.
            self.arrivals.clear();
            self.forget(sequence);
        }
        if sequence < self.floor || end.saturating_sub(sequence) > REMEMBERED as u64 {
            return None;
        }
        while sequence < self.first {
            self.arrivals.push_front(MISSING);
            self.first -= 1;
        }
        while sequence >= self.first + self.arrivals.len() as u64 {
            if self.arrivals.len() == REMEMBERED {
                self.arrivals.pop_front();
                self.forget(self.first + 1);
            }
            self.arrivals.push_back(MISSING);
        }
        let index = usize::try_from(sequence - self.first).ok()?;
        self.arrivals.get_mut(index)
    }

    /// The arrivals left begin with this number.
    fn forget(&mut self, first: u64) {
        (self.first, self.floor) = (first, first);
        self.base = self.base.max(first);
    }

    /// Forgets what was reported and is old, up to the first arrival that is not.
    fn forget_old(&mut self, now: u64) {
        let now = (now / TICK) as u32;
        let mut old = 0;
        for (index, time) in self.arrivals.iter().enumerate() {
            match *time {
                MISSING => {}
                time if now.wrapping_sub(time) > KEPT => old = index + 1,
                _ => break,
            }
        }
        if old != 0 {
            self.arrivals.drain(..old);
            self.forget(self.first + old as u64);
        }
    }

    /// When feedback is due.
    #[must_use]
    pub const fn poll_timeout(&self) -> u64 {
        self.deadline
    }

    /// Appends feedback if it is due; false if not. It covers all numbers since the last one, and again those behind a
    /// late packet, as they were.
    pub fn poll(&mut self, now: u64, out: &mut Vec<u8>) -> bool {
        if now < self.deadline {
            return false;
        }
        let mut base = self.base;
        while let Some(next) = self.append(base, out) {
            base = next;
        }
        self.base = self.first + self.arrivals.len() as u64;
        (self.fresh, self.deadline, self.last) = (0, u64::MAX, now);
        self.forget_old(now);
        true
    }

    /// Appends one packet about the numbers from `base` on, and gives the first that it leaves to another.
    fn append(&mut self, base: u64, out: &mut Vec<u8>) -> Option<u64> {
        let skip = usize::try_from(base.checked_sub(self.first)?).ok()?;
        let mut times = self.arrivals.range(skip.min(self.arrivals.len())..);
        let reference = *times.clone().find(|time| **time != MISSING)? >> REFERENCE_BITS;
        let mut before = reference << REFERENCE_BITS;
        let statuses: Vec<_> = std::iter::from_fn(|| {
            let time = *times.next()?;
            if time == MISSING {
                return Some(TwccPacketStatus::NotReceived);
            }
            // Where a difference cannot be said the packet ends, and the next has a reference time of its own.
            let delta = time.wrapping_sub(before).cast_signed().try_into().ok()?;
            before = time;
            Some(TwccPacketStatus::Received { delta })
        })
        .collect();
        let feedback = Twcc::builder(
            base as u16,
            reference,
            self.count,
            &statuses,
            Some(MAX_CONTROL),
        );
        let said = feedback.packet_status_count();
        if said == 0 {
            return None;
        }
        self.count = self.count.wrapping_add(1);
        let feedback = TransportFeedback::builder(&feedback);
        append::packet(
            out,
            &feedback.sender_ssrc(self.sender).media_ssrc(self.media),
        );
        Some(base + said as u64)
    }
}
