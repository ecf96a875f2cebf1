//! The packet indices of a leg: which one an incoming packet leaves under, and that none is used twice.
//!
//! A packet index is the sequence number extended to 48 bits by the rollover counter (RFC 3711 §3.3.1). Under one key
//! and SSRC an index must never seal two packets (RFC 3711 §9.1, RFC 7714 §8), so this is held here, whatever comes in.

/// The largest index (RFC 3711 §3.3.1).
const MAX_INDEX: u64 = (1 << 48) - 1;

/// How far behind the highest index a late packet may come.
const WINDOW: u64 = 1024;

/// The longest gap that is shown to a receiver; a longer one is cut to it. A receiver guesses the rollover counter right
/// as long as it misses fewer than 2^15 packets on end (RFC 3711 §3.3.1); half of that is left for what it loses itself.
const MAX_GAP: u64 = 1 << 14;

/// Maps incoming packet indices to those of a leg.
///
/// Between two splices the distance of both is constant: what was lost on the way to us stays visible as a gap, and a
/// late packet gets the place that was left for it.
#[derive(Clone, Debug)]
pub struct LegSequence {
    /// Outgoing less incoming index, wrapping.
    offset: u64,
    /// The next index: one more than the highest that was used, or the first.
    next: u64,
    /// The first index of the present stretch: what is before it belongs to another mapping.
    floor: u64,
    /// Whether the next packet begins a stretch.
    splice: bool,
    /// One bit for each of the last indices, by its number modulo the window, set if it was used.
    used: [u64; (WINDOW / 64) as usize],
}

impl LegSequence {
    /// A leg whose first packet leaves under `first`. With a number below 2^15 a receiver that loses the first packets
    /// still starts with the right rollover counter, 0. A leg that was served elsewhere under the same keys goes on at a
    /// number past all that may have been used there.
    #[must_use]
    pub const fn starting_at(first: u64) -> Self {
        Self {
            offset: 0,
            next: first,
            floor: first,
            splice: true,
            used: [0; (WINDOW / 64) as usize],
        }
    }

    /// The index under which the packet with this incoming index leaves; it is used up with that. `None` if it was
    /// used before, if the packet is late by more than 1,024 or from before the leg joined or was spliced, or if all
    /// 2^48 are used up: such a packet is dropped.
    #[inline]
    pub fn outgoing(&mut self, incoming: u64) -> Option<u64> {
        if self.splice {
            self.begin(incoming, self.next);
        }
        let mut index = incoming.wrapping_add(self.offset);
        let ahead = index.wrapping_sub(self.next);
        if ahead <= MAX_INDEX {
            if ahead > MAX_GAP {
                index = self.next + MAX_GAP;
                if index <= MAX_INDEX {
                    self.begin(incoming, index);
                }
            }
            return self.advance(index);
        }
        let behind = self.next.wrapping_sub(index);
        if index < self.floor || index > self.next || behind > WINDOW {
            return None;
        }
        self.claim(index)
    }

    /// From here on `incoming` is `index`.
    #[inline]
    fn begin(&mut self, incoming: u64, index: u64) {
        self.offset = index.wrapping_sub(incoming);
        self.floor = index;
        self.splice = false;
    }

    /// Uses an index at or past the next one; those skipped stay free for late packets.
    #[inline]
    fn advance(&mut self, index: u64) -> Option<u64> {
        if index > MAX_INDEX {
            return None;
        }
        // Indices that enter the window take the bits of those that leave it.
        if index - self.next >= WINDOW {
            self.used = [0; (WINDOW / 64) as usize];
        } else {
            for entering in self.next..=index {
                let (word, bit) = self.bit(entering)?;
                *word &= !bit;
            }
        }
        self.next = index + 1;
        self.claim(index)
    }

    /// Marks an index as used; `None` if it was.
    #[inline]
    fn claim(&mut self, index: u64) -> Option<u64> {
        let (word, bit) = self.bit(index)?;
        let free = *word & bit == 0;
        *word |= bit;
        free.then_some(index)
    }

    #[inline]
    fn bit(&mut self, index: u64) -> Option<(&mut u64, u64)> {
        let word = self.used.get_mut((index % WINDOW / 64) as usize)?;
        Some((word, 1 << (index % 64)))
    }

    /// The next packet that comes follows directly on the last one sent, whatever its number: after a pause, or from
    /// another stream. Packets from before are refused from then on.
    #[inline]
    pub const fn splice(&mut self) {
        self.splice = true;
    }

    /// One more than the highest index used: what must be stored before it is sealed with, for another process to
    /// [start at](Self::starting_at).
    #[inline]
    #[must_use]
    pub const fn next_index(&self) -> u64 {
        self.next
    }
}
