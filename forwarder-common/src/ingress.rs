//! What becomes of a frame that arrives: up the stack, dropped, or taken for forwarding.
//!
//! Nothing is read beyond the headers unless the packet is for a media address of ours; everything unknown goes up the
//! stack untouched; what is known to be bad is dropped under a numbered reason.

use crate::{
    classify::{Kind, classify},
    packet::Packet,
    reason::Reason,
    stun,
    tables::{Address, Endpoint, EndpointKey, PairKey, RouteKey, Steer},
    wire::{eth, ip, rtp, udp},
};

/// The tables that ingress asks.
pub trait Lookup {
    /// The endpoint of this local address; `None` where the address takes no media.
    fn endpoint(&self, key: &EndpointKey) -> Option<Endpoint>;
    /// Whether an interface of the node has this MAC, [`mac_words`](crate::tables::mac_words).
    fn is_own_mac(&self, mac: [u32; 2]) -> bool;
    /// The route of a stream.
    fn route(&self, key: &RouteKey) -> Option<u32>;
    /// Who opens the packets of a 5-tuple, if ICE has validated it.
    fn steer(&self, key: &PairKey) -> Option<Steer>;
    /// Whether a session has this local username fragment, [`stun::ufrag_word`].
    fn knows_ufrag(&self, ufrag: u64) -> bool;
    /// Whether a stranger may send one more packet up the stack.
    fn meter(&self, source: &Address) -> bool;
    /// Whether a pair may send one more packet up the stack: of STUN, DTLS or RTCP.
    fn meter_pair(&self, pair: &PairKey) -> bool;
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
    /// Goes to the worker of its session.
    Steer(Steered),
}

/// An RTP packet of a 5-tuple that ICE has validated; nothing else about it is known to be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steered {
    /// Number of the worker.
    pub worker: u32,
    /// Number of the session.
    pub session: u32,
    /// Whether its payload type carries audio.
    pub audio: bool,
    /// Bytes in front of the UDP payload.
    pub header_len: u16,
    /// Bytes of UDP payload.
    pub payload_len: u16,
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

impl Taken {
    /// Bytes of VLAN tags in front of the IP header.
    #[inline(always)]
    #[must_use]
    pub const fn tag_len(&self) -> u16 {
        const V4: u16 = (eth::LEN + ip::V4_LEN + udp::LEN) as u16;
        const V6: u16 = (eth::LEN + ip::V6_LEN + udp::LEN) as u16;
        self.header_len
            .wrapping_sub(if self.header_len < V6 { V4 } else { V6 })
    }
}

/// Addresses and extent of the UDP datagram in a frame.
struct Datagram {
    source: Address,
    destination: Address,
    udp_at: usize,
    ip_payload: usize,
}

/// The half of a word that lies first in memory, as a number in network order.
#[inline(always)]
const fn first(word: u32) -> u16 {
    (u32::from_be(word) >> 16) as u16
}

/// The half of a word that lies second in memory, as a number in network order.
#[inline(always)]
const fn second(word: u32) -> u16 {
    u32::from_be(word) as u16
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
    let not_ours = Verdict::Pass(Reason::NotOurs);
    let [mac0, mac1, _, ether_type] = packet.words::<4>(0).ok_or(not_ours)?;
    let (ip_at, ether_type) = skip_tags(packet, first(ether_type)).ok_or(not_ours)?;
    let datagram = match ether_type {
        eth::IPV4 => ipv4(packet, ip_at)?,
        eth::IPV6 => ipv6(packet, ip_at)?,
        _ => return Err(not_ours),
    };
    let [ports, len_sum] = packet.words::<2>(datagram.udp_at).ok_or(not_ours)?;
    let endpoint = EndpointKey {
        address: datagram.destination,
        port: ports & SECOND_HALF,
    };
    let endpoint = lookup.endpoint(&endpoint).ok_or(not_ours)?;
    let mac = [mac0, mac1 & FIRST_HALF];
    if endpoint.mac() != mac && !(endpoint.is_sealed() && reaches_the_stack(mac, lookup)) {
        return Err(Verdict::Pass(Reason::ForeignMac));
    }

    let udp_len = usize::from(first(len_sum));
    let header_len = datagram.udp_at + udp::LEN;
    if udp_len < udp::LEN
        || udp_len > datagram.ip_payload
        || datagram.udp_at + udp_len > packet.len()
    {
        return Err(Verdict::Drop(Reason::Malformed));
    }
    let payload_len = udp_len - udp::LEN;
    let Some([first_byte, second_byte]) = packet.read::<2>(header_len).filter(|_| payload_len >= 2)
    else {
        return Err(Verdict::Drop(Reason::NotMedia));
    };
    let kind = classify(first_byte, second_byte);
    if endpoint.is_sealed() {
        let pair = PairKey {
            source: datagram.source,
            destination: datagram.destination,
            ports,
        };
        return Err(sealed(packet, lookup, kind, &pair, header_len, payload_len));
    }
    match kind {
        Err(reason) => return Err(Verdict::Drop(reason)),
        Ok(Kind::Stun) => return Err(Verdict::Pass(Reason::Stun)),
        Ok(Kind::Dtls) => return Err(Verdict::Pass(Reason::Dtls)),
        Ok(Kind::Rtcp) => return Err(Verdict::Pass(Reason::Rtcp)),
        Ok(Kind::Rtp) => {}
    }
    let ssrc = rtp_ssrc(packet, header_len, payload_len).map_err(Verdict::Drop)?;
    let key = RouteKey {
        source: datagram.source,
        destination: datagram.destination,
        ports,
        ssrc,
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

/// Whether the stack would take a frame with this MAC, although the address is another interface's: that of the interface which
/// it came by (RFC 1122 §3.3.4.2, the weak model), or a group's. At the media port of sessions it is judged like any other, or
/// strangers would come around the meter. What is for somebody else goes on to him, such as a macvlan or a bridge's port.
#[inline(always)]
fn reaches_the_stack<L: Lookup>(mac: [u32; 2], lookup: &L) -> bool {
    let [start, _] = mac;
    start & GROUP != 0 || lookup.is_own_mac(mac)
}

/// Judges a datagram to the media port of sessions. What comes from a 5-tuple that ICE has validated is taken, or passes to the
/// socket of that 5-tuple; of strangers only STUN checks that name a session pass. Of what passes there is no more than the meters admit.
#[inline(always)]
fn sealed<P: Packet + ?Sized, L: Lookup>(
    packet: &P,
    lookup: &L,
    kind: Result<Kind, Reason>,
    pair: &PairKey,
    header_len: usize,
    payload_len: usize,
) -> Verdict {
    let Some(steer) = lookup.steer(pair) else {
        return match kind {
            Err(reason) => Verdict::Drop(reason),
            Ok(Kind::Stun) => stranger(packet, lookup, &pair.source, header_len, payload_len),
            Ok(_) => Verdict::Drop(Reason::UnknownPair),
        };
    };
    let passing = match kind {
        Err(reason) => return Verdict::Drop(reason),
        Ok(Kind::Stun) => Some(Reason::Stun),
        Ok(Kind::Dtls) => Some(Reason::Dtls),
        Ok(Kind::Rtcp) => Some(Reason::Rtcp),
        Ok(Kind::Rtp) => None,
    };
    if let Some(reason) = passing {
        return if lookup.meter_pair(pair) {
            Verdict::Pass(reason)
        } else {
            Verdict::Drop(Reason::Metered)
        };
    }
    let Some(words) = packet.words(header_len) else {
        return Verdict::Drop(Reason::Malformed);
    };
    if let Err(reason) = rtp_ssrc(packet, header_len, payload_len) {
        return Verdict::Drop(reason);
    }
    Verdict::Steer(Steered {
        worker: steer.worker,
        session: steer.session,
        audio: steer.is_audio(rtp::Header(words).payload_type()),
        header_len: header_len as u16,
        payload_len: payload_len as u16,
    })
}

#[inline(always)]
fn stranger<P: Packet + ?Sized, L: Lookup>(
    packet: &P,
    lookup: &L,
    source: &Address,
    header_len: usize,
    payload_len: usize,
) -> Verdict {
    let Some(ufrag) = stun::ufrag(packet, header_len, payload_len) else {
        return Verdict::Drop(Reason::UnknownUfrag);
    };
    if !lookup.knows_ufrag(ufrag) {
        return Verdict::Drop(Reason::UnknownUfrag);
    }
    if !lookup.meter(source) {
        return Verdict::Drop(Reason::Metered);
    }
    Verdict::Pass(Reason::Stun)
}

/// The bit of a MAC's first word that says that it is a group's (IEEE 802).
const GROUP: u32 = u32::from_ne_bytes([1, 0, 0, 0]);
/// Masks of the halves of a word by their place in memory.
const FIRST_HALF: u32 = u32::from_ne_bytes([0xff, 0xff, 0, 0]);
const SECOND_HALF: u32 = u32::from_ne_bytes([0, 0, 0xff, 0xff]);

/// The SSRC, as it lies in memory, of the RTP packet at `at`, if its header and what it announces fit into
/// `payload_len` bytes.
///
/// # Errors
/// [`Reason::Malformed`].
#[inline(always)]
pub fn rtp_ssrc<P: Packet + ?Sized>(
    packet: &P,
    at: usize,
    payload_len: usize,
) -> Result<u32, Reason> {
    if payload_len < rtp::LEN {
        return Err(Reason::Malformed);
    }
    let header = rtp::Header(packet.words(at).ok_or(Reason::Malformed)?);
    let mut len = rtp::LEN + 4 * header.csrc_count();
    if header.has_extension() {
        let [extension] = packet.words::<1>(at + len).ok_or(Reason::Malformed)?;
        len += 4 + 4 * usize::from(second(extension));
    }
    if len > payload_len {
        return Err(Reason::Malformed);
    }
    let rtp::Header([.., ssrc]) = header;
    Ok(ssrc)
}

/// Where the IP header starts and the EtherType in front of it, after up to two VLAN tags.
#[inline(always)]
fn skip_tags<P: Packet + ?Sized>(packet: &P, ether_type: u16) -> Option<(usize, u16)> {
    if !eth::is_tag(ether_type) {
        return Some((eth::LEN, ether_type));
    }
    let [tag] = packet.words::<1>(eth::LEN)?;
    if !eth::is_tag(second(tag)) {
        return Some((eth::LEN + eth::TAG_LEN, second(tag)));
    }
    let [tag] = packet.words::<1>(eth::LEN + eth::TAG_LEN)?;
    Some((eth::LEN + 2 * eth::TAG_LEN, second(tag)))
}

#[inline(always)]
fn ipv4<P: Packet + ?Sized>(packet: &P, at: usize) -> Result<Datagram, Verdict> {
    let not_ours = Verdict::Pass(Reason::NotOurs);
    let [start, fragment, ttl, source, destination] = packet.words::<5>(at).ok_or(not_ours)?;
    let version_ihl = first(start) >> 8;
    if version_ihl >> 4 != 4 || first(ttl) & 0xff != u16::from(ip::UDP) {
        return Err(not_ours);
    }
    if version_ihl != 0x45 {
        return Err(Verdict::Pass(Reason::IpOptions));
    }
    // More fragments, or an offset (RFC 791 §3.1).
    if second(fragment) & 0x3fff != 0 {
        return Err(Verdict::Pass(Reason::Fragment));
    }
    Ok(Datagram {
        source: [0, 0, ip::MAPPED, source],
        destination: [0, 0, ip::MAPPED, destination],
        udp_at: at + ip::V4_LEN,
        ip_payload: usize::from(second(start)).saturating_sub(ip::V4_LEN),
    })
}

#[inline(always)]
fn ipv6<P: Packet + ?Sized>(packet: &P, at: usize) -> Result<Datagram, Verdict> {
    let not_ours = Verdict::Pass(Reason::NotOurs);
    let [start, len_next, s0, s1, s2, s3, d0, d1, d2, d3] =
        packet.words::<10>(at).ok_or(not_ours)?;
    if first(start) >> 12 != 6 {
        return Err(not_ours);
    }
    let next_header = (second(len_next) >> 8) as u8;
    if next_header != ip::UDP {
        return Err(if ip::is_extension(next_header) {
            Verdict::Pass(Reason::ExtensionHeader)
        } else {
            not_ours
        });
    }
    Ok(Datagram {
        source: [s0, s1, s2, s3],
        destination: [d0, d1, d2, d3],
        udp_at: at + ip::V6_LEN,
        ip_payload: usize::from(first(len_next)),
    })
}
