//! One clone of a broadcast: finds out whose it is, and makes it theirs.

use forwarder_common::{
    egress::replicate,
    reason::Reason,
    tables::{Chunk, MAX_DEVICES},
    ticket::{BELL, Ticket},
};

use crate::{
    bell,
    counters::{self, count},
    maps,
    member::admitted,
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
    let (number, hop) = admitted(chunk, slot, ticket.now)?;
    let bytes = replicate(frame, hop, ticket)?;
    counters::hop(number, bytes, ticket.now);
    Ok(())
}
