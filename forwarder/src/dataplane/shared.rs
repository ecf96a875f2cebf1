//! What the control plane writes and the socket worker reads: the flat tables, the lookups, and what the worker counts.
//!
//! The tables of the kernel are these as well, with mapped memory, and with every entry of the lookups in a BPF hash too.

use std::io;

use forwarder_common::{
    reason::{COUNT, Reason},
    tables::Traffic,
};

use super::{
    counters::Counters,
    lookup::Lookup,
    memory::{Memory, Sizes},
};
use crate::core::ops::{TableError, TableOp};

/// Tables shared between threads; one thread applies operations, any number reads.
#[derive(Debug)]
pub struct SharedTables {
    /// Routes, chunks, hops, leases, and what XDP counted.
    pub memory: Memory,
    /// Streams and endpoints.
    pub lookup: Lookup,
    /// What the socket worker counted.
    pub worker: Counters,
}

impl SharedTables {
    /// Tables around `memory`, with empty lookups.
    ///
    /// # Errors
    /// Out of memory.
    pub fn new(memory: Memory, max_endpoints: u32) -> io::Result<Self> {
        let Sizes { hops, routes, .. } = memory.sizes;
        Ok(Self {
            lookup: Lookup::new(routes, max_endpoints),
            worker: Counters::heap(hops, routes, 1)?,
            memory,
        })
    }

    /// Carries out one operation. The caller is the only one who does.
    ///
    /// # Errors
    /// [`TableError::Full`] from the lookups, [`TableError::Failed`] for a number outside of its table.
    pub fn apply(&self, op: &TableOp) -> Result<(), TableError> {
        let Self { memory, lookup, .. } = self;
        let sizes = memory.sizes;
        match *op {
            TableOp::PutEndpoint { key, endpoint } => lookup.put_endpoint(key, endpoint),
            TableOp::DropEndpoint { key } => {
                lookup.drop_endpoint(&key);
                Ok(())
            }
            TableOp::PutRoute { key, route } => lookup.put_route(key, route),
            TableOp::DropRoute { key } => {
                lookup.drop_route(&key);
                Ok(())
            }
            TableOp::SetRoute { route, value } => memory
                .set_route(route, value)
                .ok_or_else(|| outside("routes", route, sizes.routes)),
            TableOp::PutHop { hop, value } => memory
                .put_hop(hop, &value)
                .ok_or_else(|| outside("hops", hop, sizes.hops)),
            TableOp::VoidHop { hop } => memory
                .void_hop(hop)
                .ok_or_else(|| outside("hops", hop, sizes.hops)),
            TableOp::InitChunk {
                chunk,
                device,
                next,
            } => memory
                .init_chunk(chunk, device, next)
                .ok_or_else(|| outside("chunks", chunk, sizes.chunks)),
            TableOp::SetNext { chunk, next } => memory
                .set_chunk_next(chunk, next)
                .ok_or_else(|| outside("chunks", chunk, sizes.chunks)),
            TableOp::SetSlot {
                chunk,
                slot,
                member,
            } => memory
                .set_chunk_slot(chunk, slot, member)
                .ok_or_else(|| outside("chunks", chunk, sizes.chunks)),
            TableOp::SetMask { chunk, mask } => memory
                .set_chunk_mask(chunk, mask)
                .ok_or_else(|| outside("chunks", chunk, sizes.chunks)),
            TableOp::SetLease { lease, deadline } => memory
                .set_lease(lease, deadline)
                .ok_or_else(|| outside("leases", lease, sizes.leases)),
            // Only XDP reads these: where sockets receive, a pair has one of its own, and the listener asks the core.
            TableOp::PutSteer { key, steer } => lookup.put_steer(key, steer),
            TableOp::DropSteer { key } => {
                lookup.drop_steer(&key);
                Ok(())
            }
            TableOp::AdmitUfrag { ufrag } => lookup.admit_ufrag(ufrag),
            TableOp::ForgetUfrag { ufrag } => {
                lookup.forget_ufrag(ufrag);
                Ok(())
            }
        }
    }

    /// What a hop has carried on all paths.
    #[must_use]
    pub fn hop_traffic(&self, hop: u32) -> Traffic {
        both(
            self.memory.counters.hops.sum(hop),
            self.worker.hops.sum(hop),
        )
    }

    /// What a route has carried on all paths.
    #[must_use]
    pub fn route_traffic(&self, route: u32) -> Traffic {
        both(
            self.memory.counters.routes.sum(route),
            self.worker.routes.sum(route),
        )
    }

    /// Forgets what a hop has carried. Nobody may be counting.
    pub fn reset_hop(&self, hop: u32) {
        self.memory.counters.hops.clear(hop);
        self.worker.hops.clear(hop);
    }

    /// Forgets what a route has carried. Nobody may be counting.
    pub fn reset_route(&self, route: u32) {
        self.memory.counters.routes.clear(route);
        self.worker.routes.clear(route);
    }

    /// How often each reason occurred on all paths.
    #[must_use]
    pub fn reasons(&self) -> [u64; COUNT] {
        let mut counts = [0; COUNT];
        for (count, &reason) in counts.iter_mut().zip(Reason::ALL) {
            let worker = self.worker.reasons.sum(reason);
            *count = match reason {
                // XDP passes these to the sockets, where they are counted again.
                Reason::Stun | Reason::Dtls | Reason::Rtcp | Reason::UnknownStream => worker,
                _ => self
                    .memory
                    .counters
                    .reasons
                    .sum(reason)
                    .wrapping_add(worker),
            };
        }
        counts
    }
}

fn both(kernel: Traffic, worker: Traffic) -> Traffic {
    Traffic {
        packets: kernel.packets.wrapping_add(worker.packets),
        bytes: kernel.bytes.wrapping_add(worker.bytes),
        last_seen: kernel.last_seen.max(worker.last_seen),
    }
}

fn outside(table: &'static str, number: u32, entries: u32) -> TableError {
    TableError::Failed {
        table,
        why: format!("number {number} is outside of its {entries} entries, or the reserved 0"),
    }
}
