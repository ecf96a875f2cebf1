//! The flat tables that packets are forwarded by: routes, chunks, hops and leases, in memory shared with the kernel or
//! with the socket worker only.
//!
//! A reader never takes a lock and never waits. What fits one word (a route, a chunk's mask, a member, a deadline) is
//! one store; a hop is 16 words, published by its first one, which holds the generation that members name.
//! Everything outside the tables reads as "none", and a store there is refused.

use std::{
    io,
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
        fence,
    },
};

use forwarder_common::tables::{Chunk, Hop, Member, NONE, Route};

use super::{
    counters::Counters,
    region::{Region, WORD},
};

/// Bytes from one chunk to the next.
pub const CHUNK_STRIDE: usize = size_of::<Chunk>();
/// Bytes from one hop to the next.
pub const HOP_STRIDE: usize = size_of::<Hop>();
/// Bytes from one route to the next.
pub const ROUTE_STRIDE: usize = size_of::<Route>();
/// Bytes from one lease to the next.
pub const LEASE_STRIDE: usize = WORD;

const HOP_WORDS: usize = HOP_STRIDE / WORD;
/// Where [`Chunk::next`] and [`Chunk::device`] stand, in one word.
const CHUNK_LINKS: usize = 8;
const CHUNK_SLOTS_AT: usize = 16;

/// How many elements each table has. Number 0 of routes, chunks and hops is never used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Hops.
    pub hops: u32,
    /// Chunks.
    pub chunks: u32,
    /// Routes.
    pub routes: u32,
    /// Leases.
    pub leases: u32,
    /// CPUs that count: rows of the counters.
    pub cpus: u32,
}

/// The tables.
#[derive(Debug)]
pub struct Memory {
    /// `sizes.chunks` chunks.
    pub chunks: Region,
    /// `sizes.hops` hops.
    pub hops: Region,
    /// `sizes.routes` routes.
    pub routes: Region,
    /// `sizes.leases` deadlines.
    pub leases: Region,
    /// What XDP counted; without XDP all zero.
    pub counters: Counters,
    /// How long all of these are.
    pub sizes: Sizes,
}

impl Memory {
    /// Empty tables in memory of this process.
    ///
    /// # Errors
    /// Out of memory.
    pub fn heap(sizes: Sizes) -> io::Result<Self> {
        Ok(Self {
            chunks: Region::heap(sizes.chunks as usize * CHUNK_STRIDE)?,
            hops: Region::heap(sizes.hops as usize * HOP_STRIDE)?,
            routes: Region::heap(sizes.routes as usize * ROUTE_STRIDE)?,
            leases: Region::heap(sizes.leases as usize * LEASE_STRIDE)?,
            counters: Counters::heap(sizes.hops, sizes.routes, sizes.cpus)?,
            sizes,
        })
    }

    /// Where a stream goes.
    #[inline]
    #[must_use]
    pub fn route(&self, route: u32) -> Route {
        let (head, socket_head) =
            halves(self.routes.load_u64(element(route, ROUTE_STRIDE), Acquire));
        Route { head, socket_head }
    }

    /// Changes where a stream goes.
    #[must_use]
    pub fn set_route(&self, route: u32, to: Route) -> Option<()> {
        let at = used(route, ROUTE_STRIDE)?;
        self.routes
            .store_u64(at, whole(to.head, to.socket_head), Release)
    }

    /// The members of a chunk.
    #[inline]
    #[must_use]
    pub fn chunk_mask(&self, chunk: u32) -> u64 {
        self.chunks.load_u64(element(chunk, CHUNK_STRIDE), Acquire)
    }

    /// The chunk after this one.
    #[inline]
    #[must_use]
    pub fn chunk_next(&self, chunk: u32) -> u32 {
        self.chunk_links(chunk).0
    }

    /// The device of a chunk.
    #[inline]
    #[must_use]
    pub fn chunk_device(&self, chunk: u32) -> u32 {
        self.chunk_links(chunk).1
    }

    #[inline]
    fn chunk_links(&self, chunk: u32) -> (u32, u32) {
        let at = element(chunk, CHUNK_STRIDE) + CHUNK_LINKS;
        halves(self.chunks.load_u64(at, Acquire))
    }

    /// A member of a chunk; [`NONE`] in an empty slot.
    #[inline]
    #[must_use]
    pub fn chunk_slot(&self, chunk: u32, slot: u32) -> Member {
        let word = slot_at(chunk, slot).map_or(0, |at| self.chunks.load_u64(at, Acquire));
        Member::from_word(word)
    }

    /// Makes an empty chunk for `device`, which no route leads to yet.
    #[must_use]
    pub fn init_chunk(&self, chunk: u32, device: u32, next: u32) -> Option<()> {
        let at = used(chunk, CHUNK_STRIDE)?;
        let words = self.chunks.words::<{ CHUNK_STRIDE / WORD }>(at)?;
        for word in words {
            word.store(0, Relaxed);
        }
        self.chunks
            .store_u64(at + CHUNK_LINKS, whole(next, device), Release)
    }

    /// Changes which slots of a chunk are members.
    #[must_use]
    pub fn set_chunk_mask(&self, chunk: u32, mask: u64) -> Option<()> {
        self.chunks
            .store_u64(used(chunk, CHUNK_STRIDE)?, mask, Release)
    }

    /// Changes the chunk after this one. The device stays, since it never changes while a route leads to the chunk.
    #[must_use]
    pub fn set_chunk_next(&self, chunk: u32, next: u32) -> Option<()> {
        let at = used(chunk, CHUNK_STRIDE)? + CHUNK_LINKS;
        let device = self.chunk_device(chunk);
        self.chunks.store_u64(at, whole(next, device), Release)
    }

    /// Changes a slot of a chunk.
    #[must_use]
    pub fn set_chunk_slot(&self, chunk: u32, slot: u32, member: Member) -> Option<()> {
        used(chunk, CHUNK_STRIDE)?;
        self.chunks
            .store_u64(slot_at(chunk, slot)?, member.to_word(), Release)
    }

    /// A hop; `None` where it is not in use, or was replaced while it was read.
    #[inline]
    #[must_use]
    pub fn hop(&self, hop: u32) -> Option<Hop> {
        let [first, rest @ ..] = self.hop_words(hop)?;
        let before = first.load(Acquire);
        let (generation, lease) = halves(before);
        if generation == 0 {
            return None;
        }
        let mut words = [0; HOP_WORDS - 1];
        for (to, from) in words.iter_mut().zip(rest) {
            *to = from.load(Relaxed);
        }
        // Keeps the words above from being read after the check below (the reader's half of a sequence lock).
        fence(Acquire);
        if first.load(Relaxed) != before {
            return None;
        }
        Some(decode(generation, lease, &words))
    }

    /// Writes a hop that no member names yet: what it holds first, its generation last.
    #[must_use]
    pub fn put_hop(&self, hop: u32, to: &Hop) -> Option<()> {
        used(hop, HOP_STRIDE)?;
        let [first, rest @ ..] = self.hop_words(hop)?;
        // A reader that still holds the number from before sees the generation gone, not a mixture of two hops.
        first.store(0, Relaxed);
        fence(Release);
        for (word, value) in rest.iter().zip(encode(to)) {
            word.store(value, Relaxed);
        }
        first.store(whole(to.generation, to.lease), Release);
        Some(())
    }

    /// Takes a hop out of use: whoever still names it will find another generation.
    #[must_use]
    pub fn void_hop(&self, hop: u32) -> Option<()> {
        let [first, ..] = self.hop_words(hop)?;
        first.store(0, Release);
        Some(())
    }

    #[inline]
    fn hop_words(&self, hop: u32) -> Option<&[AtomicU64; HOP_WORDS]> {
        self.hops.words(element(hop, HOP_STRIDE))
    }

    /// A deadline, CLOCK_BOOTTIME in nanoseconds; 0, which is past, for a lease that is not there.
    #[inline]
    #[must_use]
    pub fn lease(&self, lease: u32) -> u64 {
        self.leases.load_u64(element(lease, LEASE_STRIDE), Acquire)
    }

    /// Moves a deadline.
    #[must_use]
    pub fn set_lease(&self, lease: u32, deadline: u64) -> Option<()> {
        self.leases
            .store_u64(element(lease, LEASE_STRIDE), deadline, Release)
    }
}

#[inline]
fn element(index: u32, stride: usize) -> usize {
    index as usize * stride
}

/// Where an element that may be written lies: number 0 means "none" and stays zero.
fn used(index: u32, stride: usize) -> Option<usize> {
    (index != NONE).then(|| element(index, stride))
}

#[inline]
fn slot_at(chunk: u32, slot: u32) -> Option<usize> {
    (slot < u64::BITS).then(|| element(chunk, CHUNK_STRIDE) + CHUNK_SLOTS_AT + slot as usize * WORD)
}

/// Two 4-byte fields from the word that holds them, in the order in which they lie in memory.
#[inline(always)]
fn halves(word: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = word.to_ne_bytes();
    (
        u32::from_ne_bytes([a, b, c, d]),
        u32::from_ne_bytes([e, f, g, h]),
    )
}

#[inline(always)]
fn whole(first: u32, second: u32) -> u64 {
    let ([a, b, c, d], [e, f, g, h]) = (first.to_ne_bytes(), second.to_ne_bytes());
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

/// All words of a hop but the first.
fn encode(hop: &Hop) -> [u64; HOP_WORDS - 1] {
    let mut words = [0; HOP_WORDS - 1];
    let [m0, m1] = hop.mtu.to_ne_bytes();
    let [i0, i1] = hop.ip_sum.to_ne_bytes();
    let [u0, u1] = hop.udp_sum.to_ne_bytes();
    let [q0, q1] = hop.sequence_offset.to_ne_bytes();
    let sequence_and_types = [q0, q1, hop.payload_type_from, hop.payload_type_to];
    let fixed = [
        u64::from_ne_bytes([m0, m1, hop.shape, hop.flags, i0, i1, u0, u1]),
        whole(hop.ssrc, hop.timestamp_offset),
        whole(u32::from_ne_bytes(sequence_and_types), hop.socket),
    ];
    let bytes = hop
        .template
        .as_chunks()
        .0
        .iter()
        .chain(hop.zero.as_chunks().0);
    let values = bytes.map(|bytes| u64::from_ne_bytes(*bytes));
    for (to, from) in words.iter_mut().zip(fixed.into_iter().chain(values)) {
        *to = from;
    }
    words
}

#[inline]
fn decode(generation: u32, lease: u32, words: &[u64; HOP_WORDS - 1]) -> Hop {
    let [
        sizes_and_sums,
        stream,
        sequence_and_socket,
        template @ ..,
        _,
        _,
        _,
    ] = *words;
    let [m0, m1, shape, flags, i0, i1, u0, u1] = sizes_and_sums.to_ne_bytes();
    let (ssrc, timestamp_offset) = halves(stream);
    let (sequence_and_types, socket) = halves(sequence_and_socket);
    let [q0, q1, payload_type_from, payload_type_to] = sequence_and_types.to_ne_bytes();
    let mut hop = Hop {
        generation,
        lease,
        mtu: u16::from_ne_bytes([m0, m1]),
        shape,
        flags,
        ip_sum: u16::from_ne_bytes([i0, i1]),
        udp_sum: u16::from_ne_bytes([u0, u1]),
        ssrc,
        timestamp_offset,
        sequence_offset: u16::from_ne_bytes([q0, q1]),
        payload_type_from,
        payload_type_to,
        socket,
        ..Hop::VOID
    };
    for (to, from) in hop.template.as_chunks_mut().0.iter_mut().zip(template) {
        *to = from.to_ne_bytes();
    }
    hop
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
