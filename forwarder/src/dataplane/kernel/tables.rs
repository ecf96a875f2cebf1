//! The control plane's operations on the kernel's maps: flat tables through mapped memory, hashes through system calls.

use std::sync::Arc;

use anyhow::Result;
use aya::maps::{HashMap, Map, MapData, MapError};
use forwarder_common::{
    reason::COUNT,
    tables::{
        DeviceTraffic, Endpoint, EndpointKey, MAX_DEVICES, MAX_PAIRS, MAX_SESSIONS, PairKey,
        RouteKey, Steer, Traffic,
    },
};

use crate::{
    core::{
        ops::{TableError, TableOp, Tables},
        settings::MAX_SOCKETS,
    },
    dataplane::{region::Region, shared::SharedTables},
};

/// `E2BIG`: what a full hash answers.
const FULL: i32 = 7;

/// The tables that XDP forwards by. The socket worker reads the same memory.
pub struct KernelTables {
    shared: Arc<SharedTables>,
    endpoints: HashMap<MapData, EndpointKey, Endpoint>,
    routes: HashMap<MapData, RouteKey, u32>,
    pairs: HashMap<MapData, PairKey, Steer>,
    ufrags: HashMap<MapData, u64, u32>,
    device_traffic: Region,
    devices: u32,
    cpus: u32,
    /// What the self-test counted.
    before: ([u64; COUNT], Vec<DeviceTraffic>),
}

/// The hash maps of the object.
pub struct Hashes {
    /// `ENDPOINTS`.
    pub endpoints: Map,
    /// `ROUTE_KEYS`.
    pub routes: Map,
    /// `PAIRS`.
    pub pairs: Map,
    /// `UFRAGS`.
    pub ufrags: Map,
}

impl KernelTables {
    /// Tables around these maps, and the mapped `DEVICE_TRAFFIC`.
    ///
    /// # Errors
    /// A map is of another kind.
    pub fn new(
        shared: Arc<SharedTables>,
        hashes: Hashes,
        device_traffic: Region,
        devices: u32,
    ) -> Result<Self> {
        Ok(Self {
            cpus: shared.memory.sizes.cpus,
            shared,
            endpoints: HashMap::try_from(hashes.endpoints)?,
            routes: HashMap::try_from(hashes.routes)?,
            pairs: HashMap::try_from(hashes.pairs)?,
            ufrags: HashMap::try_from(hashes.ufrags)?,
            device_traffic,
            devices,
            before: ([0; COUNT], Vec::new()),
        })
    }

    /// The tables as the socket worker reads them.
    #[must_use]
    pub fn shared(&self) -> Arc<SharedTables> {
        Arc::clone(&self.shared)
    }

    /// Forgets what has been counted up to now.
    pub fn start_counting(&mut self) {
        let devices = (0..self.devices).map(|device| self.device(device));
        self.before = (self.shared.reasons(), devices.collect());
    }

    /// What one device did since the tables were made, over all CPUs.
    #[must_use]
    pub fn device(&self, device: u32) -> DeviceTraffic {
        let mut sum = DeviceTraffic::default();
        for cpu in 0..self.cpus {
            let at = (cpu * MAX_DEVICES + device) as usize * size_of::<DeviceTraffic>();
            let word = |index: usize| {
                self.device_traffic
                    .load_u64(at + 8 * index, std::sync::atomic::Ordering::Relaxed)
            };
            sum.sent += word(0);
            sum.drops += word(1);
            sum.errors += word(2);
            sum.egress_drops += word(3);
        }
        sum
    }
}

impl Tables for KernelTables {
    fn apply(&mut self, op: &TableOp) -> Result<(), TableError> {
        // The hashes of the kernel can refuse, the rest cannot: they come first, and on an error nothing has changed.
        match op {
            TableOp::PutEndpoint { key, endpoint } => {
                self.endpoints
                    .insert(key, endpoint, 0)
                    .map_err(|error| refused("endpoints", &error, u64::from(MAX_SOCKETS)))?;
            }
            TableOp::PutRoute { key, route } => {
                let allowed = u64::from(self.shared.memory.sizes.routes);
                self.routes
                    .insert(key, route, 0)
                    .map_err(|error| refused("routes", &error, allowed))?;
            }
            TableOp::DropEndpoint { key } => {
                ignore_missing("endpoints", self.endpoints.remove(key))?;
            }
            TableOp::DropRoute { key } => ignore_missing("routes", self.routes.remove(key))?,
            TableOp::PutSteer { key, steer } => {
                self.pairs
                    .insert(key, steer, 0)
                    .map_err(|error| refused("pairs", &error, MAX_PAIRS.into()))?;
            }
            TableOp::DropSteer { key } => ignore_missing("pairs", self.pairs.remove(key))?,
            TableOp::AdmitUfrag { ufrag } => {
                self.ufrags
                    .insert(ufrag, 1, 0)
                    .map_err(|error| refused("ufrags", &error, 2 * u64::from(MAX_SESSIONS)))?;
            }
            TableOp::ForgetUfrag { ufrag } => {
                ignore_missing("ufrags", self.ufrags.remove(ufrag))?;
            }
            _ => {}
        }
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
        let mut counts = self.shared.reasons();
        for (count, before) in counts.iter_mut().zip(self.before.0) {
            *count = count.wrapping_sub(before);
        }
        counts
    }

    fn devices(&self) -> Vec<DeviceTraffic> {
        (0..self.devices)
            .map(|number| {
                let mut device = self.device(number);
                if let Some(before) = self.before.1.get(number as usize) {
                    device.sent -= before.sent;
                    device.drops -= before.drops;
                    device.errors -= before.errors;
                    device.egress_drops -= before.egress_drops;
                }
                device
            })
            .collect()
    }
}

fn refused(table: &'static str, error: &MapError, allowed: u64) -> TableError {
    match error {
        MapError::SyscallError(call) if call.io_error.raw_os_error() == Some(FULL) => {
            TableError::Full { table, allowed }
        }
        _ => TableError::Failed {
            table,
            why: error.to_string(),
        },
    }
}

fn ignore_missing(table: &'static str, result: Result<(), MapError>) -> Result<(), TableError> {
    match result {
        Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
        Err(error) => Err(TableError::Failed {
            table,
            why: error.to_string(),
        }),
    }
}
