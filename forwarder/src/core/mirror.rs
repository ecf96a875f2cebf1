//! What the tables hold, as the core has written it. The core never reads the tables themselves, only their counters.

use std::collections::HashMap;

use forwarder_common::tables::{
    Chunk, Endpoint, EndpointKey, Hop, Member, NONE, PairKey, Route, RouteKey, Steer,
};

use super::ops::TableOp;

/// Where the member of a hop stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Home {
    /// Number of the chunk, or [`NONE`].
    pub chunk: u32,
    /// Slot in it.
    pub slot: u32,
}

/// A copy of the tables that grows with the numbers in use.
#[derive(Debug, Default)]
pub struct Mirror {
    chunks: Vec<Chunk>,
    /// One bit per slot that has a member, whether it is sent to or paused.
    used: Vec<u64>,
    routes: Vec<Route>,
    hops: Vec<Hop>,
    /// The generation that each hop had last, so that the next one differs.
    generations: Vec<u32>,
    homes: Vec<Home>,
    endpoints: HashMap<EndpointKey, Endpoint>,
    streams: HashMap<RouteKey, u32>,
    steers: HashMap<PairKey, Steer>,
    leases: Vec<u64>,
}

/// The entry of a number; the vector grows up to it.
fn entry<T: Clone>(of: &mut Vec<T>, number: u32, empty: T) -> &mut T {
    let at = number as usize;
    if of.len() <= at {
        of.resize(at + 1, empty);
    }
    &mut of[at]
}

impl Mirror {
    /// Carries out an operation; gives the one that undoes it, unless nobody can tell the difference.
    pub fn apply(&mut self, op: &TableOp) -> Option<TableOp> {
        match *op {
            TableOp::PutEndpoint { key, endpoint } => {
                Some(match self.endpoints.insert(key, endpoint) {
                    Some(endpoint) => TableOp::PutEndpoint { key, endpoint },
                    None => TableOp::DropEndpoint { key },
                })
            }
            TableOp::DropEndpoint { key } => {
                let endpoint = self.endpoints.remove(&key)?;
                Some(TableOp::PutEndpoint { key, endpoint })
            }
            TableOp::PutRoute { key, route } => Some(match self.streams.insert(key, route) {
                Some(route) => TableOp::PutRoute { key, route },
                None => TableOp::DropRoute { key },
            }),
            TableOp::DropRoute { key } => {
                let route = self.streams.remove(&key)?;
                Some(TableOp::PutRoute { key, route })
            }
            TableOp::SetRoute { route, value } => {
                let held = entry(&mut self.routes, route, Route::default());
                let value = std::mem::replace(held, value);
                Some(TableOp::SetRoute { route, value })
            }
            TableOp::PutHop { hop, value } => {
                *entry(&mut self.generations, hop, 0) = value.generation;
                let held = entry(&mut self.hops, hop, Hop::VOID);
                *held = value;
                Some(TableOp::VoidHop { hop })
            }
            TableOp::VoidHop { hop } => {
                let held = entry(&mut self.hops, hop, Hop::VOID);
                let value = *held;
                held.generation = 0;
                (value.generation != 0).then_some(TableOp::PutHop { hop, value })
            }
            TableOp::InitChunk {
                chunk,
                device,
                next,
            } => {
                let empty = Chunk {
                    device,
                    next,
                    ..Chunk::EMPTY
                };
                *entry(&mut self.chunks, chunk, Chunk::EMPTY) = empty;
                *entry(&mut self.used, chunk, 0) = 0;
                None
            }
            TableOp::SetNext { chunk, next } => {
                let held = entry(&mut self.chunks, chunk, Chunk::EMPTY);
                let next = std::mem::replace(&mut held.next, next);
                Some(TableOp::SetNext { chunk, next })
            }
            TableOp::SetSlot {
                chunk,
                slot,
                member,
            } => {
                let used = entry(&mut self.used, chunk, 0);
                *used &= !(1 << slot);
                if member.hop != NONE {
                    *used |= 1 << slot;
                }
                let held = entry(&mut self.chunks, chunk, Chunk::EMPTY);
                let word = std::mem::replace(&mut held.slots[slot as usize], member.to_word());
                Some(TableOp::SetSlot {
                    chunk,
                    slot,
                    member: Member::from_word(word),
                })
            }
            TableOp::SetMask { chunk, mask } => {
                let held = entry(&mut self.chunks, chunk, Chunk::EMPTY);
                let mask = std::mem::replace(&mut held.mask, mask);
                Some(TableOp::SetMask { chunk, mask })
            }
            TableOp::SetLease { lease, deadline } => {
                let held = entry(&mut self.leases, lease, 0);
                let deadline = std::mem::replace(held, deadline);
                Some(TableOp::SetLease { lease, deadline })
            }
            TableOp::PutSteer { key, steer } => Some(match self.steers.insert(key, steer) {
                Some(steer) => TableOp::PutSteer { key, steer },
                None => TableOp::DropSteer { key },
            }),
            TableOp::DropSteer { key } => {
                let steer = self.steers.remove(&key)?;
                Some(TableOp::PutSteer { key, steer })
            }
            // The core admits and forgets each fragment once.
            TableOp::AdmitUfrag { ufrag } => Some(TableOp::ForgetUfrag { ufrag }),
            TableOp::ForgetUfrag { ufrag } => Some(TableOp::AdmitUfrag { ufrag }),
        }
    }

    /// A chunk; an empty one for a number never used.
    #[must_use]
    pub fn chunk(&self, number: u32) -> &Chunk {
        self.chunks.get(number as usize).unwrap_or(&Chunk::EMPTY)
    }

    /// The slots of a chunk that have a member.
    #[must_use]
    pub fn used(&self, chunk: u32) -> u64 {
        self.used.get(chunk as usize).copied().unwrap_or(0)
    }

    /// The heads of a route.
    #[must_use]
    pub fn route(&self, number: u32) -> Route {
        self.routes
            .get(number as usize)
            .copied()
            .unwrap_or_default()
    }

    /// A hop; a void one for a number never used.
    #[must_use]
    pub fn hop(&self, number: u32) -> &Hop {
        self.hops.get(number as usize).unwrap_or(&Hop::VOID)
    }

    /// A generation that a hop did not have last, and never 0.
    #[must_use]
    pub fn next_generation(&self, hop: u32) -> u32 {
        let last = self.generations.get(hop as usize).copied().unwrap_or(0);
        last.checked_add(1).unwrap_or(1)
    }

    /// Where the member of a hop stands.
    #[must_use]
    pub fn home(&self, hop: u32) -> Home {
        self.homes.get(hop as usize).copied().unwrap_or_default()
    }

    /// Notes where the member of a hop stands; gives what was noted before.
    pub fn set_home(&mut self, hop: u32, home: Home) -> Home {
        std::mem::replace(entry(&mut self.homes, hop, Home::default()), home)
    }

    /// The chunks of a chain, from its head on.
    pub fn chain(&self, head: u32) -> impl Iterator<Item = u32> {
        let follow = |chunk: u32| (chunk != NONE).then_some(chunk);
        std::iter::successors(follow(head), move |&chunk| follow(self.chunk(chunk).next))
    }
}
