//! One clone of a broadcast: finds out whose it is, and makes it theirs.

use forwarder_common::{
    egress::{admit, replicate},
    reason::Reason,
    tables::{CHUNK_SLOTS, MAX_DEVICES, Member},
    ticket::Ticket,
};

use crate::{
    counters::{self, count},
    maps,
    packet::Frame,
    xmit,
};

/// Rewrites the frame for its member; false where it must not leave.
#[inline(always)]
pub fn send(frame: &mut Frame) -> bool {
    let Some(ticket) = Ticket::read(frame) else {
        count(Reason::ForeignFrame);
        return false;
    };
    let Some(chunk) = maps::chunk(ticket.chunk) else {
        count(Reason::ForeignFrame);
        return false;
    };
    // SAFETY: a map value; volatile because userspace stores to it meanwhile, in whole words.
    let device =
        unsafe { core::ptr::read_volatile(&raw const (*chunk).device) } & (MAX_DEVICES - 1);
    xmit::note(device);
    let sent = maps::cursor(device)
        .and_then(|cursor| cursor.next_slot(ticket.tag, ticket.mask))
        .ok_or(Reason::Surplus)
        .and_then(|slot| {
            // SAFETY: a valid reference. Volatile, since LLVM would remove the mask, knowing what the verifier does not.
            let slot = unsafe { core::ptr::read_volatile(&slot) } as usize & (CHUNK_SLOTS - 1);
            // SAFETY: as above; the index is masked.
            let word = unsafe {
                core::ptr::read_volatile((&raw const (*chunk).slots).cast::<u64>().add(slot))
            };
            to_member(frame, &ticket, Member::from_word(word))
        });
    match sent {
        // Counted as sent in bulk, by what the device took.
        Ok(()) => true,
        Err(reason) => {
            count(reason);
            counters::egress_drop(device);
            false
        }
    }
}

#[inline(always)]
fn to_member(frame: &mut Frame, ticket: &Ticket, member: Member) -> Result<(), Reason> {
    if member.hop == forwarder_common::tables::NONE {
        return Err(Reason::Removed);
    }
    let hop = maps::hop(member.hop).ok_or(Reason::Removed)?;
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
