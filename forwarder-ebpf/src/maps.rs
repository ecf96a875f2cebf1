//! The maps, private behind typed lookups. Sizes marked "set at load" are given by userspace.

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_RB_AVAIL_DATA},
    btf_maps::{ArrayOfMaps, DevMap as InnerDevMap, RingBuf as InnerRingBuf},
    helpers::{
        bpf_get_smp_processor_id, bpf_ktime_get_boot_ns, bpf_ringbuf_output, bpf_ringbuf_query,
    },
    macros::{btf_map, map},
    maps::{Array, DevMap, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use forwarder_common::{
    ingress::{Lookup, Steered},
    meter::{self, Rate},
    pacer::{Pacer, QUEUE},
    reason::Reason,
    slots::{CONSUMED_STRIDE, MAX_WORKERS, RING_SHARED, RING_VIDEO, SLOTS, Slot},
    tables::{
        Address, Chunk, DeviceTraffic, Endpoint, EndpointKey, Hop, LADDER_LEN, MAX_DEVICES,
        MAX_LEASES, MAX_PAIRS, MAX_SESSIONS, PairKey, QUEUE_SLOT, RouteKey, Steer, Traffic,
    },
};

use crate::clones::Clones;

#[map]
static ENDPOINTS: HashMap<EndpointKey, Endpoint> = HashMap::with_max_entries(1, 0); // set at load
#[map]
static ROUTE_KEYS: HashMap<RouteKey, u32> = HashMap::with_max_entries(1, 0); // set at load
#[map]
static ROUTES: Array<u64> = Array::with_max_entries(1, BPF_F_MMAPABLE); // set at load
#[map]
static CHUNKS: Array<Chunk> = Array::with_max_entries(1, BPF_F_MMAPABLE); // set at load
#[map]
static HOPS: Array<Hop> = Array::with_max_entries(1, BPF_F_MMAPABLE); // set at load
#[map]
static LEASES: Array<u64> = Array::with_max_entries(1, BPF_F_MMAPABLE); // set at load

/// 5-tuples that ICE has validated and control has opened.
#[map]
static PAIRS: HashMap<PairKey, Steer> = HashMap::with_max_entries(MAX_PAIRS, 0);
/// Local username fragments: an old and a new one for every session that restarts ICE.
#[map]
static UFRAGS: HashMap<u64, u32> = HashMap::with_max_entries(2 * MAX_SESSIONS, 0);
/// Until when each source of strangers' checks has used up its rate; those seen last.
#[map]
static METERS: LruHashMap<Address, u64> = LruHashMap::with_max_entries(16384, 0);
/// Until when each session has used up its rate of RTP, by number; touched while a ring is half full.
#[map]
static SHARES: Array<u64> = Array::with_max_entries(MAX_LEASES, 0);
/// One ring per worker; made once at start.
#[btf_map]
static RINGS: ArrayOfMaps<InnerRingBuf<u64, 4096>, { MAX_WORKERS as usize }> = ArrayOfMaps::new();
#[map]
static SLOT_MEMORY: Array<Slot> = Array::with_max_entries(1, BPF_F_MMAPABLE); // set at load: [worker][slot]
/// The sequence number after the last slot that egress is done with, a cache line for each worker.
#[map]
static CONSUMED: Array<u64> =
    Array::with_max_entries(MAX_WORKERS * CONSUMED_STRIDE, BPF_F_MMAPABLE);

#[map]
static REASONS: Array<u64> = Array::with_max_entries(1, BPF_F_MMAPABLE); // set at load: [cpu][reason]
#[map]
static ROUTE_TRAFFIC: Array<Traffic> = Array::with_max_entries(1, BPF_F_MMAPABLE); // set at load: [cpu][route]
#[map]
static HOP_TRAFFIC: Array<Traffic> = Array::with_max_entries(1, BPF_F_MMAPABLE); // set at load: [cpu][hop]
#[map]
static DEVICE_TRAFFIC: Array<DeviceTraffic> = Array::with_max_entries(1, BPF_F_MMAPABLE); // set at load: [cpu][device]
#[map]
static CLONES: PerCpuArray<Clones> = PerCpuArray::with_max_entries(1, 0);

/// Devmaps for 0-64 clones, see `ladder_index`; made once at start, since changing a map of maps waits for RCU.
#[btf_map]
static LADDER: ArrayOfMaps<InnerDevMap<1>, { LADDER_LEN as usize }> = ArrayOfMaps::new();
/// The loop alone.
#[map]
static LOOP: DevMap = DevMap::with_max_entries(1, 0);

#[map]
static PACER: PerCpuArray<Pacer> = PerCpuArray::with_max_entries(1, 0);
#[map]
static QUEUES: Array<[u8; QUEUE_SLOT]> = Array::with_max_entries(1, 0); // set at load: [cpu][slot]
#[map]
static SCRATCH: PerCpuArray<[u8; QUEUE_SLOT]> = PerCpuArray::with_max_entries(1, 0);
#[map]
static PUNT: RingBuf = RingBuf::with_byte_size(1 << 22, 0);

/// Hops per CPU in `HOP_TRAFFIC`; set at load.
#[unsafe(no_mangle)]
static HOP_COUNT: u32 = 1;
/// Routes per CPU in `ROUTE_TRAFFIC`; set at load.
#[unsafe(no_mangle)]
static ROUTE_COUNT: u32 = 1;
/// Replicas that may be outstanding, see `pacer`; set at load.
#[unsafe(no_mangle)]
static WINDOW: u32 = 128;

/// Largest frame that each device takes; set at load.
#[unsafe(no_mangle)]
static FRAME_MAX: [u32; MAX_DEVICES as usize] = [0; MAX_DEVICES as usize];

/// MAC of each device, `tables::mac_words`; set at load.
#[unsafe(no_mangle)]
static MACS: [[u32; 2]; MAX_DEVICES as usize] = [[0; 2]; MAX_DEVICES as usize];

#[inline(always)]
fn constant(value: &'static u32) -> u32 {
    // SAFETY: a valid reference; volatile because the loader changes it behind the compiler's back.
    unsafe { core::ptr::read_volatile(value) }
}

#[inline(always)]
fn cpu() -> u32 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_get_smp_processor_id() as u32 }
}

/// The maps that ingress asks.
pub struct Tables;

impl Lookup for Tables {
    #[inline(always)]
    fn endpoint(&self, key: &EndpointKey) -> Option<Endpoint> {
        // SAFETY: values are plain bytes, replaced as a whole by the kernel.
        unsafe { ENDPOINTS.get(key) }.copied()
    }

    #[inline(always)]
    fn is_own_mac(&self, mac: [u32; 2]) -> bool {
        let [start, end] = mac;
        let own = |known: &'static [u32; 2]| {
            let [known_start, known_end] = known;
            constant(known_start) == start && constant(known_end) == end
        };
        MACS.iter().any(own)
    }

    #[inline(always)]
    fn route(&self, key: &RouteKey) -> Option<u32> {
        // SAFETY: as above.
        unsafe { ROUTE_KEYS.get(key) }.copied()
    }

    #[inline(always)]
    fn steer(&self, key: &PairKey) -> Option<Steer> {
        // SAFETY: as above.
        unsafe { PAIRS.get(key) }.copied()
    }

    #[inline(always)]
    fn knows_ufrag(&self, ufrag: u64) -> bool {
        // SAFETY: as above.
        unsafe { UFRAGS.get(ufrag) }.is_some()
    }

    #[inline(always)]
    fn meter(&self, source: &Address) -> bool {
        let Some(until) = METERS.get_ptr_mut(source) else {
            // SAFETY: a helper without arguments.
            let until = unsafe { bpf_ktime_get_boot_ns() } + meter::CHECKS.interval;
            // A table of the sources seen last cannot be full.
            return METERS.insert(source, until, 0).is_ok();
        };
        within(until, meter::CHECKS)
    }

    #[inline(always)]
    fn meter_pair(&self, pair: &PairKey) -> bool {
        // One that has gone since it was found is a stranger's.
        let Some(steer) = PAIRS.get_ptr_mut(pair) else {
            return false;
        };
        // SAFETY: a field of a map value.
        within(unsafe { &raw mut (*steer).until }, meter::PAIR)
    }
}

/// Whether a source that has used up its rate until then is within it; counts a packet of it if so.
#[inline(always)]
fn within(until: *mut u64, rate: Rate) -> bool {
    // SAFETY: a helper without arguments; a map value of one word, of which CPUs that race lose a count.
    unsafe {
        let now = bpf_ktime_get_boot_ns();
        match rate.admit(core::ptr::read_volatile(until), now) {
            Some(next) => {
                core::ptr::write_volatile(until, next);
                true
            }
            None => false,
        }
    }
}

/// Both heads of a route, as one word.
#[inline(always)]
pub fn route(route: u32) -> Option<u64> {
    let word = ROUTES.get_ptr(route)?;
    // SAFETY: a map value; userspace stores whole words.
    Some(unsafe { core::ptr::read_volatile(word) })
}

/// A chunk, which userspace may change at any time: read its words volatile.
#[inline(always)]
pub fn chunk(chunk: u32) -> Option<*const Chunk> {
    CHUNKS.get_ptr(chunk)
}

/// A hop. Its content does not change while a member with its generation can be reached.
#[inline(always)]
pub fn hop(hop: u32) -> Option<&'static Hop> {
    HOPS.get(hop)
}

/// The deadline of a lease; a lease that does not exist has passed.
#[inline(always)]
pub fn deadline(lease: u32) -> u64 {
    match LEASES.get_ptr(lease) {
        // SAFETY: a map value; userspace stores whole words.
        Some(deadline) => unsafe { core::ptr::read_volatile(deadline) },
        None => 0,
    }
}

/// This CPU's counter of a reason.
#[inline(always)]
pub fn reason(reason: u32) -> Option<*mut u64> {
    REASONS.get_ptr_mut(cpu() * forwarder_common::reason::COUNT as u32 + reason)
}

/// This CPU's traffic of a route.
#[inline(always)]
pub fn route_traffic(route: u32) -> Option<*mut Traffic> {
    ROUTE_TRAFFIC.get_ptr_mut(cpu() * constant(&ROUTE_COUNT) + route)
}

/// This CPU's traffic of a hop.
#[inline(always)]
pub fn hop_traffic(hop: u32) -> Option<*mut Traffic> {
    HOP_TRAFFIC.get_ptr_mut(cpu() * constant(&HOP_COUNT) + hop)
}

/// This CPU's traffic of a device.
#[inline(always)]
pub fn device_traffic(device: u32) -> Option<*mut DeviceTraffic> {
    DEVICE_TRAFFIC.get_ptr_mut(cpu() * MAX_DEVICES + device)
}

/// What this CPU knows of the clones in hand.
#[inline(always)]
pub fn clones() -> Option<&'static mut Clones> {
    // SAFETY: per CPU, and between egress and the trace point nothing else of ours runs on it.
    CLONES.get_ptr_mut(0).map(|clones| unsafe { &mut *clones })
}

/// This CPU's pacer.
#[inline(always)]
pub fn pacer() -> Option<&'static mut Pacer> {
    // SAFETY: per CPU, and XDP programs of one CPU do not interrupt each other.
    PACER.get_ptr_mut(0).map(|pacer| unsafe { &mut *pacer })
}

/// A slot of this CPU's queue.
#[inline(always)]
pub fn queue_slot(slot: u32) -> Option<*mut [u8; QUEUE_SLOT]> {
    QUEUES.get_ptr_mut(cpu() * QUEUE + (slot & (QUEUE - 1)))
}

/// This CPU's scratch memory.
#[inline(always)]
pub fn scratch() -> Option<*mut [u8; QUEUE_SLOT]> {
    SCRATCH.get_ptr_mut(0)
}

/// Hands bytes of a session to its worker, unless the ring is full. Past half of it a session has its rate, and of video there is only as
/// much as leaves a quarter to audio.
#[inline(always)]
pub fn ring(steered: &Steered, bytes: *mut u8, len: u32) -> Result<(), Reason> {
    let Some(ring) = RINGS.get(steered.worker) else {
        return Err(Reason::RingFull);
    };
    let ring = core::ptr::from_ref(ring).cast_mut().cast();
    // SAFETY: a ring; the verifier checks that `bytes` has `len` bytes.
    unsafe {
        let waiting = bpf_ringbuf_query(ring, u64::from(BPF_RB_AVAIL_DATA));
        if waiting > RING_SHARED
            && let Some(until) = SHARES.get_ptr_mut(steered.session)
            && !within(until, meter::RTP)
        {
            return Err(Reason::Metered);
        }
        if waiting > RING_VIDEO && !steered.audio {
            return Err(Reason::VideoShed);
        }
        if bpf_ringbuf_output(ring, bytes.cast(), u64::from(len), 0) != 0 {
            return Err(Reason::RingFull);
        }
    }
    Ok(())
}

/// A slot of a worker, which may write to it at any time.
#[inline(always)]
pub fn slot(worker: u32, sequence: u32) -> Option<*mut Slot> {
    SLOT_MEMORY.get_ptr_mut(worker * SLOTS + (sequence & (SLOTS - 1)))
}

/// Tells a worker that the slots before `sequence` are free.
#[inline(always)]
pub fn consumed(worker: u32, sequence: u32) {
    if let Some(count) = CONSUMED.get_ptr_mut(worker * CONSUMED_STRIDE) {
        // SAFETY: a map value of one word.
        unsafe { core::ptr::write_volatile(count, u64::from(sequence)) };
    }
}

/// Hands bytes to the socket worker; false where its ring is full.
#[inline(always)]
pub fn punt(bytes: *mut u8, len: u32) -> bool {
    // SAFETY: the verifier checks that `bytes` has `len` bytes.
    unsafe {
        bpf_ringbuf_output(
            core::ptr::from_ref(&PUNT).cast_mut().cast(),
            bytes.cast(),
            u64::from(len),
            0,
        ) == 0
    }
}

/// Sends the frame by an entry of the ladder: to all of its devices, or to its single one.
#[inline(always)]
pub fn redirect_ladder(index: u32, flags: u64) -> Option<u32> {
    LADDER.get(index)?.redirect(0, flags).ok()
}

/// Sends the frame to the loop.
#[inline(always)]
pub fn redirect_loop(flags: u64) -> Option<u32> {
    LOOP.redirect(0, flags).ok()
}

/// The largest frame that a device takes.
#[inline(always)]
pub fn frame_max(device: u32) -> u32 {
    match FRAME_MAX.get(device as usize) {
        Some(max) => constant(max),
        None => 0,
    }
}

/// The largest number of outstanding replicas.
#[inline(always)]
pub fn window() -> u32 {
    constant(&WINDOW)
}
