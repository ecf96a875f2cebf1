//! Sending by XDP: fills slots, and rings once per batch that was found waiting.
//!
//! The devices' rings know no backpressure, so what was rung and not yet consumed is kept below the window, half of the smallest ring.
//! XDP has consumed everything when the bell's `write` returns; where it has not (the kernel had no memory for a clone), the worker waits,
//! but never for long, and before it seals: what finds no room is dropped unsealed, and counted.

use std::{hint::spin_loop, thread::yield_now};

use forwarder_common::{
    reason::Reason,
    slots::{BELL_SLOTS, Bell, SLOT_PAYLOAD, SLOTS},
    tables::Member,
    wire::rtp,
};

use super::{payload_sum::payload_sum, tally::Tally};
use crate::dataplane::{
    clock::boottime,
    kernel::{slot_memory::Filled, worker_port::SlotPort},
};

/// Nanoseconds that a bell waits for those before it. Not for long: who could hear them is this CPU.
const PATIENCE: u64 = 2_000_000;
/// Nanoseconds without any progress after which bells count as lost: the kernel had no memory for a clone. A clone that turns up later
/// still finds another sequence number in its slot.
const LOST: u64 = 100_000_000;
/// Slots of the first bell after a flush. With one packet in hand somewhat more than half of 64 replicas are on their way while the
/// others are sealed, and it takes no more bells than else; under load further ones follow at once, and are as large as can be.
const FIRST_BELL: u32 = 33;
/// Looks at the count between two looks at the clock.
const SPINS: u32 = 64;

/// The sending side of a worker's port.
#[derive(Debug)]
pub struct SlotSender {
    worker: u32,
    window: u32,
    /// Sequence number of the next slot to fill.
    next: u32,
    /// Sequence number of the first slot that was filled and not rung for.
    first: u32,
    /// The device of those slots.
    device: u32,
    /// Slots that the next bell may have: that many have room for certain. 0 if that has not been seen to yet.
    limit: u32,
    /// Whether a bell has been rung since the last flush, and whether room was waited for in vain.
    rang: bool,
    waited: bool,
    /// Everything before this is done with, whatever the count says.
    written_off: u32,
    /// The count when it last moved, and when that was seen.
    seen: (u32, u64),
    /// Whether the last bell found no room: then what room comes goes to audio.
    congested: bool,
    /// CLOCK_BOOTTIME in nanoseconds.
    pub(super) clock: fn() -> u64,
}

impl SlotSender {
    /// Of the worker with this number, whose `window` is that of its port.
    #[must_use]
    pub fn new(worker: u32, window: u32) -> Self {
        Self {
            worker,
            window: window.clamp(1, SLOTS / 2),
            next: SLOTS,
            first: SLOTS,
            device: 0,
            limit: 0,
            rang: false,
            waited: false,
            written_off: SLOTS,
            seen: (SLOTS, 0),
            congested: false,
            clock: boottime,
        }
    }

    /// Whether a replica of this kind is to be dropped unsealed: video, while bells wait in vain.
    #[inline]
    #[must_use]
    pub fn sheds(&mut self, port: &SlotPort, video: bool) -> bool {
        video && self.congested && self.is_stuck(port.consumed(), (self.clock)())
    }

    /// Whether no room has come since the last bell waited in vain. Ends by itself: bells without progress are given up in time.
    fn is_stuck(&mut self, consumed: u32, now: u64) -> bool {
        if self.has_room(consumed, self.pending() + 1) {
            self.congested = false;
        } else {
            self.watch(consumed, now);
        }
        self.congested
    }

    /// Sees to it that there is a slot for a hop behind `device`; rings if a bell is full.
    ///
    /// # Errors
    /// There is no room.
    #[inline]
    pub fn make_room(
        &mut self,
        port: &SlotPort,
        device: u32,
        tally: &mut Tally,
    ) -> Result<(), Reason> {
        if self.pending() >= self.limit || self.device != device {
            self.ring(port, tally);
            self.device = device;
            self.limit = self.reserve(port);
            if self.limit == 0 {
                return Err(Reason::SlotsFull);
            }
        }
        Ok(())
    }

    /// Fills the next slot with what `seal` puts into the room for the UDP payload. `seal` gives its length, or why there is none.
    ///
    /// # Errors
    /// That of `seal`; nobody has [made room](Self::make_room).
    #[inline]
    pub fn push(
        &mut self,
        port: &mut SlotPort,
        member: Member,
        seal: &impl Fn(&mut [u8; SLOT_PAYLOAD]) -> Result<u16, Reason>,
    ) -> Result<u16, Reason> {
        if self.pending() >= self.limit {
            return Err(Reason::SlotsFull);
        }
        let mut outcome = Err(Reason::SealFailed);
        port.memory.fill(self.next, |room| {
            outcome = seal(room);
            let len = outcome.ok()?;
            let rest = room.get(rtp::LEN..usize::from(len))?;
            Some(Filled {
                member,
                len,
                sum: payload_sum(rest),
            })
        });
        if outcome.is_ok() {
            self.next = self.next.wrapping_add(1);
        }
        outcome
    }

    /// Lets go of what was filled. What is filled from now on belongs to another batch.
    #[inline]
    pub fn flush(&mut self, port: &SlotPort, tally: &mut Tally) {
        self.ring(port, tally);
        self.limit = 0;
        (self.rang, self.waited) = (false, false);
    }

    fn pending(&self) -> u32 {
        self.next.wrapping_sub(self.first)
    }

    /// How many slots the next bell may have. Room is seen to before anything is sealed: what is sealed has taken a number that the peer
    /// would miss, and a leg may begin with it. Where there is next to none it waits, once in a batch.
    fn reserve(&mut self, port: &SlotPort) -> u32 {
        let bell = if self.rang { BELL_SLOTS } else { FIRST_BELL };
        let most = bell.min(self.window);
        // Not for more than half of the window: small bells cost more than a wait that may be in vain.
        let enough = most.min(self.window.div_ceil(2));
        if !self.has_room(port.consumed(), most) && !self.waited {
            self.waited = !self.wait(|| port.consumed(), self.clock, enough);
        }
        let room = self.room(port.consumed()).min(most);
        self.congested = room == 0;
        room
    }

    /// Rings for what was filled.
    #[inline]
    fn ring(&mut self, port: &SlotPort, tally: &mut Tally) {
        let count = self.pending();
        if count == 0 {
            return;
        }
        self.rang = true;
        let bell = Bell {
            worker: self.worker,
            first: self.first,
            count,
            device: self.device,
        };
        if port.bell.ring(&bell).is_err() {
            // Their places are filled anew: nobody was told of them.
            self.next = self.first;
            tally.count_many(Reason::SlotsFull, count);
            return;
        }
        self.first = self.next;
    }

    /// Waits until `count` more replicas may be under way; false where that takes too long.
    #[inline]
    fn wait(&mut self, consumed: impl Fn() -> u32, clock: impl Fn() -> u64, count: u32) -> bool {
        if self.has_room(consumed(), count) {
            return true;
        }
        let began = clock();
        loop {
            for _ in 0..SPINS {
                spin_loop();
                if self.has_room(consumed(), count) {
                    return true;
                }
            }
            let now = clock();
            self.watch(consumed(), now);
            if self.has_room(consumed(), count) {
                return true;
            }
            if now.saturating_sub(began) > PATIENCE {
                return false;
            }
            // Others may need this very CPU.
            yield_now();
        }
    }

    /// Gives bells up that were rung and not heard for too long.
    fn watch(&mut self, consumed: u32, now: u64) {
        if self.seen.0 != consumed || self.seen.1 == 0 {
            self.seen = (consumed, now);
        } else if now.saturating_sub(self.seen.1) > LOST {
            self.written_off = self.first;
            self.seen.1 = 0;
        }
    }

    fn has_room(&self, consumed: u32, count: u32) -> bool {
        self.room(consumed) >= count
    }

    /// Replicas that may be rung for now.
    fn room(&self, consumed: u32) -> u32 {
        self.window.saturating_sub(self.under_way(consumed))
    }

    /// Replicas that were rung for and are not done with. A count from before the first bell, or from a former run of the numbers, is
    /// further off than there are slots.
    fn under_way(&self, consumed: u32) -> u32 {
        let since = |done: u32| self.first.wrapping_sub(done);
        since(consumed).min(since(self.written_off))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn rung(sender: &mut SlotSender, count: u32) {
        sender.next = sender.next.wrapping_add(count);
        sender.first = sender.next;
    }

    #[test]
    fn the_window_holds_across_the_wrap_of_sequence_numbers() {
        let mut sender = SlotSender::new(0, 128);
        for start in [SLOTS, u32::MAX - 100, u32::MAX, 0, 5] {
            (sender.next, sender.first, sender.written_off) = (start, start, start);
            assert!(sender.has_room(start, 128));
            rung(&mut sender, 100);
            assert!(sender.has_room(start, 28) && !sender.has_room(start, 29));
            assert!(sender.has_room(start.wrapping_add(72), 100));
            assert!(!sender.has_room(start.wrapping_add(71), 100));
        }
    }

    #[test]
    fn what_is_not_consumed_in_time_holds_nothing_up_for_ever() {
        let mut sender = SlotSender::new(0, 64);
        rung(&mut sender, 64);
        let now = Cell::new(1_000_000_000);
        let tick = || {
            now.set(now.get() + 100_000);
            now.get()
        };
        let mut refused = 0;
        while !sender.wait(|| SLOTS, tick, 10) {
            refused += 1;
            assert!(refused < 100, "bells are given up at last");
        }
        assert!(refused > 10, "but not at once");
        // Video alone brings it about too.
        rung(&mut sender, 64);
        sender.congested = true;
        let mut shed = 0;
        while sender.is_stuck(SLOTS, tick()) {
            shed += 1;
            assert!(shed < 2000, "bells are given up at last");
        }
        assert!(shed > 900, "but not at once");
        assert!(sender.has_room(SLOTS, 64));
        // And the count is believed again when it moves.
        rung(&mut sender, 64);
        assert!(!sender.has_room(SLOTS, 1));
        assert!(sender.has_room(sender.first, 64));
    }
}
