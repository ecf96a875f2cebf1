//! Sends frames that userspace has prepared, one after the other: what is sealed cannot be made up here.
//!
//! The time of sending cannot stand in a sealed packet, so it is kept by the sequence number, which replicas carry in the clear.

use aya_ebpf::{
    bindings::xdp_action::XDP_DROP,
    helpers::bpf_xdp_store_bytes,
    macros::{map, xdp},
    maps::Array,
    programs::XdpContext,
};

use crate::{
    cpu::cpu,
    generate::{AIMS, OUTS, now, wait},
    layout::{PREPARED_LEN, SENT_AT, SEQUENCE_AT},
};

/// The frames.
#[map]
static PREPARED: Array<[u8; PREPARED_LEN]> = Array::with_max_entries(1, 0); // set at load
/// When the packet with a sequence number was sent, CLOCK_MONOTONIC in nanoseconds.
#[map]
static SENT: Array<u64> = Array::with_max_entries(SENT_AT, 0);

/// When a packet was sent; 0 for one that never was.
#[inline(always)]
pub fn sent_at(sequence: u16) -> u64 {
    match SENT.get(u32::from(sequence) & (SENT_AT - 1)) {
        Some(sent) => *sent,
        None => 0,
    }
}

/// The RTP sequence number of a frame over IPv4 without a tag.
#[inline(always)]
pub fn sequence(context: &XdpContext) -> Option<u16> {
    let at = context.data() + SEQUENCE_AT;
    if at + size_of::<u16>() > context.data_end() {
        return None;
    }
    // SAFETY: inside of the frame, as just checked.
    Some(u16::from_be(unsafe { *(at as *const u16) }))
}

/// Puts the next frame in place and sends it.
#[xdp]
pub fn play(context: XdpContext) -> u32 {
    // SAFETY: this CPU's element, and a program is not interrupted by itself.
    let Some(aim) = AIMS.get_ptr_mut(cpu()).map(|aim| unsafe { &mut *aim }) else {
        return XDP_DROP;
    };
    let Some(frame) = PREPARED.get_ptr_mut(aim.first.wrapping_add(aim.sent as u32)) else {
        return XDP_DROP;
    };
    // SAFETY: a valid reference; volatile, so that the bound below is on the very value that is used.
    let len = unsafe { core::ptr::read_volatile(&raw const aim.len) };
    if len == 0 || len > PREPARED_LEN as u32 {
        return XDP_DROP;
    }
    // SAFETY: a map value of `PREPARED_LEN` bytes, and the length is bounded.
    if unsafe { bpf_xdp_store_bytes(context.ctx, 0, frame.cast(), len) } != 0 {
        return XDP_DROP;
    }
    aim.sent += 1;
    if aim.interval != 0 {
        wait(aim);
    }
    if aim.stamp != 0
        && let Some(sequence) = sequence(&context)
        && let Some(sent) = SENT.get_ptr_mut(u32::from(sequence) & (SENT_AT - 1))
    {
        // SAFETY: a map value of one word.
        unsafe { *sent = now() };
    }
    OUTS.redirect(aim.out, u64::from(XDP_DROP))
        .unwrap_or(XDP_DROP)
}
