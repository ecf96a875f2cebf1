//! What the fuzz targets run, and the tests on the committed corpora: the parsers on any bytes, with what must hold.
//!
//! Depends on `forwarder-common` alone, since the fuzz targets are built by a compiler and with flags of their own.

use forwarder_common::{
    checksum::Sum,
    classify::{Kind, classify},
    egress::replicate,
    hop::{Addresses, Leg, Shape},
    ingress::{Lookup, Verdict, judge as judge_frame, rtp_ssrc},
    packet::{Buffer, Packet as _},
    rewrite::Rewrite,
    tables::{Address, Endpoint, EndpointKey, PairKey, RouteKey, Steer},
    ticket::{Cursor, LEN, Ticket},
    wire::rtp,
};

/// A target.
pub type Target = fn(&[u8]);

/// All targets, by the names of their corpora.
pub const TARGETS: [(&str, Target); 4] = [
    ("judge", judge),
    ("replicate", replicate_frame),
    ("rtp", rtp),
    ("ticket", ticket),
];

/// Knows every second address and stream, so that both answers are a bit away; MACs are of one kind.
pub struct EveryOther;

impl Lookup for EveryOther {
    fn endpoint(&self, key: &EndpointKey) -> Option<Endpoint> {
        let [.., last] = key.address;
        (!last.count_ones().is_multiple_of(2)).then(|| {
            let mac = [2, 0, 0, 0, 0, 1];
            if key.port.count_ones().is_multiple_of(2) {
                Endpoint::sealed(mac)
            } else {
                Endpoint::new(mac)
            }
        })
    }

    fn steer(&self, key: &PairKey) -> Option<Steer> {
        key.ports.count_ones().is_multiple_of(2).then_some(Steer {
            worker: 1,
            session: key.ports,
            audio: [key.ports; 4],
            until: 0,
        })
    }

    fn is_own_mac(&self, mac: [u32; 2]) -> bool {
        let [start, _] = mac;
        start.count_ones().is_multiple_of(2)
    }

    fn knows_ufrag(&self, ufrag: u64) -> bool {
        ufrag.count_ones().is_multiple_of(2)
    }

    fn meter(&self, source: &Address) -> bool {
        let [.., last] = *source;
        last.count_ones().is_multiple_of(2)
    }

    fn meter_pair(&self, pair: &PairKey) -> bool {
        let [.., last] = pair.source;
        last.count_ones().is_multiple_of(2)
    }

    fn route(&self, key: &RouteKey) -> Option<u32> {
        key.ssrc.count_ones().is_multiple_of(2).then_some(key.ssrc)
    }
}

/// A frame as it arrives: what is taken lies inside of it and is RTP.
pub fn judge(data: &[u8]) {
    let (header_len, payload_len, route) = match judge_frame(data, &EveryOther) {
        Verdict::Take(taken) => (taken.header_len, taken.payload_len, Some(taken.route)),
        Verdict::Steer(steered) => (steered.header_len, steered.payload_len, None),
        Verdict::Pass(_) | Verdict::Drop(_) => return,
    };
    let (header_len, payload_len) = (usize::from(header_len), usize::from(payload_len));
    assert!(
        matches!(header_len, 42 | 46 | 50 | 62 | 66 | 70),
        "{header_len}"
    );
    let payload = &data[header_len..header_len + payload_len];
    assert_eq!(classify(payload[0], payload[1]), Ok(Kind::Rtp));
    let fixed = rtp::Header::from_bytes(*payload.first_chunk().expect("a whole header"));
    if let Some(route) = route {
        assert_eq!(fixed.ssrc().to_be(), route, "looked up by its SSRC");
    }
    assert!(extent(payload).is_some_and(|extent| extent <= payload_len));
    // Without its last byte it is not there any more.
    let cut = &data[..header_len + payload_len - 1];
    assert!(!matches!(judge_frame(cut, &EveryOther), Verdict::Take(_)));
}

/// Bytes of an RTP header with sources and extension (RFC 3550 §5.1 and §5.3.1), on a slice.
fn extent(payload: &[u8]) -> Option<usize> {
    let sources_end = 12 + 4 * usize::from(payload.first()? & 15);
    if payload[0] & 0x10 == 0 {
        return Some(sources_end);
    }
    let words = payload.get(sources_end + 2..sources_end + 4)?;
    Some(sources_end + 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]])))
}

/// A UDP payload: its class, and its SSRC if the header is whole; then a rewrite there and back.
pub fn rtp(data: &[u8]) {
    if let [first, second, ..] = *data {
        let is_rtp = (128..192).contains(&first) && !(64..96).contains(&(second & 0x7f));
        assert_eq!(classify(first, second) == Ok(Kind::Rtp), is_rtp);
    }
    let ssrc = rtp_ssrc(data, 0, data.len());
    let whole = data.len() >= rtp::LEN && extent(data).is_some_and(|extent| extent <= data.len());
    assert_eq!(ssrc.is_ok(), whole);
    let Some(&bytes) = data.first_chunk::<{ rtp::LEN }>() else {
        return;
    };
    let header = rtp::Header::from_bytes(bytes);
    if let Ok(ssrc) = ssrc {
        assert_eq!(u32::from_be(ssrc), header.ssrc());
    }
    let there = Rewrite {
        ssrc: !header.ssrc(),
        timestamp_offset: header.timestamp() ^ 0x5555,
        sequence_offset: header.sequence() ^ 0x55,
        payload_type_from: header.payload_type(),
        payload_type_to: header.payload_type() ^ 1,
    };
    let back = Rewrite {
        ssrc: header.ssrc(),
        timestamp_offset: there.timestamp_offset.wrapping_neg(),
        sequence_offset: there.sequence_offset.wrapping_neg(),
        payload_type_from: there.payload_type_to,
        payload_type_to: there.payload_type_from,
    };
    assert_eq!(back.apply(there.apply(header)), header);
}

/// The first bytes of a frame: any are a ticket, which is written as it was read; a cursor follows it.
pub fn ticket(data: &[u8]) {
    let Some(ticket) = Ticket::read(data) else {
        assert!(data.len() < LEN);
        return;
    };
    let mut written = data.to_vec();
    ticket
        .write(written.as_mut_slice())
        .expect("as long as it was read");
    assert_eq!(written, data);
    let mut cursor = Cursor {
        tag: ticket.tag.wrapping_add(1),
        remaining: u64::MAX,
        slot: 7,
    };
    let mut members = 0;
    while let Some(slot) = cursor.next_slot(ticket.tag, ticket.mask) {
        assert!(members >> slot == 0, "in order, and once each");
        members |= 1 << slot;
    }
    assert_eq!(members, ticket.mask);
}

/// A ticket, then what a leg is made of, then the frame: what comes out is whole and has right checksums.
pub fn replicate_frame(data: &[u8]) {
    let Some((leg, rest)) = data.split_first_chunk::<64>() else {
        return;
    };
    let Some(mut ticket) = Ticket::read(rest) else {
        return;
    };
    let leg = leg_of(leg);
    let headroom = usize::from(data[63] & 31);
    let mut bytes = [&vec![0; headroom][..], rest].concat();
    // As ingress leaves it, if the frame is long enough; the lengths may still be anything.
    let header_len = usize::from(ticket.header_len);
    let whole = rest.len() == header_len + usize::from(ticket.payload_len)
        && header_len >= LEN
        && ticket.payload_len >= 12;
    if whole {
        ticket.sum = Sum::default().bytes(&rest[header_len + 12..]).fold();
    }
    let hop = leg.to_hop(1);
    let shape = Shape::from_number(hop.shape);
    let mut frame = Buffer::new(&mut bytes, headroom).expect("the headroom is part of it");
    let Ok(sent) = replicate(&mut frame, &hop, &ticket) else {
        return;
    };
    assert_eq!(sent, ticket.payload_len);
    assert!(frame.len() >= shape.header_len() + 12);
    if whole {
        assert_eq!(frame.len(), shape.header_len() + usize::from(sent));
        assert_checksums(&frame.frame()[shape.ip_at()..]);
    }
}

/// Any 64 bytes are a leg.
fn leg_of(bytes: &[u8; 64]) -> Leg {
    let byte = |at: usize| bytes[at];
    let pair = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let word = |at: usize| u32::from(pair(at)) << 16 | u32::from(pair(at + 2));
    let addresses = if byte(0) & 1 == 0 {
        Addresses::V4 {
            source: word(16).to_be_bytes(),
            destination: word(32).to_be_bytes(),
        }
    } else {
        Addresses::V6 {
            source: std::array::from_fn(|at| byte(16 + at)),
            destination: std::array::from_fn(|at| byte(32 + at)),
        }
    };
    Leg {
        source_mac: std::array::from_fn(|at| byte(1 + at)),
        destination_mac: Some(std::array::from_fn(|at| byte(7 + at))),
        vlan: (byte(0) & 2 != 0).then(|| pair(13) & 0xfff),
        addresses,
        source_port: pair(48),
        destination_port: pair(50),
        dscp: byte(52) & 63,
        ttl: byte(53),
        mtu: if byte(0) & 8 == 0 { 1500 } else { pair(54) },
        rewrite: (byte(0) & 4 != 0).then(|| Rewrite {
            ssrc: word(56),
            timestamp_offset: word(58),
            sequence_offset: pair(60),
            payload_type_from: byte(61) & 0x7f,
            payload_type_to: byte(62) & 0x7f,
        }),
        lease: 0,
        socket: 0,
    }
}

/// RFC 1071 on the bytes of an IP packet: a header, and a datagram with its pseudo-header, sum to all ones.
fn assert_checksums(ip: &[u8]) {
    let (addresses, header_len) = if ip[0] >> 4 == 4 {
        assert_eq!(ones_sum(&ip[..20]), 0xffff, "IPv4 header");
        (&ip[12..20], 20)
    } else {
        (&ip[8..40], 40)
    };
    let datagram = &ip[header_len..];
    assert_eq!(
        usize::from(u16::from_be_bytes([datagram[4], datagram[5]])),
        datagram.len()
    );
    assert_ne!(datagram[6..8], [0, 0], "no checksum");
    let len = (datagram.len() as u32).to_be_bytes();
    let pseudo = [addresses, &len, &[0, 0, 0, 17]].concat();
    assert_eq!(ones_sum(&[&pseudo, datagram].concat()), 0xffff, "UDP");
}

fn ones_sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(2).map(|pair| {
        u32::from(u16::from_be_bytes([
            pair[0],
            pair.get(1).copied().unwrap_or(0),
        ]))
    });
    words.fold(0, |sum, word| {
        let sum = sum + word;
        (sum & 0xffff) + (sum >> 16)
    })
}
