//! What becomes of a frame that arrives: up the stack, dropped, or taken for forwarding.
//!
//! Nothing is read beyond the headers unless the packet is for a media address of ours; everything unknown goes up the
//! stack untouched; what is known to be bad is dropped under a numbered reason.

use crate::{
    classify::{Kind, classify},
    packet::Packet,
    reason::Reason,
    tables::{EndpointKey, RouteKey},
    wire::{eth, ip, rtp, udp},
};

/// The tables that ingress asks.
pub trait Lookup {
    /// The MAC that frames to this local address must carry; `None` where the address takes no media.
    fn endpoint(&self, key: &EndpointKey) -> Option<[u8; 6]>;
    /// The route of a stream.
    fn route(&self, key: &RouteKey) -> Option<u32>;
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Goes up the stack as it came.
    Pass(Reason),
    /// Ends here.
    Drop(Reason),
    /// Is forwarded.
    Take(Taken),
}

/// An RTP packet of a known stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Number of its route.
    pub route: u32,
    /// Bytes in front of the UDP payload.
    pub header_len: u16,
    /// Bytes of UDP payload; anything in the frame beyond is padding.
    pub payload_len: u16,
}

/// Addresses and extent of the UDP datagram in a frame.
struct Datagram {
    source: [u8; 16],
    destination: [u8; 16],
    udp_at: usize,
    ip_payload: usize,
}

/// Judges a frame.
#[inline(always)]
pub fn judge<P: Packet + ?Sized, L: Lookup>(packet: &P, lookup: &L) -> Verdict {
    match try_judge(packet, lookup) {
        Ok(taken) => Verdict::Take(taken),
        Err(verdict) => verdict,
    }
}

#[inline(always)]
fn try_judge<P: Packet + ?Sized, L: Lookup>(packet: &P, lookup: &L) -> Result<Taken, Verdict> {
    let (mac, datagram) = datagram(packet)?;
    let Some([p0, p1, p2, p3, l0, l1, _, _]) = packet.read::<{ udp::LEN }>(datagram.udp_at) else {
        return Err(Verdict::Pass(Reason::NotOurs));
    };
    let endpoint = EndpointKey {
        address: datagram.destination,
        port: [p2, p3],
        zero: [0; 2],
    };
    match lookup.endpoint(&endpoint) {
        None => return Err(Verdict::Pass(Reason::NotOurs)),
        Some(ours) if ours != mac => return Err(Verdict::Pass(Reason::ForeignMac)),
        Some(_) => {}
    }

    let udp_len = usize::from(u16::from_be_bytes([l0, l1]));
    let header_len = datagram.udp_at + udp::LEN;
    if udp_len < udp::LEN
        || udp_len > datagram.ip_payload
        || datagram.udp_at + udp_len > packet.len()
    {
        return Err(Verdict::Drop(Reason::Malformed));
    }
    let payload_len = udp_len - udp::LEN;
    let Some([first, second]) = packet.read::<2>(header_len).filter(|_| payload_len >= 2) else {
        return Err(Verdict::Drop(Reason::NotMedia));
    };
    match classify(first, second) {
        Err(reason) => return Err(Verdict::Drop(reason)),
        Ok(Kind::Stun) => return Err(Verdict::Pass(Reason::Stun)),
        Ok(Kind::Dtls) => return Err(Verdict::Pass(Reason::Dtls)),
        Ok(Kind::Rtcp) => return Err(Verdict::Pass(Reason::Rtcp)),
        Ok(Kind::Rtp) => {}
    }
    let header = rtp_header(packet, header_len, payload_len).map_err(Verdict::Drop)?;
    let rtp::Header([.., s0, s1, s2, s3]) = header;
    let key = RouteKey {
        source: datagram.source,
        destination: datagram.destination,
        source_port: [p0, p1],
        destination_port: [p2, p3],
        ssrc: [s0, s1, s2, s3],
    };
    match lookup.route(&key) {
        None => Err(Verdict::Pass(Reason::UnknownStream)),
        Some(route) => Ok(Taken {
            route,
            header_len: header_len as u16,
            payload_len: payload_len as u16,
        }),
    }
}

/// The fixed RTP header at `at`, if it and what it announces fit into `payload_len` bytes.
///
/// # Errors
/// [`Reason::Malformed`].
#[inline(always)]
pub fn rtp_header<P: Packet + ?Sized>(
    packet: &P,
    at: usize,
    payload_len: usize,
) -> Result<rtp::Header, Reason> {
    let Some(bytes) = packet
        .read::<{ rtp::LEN }>(at)
        .filter(|_| payload_len >= rtp::LEN)
    else {
        return Err(Reason::Malformed);
    };
    let header = rtp::Header(bytes);
    let mut len = rtp::LEN + 4 * header.csrc_count();
    if header.has_extension() {
        let Some([_, _, w0, w1]) = packet.read::<4>(at + len) else {
            return Err(Reason::Malformed);
        };
        len += 4 + 4 * usize::from(u16::from_be_bytes([w0, w1]));
    }
    if len > payload_len {
        return Err(Reason::Malformed);
    }
    Ok(header)
}

/// Finds the UDP datagram of a frame and the destination MAC.
#[inline(always)]
fn datagram<P: Packet + ?Sized>(packet: &P) -> Result<([u8; 6], Datagram), Verdict> {
    let not_ours = Verdict::Pass(Reason::NotOurs);
    let Some([d0, d1, d2, d3, d4, d5, _, _, _, _, _, _, e0, e1]) = packet.read::<{ eth::LEN }>(0)
    else {
        return Err(not_ours);
    };
    let mac = [d0, d1, d2, d3, d4, d5];
    let mut ether_type = u16::from_be_bytes([e0, e1]);
    let mut at = eth::LEN;
    if eth::is_tag(ether_type) {
        let Some([_, _, e0, e1]) = packet.read::<{ eth::TAG_LEN }>(at) else {
            return Err(not_ours);
        };
        ether_type = u16::from_be_bytes([e0, e1]);
        at += eth::TAG_LEN;
        if eth::is_tag(ether_type) {
            let Some([_, _, e0, e1]) = packet.read::<{ eth::TAG_LEN }>(at) else {
                return Err(not_ours);
            };
            ether_type = u16::from_be_bytes([e0, e1]);
            at += eth::TAG_LEN;
        }
    }
    match ether_type {
        eth::IPV4 => Ok((mac, ipv4(packet, at)?)),
        eth::IPV6 => Ok((mac, ipv6(packet, at)?)),
        _ => Err(not_ours),
    }
}

#[inline(always)]
fn ipv4<P: Packet + ?Sized>(packet: &P, at: usize) -> Result<Datagram, Verdict> {
    let Some(
        [
            version,
            _,
            l0,
            l1,
            _,
            _,
            f0,
            f1,
            _,
            protocol,
            _,
            _,
            a0,
            a1,
            a2,
            a3,
            b0,
            b1,
            b2,
            b3,
        ],
    ) = packet.read::<{ ip::V4_LEN }>(at)
    else {
        return Err(Verdict::Pass(Reason::NotOurs));
    };
    if version >> 4 != 4 || protocol != ip::UDP {
        return Err(Verdict::Pass(Reason::NotOurs));
    }
    if version != 0x45 {
        return Err(Verdict::Pass(Reason::IpOptions));
    }
    // More fragments, or an offset (RFC 791 §3.1).
    if u16::from_be_bytes([f0, f1]) & 0x3fff != 0 {
        return Err(Verdict::Pass(Reason::Fragment));
    }
    let total = usize::from(u16::from_be_bytes([l0, l1]));
    Ok(Datagram {
        source: ip::mapped([a0, a1, a2, a3]),
        destination: ip::mapped([b0, b1, b2, b3]),
        udp_at: at + ip::V4_LEN,
        ip_payload: total.saturating_sub(ip::V4_LEN),
    })
}

#[inline(always)]
fn ipv6<P: Packet + ?Sized>(packet: &P, at: usize) -> Result<Datagram, Verdict> {
    let fixed = packet.read::<8>(at);
    let source = packet.read::<16>(at + 8);
    let destination = packet.read::<16>(at + 24);
    let (Some([version, _, _, _, l0, l1, next, _]), Some(source), Some(destination)) =
        (fixed, source, destination)
    else {
        return Err(Verdict::Pass(Reason::NotOurs));
    };
    if version >> 4 != 6 {
        return Err(Verdict::Pass(Reason::NotOurs));
    }
    if next != ip::UDP {
        return Err(Verdict::Pass(if ip::is_extension(next) {
            Reason::ExtensionHeader
        } else {
            Reason::NotOurs
        }));
    }
    Ok(Datagram {
        source,
        destination,
        udp_at: at + ip::V6_LEN,
        ip_payload: usize::from(u16::from_be_bytes([l0, l1])),
    })
}
