//! The tables without a kernel: what the socket path runs on where there is no XDP, and the tests everywhere.

use std::{io, sync::Arc};

use forwarder_common::{
    reason::COUNT,
    tables::{DeviceTraffic, Traffic},
};

use super::{
    memory::{Memory, Sizes},
    shared::SharedTables,
};
use crate::core::ops::{TableError, TableOp, Tables};

/// Tables in memory of this process.
#[derive(Debug)]
pub struct SoftTables {
    shared: Arc<SharedTables>,
}

impl SoftTables {
    /// Empty tables.
    ///
    /// # Errors
    /// Out of memory.
    pub fn new(sizes: Sizes, max_endpoints: u32) -> io::Result<Self> {
        let memory = Memory::heap(sizes)?;
        Ok(Self {
            shared: Arc::new(SharedTables::new(memory, max_endpoints)?),
        })
    }

    /// The tables as the worker reads them.
    #[must_use]
    pub fn shared(&self) -> Arc<SharedTables> {
        Arc::clone(&self.shared)
    }
}

impl Tables for SoftTables {
    fn apply(&mut self, op: &TableOp) -> Result<(), TableError> {
        self.shared.apply(op)
    }

    fn hop_traffic(&self, hop: u32) -> Traffic {
        self.shared.hop_traffic(hop)
    }

    fn route_traffic(&self, route: u32) -> Traffic {
        self.shared.route_traffic(route)
    }

    fn reset_hop(&mut self, hop: u32) {
        self.shared.reset_hop(hop);
    }

    fn reset_route(&mut self, route: u32) {
        self.shared.reset_route(route);
    }

    fn reasons(&self) -> [u64; COUNT] {
        self.shared.reasons()
    }

    fn devices(&self) -> Vec<DeviceTraffic> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use forwarder_common::{
        reason::Reason,
        tables::{Endpoint, EndpointKey, Hop, RouteKey},
    };

    use super::*;

    const SIZES: Sizes = Sizes {
        hops: 4,
        chunks: 4,
        routes: 2,
        leases: 1,
        cpus: 2,
    };

    fn stream(ssrc: u8) -> RouteKey {
        RouteKey::new(([1; 16], 3), ([2; 16], 4), u32::from(ssrc))
    }

    #[test]
    fn streams_come_and_go() {
        let mut tables = SoftTables::new(SIZES, 1).unwrap();
        let shared = tables.shared();
        let put = |ssrc, route| TableOp::PutRoute {
            key: stream(ssrc),
            route,
        };
        tables.apply(&put(1, 7)).unwrap();
        tables.apply(&put(2, 8)).unwrap();
        assert_eq!(shared.lookup.routes().get(&stream(1)), Some(&7));
        // Full, but a stream that is there may change its route.
        tables.apply(&put(2, 9)).unwrap();
        let full = TableError::Full {
            table: "routes",
            allowed: 2,
        };
        assert_eq!(tables.apply(&put(3, 1)), Err(full));
        assert_eq!(shared.lookup.routes().get(&stream(3)), None);
        tables
            .apply(&TableOp::DropRoute { key: stream(1) })
            .unwrap();
        assert_eq!(shared.lookup.routes().get(&stream(1)), None);
        tables.apply(&put(3, 1)).unwrap();
        assert_eq!(shared.lookup.routes().get(&stream(2)), Some(&9));
    }

    #[test]
    fn endpoints_come_and_go() {
        let mut tables = SoftTables::new(SIZES, 1).unwrap();
        let key = |port| EndpointKey::new([0; 16], port);
        let endpoint = Endpoint::new([2; 6]);
        let put = |port| TableOp::PutEndpoint {
            key: key(port),
            endpoint,
        };
        tables.apply(&put(1)).unwrap();
        assert_eq!(tables.shared.lookup.endpoint(&key(1)), Some(endpoint));
        assert!(matches!(
            tables.apply(&put(2)),
            Err(TableError::Full {
                table: "endpoints",
                allowed: 1
            })
        ));
        tables
            .apply(&TableOp::DropEndpoint { key: key(1) })
            .unwrap();
        assert_eq!(tables.shared.lookup.endpoint(&key(1)), None);
    }

    #[test]
    fn a_number_outside_is_an_error_that_names_it() {
        let mut tables = SoftTables::new(SIZES, 1).unwrap();
        let error = tables
            .apply(&TableOp::PutHop {
                hop: 4,
                value: Hop::VOID,
            })
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the table hops refused a change: number 4 is outside of its 4 entries, or the reserved 0"
        );
    }

    #[test]
    fn counters_of_both_paths_are_summed() {
        let mut tables = SoftTables::new(SIZES, 1).unwrap();
        let shared = tables.shared();
        shared.memory.counters.hops.add(1, 2, 10, 5);
        shared.worker.hops.add(0, 2, 20, 9);
        shared.worker.reasons.add(0, Reason::Sent, 4);
        shared.memory.counters.reasons.add(1, Reason::Sent, 3);
        let expected = Traffic {
            packets: 2,
            bytes: 30,
            last_seen: 9,
        };
        assert_eq!(tables.hop_traffic(2), expected);
        assert_eq!(tables.reasons()[Reason::Sent as usize], 7);
        tables.reset_hop(2);
        assert_eq!(tables.hop_traffic(2), Traffic::default());
    }
}
