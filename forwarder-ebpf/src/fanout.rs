//! From a packet to its broadcasts: the first chunk at ingress, the others as the frame comes around the loop.

use aya_ebpf::{
    bindings::{BPF_F_BROADCAST, xdp_action},
    helpers::bpf_ktime_get_boot_ns,
};
use forwarder_common::{
    egress::fits,
    ingress::Taken,
    pacer::{Arrival, Pacer},
    reason::Reason,
    tables::{CHUNK_SLOTS, Chunk, MAX_DEVICES, NONE, QUEUE_SLOT, STALE, ladder_index},
    ticket::{DONE, SENT, Ticket, WAITING},
};

use crate::{
    counters::{self, count, count_many},
    maps,
    member::admitted,
    packet::{Frame, bounded},
    payload,
};

/// Chunks without a member (all paused) that are skipped at once; more of them cost a turn on the loop.
const SKIP: u32 = 8;
/// Bytes in front of a frame that waits in a slot of the queue.
const SLOT_HEADER: usize = 8;

/// The next chunk to send to.
struct Next {
    chunk: u32,
    mask: u64,
    device: u32,
    more: bool,
}

/// CLOCK_BOOTTIME in nanoseconds, against which leases are held.
#[inline(always)]
fn boottime() -> u64 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_ktime_get_boot_ns() }
}

/// Reads `mask`, `next` and `device` of a chunk as userspace last stored them.
#[inline(always)]
fn read_chunk(chunk: *const Chunk) -> (u64, u32, u32) {
    // SAFETY: a map value; volatile because userspace stores to it meanwhile, in whole words.
    unsafe {
        (
            core::ptr::read_volatile(&raw const (*chunk).mask),
            core::ptr::read_volatile(&raw const (*chunk).next),
            core::ptr::read_volatile(&raw const (*chunk).device),
        )
    }
}

/// The first chunk from `chunk` on that has a member.
#[inline(always)]
fn next_chunk(mut chunk: u32) -> Option<Next> {
    let mut found = None;
    let mut tries = 0;
    while tries < SKIP {
        if chunk == NONE {
            return None;
        }
        let (mask, next, device) = read_chunk(maps::chunk(chunk)?);
        found = Some(Next {
            chunk,
            mask,
            device,
            more: next != NONE,
        });
        if mask != 0 {
            return found;
        }
        chunk = next;
        tries += 1;
    }
    found.filter(|next| next.more)
}

/// Takes a packet for forwarding; gives the XDP action.
#[inline(always)]
pub fn take(frame: &mut Frame, mut taken: Taken) -> Result<u32, Reason> {
    let heads = maps::route(taken.route).ok_or(Reason::UnknownStream)?;
    let (head, socket_head) = (heads as u32, (heads >> 32) as u32);
    let now = boottime();
    count(Reason::Taken);
    counters::route(taken.route, taken.payload_len, now);
    payload::trim(frame, &mut taken)?;
    let sum = payload::sum_and_punt(frame, &taken, socket_head, now)?;
    let Some(next) = next_chunk(head) else {
        if socket_head != NONE {
            return Ok(xdp_action::XDP_DROP);
        }
        return Err(Reason::NoMembers);
    };

    let pacer = maps::pacer().ok_or(Reason::NoRoom)?;
    let lost = pacer.restart_if_stalled(now);
    if lost != 0 {
        count_many(Reason::Stalled, lost);
    }
    let replicas = next.mask.count_ones();
    let mut ticket = Ticket {
        tag: 0,
        chunk: next.chunk,
        mask: next.mask,
        now,
        payload_len: taken.payload_len,
        sum,
        header_len: taken.header_len as u8,
        state: WAITING,
        round: 0,
        load: replicas as u8,
    };
    match pacer.arrive(now, replicas, next.more, maps::window()) {
        Arrival::Send { on_loop } => {
            ticket.state = if next.more { SENT } else { DONE };
            broadcast(frame, pacer, ticket, next.device, on_loop)
        }
        Arrival::Loop => {
            count(Reason::Queued);
            circulate(frame, pacer, ticket)
        }
        Arrival::Queue(slot) => {
            count(Reason::Queued);
            enqueue(frame, ticket, slot, &taken)
        }
        Arrival::Full => Err(Reason::QueueFull),
    }
}

/// A frame that came around the loop; gives the XDP action.
#[inline(always)]
pub fn turn(frame: &mut Frame) -> Result<u32, Reason> {
    let mut ticket = Ticket::read(frame).ok_or(Reason::ForeignFrame)?;
    let pacer = maps::pacer().ok_or(Reason::NoRoom)?;
    let now = boottime();
    let lost = pacer
        .turn(ticket.state >> 2, ticket.round)
        .ok_or(Reason::ForeignFrame)?;
    if lost != 0 {
        count_many(Reason::Stalled, lost);
    }
    let mut state = ticket.state & 3;

    let mut following = NONE;
    if state == SENT {
        let (_, next, _) = read_chunk(maps::chunk(ticket.chunk).ok_or(Reason::NoRoom)?);
        following = next;
    }
    if state == DONE {
        if !pacer.is_waiting() {
            pacer.leave();
            return Ok(xdp_action::XDP_DROP);
        }
        if !pacer.may_take() {
            return circulate(frame, pacer, ticket);
        }
        let Some(waiting) = dequeue(frame, pacer)? else {
            return circulate(frame, pacer, ticket);
        };
        ticket = waiting;
        following = ticket.chunk;
        state = WAITING;
    } else if state == WAITING {
        following = ticket.chunk;
    }

    if now.saturating_sub(ticket.now) > STALE {
        pacer.finish(u32::from(ticket.load));
        count(Reason::Stalled);
        ticket.state = DONE;
        return circulate(frame, pacer, ticket);
    }
    let next = if state == WAITING {
        // The members are those of the packet's arrival; who has left since is dropped by egress.
        maps::chunk(following).map(|chunk| {
            let (_, next, device) = read_chunk(chunk);
            Next {
                chunk: following,
                mask: ticket.mask,
                device,
                more: next != NONE,
            }
        })
    } else {
        next_chunk(following)
    };
    let Some(next) = next else {
        // The chunks that were to follow are gone.
        pacer.finish(u32::from(ticket.load));
        ticket.state = DONE;
        return circulate(frame, pacer, ticket);
    };
    ticket.chunk = next.chunk;
    ticket.mask = next.mask;
    ticket.now = now;
    let replicas = next.mask.count_ones();
    if !pacer.may_send(replicas, maps::window()) {
        ticket.state = WAITING;
        return circulate(frame, pacer, ticket);
    }
    pacer.sent(now, replicas);
    if next.more {
        ticket.state = SENT;
    } else {
        pacer.finish(u32::from(ticket.load));
        ticket.state = DONE;
    }
    let on_loop = next.more || pacer.is_waiting();
    if !on_loop {
        pacer.leave();
    }
    broadcast(frame, pacer, ticket, next.device, on_loop)
}

/// Clones the frame once per member, and once for the loop.
#[inline(always)]
fn broadcast(
    frame: &mut Frame,
    pacer: &mut Pacer,
    mut ticket: Ticket,
    device: u32,
    on_loop: bool,
) -> Result<u32, Reason> {
    if device >= MAX_DEVICES {
        return Err(Reason::NoDevice);
    }
    ticket.mask = without_refused_tail(
        ticket.chunk,
        ticket.mask,
        ticket.now,
        ticket.payload_len.into(),
    );
    let replicas = ticket.mask.count_ones();
    if replicas == 0 && !on_loop {
        return Ok(xdp_action::XDP_DROP);
    }
    if forwarder_common::packet::Packet::len(frame) > maps::frame_max(device) as usize {
        // The kernel would free the frame without a word.
        count_many(Reason::TooBig, replicas);
        return if on_loop {
            circulate(frame, pacer, ticket)
        } else {
            Ok(xdp_action::XDP_DROP)
        };
    }
    ticket.tag = pacer.next_tag();
    if on_loop {
        stamp(&mut ticket, pacer);
    }
    ticket.write(frame).ok_or(Reason::NoRoom)?;
    let mut flags = u64::from(xdp_action::XDP_DROP);
    if replicas + u32::from(on_loop) > 1 {
        flags |= u64::from(BPF_F_BROADCAST);
    }
    maps::redirect_ladder(ladder_index(device, on_loop, replicas), flags).ok_or(Reason::NoDevice)
}

/// What is left of a mask without the highest members that egress would refuse, which are counted. So the last clone of a broadcast
/// is one that leaves.
///
/// The driver is told to begin only with the last 16 clones of a poll, and only if egress left anything of those (`bq_xmit_all`):
/// else all that came before them would stay in the ring until the next packet.
///
/// Not inlined and global: the verifier walks such a function once, and not once for every way to it.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn without_refused_tail(chunk: u32, mask: u64, now: u64, payload_len: u32) -> u64 {
    let Some(chunk) = maps::chunk(chunk) else {
        return mask;
    };
    let mut mask = mask;
    let mut tries = 0;
    while tries < CHUNK_SLOTS && mask != 0 {
        let highest = 63 - mask.leading_zeros();
        let refused = match admitted(chunk, highest, now) {
            Ok((_, hop)) => fits(hop, payload_len as u16),
            Err(reason) => Err(reason),
        };
        let Err(reason) = refused else {
            break;
        };
        count(reason);
        mask &= !(1 << (highest & 63));
        tries += 1;
    }
    mask
}

/// Sends the frame around the loop.
#[inline(always)]
fn circulate(frame: &mut Frame, pacer: &mut Pacer, mut ticket: Ticket) -> Result<u32, Reason> {
    stamp(&mut ticket, pacer);
    ticket.write(frame).ok_or(Reason::NoRoom)?;
    maps::redirect_loop(u64::from(xdp_action::XDP_DROP)).ok_or(Reason::NoDevice)
}

/// Marks the frame as one of this epoch, to come around in the next pass.
#[inline(always)]
fn stamp(ticket: &mut Ticket, pacer: &mut Pacer) {
    let state = ticket.state & 3;
    ticket.round = pacer.launch(state != DONE, u32::from(ticket.load));
    ticket.state = state | pacer.epoch << 2;
}

/// Copies the frame into a slot of the queue; the frame itself ends here.
#[inline(always)]
fn enqueue(frame: &mut Frame, ticket: Ticket, slot: u32, taken: &Taken) -> Result<u32, Reason> {
    ticket.write(frame).ok_or(Reason::NoRoom)?;
    let len = u32::from(taken.header_len) + u32::from(taken.payload_len);
    let slot = maps::queue_slot(slot).ok_or(Reason::NoRoom)?.cast::<u8>();
    if len == 0 || len > (QUEUE_SLOT - SLOT_HEADER) as u32 {
        return Err(Reason::TooBig);
    }
    let len = bounded(len);
    // SAFETY: a map value of QUEUE_SLOT bytes, of this CPU.
    unsafe {
        slot.cast::<u32>().write(len);
        frame
            .load(0, slot.add(SLOT_HEADER), len)
            .ok_or(Reason::NoRoom)?;
    }
    Ok(xdp_action::XDP_DROP)
}

/// Loads the oldest waiting packet into a free frame, if it may be sent in this round.
#[inline(always)]
fn dequeue(frame: &mut Frame, pacer: &mut Pacer) -> Result<Option<Ticket>, Reason> {
    let slot = maps::queue_slot(pacer.head)
        .ok_or(Reason::NoRoom)?
        .cast::<u8>();
    // SAFETY: a map value of QUEUE_SLOT bytes, of this CPU.
    let (len, ticket) = unsafe {
        let bytes = &*slot
            .add(SLOT_HEADER)
            .cast::<[u8; forwarder_common::ticket::LEN]>();
        (slot.cast::<u32>().read(), Ticket::read(bytes.as_slice()))
    };
    let mut ticket = ticket.ok_or(Reason::NoRoom)?;
    let replicas = ticket.mask.count_ones();
    if !pacer.may_send(replicas, maps::window()) {
        return Ok(None);
    }
    ticket.load = replicas as u8;
    let _slot = pacer.take(replicas);
    let grow = len as i32 - forwarder_common::packet::Packet::len(frame) as i32;
    if (grow != 0 && frame.resize(grow).is_none())
        || len == 0
        || len > (QUEUE_SLOT - SLOT_HEADER) as u32
    {
        pacer.finish(replicas);
        count(Reason::NoRoom);
        return Ok(None);
    }
    // SAFETY: as above; the length is bounded.
    let stored = unsafe { frame.store(0, slot.add(SLOT_HEADER), bounded(len)) };
    if stored.is_none() {
        pacer.finish(replicas);
        count(Reason::NoRoom);
        return Ok(None);
    }
    Ok(Some(ticket))
}
