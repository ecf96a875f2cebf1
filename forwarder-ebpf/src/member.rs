//! Who is in a slot of a chunk.

use forwarder_common::{
    egress::admit,
    reason::Reason,
    tables::{CHUNK_SLOTS, Chunk, Hop, Member, NONE},
};

use crate::maps;

/// The hop in a slot, and its number, if it may be sent to at this time.
#[inline(always)]
pub fn admitted(chunk: *const Chunk, slot: u32, now: u64) -> Result<(u32, &'static Hop), Reason> {
    // SAFETY: a valid reference. Volatile, since LLVM would remove the mask, knowing what the verifier does not.
    let slot = unsafe { core::ptr::read_volatile(&slot) } as usize & (CHUNK_SLOTS - 1);
    // SAFETY: a map value; the index is masked. Volatile because userspace stores to it meanwhile, in whole words.
    let word =
        unsafe { core::ptr::read_volatile((&raw const (*chunk).slots).cast::<u64>().add(slot)) };
    let member = Member::from_word(word);
    if member.hop == NONE {
        return Err(Reason::Removed);
    }
    let Some(hop) = maps::hop(member.hop) else {
        return Err(Reason::Removed);
    };
    admit(hop, member.generation, maps::deadline(hop.lease), now)?;
    Ok((member.hop, hop))
}
