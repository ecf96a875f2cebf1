//! Brings the kernel path up, in the order in which nothing can be seen half done, and takes it down again.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use aya::maps::{Map, MapData};
use forwarder_common::{
    tables::{MAX_DEVICES, MAX_INTERFACES, mac_words},
    wire::eth,
};

use super::{
    attach,
    bell::BellDevice,
    ladder,
    loop_pair::LoopPair,
    map_batch,
    namespace::Namespace,
    object::{self, Bounds, Object, array_data, device_traffic_len},
    pins::{self, Pins},
    punt::PuntRing,
    self_test,
    slot_memory::SlotMemory,
    tables::{Hashes, KernelTables},
    worker_port::{self, Arrivals, SlotPort, WorkerPort},
};
use crate::core::settings::MAX_SOCKETS;
use crate::dataplane::{
    counters::{Counters, ReasonTable, TrafficTable},
    memory::{CHUNK_STRIDE, HOP_STRIDE, LEASE_STRIDE, Memory, ROUTE_STRIDE, Sizes},
    region::{Region, WORD},
    shared::SharedTables,
};
use crate::worker::{
    receive_state::RECEIVE_STRIDE,
    send_state::{SESSION_STRIDE, SendState},
};

/// An interface that takes and sends media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Its index.
    pub ifindex: u32,
    /// Frames that its transmit ring holds.
    pub ring: u32,
    /// Transmit queues.
    pub queues: u32,
    /// Largest IP packet, in bytes.
    pub mtu: u32,
    /// Its MAC.
    pub mac: [u8; 6],
    /// Number of the XDP program that is attached.
    pub attached: Option<u32>,
}

/// What the kernel path is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the node.
    pub name: String,
    /// Media interfaces; their order gives the device numbers.
    pub devices: Vec<Device>,
    /// Entries of the tables.
    pub sizes: Sizes,
    /// Workers of sessions, 1 to 16.
    pub workers: u32,
    /// Sessions.
    pub sessions: u32,
    /// Legs of sessions.
    pub legs: u32,
}

/// `BPF_MAP_TYPE_ARRAY` and `BPF_F_MMAPABLE`, include/uapi/linux/bpf.h.
const ARRAY: u32 = 2;
const MMAPABLE: u32 = 1 << 10;

/// The kernel path, running. Dropping it leaves everything in place; [`Kernel::stop`] removes it.
pub struct Kernel {
    /// Keeps the programs' descriptors; they stay loaded through their links anyway.
    object: Object,
    pins: Pins,
    namespace: Namespace,
    name: String,
}

/// A started kernel path and what others need of it.
pub struct Started {
    /// To stop it by.
    pub kernel: Kernel,
    /// For the control plane.
    pub tables: KernelTables,
    /// For the socket worker.
    pub punt: PuntRing,
    /// For the workers of sessions, one each.
    pub ports: Vec<WorkerPort>,
    /// What their keys were used for, pinned.
    pub send_state: SendState,
}

impl Kernel {
    /// Loads, builds, proves and attaches. What an earlier run of the node left behind is replaced.
    ///
    /// # Errors
    /// Anything that the kernel refuses; nothing is left behind then.
    pub fn start(options: &Options) -> Result<Started> {
        if options.devices.is_empty() || options.devices.len() > MAX_INTERFACES as usize {
            bail!(
                "interfaces: {} given, 1 to {MAX_INTERFACES} allowed",
                options.devices.len()
            );
        }
        let sizes = &options.sizes;
        let bounds = Bounds {
            window: window(&options.devices, sizes.cpus),
            frame_max: frame_max(&options.devices),
            macs: macs(&options.devices),
            workers: options.workers,
        };
        let mut object = Object::load(sizes, &bounds)?;
        let pins = Pins::make(&options.name, object::abi(sizes, options.workers))?;
        let run = std::process::id();
        let namespace = match Namespace::make(&format!("forwarder-{}.{run}", options.name)) {
            Ok(namespace) => namespace,
            Err(error) => {
                let _best_effort = pins.remove();
                return Err(error);
            }
        };
        match bring_up(options, &mut object, &pins, &namespace) {
            Ok(BroughtUp {
                tables,
                punt,
                ports,
                send_state,
            }) => {
                let kernel = Self {
                    object,
                    pins,
                    namespace,
                    name: options.name.clone(),
                };
                kernel.sweep_others();
                Ok(Started {
                    kernel,
                    tables,
                    punt,
                    ports,
                    send_state,
                })
            }
            Err(error) => {
                let _best_effort = pins.remove();
                let _best_effort = namespace.remove();
                Err(error)
            }
        }
    }

    /// Removes what earlier runs of this node left behind.
    fn sweep_others(&self) {
        let swept = pins::sweep(&self.name, Some(&self.pins));
        Namespace::sweep(&namespace_prefix(&self.name), Some(&self.namespace));
        if swept > 0 {
            log::info!("replaced what {swept} earlier run(s) of this node had left");
        }
    }

    /// Detaches everything and leaves nothing behind.
    ///
    /// # Errors
    /// The file system's.
    pub fn stop(self) -> Result<()> {
        let Self {
            object,
            pins,
            namespace,
            ..
        } = self;
        drop(object);
        pins.remove().context("cannot unpin")?;
        namespace.remove().context("cannot remove the namespace")?;
        Ok(())
    }
}

/// Removes what dead runs of a node left behind; gives how many runs.
#[must_use]
pub fn sweep(name: &str) -> usize {
    let pinned = pins::sweep(name, None);
    // One run has one of each, but may have died before it had both.
    pinned.max(Namespace::sweep(&namespace_prefix(name), None))
}

fn namespace_prefix(name: &str) -> String {
    format!("forwarder-{name}")
}

/// Replicas that one CPU may have outstanding: half of the smallest ring, shared with the CPUs on the same queue.
fn window(devices: &[Device], cpus: u32) -> u32 {
    devices
        .iter()
        .map(|device| device.ring / 2 / cpus.div_ceil(device.queues.max(1)).max(1))
        .min()
        .unwrap_or(0)
        .max(1)
}

/// The kernel's own bound on redirected frames: MTU, Ethernet header and one VLAN tag (`xdp_ok_fwd_dev`). The number
/// after the last device is the probe's.
fn frame_max(devices: &[Device]) -> [u32; MAX_DEVICES as usize] {
    let mut bounds = [u32::MAX; MAX_DEVICES as usize];
    for (bound, device) in bounds.iter_mut().zip(devices) {
        *bound = device.mtu.saturating_add((eth::LEN + eth::TAG_LEN) as u32);
    }
    bounds
}

fn macs(devices: &[Device]) -> [[u32; 2]; MAX_DEVICES as usize] {
    let mut macs = [[0; 2]; MAX_DEVICES as usize];
    for (mac, device) in macs.iter_mut().zip(devices) {
        *mac = mac_words(device.mac);
    }
    macs
}

struct BroughtUp {
    tables: KernelTables,
    punt: PuntRing,
    ports: Vec<WorkerPort>,
    send_state: SendState,
}

fn bring_up(
    options: &Options,
    object: &mut Object,
    pins: &Pins,
    namespace: &Namespace,
) -> Result<BroughtUp> {
    let sizes = options.sizes;
    let pair = LoopPair::make(namespace, sizes.cpus)?;
    let ifindexes: Vec<u32> = options
        .devices
        .iter()
        .map(|device| device.ifindex)
        .collect();
    let egress = object.xdp("egress")?.fd()?.try_clone()?;
    attach::turn(object, pins, namespace, pair.far)?;
    pair.widen(namespace)?;
    let loop_alone = ladder::build(object, namespace, pair.near, &ifindexes, &egress)?;

    let ports = worker_ports(options, object, pins, namespace)?;
    let memory = map_memory(object, sizes)?;
    let device_traffic = Region::map(
        fd(array_data(object.map("DEVICE_TRAFFIC")?)?),
        device_traffic_len(sizes.cpus),
    )?;
    pin_maps(object, pins)?;
    if let Map::DevMap(data) = &loop_alone {
        data.pin(pins.path("LOOP"))?;
    }
    let shared = Arc::new(SharedTables::new(memory, MAX_SOCKETS)?);
    let mut tables = KernelTables::new(
        shared,
        Hashes {
            endpoints: object.take_map("ENDPOINTS")?,
            routes: object.take_map("ROUTE_KEYS")?,
            pairs: object.take_map("PAIRS")?,
            ufrags: object.take_map("UFRAGS")?,
        },
        device_traffic,
        ifindexes.len() as u32,
    )?;
    let send_state = send_state(options, pins)?;
    let punt = PuntRing::new(object.take_map("PUNT")?)?;

    if let Err(error) = attach::xmit(object, pins) {
        log::warn!("what devices drop will not be counted: {error:#}");
    }
    // First what is new: many drivers take redirected frames only while a program is attached. What an earlier run
    // attached is taken over last, so that its media goes on if anything fails before.
    let mut earlier = Vec::new();
    for device in &options.devices {
        match attach::earlier_link(pins, &options.name, device) {
            Some(path) => earlier.push((device, path)),
            None => attach::ingress(object, pins, device)?,
        }
    }
    self_test::run(object, &mut tables, namespace, &options.devices)
        .context("the self-test failed")?;
    for (device, path) in earlier {
        attach::take_over(object, pins, device, &path)?;
    }
    Ok(BroughtUp {
        tables,
        punt,
        ports,
        send_state,
    })
}

/// What keys were used for, in pinned maps: it outlives this process as the keys may.
fn send_state(options: &Options, pins: &Pins) -> Result<SendState> {
    // Numbers of both begin with 1.
    let (legs, sessions) = (options.legs + 1, options.sessions + 1);
    let make = |name: &str, value: usize, count| {
        let array = aya_obj::Map::new_from_params(
            ARRAY,
            size_of::<u32>() as u32,
            value as u32,
            count,
            MMAPABLE,
        );
        let map =
            MapData::create(array, name, None).with_context(|| format!("cannot make {name}"))?;
        map.pin(pins.path(name))
            .with_context(|| format!("cannot pin {name}"))?;
        anyhow::Ok(map)
    };
    let by_leg = make("SEND_STATE", WORD, legs)?;
    let by_session = make("SESSION_STATE", SESSION_STRIDE, sessions)?;
    let received = make("RECEIVE_STATE", RECEIVE_STRIDE, sessions)?;
    Ok(SendState::map(
        (fd(&by_leg), legs),
        (fd(&by_session), sessions),
        (fd(&received), sessions),
    )?)
}

/// What each worker of sessions shares with XDP.
fn worker_ports(
    options: &Options,
    object: &mut Object,
    pins: &Pins,
    namespace: &Namespace,
) -> Result<Vec<WorkerPort>> {
    let rings = (0..options.workers)
        .map(|worker| Ok((worker, worker_port::make_ring()?)))
        .collect::<Result<Vec<_>>>()?;
    map_batch::set(object.map("RINGS")?, &rings).context("cannot give the workers their rings")?;
    let window = window(&options.devices, options.sizes.cpus);
    let ports = rings.into_iter().map(|(worker, ring)| {
        let (bell, device) = BellDevice::make(namespace, worker)?;
        attach::bell(object, pins, namespace, worker, device)?;
        Ok(WorkerPort {
            arrivals: Arrivals::new(ring)?,
            slots: SlotPort {
                memory: SlotMemory::map(fd(array_data(object.map("SLOT_MEMORY")?)?), worker)?,
                bell,
                consumed: worker_port::map_consumed(fd(array_data(object.map("CONSUMED")?)?))?,
                worker,
                window,
            },
        })
    });
    ports.collect()
}

fn fd(data: &aya::maps::MapData) -> std::os::fd::BorrowedFd<'_> {
    use std::os::fd::AsFd;
    data.fd().as_fd()
}

/// The tables of the object, mapped into this process.
///
/// # Errors
/// The kernel refuses to map one.
pub fn map_memory(object: &Object, sizes: Sizes) -> Result<Memory> {
    let region = |name: &str, len: usize| -> Result<Region> {
        let map = array_data(object.map(name)?)?;
        Region::map(fd(map), len).with_context(|| format!("cannot map {name} into memory"))
    };
    Ok(Memory {
        chunks: region("CHUNKS", sizes.chunks as usize * CHUNK_STRIDE)?,
        hops: region("HOPS", sizes.hops as usize * HOP_STRIDE)?,
        routes: region("ROUTES", sizes.routes as usize * ROUTE_STRIDE)?,
        leases: region("LEASES", sizes.leases as usize * LEASE_STRIDE)?,
        counters: Counters {
            hops: TrafficTable::new(
                region("HOP_TRAFFIC", TrafficTable::len(sizes.hops, sizes.cpus))?,
                sizes.hops,
                sizes.cpus,
            ),
            routes: TrafficTable::new(
                region("ROUTE_TRAFFIC", TrafficTable::len(sizes.routes, sizes.cpus))?,
                sizes.routes,
                sizes.cpus,
            ),
            reasons: ReasonTable::new(region("REASONS", ReasonTable::len(sizes.cpus))?, sizes.cpus),
        },
        sizes,
    })
}

/// Pins the maps that tables and counters live in, for whoever looks at a node from outside.
fn pin_maps(object: &Object, pins: &Pins) -> Result<()> {
    for (name, map) in object.maps() {
        let data = match map {
            Map::Array(data)
            | Map::HashMap(data)
            | Map::PerCpuArray(data)
            | Map::RingBuf(data)
            | Map::LruHashMap(data)
            | Map::ArrayOfMaps(data) => data,
            _ => continue,
        };
        // A dot would be refused by bpffs; such maps are the object's own data sections.
        if !name.contains('.') {
            data.pin(pins.path(name))
                .with_context(|| format!("cannot pin {name}"))?;
        }
    }
    Ok(())
}
