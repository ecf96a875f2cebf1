//! A bell: a worker has sealed packets into slots, and every clone of the bell becomes one of them.

use aya_ebpf::{
    bindings::{BPF_F_BROADCAST, xdp_action},
    helpers::bpf_ktime_get_boot_ns,
};
use forwarder_common::{
    egress::{admit, replicate},
    hop::Shape,
    packet::{Packet, Shift},
    reason::Reason,
    slots::{BELL_LEN, Bell, SLOT_PAYLOAD, Slot},
    tables::{MAX_DEVICES, ladder_index},
    ticket::{BELL, Ticket},
    wire::rtp,
};

use crate::{
    counters, maps,
    packet::{Frame, bounded},
};

/// Bytes of headroom that a bell gives up: its clones would copy them. Of the 320 that a tap gives 170 stay, enough for what drivers put in
/// front, and with so many the UDP payload behind headers of IPv4 lies in the clone as it does in its slot, modulo 64 bytes.
const SURPLUS: i32 = 150;

/// Broadcasts a bell; gives the XDP action.
#[inline(always)]
pub fn ring(frame: &mut Frame) -> Result<u32, Reason> {
    let bell = Bell::read(frame).ok_or(Reason::ForeignFrame)?;
    if frame.len() != BELL_LEN {
        return Err(Reason::ForeignFrame);
    }
    frame.shift(-SURPLUS).ok_or(Reason::NoRoom)?;
    frame.resize(-SURPLUS).ok_or(Reason::NoRoom)?;
    let pacer = maps::pacer().ok_or(Reason::NoRoom)?;
    let ticket = Ticket {
        tag: pacer.next_tag(),
        chunk: bell.worker,
        mask: bell.mask(),
        // SAFETY: a helper without arguments.
        now: unsafe { bpf_ktime_get_boot_ns() },
        payload_len: bell.first as u16,
        sum: (bell.first >> 16) as u16,
        header_len: 0,
        state: BELL,
        round: bell.device as u8,
        load: bell.count as u8,
    };
    ticket.write(frame).ok_or(Reason::NoRoom)?;
    maps::redirect_ladder(
        ladder_index(bell.device & (MAX_DEVICES - 1), false, bell.clones()),
        u64::from(BPF_F_BROADCAST) | u64::from(xdp_action::XDP_DROP),
    )
    .ok_or(Reason::NoDevice)
}

/// Fills a clone of a bell from its slot. `Ok(false)` for those that are no slot's.
#[inline(always)]
pub fn fill(frame: &mut Frame, ticket: &Ticket, place: u32) -> Result<bool, Reason> {
    let first = u32::from(ticket.payload_len) | u32::from(ticket.sum) << 16;
    let count = u32::from(ticket.load);
    let spare = Bell::spare(count);
    if place < spare {
        return Ok(false);
    }
    let place = place - spare;
    let sequence = first.wrapping_add(place);
    if place == count {
        maps::consumed(ticket.chunk, sequence);
        return Ok(false);
    }
    let slot = maps::slot(ticket.chunk, sequence).ok_or(Reason::StaleSlot)?;
    if published(slot) != sequence {
        return Err(Reason::StaleSlot);
    }
    // SAFETY: a map value. Volatile, since the worker may write to it meanwhile; what was read is used only if the slot is
    // still the same afterwards.
    let (number, generation, len, sum) = unsafe {
        (
            core::ptr::read_volatile(&raw const (*slot).hop),
            core::ptr::read_volatile(&raw const (*slot).generation),
            core::ptr::read_volatile(&raw const (*slot).len),
            core::ptr::read_volatile(&raw const (*slot).sum),
        )
    };
    if len < rtp::LEN as u16 || len > SLOT_PAYLOAD as u16 {
        return Err(Reason::StaleSlot);
    }
    let hop = maps::hop(number).ok_or(Reason::Removed)?;
    admit(hop, generation, maps::deadline(hop.lease), ticket.now)?;
    let header_len = Shape::from_number(hop.shape).header_len() as u32;
    // Every clone is as long as the bell: to subtract one packet pointer from another, LLVM would do what the verifier forbids.
    let excess = header_len as i32 + i32::from(len) - BELL_LEN as i32;
    frame.resize(excess).ok_or(Reason::NoRoom)?;
    let bytes = bounded(u32::from(len));
    if bytes > SLOT_PAYLOAD as u32 {
        return Err(Reason::StaleSlot);
    }
    // SAFETY: the payload of a map value; the length is bounded.
    unsafe { frame.store(header_len, (&raw mut (*slot).payload).cast(), bytes) }
        .ok_or(Reason::NoRoom)?;
    if published(slot) != sequence {
        return Err(Reason::StaleSlot);
    }
    let sealed = Ticket {
        payload_len: len,
        sum,
        header_len: header_len as u8,
        ..*ticket
    };
    let sent = replicate(frame, hop, &sealed)?;
    counters::hop(number, sent, ticket.now);
    Ok(true)
}

/// The number of the packet in a slot.
#[inline(always)]
fn published(slot: *const Slot) -> u32 {
    // SAFETY: a map value.
    unsafe { core::ptr::read_volatile(&raw const (*slot).sequence) }
}
