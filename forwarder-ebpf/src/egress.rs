//! One clone of a broadcast: finds out whose it is, and makes it theirs.

use forwarder_common::{
    egress::{admit, replicate},
    reason::Reason,
    tables::{CHUNK_SLOTS, Chunk, MAX_DEVICES, Member, NONE},
    ticket::{BELL, Ticket},
};

use crate::{
    bell,
    counters::{self, count},
    maps,
    packet::Frame,
};

/// Rewrites the frame for its member; false where it must not leave.
///
/// Written without closures: LLVM makes functions of them, and their captures go through the stack.
#[inline(always)]
pub fn send(frame: &mut Frame) -> bool {
    let Some(ticket) = Ticket::read(frame) else {
        count(Reason::ForeignFrame);
        return false;
    };
    if ticket.state == BELL {
        return send_slot(frame, &ticket);
    }
    let Some(chunk) = maps::chunk(ticket.chunk) else {
        count(Reason::ForeignFrame);
        return false;
    };
    // SAFETY: a map value; volatile because userspace stores to it meanwhile, in whole words.
    let device =
        unsafe { core::ptr::read_volatile(&raw const (*chunk).device) } & (MAX_DEVICES - 1);
    match to_next_member(frame, &ticket, chunk, device) {
        // Counted as sent in bulk, by what the device took.
        Ok(()) => true,
        Err(reason) => {
            count(reason);
            counters::egress_drop(device);
            false
        }
    }
}

/// Rewrites a clone of a bell into the packet of its slot; false where it must not leave.
#[inline(always)]
fn send_slot(frame: &mut Frame, ticket: &Ticket) -> bool {
    let device = u32::from(ticket.round) & (MAX_DEVICES - 1);
    match to_slot(frame, ticket, device) {
        Ok(true) => return true,
        Ok(false) => {}
        Err(reason) => count(reason),
    }
    counters::egress_drop(device);
    false
}

#[inline(always)]
fn to_slot(frame: &mut Frame, ticket: &Ticket, device: u32) -> Result<bool, Reason> {
    let Some(clones) = maps::clones() else {
        return Err(Reason::Surplus);
    };
    clones.note(device);
    let Some(cursor) = clones.cursor(device) else {
        return Err(Reason::Surplus);
    };
    let Some(place) = cursor.next_slot(ticket.tag, ticket.mask) else {
        return Err(Reason::Surplus);
    };
    bell::fill(frame, ticket, place)
}

#[inline(always)]
fn to_next_member(
    frame: &mut Frame,
    ticket: &Ticket,
    chunk: *const Chunk,
    device: u32,
) -> Result<(), Reason> {
    let Some(clones) = maps::clones() else {
        return Err(Reason::Surplus);
    };
    clones.note(device);
    let Some(cursor) = clones.cursor(device) else {
        return Err(Reason::Surplus);
    };
    let Some(slot) = cursor.next_slot(ticket.tag, ticket.mask) else {
        return Err(Reason::Surplus);
    };
    // SAFETY: a valid reference. Volatile, since LLVM would remove the mask, knowing what the verifier does not.
    let slot = unsafe { core::ptr::read_volatile(&slot) } as usize & (CHUNK_SLOTS - 1);
    // SAFETY: a map value, read as above; the index is masked.
    let word =
        unsafe { core::ptr::read_volatile((&raw const (*chunk).slots).cast::<u64>().add(slot)) };
    let member = Member::from_word(word);
    if member.hop == NONE {
        return Err(Reason::Removed);
    }
    let Some(hop) = maps::hop(member.hop) else {
        return Err(Reason::Removed);
    };
    admit(
        hop,
        member.generation,
        maps::deadline(hop.lease),
        ticket.now,
    )?;
    let bytes = replicate(frame, hop, ticket)?;
    counters::hop(member.hop, bytes, ticket.now);
    Ok(())
}
