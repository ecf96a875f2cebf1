//! The kernel's side: the product's object with its tables, and its programs run one frame at a time.

use aya::{
    maps::{Array, HashMap, Map, MapData, PerCpuArray, PerCpuValues, RingBuf},
    programs::{TestRun as _, TestRunOptions},
};
use forwarder::{
    core::ops::{TableOp, Tables as _},
    dataplane::{
        kernel::{
            ladder, map_batch,
            namespace::Namespace,
            object::{Bounds, Object, array_data, device_traffic_len},
            punt::PuntRing,
            slot_memory::SlotMemory,
            start::map_memory,
            tables::{Hashes, KernelTables},
            worker_port,
        },
        memory::Sizes,
        region::Region,
        shared::SharedTables,
        socket::Punt as _,
    },
};
use forwarder_common::{
    pacer::{Pacer, QUEUE},
    reason::{COUNT, Reason},
    tables::{DeviceTraffic, MAX_DEVICES, PUNT_HEADER, QUEUE_SLOT},
};
use forwarder_tests::netns::RUN_NETNS;
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use std::{fs::File, os::fd::AsFd as _, path::Path, sync::Arc};

use crate::world::{OWN_MACS, SIZES};

/// The loopback interface, in every namespace. Nothing is sent: BPF_PROG_TEST_RUN stops at the verdict.
const LOOPBACK: u32 = 1;
/// Replicas that may be outstanding, as with a veth.
pub const WINDOW: u32 = 128;
/// The CPU that the programs run on.
const CPU: u32 = 0;

/// A pacer as it lies in its map.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct PacerValue(Pacer);

// SAFETY: plain words without padding (its fields add up to its size), any bit pattern valid.
unsafe impl aya::Pod for PacerValue {}

/// What a program made of a frame.
#[derive(Debug)]
pub struct Output {
    /// The XDP action.
    pub action: u32,
    /// The frame afterwards.
    pub frame: Vec<u8>,
}

/// The loaded object.
pub struct Rig {
    object: Object,
    /// The control plane's view.
    pub tables: KernelTables,
    /// As they were entered.
    pairs: Vec<TableOp>,
    punt: PuntRing,
    ring: RingBuf<MapData>,
    /// Slots of worker 0.
    pub slots: SlotMemory,
    consumed: Region,
    _loop_alone: Map,
    /// Keeps the loop's namespace, which has no name any more: it goes with this process, however that ends.
    _namespace: File,
}

impl Rig {
    /// Pins this thread to one CPU, so that all runs see the same cursors and pacer.
    pub fn pin_this_thread() {
        let mut cpus = CpuSet::new();
        cpus.set(CPU as usize).unwrap();
        sched_setaffinity(Pid::from_raw(0), &cpus).unwrap();
    }

    /// Loads the object and fills its tables.
    pub fn new(ops: &[TableOp]) -> Self {
        let sizes = Sizes {
            cpus: aya::util::nr_cpus().unwrap() as u32,
            ..SIZES
        };
        let mut object = Object::load(
            &sizes,
            &Bounds {
                window: WINDOW,
                frame_max: [u32::MAX; MAX_DEVICES as usize],
                macs: OWN_MACS,
                workers: 1,
            },
        )
        .unwrap();
        let name = format!("parity-{}", std::process::id());
        let namespace = Namespace::make(&name).unwrap();
        let egress = object
            .xdp("egress")
            .unwrap()
            .fd()
            .unwrap()
            .try_clone()
            .unwrap();
        let loop_alone =
            ladder::build(&mut object, &namespace, LOOPBACK, &[LOOPBACK; 2], &egress).unwrap();
        let kept = File::open(Path::new(RUN_NETNS).join(&name)).unwrap();
        namespace.remove().unwrap();
        for program in ["ingress", "turn", "bell", "egress_test"] {
            object.xdp(program).unwrap();
        }
        let memory = map_memory(&object, sizes).unwrap();
        let device_traffic = array_data(object.map("DEVICE_TRAFFIC").unwrap()).unwrap();
        let device_traffic =
            Region::map(device_traffic.fd().as_fd(), device_traffic_len(sizes.cpus)).unwrap();
        let mut tables = KernelTables::new(
            Arc::new(SharedTables::new(memory, 16).unwrap()),
            Hashes {
                endpoints: object.take_map("ENDPOINTS").unwrap(),
                routes: object.take_map("ROUTE_KEYS").unwrap(),
                pairs: object.take_map("PAIRS").unwrap(),
                ufrags: object.take_map("UFRAGS").unwrap(),
            },
            device_traffic,
            2,
        )
        .unwrap();
        for op in ops {
            tables.apply(op).unwrap();
        }
        let ring = worker_port::make_ring().unwrap();
        let rings = [(0, ring)];
        map_batch::set(object.map("RINGS").unwrap(), &rings).unwrap();
        let [(_, ring)] = rings;
        let mapped = |name| array_data(object.map(name).unwrap()).unwrap().fd().as_fd();
        let slots = SlotMemory::map(mapped("SLOT_MEMORY"), 0).unwrap();
        let consumed = worker_port::map_consumed(mapped("CONSUMED")).unwrap();
        let punt = PuntRing::new(object.take_map("PUNT").unwrap()).unwrap();
        Self {
            object,
            tables,
            pairs: ops
                .iter()
                .filter(|op| matches!(op, TableOp::PutSteer { .. }))
                .cloned()
                .collect(),
            punt,
            ring: RingBuf::try_from(Map::RingBuf(ring)).unwrap(),
            slots,
            consumed,
            _loop_alone: loop_alone,
            _namespace: kept,
        }
    }

    /// Runs a program on a frame of at least 14 bytes.
    pub fn run(&mut self, program: &str, frame: &[u8]) -> Output {
        let mut out = vec![0; 4096];
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut out),
            ..Default::default()
        };
        let result = self
            .object
            .xdp(program)
            .unwrap()
            .test_run(options)
            .unwrap_or_else(|error| panic!("{program} on {} bytes: {error}", frame.len()));
        out.truncate(result.data_size_out as usize);
        Output {
            action: result.return_value,
            frame: out,
        }
    }

    fn pacers(&mut self) -> PerCpuArray<&mut MapData, PacerValue> {
        PerCpuArray::try_from(self.object.map_mut("PACER").unwrap()).unwrap()
    }

    /// The pacer as the programs left it.
    pub fn pacer(&mut self) -> Pacer {
        self.pacers().get(&0, 0).unwrap()[CPU as usize].0
    }

    /// Puts the pacer into a state.
    pub fn set_pacer(&mut self, pacer: Pacer) {
        let cpus = aya::util::nr_cpus().unwrap();
        let values = PerCpuValues::try_from(vec![PacerValue(pacer); cpus]).unwrap();
        self.pacers().set(0, values, 0).unwrap();
    }

    /// The frame that waits in a slot of the queue.
    pub fn queued(&mut self, slot: u32) -> Vec<u8> {
        let map = self.object.map("QUEUES").unwrap();
        let slots: Array<_, [u8; QUEUE_SLOT]> = Array::try_from(map).unwrap();
        let bytes = slots.get(&(CPU * QUEUE + slot), 0).unwrap();
        let len = u32::from_ne_bytes(*bytes.first_chunk().unwrap()) as usize;
        bytes[8..8 + len].to_vec()
    }

    /// Replaces the frame that waits in a slot of the queue by one of its length.
    pub fn set_queued(&mut self, slot: u32, frame: &[u8]) {
        let map = self.object.map_mut("QUEUES").unwrap();
        let mut slots: Array<_, [u8; QUEUE_SLOT]> = Array::try_from(map).unwrap();
        let mut bytes = slots.get(&(CPU * QUEUE + slot), 0).unwrap();
        bytes[8..8 + frame.len()].copy_from_slice(frame);
        slots.set(CPU * QUEUE + slot, bytes, 0).unwrap();
    }

    /// What the socket worker would get: first chunk and payload.
    pub fn punted(&mut self) -> Vec<(u32, Vec<u8>)> {
        let mut punted = Vec::new();
        self.punt
            .drain(&mut |chunk, payload| punted.push((chunk, payload.to_vec())));
        punted
    }

    /// What worker 0 would get: session and payload.
    pub fn steered(&mut self) -> Vec<(u32, Vec<u8>)> {
        let mut steered = Vec::new();
        while let Some(item) = self.ring.next() {
            let word = |at: usize| u32::from_ne_bytes(item[at..at + 4].try_into().unwrap());
            let payload = item[PUNT_HEADER..].to_vec();
            assert_eq!(word(4) as usize, payload.len());
            steered.push((word(0), payload));
        }
        steered
    }

    /// The count of slots that worker 0 has free again.
    pub fn consumed(&self) -> u64 {
        self.consumed
            .load_u64(0, std::sync::atomic::Ordering::Acquire)
    }

    /// Lets the meters forget what strangers and pairs have sent: these tests send faster than they admit.
    pub fn forgive(&mut self) {
        for pair in &self.pairs {
            self.tables.apply(pair).unwrap();
        }
        let map = self.object.map_mut("METERS").unwrap();
        let mut meters: HashMap<_, [u8; 16], u64> = HashMap::try_from(map).unwrap();
        let known: Vec<_> = meters.keys().flatten().collect();
        for source in known {
            meters.remove(&source).unwrap();
        }
    }

    /// What XDP counted; the tables' own sum leaves out what the socket worker counts again.
    pub fn reasons(&self) -> [u64; COUNT] {
        let shared = self.tables.shared();
        let mut counts = [0; COUNT];
        for &reason in Reason::ALL {
            counts[reason as usize] = shared.memory.counters.reasons.sum(reason);
        }
        counts
    }

    /// What egress counted for a device.
    pub fn egress_drops(&self, device: u32) -> u64 {
        let DeviceTraffic { egress_drops, .. } = self.tables.device(device);
        egress_drops
    }
}
