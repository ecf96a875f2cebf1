//! When a replica may leave: bounds what one CPU puts into a device's ring before the device had a turn.
//!
//! An XDP redirect knows no backpressure: what the ring does not take is freed. The ring drains only when the peer
//! (a veth's NAPI, a NIC) gets its turn, and it gets none while the poll that broadcasts is running. So replicas that
//! exceed a window, or that belong to a second chunk, go through a loop: a veth pair of our own whose NAPI is polled in
//! the same rounds of `net_rx_action` as everybody's. A frame that comes around the loop proves that a round has passed
//! and that the device's NAPI was polled, which takes [`ROUND`] frames (NAPI_POLL_WEIGHT).
//!
//! A packet on the loop is carried by its own frame while few are there; further packets wait as copies in a slot ring
//! and are loaded into a frame that comes around free. Packets leave in the order in which they came.
//!
//! One pacer per CPU; programs of one CPU do not interrupt each other (PREEMPT_RT, where they might, is refused).

/// Frames that a NAPI poll takes at most (NAPI_POLL_WEIGHT), hence replicas per round in the long run.
pub const ROUND: u32 = 64;
/// Frames that a redirect queues before it flushes them (DEV_MAP_BULK_SIZE).
pub const BULK: u32 = 16;
/// After this many nanoseconds without a replica the device is taken to have drained.
pub const QUIET: u64 = 100_000;
/// When packets have arrived for this many nanoseconds without a turn, the loop is taken to have lost its frames.
pub const STALLED: u64 = 20_000_000;
/// Packets that may wait per CPU; a power of two.
pub const QUEUE: u32 = 256;

/// State of one CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Pacer {
    /// When replicas last left.
    pub last_sent: u64,
    /// When the first packet arrived since a frame last came around; see [`Pacer::watched`].
    pub waiting_since: u64,
    /// Replicas that may still be in a device's ring.
    pub outstanding: u32,
    /// Frames on the loop.
    pub frames: u32,
    /// Frames on the loop that carry a packet not wholly sent.
    pub jobs: u32,
    /// Replicas that those frames send next, all together.
    pub load: u32,
    /// Packets taken from the queue, ever.
    pub head: u32,
    /// Packets put into the queue, ever.
    pub tail: u32,
    /// Number of the last broadcast.
    pub tag: u32,
    /// Frames of the pass that is going on.
    pub pass: u32,
    /// Those of them that came around.
    pub turned: u32,
    /// Turns since the device is known to have been polled.
    pub turns: u32,
    /// Frames put on the loop for the next pass.
    pub coming: u32,
    /// Those of them that carry a packet not wholly sent.
    pub coming_jobs: u32,
    /// Replicas that those send next, all together.
    pub coming_load: u32,
    /// Six bits; frames of an earlier epoch are dropped.
    pub epoch: u8,
    /// Number of the pass.
    pub round: u8,
    /// Set once a packet did not fit the window: those behind it must not overtake.
    pub blocked: u8,
    /// Set once a packet arrived since the last turn.
    pub watched: u8,
}

/// What to do with a packet that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Arrival {
    /// Broadcast its first chunk. With `on_loop`, one clone goes on the loop: to send the other chunks, or to count rounds.
    Send {
        /// Whether the loop gets a clone.
        on_loop: bool,
    },
    /// Put it on the loop.
    Loop,
    /// Copy it into this slot of the queue.
    Queue(u32),
    /// Drop it: the queue is full.
    Full,
}

impl Pacer {
    /// Whether packets wait in the queue.
    #[inline(always)]
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.head != self.tail
    }

    #[inline(always)]
    const fn fits(&self, replicas: u32, window: u32) -> bool {
        self.outstanding == 0 || self.outstanding + replicas <= window
    }

    /// All frames on the loop can be lost (no memory for a clone): starts over if it stopped turning, and gives the
    /// packets that are lost with it.
    ///
    /// Called for every packet that arrives. Time alone proves nothing, since a CPU may be kept from its softirqs for
    /// long; but between packets of two polls the loop was polled too.
    #[inline(always)]
    #[must_use]
    pub const fn restart_if_stalled(&mut self, now: u64) -> u32 {
        if self.frames == 0 {
            return 0;
        }
        if self.watched == 0 {
            self.watched = 1;
            self.waiting_since = now;
            return 0;
        }
        if now.saturating_sub(self.waiting_since) < STALLED {
            return 0;
        }
        let lost = self.tail.wrapping_sub(self.head).wrapping_add(self.jobs);
        self.head = self.tail;
        self.epoch = self.epoch.wrapping_add(1) & 0x3f;
        self.frames = 0;
        self.jobs = 0;
        self.load = 0;
        self.pass = 0;
        self.turned = 0;
        self.coming = 0;
        self.coming_jobs = 0;
        self.coming_load = 0;
        self.outstanding = 0;
        lost
    }

    /// A packet arrives whose first chunk has `replicas` members (at most 64), with `more` chunks after it.
    ///
    /// `window`: replicas that may be outstanding, half of the smallest device ring per CPU.
    #[inline(always)]
    pub const fn arrive(&mut self, now: u64, replicas: u32, more: bool, window: u32) -> Arrival {
        if self.frames == 0 {
            if now.saturating_sub(self.last_sent) > QUIET {
                self.outstanding = 0;
            }
            if !self.fits(replicas, window) {
                return self.put_on_loop(replicas);
            }
            self.sent(now, replicas);
            // Half of the window goes out without proof that the device drains.
            let on_loop = more || self.outstanding > window / 2;
            if on_loop {
                self.watched = 0;
                self.frames = 1;
            }
            if more {
                self.jobs = 1;
                self.load = replicas;
            }
            return Arrival::Send { on_loop };
        }
        if self.jobs == 0 && !self.is_waiting() && self.fits(replicas, window) {
            self.sent(now, replicas);
            if more {
                self.frames += 1;
                self.jobs = 1;
                self.load = replicas;
            }
            return Arrival::Send { on_loop: more };
        }
        // Not while a pass goes on: those of it that are still to turn would fall behind.
        if !self.is_waiting()
            && self.turned >= self.pass
            && self.load + replicas <= ROUND
            && self.frames < ROUND
        {
            return self.put_on_loop(replicas);
        }
        if self.tail.wrapping_sub(self.head) >= QUEUE {
            return Arrival::Full;
        }
        let slot = self.tail & (QUEUE - 1);
        self.tail = self.tail.wrapping_add(1);
        Arrival::Queue(slot)
    }

    #[inline(always)]
    const fn put_on_loop(&mut self, replicas: u32) -> Arrival {
        if self.frames == 0 {
            self.watched = 0;
        }
        self.frames += 1;
        self.jobs += 1;
        self.load += replicas;
        Arrival::Loop
    }

    /// A frame is put on the loop, with `load` if it carries a packet not wholly sent (`job`); gives the pass in which
    /// it comes around.
    #[inline(always)]
    pub const fn launch(&mut self, job: bool, load: u32) -> u8 {
        self.coming += 1;
        if job {
            self.coming_jobs += 1;
            self.coming_load += load;
        }
        self.round.wrapping_add(1)
    }

    /// The number of a broadcast; never 0.
    #[inline(always)]
    pub const fn next_tag(&mut self) -> u32 {
        self.tag = self.tag.wrapping_add(1);
        if self.tag == 0 {
            self.tag = 1;
        }
        self.tag
    }

    /// A frame came around; gives how many packets are found to have been lost on the loop. `None` for a frame of an
    /// earlier epoch, which is not counted any more.
    #[inline(always)]
    #[must_use]
    pub const fn turn(&mut self, epoch: u8, round: u8) -> Option<u32> {
        if epoch != self.epoch || self.frames == 0 {
            return None;
        }
        self.watched = 0;
        self.turns += 1;
        let mut lost = 0;
        if round != self.round {
            self.round = round;
            self.blocked = 0;
            if self.pass <= BULK || self.turns >= ROUND {
                self.outstanding = self.outstanding.saturating_sub(ROUND);
                self.turns = 0;
            }
            // All frames that are left were put on the loop for this pass.
            lost = self.jobs.saturating_sub(self.coming_jobs);
            self.frames = self.coming;
            self.jobs = self.coming_jobs;
            self.load = self.coming_load;
            self.pass = self.coming;
            self.turned = 0;
            self.coming = 0;
            self.coming_jobs = 0;
            self.coming_load = 0;
        }
        self.turned += 1;
        Some(lost)
    }

    /// Whether a packet on the loop may send a chunk of `replicas` in this round.
    #[inline(always)]
    #[must_use]
    pub const fn may_send(&mut self, replicas: u32, window: u32) -> bool {
        if self.blocked != 0 {
            return false;
        }
        if !self.fits(replicas, window) {
            self.blocked = 1;
            return false;
        }
        true
    }

    /// Counts replicas that leave.
    #[inline(always)]
    pub const fn sent(&mut self, now: u64, replicas: u32) {
        self.outstanding += replicas;
        self.last_sent = now;
    }

    /// The packet on a frame has left wholly.
    #[inline(always)]
    pub const fn finish(&mut self, load: u32) {
        self.jobs = self.jobs.saturating_sub(1);
        self.load = self.load.saturating_sub(load);
    }

    /// A frame leaves the loop.
    #[inline(always)]
    pub const fn leave(&mut self) {
        self.frames = self.frames.saturating_sub(1);
    }

    /// Whether a free frame may take a packet from the queue: not while an older packet is still on the loop.
    #[inline(always)]
    #[must_use]
    pub const fn may_take(&self) -> bool {
        self.jobs == 0 && self.is_waiting() && self.blocked == 0
    }

    /// Takes the oldest packet of the queue, from this slot; it has `load` replicas next.
    #[inline(always)]
    pub const fn take(&mut self, load: u32) -> u32 {
        let slot = self.head & (QUEUE - 1);
        self.head = self.head.wrapping_add(1);
        self.jobs += 1;
        self.load += load;
        slot
    }
}
