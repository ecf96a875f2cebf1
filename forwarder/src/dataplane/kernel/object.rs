//! The eBPF object, embedded so that one file is deployed, and its maps sized at load.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io, thread,
    time::Duration,
};

use anyhow::{Context, Result};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Map, MapData},
    programs::{RawTracePoint, Xdp},
};
use aya_log::EbpfLogger;
use forwarder_common::{
    pacer::QUEUE,
    reason,
    slots::SLOTS,
    tables::{DeviceTraffic, MAX_DEVICES},
};

use crate::{core::settings::MAX_SOCKETS, dataplane::memory::Sizes};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/forwarder.o"));

/// A number that changes when programs, map layouts or map sizes do: names the pin directory.
#[must_use]
pub fn abi(sizes: &Sizes, workers: u32) -> u64 {
    let mut hasher = DefaultHasher::new();
    OBJECT.hash(&mut hasher);
    [
        sizes.hops,
        sizes.chunks,
        sizes.routes,
        sizes.leases,
        sizes.cpus,
        workers,
    ]
    .hash(&mut hasher);
    hasher.finish()
}

/// How often the log of a tracing object is read.
const TRACE_INTERVAL: Duration = Duration::from_millis(50);

/// Passes on what the programs log, where the object was built to log (`cargo xtask build --trace`).
fn read_trace(ebpf: &mut Ebpf) -> Result<()> {
    if ebpf.map("AYA_LOGS").is_none() {
        return Ok(());
    }
    log::warn!("this build logs packets: it is for looking, not for forwarding");
    let mut logger = EbpfLogger::init(ebpf)?;
    thread::Builder::new().name("trace".into()).spawn(move || {
        loop {
            logger.flush();
            thread::sleep(TRACE_INTERVAL);
        }
    })?;
    Ok(())
}

/// What the programs are told of the devices.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Replicas that may be outstanding per CPU, see [`forwarder_common::pacer`].
    pub window: u32,
    /// Largest frame by device number, as the kernel holds frames against it before egress runs.
    pub frame_max: [u32; MAX_DEVICES as usize],
    /// MAC by device number, [`forwarder_common::tables::mac_words`]; zero for none.
    pub macs: [[u32; 2]; MAX_DEVICES as usize],
    /// Workers of sessions, at least one.
    pub workers: u32,
}

/// The object with its maps made, no program loaded yet.
pub struct Object {
    ebpf: Ebpf,
}

impl Object {
    /// Makes the maps.
    ///
    /// # Errors
    /// The kernel refused: no privilege, no memory, or no BTF.
    pub fn load(sizes: &Sizes, bounds: &Bounds) -> Result<Self> {
        let per_cpu = |entries: u32| entries.saturating_mul(sizes.cpus);
        let mut ebpf = EbpfLoader::new()
            .map_max_entries("ENDPOINTS", MAX_SOCKETS)
            .map_max_entries("ROUTE_KEYS", sizes.routes)
            .map_max_entries("ROUTES", sizes.routes)
            .map_max_entries("CHUNKS", sizes.chunks)
            .map_max_entries("HOPS", sizes.hops)
            .map_max_entries("LEASES", sizes.leases)
            .map_max_entries("REASONS", per_cpu(reason::COUNT as u32))
            .map_max_entries("ROUTE_TRAFFIC", per_cpu(sizes.routes))
            .map_max_entries("HOP_TRAFFIC", per_cpu(sizes.hops))
            .map_max_entries("DEVICE_TRAFFIC", per_cpu(MAX_DEVICES))
            .map_max_entries("QUEUES", per_cpu(QUEUE))
            .map_max_entries("SLOT_MEMORY", bounds.workers * SLOTS)
            .override_global("HOP_COUNT", &sizes.hops, true)
            .override_global("ROUTE_COUNT", &sizes.routes, true)
            .override_global("WINDOW", &bounds.window, true)
            .override_global("FRAME_MAX", &bounds.frame_max, true)
            .override_global("MACS", &bounds.macs, true)
            .load(OBJECT)
            .context("the kernel does not take the eBPF object")?;
        read_trace(&mut ebpf)?;
        Ok(Self { ebpf })
    }

    /// Loads an XDP program, if it is not yet, and gives it.
    ///
    /// # Errors
    /// The verifier's, with its log.
    pub fn xdp(&mut self, name: &str) -> Result<&mut Xdp> {
        let program: &mut Xdp = self
            .ebpf
            .program_mut(name)
            .with_context(|| format!("the eBPF object has no program {name}"))?
            .try_into()?;
        if program.fd().is_err() {
            program
                .load()
                .with_context(|| format!("the verifier refuses the program {name}"))?;
        }
        Ok(program)
    }

    /// Loads the program of the trace point.
    ///
    /// # Errors
    /// As for [`Self::xdp`].
    pub fn trace_point(&mut self, name: &str) -> Result<&mut RawTracePoint> {
        let program: &mut RawTracePoint = self
            .ebpf
            .program_mut(name)
            .with_context(|| format!("the eBPF object has no program {name}"))?
            .try_into()?;
        program.load()?;
        Ok(program)
    }

    /// A map, which stays in the object.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn map(&self, name: &str) -> Result<&Map> {
        self.ebpf
            .map(name)
            .with_context(|| format!("the eBPF object has no map {name}"))
    }

    /// A map that is changed, and stays in the object.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn map_mut(&mut self, name: &str) -> Result<&mut Map> {
        self.ebpf
            .map_mut(name)
            .with_context(|| format!("the eBPF object has no map {name}"))
    }

    /// Takes a map out of the object.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn take_map(&mut self, name: &str) -> Result<Map> {
        self.ebpf
            .take_map(name)
            .with_context(|| format!("the eBPF object has no map {name}"))
    }

    /// All maps that are still in the object, by name.
    pub fn maps(&self) -> impl Iterator<Item = (&str, &Map)> {
        self.ebpf.maps()
    }
}

/// The file descriptor side of an array map.
///
/// # Errors
/// The map is of another kind.
pub fn array_data(map: &Map) -> io::Result<&MapData> {
    match map {
        Map::Array(data) => Ok(data),
        _ => Err(io::Error::other("not an array map")),
    }
}

/// Bytes of the map `DEVICE_TRAFFIC`.
#[must_use]
pub const fn device_traffic_len(cpus: u32) -> usize {
    (cpus * MAX_DEVICES) as usize * size_of::<DeviceTraffic>()
}
