//! The far end of the receivers' wire: counts frames and drops them.

use aya_ebpf::{
    bindings::xdp_action::XDP_DROP,
    helpers::bpf_ktime_get_ns,
    macros::{map, xdp},
    maps::Array,
    programs::XdpContext,
};

use crate::{
    cpu::cpu,
    layout::{BUCKETS, MAX_CPUS, STAMP_AT, Seen, bucket},
    play,
};

#[map]
static SEEN: Array<Seen> = Array::with_max_entries(MAX_CPUS, 0);
/// Frames by latency: [cpu][bucket].
#[map]
static LATENCY: Array<u64> = Array::with_max_entries(MAX_CPUS * BUCKETS, 0);

/// Frames that this CPU's sinks have seen.
#[inline(always)]
pub fn seen() -> Option<*mut Seen> {
    SEEN.get_ptr_mut(cpu())
}

/// Where the EtherType and the IPv4 protocol stand.
const ETHER_TYPE_AT: usize = 12;
const PROTOCOL_AT: usize = 23;
const IPV4: u16 = 0x0800;
const UDP: u8 = 17;

/// Counts a frame if it is one of those that are sent here: neighbour discovery and multicast reports come by too.
#[inline(always)]
fn count(context: &XdpContext) {
    let start = context.data();
    if start + PROTOCOL_AT + 1 > context.data_end() {
        return;
    }
    // SAFETY: inside of the frame, as just checked.
    let (ether_type, protocol) = unsafe {
        (
            *((start + ETHER_TYPE_AT) as *const u16),
            *((start + PROTOCOL_AT) as *const u8),
        )
    };
    if u16::from_be(ether_type) != IPV4 || protocol != UDP {
        return;
    }
    if let Some(seen) = seen() {
        // SAFETY: this CPU's element.
        unsafe { (*seen).frames += 1 };
    }
}

/// Counts.
#[xdp]
pub fn sink(context: XdpContext) -> u32 {
    count(&context);
    XDP_DROP
}

/// Counts, and notes how long ago the frame was generated.
#[xdp]
pub fn sink_latency(context: XdpContext) -> u32 {
    count(&context);
    let at = context.data() + STAMP_AT;
    if at + size_of::<u64>() <= context.data_end() {
        // SAFETY: inside of the frame, as just checked.
        note(unsafe { (at as *const u64).read_unaligned() });
    }
    XDP_DROP
}

/// Counts, and notes how long ago the packet with this sequence number was sent.
#[xdp]
pub fn sink_sequence(context: XdpContext) -> u32 {
    count(&context);
    if let Some(sequence) = play::sequence(&context) {
        note(play::sent_at(sequence));
    }
    XDP_DROP
}

/// Notes that a frame took from `sent` to now.
#[inline(always)]
fn note(sent: u64) {
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let index = cpu() * BUCKETS + bucket(now.wrapping_sub(sent));
    if let Some(frames) = LATENCY.get_ptr_mut(index) {
        // SAFETY: this CPU's element.
        unsafe { *frames += 1 };
    }
}
