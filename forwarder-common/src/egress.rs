//! One replica: from the packet as it was taken to the frame that one subscriber gets.

use crate::{
    checksum::Sum,
    hop::Shape,
    packet::{Packet, Shift},
    reason::Reason,
    tables::{HOP_RESOLVED, Hop},
    ticket::Ticket,
    wire::{ip, rtp, udp},
};

/// Turns the frame of `ticket` into the replica for `hop`; gives the bytes of UDP payload.
///
/// The hop's generation and lease are checked by [`admit`], which comes first.
///
/// # Errors
/// [`Reason::NoRoom`] where the frame cannot take the hop's headers, [`Reason::TooBig`] beyond its MTU. The frame is
/// then in no defined state and must be dropped.
#[inline(always)]
pub fn replicate<P: Shift + ?Sized>(
    packet: &mut P,
    hop: &Hop,
    ticket: &Ticket,
) -> Result<u16, Reason> {
    fits(hop, ticket.payload_len)?;
    let shape = Shape::from_number(hop.shape);
    let cut = i32::from(ticket.header_len) - shape.header_len() as i32;
    if cut != 0 {
        packet.shift(cut).ok_or(Reason::NoRoom)?;
    }
    // One arm per shape, so that every offset is a constant to the verifier.
    match shape {
        Shape::V4 => frame::<42, P>(packet, Shape::V4, hop, ticket),
        Shape::V4Vlan => frame::<46, P>(packet, Shape::V4Vlan, hop, ticket),
        Shape::V6 => frame::<62, P>(packet, Shape::V6, hop, ticket),
        Shape::V6Vlan => frame::<66, P>(packet, Shape::V6Vlan, hop, ticket),
    }
    .ok_or(Reason::NoRoom)
}

/// Whether a member may still be sent to at `ticket.now`.
///
/// # Errors
/// [`Reason::StaleHop`], [`Reason::LeaseExpired`], [`Reason::Unresolved`].
#[inline(always)]
pub fn admit(hop: &Hop, generation: u32, deadline: u64, now: u64) -> Result<(), Reason> {
    if hop.generation != generation || generation == 0 {
        return Err(Reason::StaleHop);
    }
    if now >= deadline {
        return Err(Reason::LeaseExpired);
    }
    if hop.flags & HOP_RESOLVED == 0 {
        return Err(Reason::Unresolved);
    }
    Ok(())
}

/// Whether a packet of so many bytes of UDP payload is within the hop's MTU.
///
/// # Errors
/// [`Reason::TooBig`].
#[inline(always)]
pub fn fits(hop: &Hop, payload_len: u16) -> Result<(), Reason> {
    let shape = Shape::from_number(hop.shape);
    let ip_packet = shape.ip_len() + udp::LEN + usize::from(payload_len);
    if ip_packet > usize::from(hop.mtu) {
        return Err(Reason::TooBig);
    }
    Ok(())
}

#[inline(always)]
fn frame<const HEADERS: usize, P: Packet + ?Sized>(
    packet: &mut P,
    shape: Shape,
    hop: &Hop,
    ticket: &Ticket,
) -> Option<u16> {
    let mut rtp = rtp::Header(packet.words::<{ rtp::WORDS }>(HEADERS)?);
    if let Some(rewrite) = hop.rewrite() {
        rtp = rewrite.apply(rtp);
        packet.write_words(HEADERS, rtp.0)?;
    }
    let udp_len = ticket.payload_len.wrapping_add(udp::LEN as u16);
    let [c0, c1] = Sum::from_folded(hop.udp_sum)
        .plus(Sum::from_folded(ticket.sum))
        .words(rtp.0)
        // The length stands in the pseudo-header and in the header.
        .number(udp_len)
        .number(udp_len)
        .udp();
    let headers = packet.window::<HEADERS>(0)?;
    P::copy(hop.template.first_chunk::<HEADERS>()?, headers);
    let [l0, l1] = udp_len.to_be_bytes();
    let (ip, udp) = headers
        .get_mut(shape.ip_at()..)?
        .split_at_mut_checked(shape.ip_len())?;
    match (shape, ip) {
        (Shape::V4 | Shape::V4Vlan, [_, _, t0, t1, _, _, _, _, _, _, i0, i1, ..]) => {
            let total = udp_len.wrapping_add(ip::V4_LEN as u16);
            [*t0, *t1] = total.to_be_bytes();
            [*i0, *i1] = Sum::from_folded(hop.ip_sum).number(total).ipv4();
        }
        (Shape::V6 | Shape::V6Vlan, [_, _, _, _, p0, p1, ..]) => [*p0, *p1] = [l0, l1],
        _ => return None,
    }
    if let [_, _, _, _, length0, length1, checksum0, checksum1] = udp {
        [*length0, *length1, *checksum0, *checksum1] = [l0, l1, c0, c1];
    }
    Some(ticket.payload_len)
}
