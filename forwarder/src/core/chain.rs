//! Membership: which hops a route leads to, kept in chains of chunks. All ordering rules of the data plane are here.
//!
//! - Join: put the hop, then its slot, then its mask bit. A new chunk is filled first and linked by one store, at the
//!   head of its chain, so that a packet under way never meets it.
//! - Leave: clear the mask bit, then the slot, then void the hop. An empty chunk is unlinked by one store and keeps its
//!   successor, so that a packet on it goes on; it is used again a grace period later.
//! - A slot may be taken again at once: whoever is on its way with the old mask carries a packet of the same route,
//!   so at worst the new member gets one packet from just before it joined, and gets it once. Chunks, hops and routes
//!   wait for the grace period, because under another route that packet would be a stranger's.
//! - A changed hop is a new hop and one store of the slot. The old one stays valid through the grace period for packets
//!   that have already read the slot, unless the leg leaves: then it is voided too.
//! - A leg that moves to another device leaves first, then joins by a chunk of its own at the head: a packet under way
//!   either was there before it left or misses it, but never gets to it twice. The two devices have chunks of their
//!   own, so no single store could do both.

use forwarder_common::tables::{CHUNK_SLOTS, DEVICE_SOCKET, Hop, MAX_DEVICES, Member, NONE, Route};

use super::{
    mirror::{Home, Mirror},
    ops::{TableError, TableOp},
    refusal::Refusal,
    store::{Item, Work},
    subscription::LegId,
};

/// Which of a route's two chains serves a device.
fn head(route: Route, device: u32) -> u32 {
    if device == DEVICE_SOCKET {
        route.socket_head
    } else {
        route.head
    }
}

fn with_head(route: Route, device: u32, chunk: u32) -> Route {
    if device == DEVICE_SOCKET {
        Route {
            socket_head: chunk,
            ..route
        }
    } else {
        Route {
            head: chunk,
            ..route
        }
    }
}

/// A chunk of the chain with a free slot, for this device.
fn roomy_chunk(mirror: &Mirror, head: u32, device: u32) -> Option<u32> {
    mirror
        .chain(head)
        .find(|&chunk| mirror.chunk(chunk).device == device && mirror.used(chunk) != u64::MAX)
}

impl Work<'_> {
    /// Writes a new hop; gives the member that refers to it.
    pub fn put_hop(&mut self, value: Hop) -> Result<Member, Refusal> {
        let hop = self.take_hop()?;
        let generation = self.store.mirror.next_generation(hop);
        self.tables.reset_hop(hop);
        self.emit(TableOp::PutHop {
            hop,
            value: Hop {
                generation,
                ..value
            },
        })?;
        Ok(Member { hop, generation })
    }

    /// Makes a leg that has just left another device a member on this one, so that no packet under way meets it again.
    pub fn rejoin(
        &mut self,
        route: u32,
        device: u32,
        value: Hop,
        paused: bool,
    ) -> Result<u32, Refusal> {
        // Without a free chunk, a packet twice is better than none for a second.
        let apart = self.store.chunks.available() > 0;
        let hop = self.join_at(route, device, value, paused, apart)?;
        self.compact(route, device)?;
        Ok(hop)
    }

    /// Makes a hop a member of a route on a device; gives the hop's number. Its generation is chosen here.
    pub fn join(
        &mut self,
        route: u32,
        device: u32,
        value: Hop,
        paused: bool,
    ) -> Result<u32, Refusal> {
        self.join_at(route, device, value, paused, false)
    }

    fn join_at(
        &mut self,
        route: u32,
        device: u32,
        value: Hop,
        paused: bool,
        apart: bool,
    ) -> Result<u32, Refusal> {
        let member = self.put_hop(value)?;
        let heads = self.store.mirror.route(route);
        let first = head(heads, device);
        let found = if apart {
            None
        } else {
            roomy_chunk(&self.store.mirror, first, device)
        };
        let chunk = match found {
            Some(chunk) => chunk,
            None => {
                let chunk = self.take_chunk()?;
                self.emit(TableOp::InitChunk {
                    chunk,
                    device,
                    next: first,
                })?;
                chunk
            }
        };
        let slot = self.store.mirror.used(chunk).trailing_ones();
        self.emit(TableOp::SetSlot {
            chunk,
            slot,
            member,
        })?;
        self.set_home(member.hop, Home { chunk, slot });
        if !paused {
            let mask = self.store.mirror.chunk(chunk).mask | 1 << slot;
            self.emit(TableOp::SetMask { chunk, mask })?;
        }
        if found.is_none() {
            let value = with_head(heads, device, chunk);
            self.emit(TableOp::SetRoute { route, value })?;
        }
        Ok(member.hop)
    }

    /// Ends the membership of a hop, and the validity of those it replaced. The numbers rest; the counters go to
    /// `owner` when they have rested.
    pub fn leave(
        &mut self,
        route: u32,
        hop: u32,
        replaced: &[u32],
        owner: Option<LegId>,
    ) -> Result<(), Refusal> {
        let Home { chunk, slot } = self.store.mirror.home(hop);
        self.set_bit(chunk, slot, false)?;
        self.emit(TableOp::SetSlot {
            chunk,
            slot,
            member: Member::default(),
        })?;
        self.void(hop, replaced)?;
        self.give_back(Item::Hop(hop, owner));
        let device = self.store.mirror.chunk(chunk).device;
        if self.store.mirror.used(chunk) == 0 {
            self.unlink(route, chunk)?;
        }
        self.compact(route, device)
    }

    /// Voids a hop and those it replaced that are still valid.
    fn void(&mut self, hop: u32, replaced: &[u32]) -> Result<(), TableError> {
        for &hop in replaced.iter().chain([&hop]) {
            if self.store.mirror.hop(hop).generation != 0 {
                self.emit(TableOp::VoidHop { hop })?;
            }
        }
        Ok(())
    }

    /// Stops or restarts sending to a member, which keeps its slot.
    pub fn set_paused(&mut self, hop: u32, paused: bool) -> Result<(), Refusal> {
        let Home { chunk, slot } = self.store.mirror.home(hop);
        Ok(self.set_bit(chunk, slot, !paused)?)
    }

    fn set_bit(&mut self, chunk: u32, slot: u32, on: bool) -> Result<(), TableError> {
        let before = self.store.mirror.chunk(chunk).mask;
        let mask = if on {
            before | 1 << slot
        } else {
            before & !(1 << slot)
        };
        if mask == before {
            return Ok(());
        }
        self.emit(TableOp::SetMask { chunk, mask })
    }

    /// Replaces the hop of a member on the same device; gives the new hop's number. The old one stays valid through
    /// the grace period.
    pub fn replace(&mut self, hop: u32, value: Hop, owner: LegId) -> Result<u32, Refusal> {
        let home = self.store.mirror.home(hop);
        let member = self.put_hop(value)?;
        self.emit(TableOp::SetSlot {
            chunk: home.chunk,
            slot: home.slot,
            member,
        })?;
        self.set_home(member.hop, home);
        self.give_back(Item::Hop(hop, Some(owner)));
        Ok(member.hop)
    }

    /// Empties a route at once: one store ends all membership, then the hops are voided and everything rests.
    ///
    /// Masks and slots stay as they are: nobody can reach the chunks any more but packets under way, and those find
    /// void hops.
    pub fn dissolve<'h>(
        &mut self,
        route: u32,
        hops: impl Iterator<Item = (u32, &'h [u32])>,
    ) -> Result<(), Refusal> {
        let heads = self.store.mirror.route(route);
        if heads != Route::default() {
            self.emit(TableOp::SetRoute {
                route,
                value: Route::default(),
            })?;
        }
        for (hop, replaced) in hops {
            self.void(hop, replaced)?;
            self.give_back(Item::Hop(hop, None));
        }
        for head in [heads.head, heads.socket_head] {
            let chain: Vec<u32> = self.store.mirror.chain(head).collect();
            for chunk in chain {
                self.give_back(Item::Chunk(chunk));
            }
        }
        Ok(())
    }

    /// Takes an empty chunk out of its chain by one store.
    fn unlink(&mut self, route: u32, chunk: u32) -> Result<(), TableError> {
        let heads = self.store.mirror.route(route);
        let held = self.store.mirror.chunk(chunk);
        let (device, next) = (held.device, held.next);
        let first = head(heads, device);
        let before = self
            .store
            .mirror
            .chain(first)
            .find(|&before| self.store.mirror.chunk(before).next == chunk);
        match before {
            Some(before) => self.emit(TableOp::SetNext {
                chunk: before,
                next,
            })?,
            None => self.emit(TableOp::SetRoute {
                route,
                value: with_head(heads, device, next),
            })?,
        }
        self.give_back(Item::Chunk(chunk));
        Ok(())
    }

    /// Builds a chain anew that has become more than twice as long as it need be, and switches to it by one store.
    ///
    /// The old chunks keep their members while they rest: a packet on the old chain stays on it to the end, so every
    /// member gets it once. Without enough free chunks the chain stays as it is, which is slower but right.
    fn compact(&mut self, route: u32, device: u32) -> Result<(), Refusal> {
        let heads = self.store.mirror.route(route);
        let old: Vec<u32> = self.store.mirror.chain(head(heads, device)).collect();
        let mut members = [0_usize; MAX_DEVICES as usize + 1];
        for &chunk in &old {
            members[place(self.store.mirror.chunk(chunk).device)] +=
                self.store.mirror.used(chunk).count_ones() as usize;
        }
        let needed: usize = members.iter().map(|of| of.div_ceil(CHUNK_SLOTS)).sum();
        if old.len() <= 2 * needed + 1 || self.store.chunks.available() < needed {
            return Ok(());
        }
        let mut next = NONE;
        for device in (0..MAX_DEVICES).chain([DEVICE_SOCKET]) {
            let of_device = self.members_on(&old, device);
            for (count, (member, active)) in of_device.into_iter().enumerate() {
                let slot = (count % CHUNK_SLOTS) as u32;
                if slot == 0 {
                    let chunk = self.take_chunk()?;
                    self.emit(TableOp::InitChunk {
                        chunk,
                        device,
                        next,
                    })?;
                    next = chunk;
                }
                self.emit(TableOp::SetSlot {
                    chunk: next,
                    slot,
                    member,
                })?;
                self.set_bit(next, slot, active)?;
                self.set_home(member.hop, Home { chunk: next, slot });
            }
        }
        self.emit(TableOp::SetRoute {
            route,
            value: with_head(heads, device, next),
        })?;
        for chunk in old {
            self.give_back(Item::Chunk(chunk));
        }
        Ok(())
    }

    /// The members of the chunks that belong to a device, and whether they are sent to.
    fn members_on(&self, chunks: &[u32], device: u32) -> Vec<(Member, bool)> {
        let mirror = &self.store.mirror;
        chunks
            .iter()
            .map(|&number| mirror.chunk(number))
            .filter(|chunk| chunk.device == device)
            .flat_map(|chunk| {
                chunk
                    .slots
                    .iter()
                    .enumerate()
                    .map(|(slot, &word)| (Member::from_word(word), chunk.mask & 1 << slot != 0))
            })
            .filter(|(member, _)| member.hop != NONE)
            .collect()
    }
}

/// Where a device stands in an array over all devices.
fn place(device: u32) -> usize {
    device.min(MAX_DEVICES) as usize
}
