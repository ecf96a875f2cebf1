//! From one packet to its replicas: walks the chunks of a route, and makes for each member what XDP's egress would.

use forwarder_common::{
    egress::admit,
    reason::Reason,
    tables::{NONE, Route},
    wire::rtp,
};

use super::{
    destination::{hop_destination, hop_marks, ip_packet_len},
    send::{Label, Sending},
};

/// How a packet reached the worker: decides which legs are its business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a socket, for this route: XDP has not seen it, so all legs are served here.
    Socket(u32),
    /// From XDP, which serves its own legs itself, for the others from this chunk on. XDP read both heads of the route in
    /// one word: read again here, a leg that changed its path meanwhile would get the packet twice, or not at all.
    Punt(u32),
}

/// Sends a packet to its subscribers; gives how many there were.
pub fn fan_out<'p>(sending: &mut Sending<'_, 'p>, origin: Origin, payload: &'p [u8]) -> u64 {
    let Route { head, socket_head } = match origin {
        Origin::Socket(route) => sending.tables.memory.route(route),
        Origin::Punt(socket_head) => Route {
            head: NONE,
            socket_head,
        },
    };
    let Some(packet) = Packet::new(payload) else {
        return 0;
    };
    chain(sending, head, packet) + chain(sending, socket_head, packet)
}

/// A packet, taken apart once for all its replicas.
#[derive(Clone, Copy)]
struct Packet<'p> {
    header: rtp::Header,
    /// What follows the fixed header.
    rest: &'p [u8],
    whole: &'p [u8],
}

impl<'p> Packet<'p> {
    fn new(whole: &'p [u8]) -> Option<Self> {
        let (&header, rest) = whole.split_first_chunk()?;
        Some(Self {
            header: rtp::Header::from_bytes(header),
            rest,
            whole,
        })
    }
}

fn chain<'p>(sending: &mut Sending<'_, 'p>, head: u32, packet: Packet<'p>) -> u64 {
    let memory = &sending.tables.memory;
    let mut members = 0;
    let mut chunk = head;
    // A chain is never longer than the table, so a table that was damaged into a ring cannot hold the worker.
    for _ in 0..memory.sizes.chunks {
        if chunk == NONE {
            break;
        }
        let mut mask = memory.chunk_mask(chunk);
        members += u64::from(mask.count_ones());
        while mask != 0 {
            let slot = mask.trailing_zeros();
            mask &= mask - 1;
            if let Err(reason) = replicate(sending, chunk, slot, packet) {
                sending.tables.worker.reasons.add(0, reason, 1);
            }
        }
        chunk = memory.chunk_next(chunk);
    }
    members
}

/// One replica: the same checks in the same order as `forwarder_common::egress`.
#[inline]
fn replicate<'p>(
    sending: &mut Sending<'_, 'p>,
    chunk: u32,
    slot: u32,
    packet: Packet<'p>,
) -> Result<(), Reason> {
    let memory = &sending.tables.memory;
    let member = memory.chunk_slot(chunk, slot);
    if member.hop == NONE {
        return Err(Reason::Removed);
    }
    let hop = memory.hop(member.hop).ok_or(Reason::StaleHop)?;
    let deadline = memory.lease(hop.lease);
    match admit(&hop, member.generation, deadline, sending.now) {
        // The kernel's stack finds the neighbour; `admit` asks for it last, so all else was in order.
        Ok(()) | Err(Reason::Unresolved) => {}
        Err(reason) => return Err(reason),
    }
    if ip_packet_len(&hop, packet.whole.len()) > usize::from(hop.mtu) {
        return Err(Reason::TooBig);
    }
    let label = Label {
        to: hop_destination(&hop),
        marks: hop_marks(&hop),
        socket: hop.socket,
        hop: member.hop,
    };
    match hop.rewrite() {
        Some(rewrite) => {
            let header = rewrite.apply(packet.header).to_bytes();
            sending.push(label, Some(&header), packet.rest);
        }
        None => sending.push(label, None, packet.whole),
    }
    Ok(())
}
