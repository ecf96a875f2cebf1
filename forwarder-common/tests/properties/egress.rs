//! Replicas against frames that etherparse builds from the same leg.

use etherparse::{
    EtherType, Ethernet2Header, IpNumber, Ipv4Header, Ipv6Header, SingleVlanHeader, UdpHeader,
    VlanId,
};
use forwarder_common::{
    checksum::Sum,
    egress::{admit, replicate},
    hop::{Addresses, Leg, Shape},
    packet::{Buffer, Packet},
    reason::Reason,
    tables::Hop,
    ticket::{LEN, Ticket},
};
use proptest::{collection::vec, prelude::*};

use super::{cases, rewrite};

/// XDP_PACKET_HEADROOM.
const HEADROOM: usize = 256;

fn legs() -> impl Strategy<Value = Leg> {
    let addresses = prop_oneof![
        any::<([u8; 4], [u8; 4])>().prop_map(|(source, destination)| Addresses::V4 {
            source,
            destination
        }),
        any::<([u8; 16], [u8; 16])>().prop_map(|(source, destination)| Addresses::V6 {
            source,
            destination
        }),
    ];
    let vlan = prop_oneof![Just(None), (1..4095_u16).prop_map(Some)];
    let rewrite = prop_oneof![Just(None), rewrite::rewrites().prop_map(Some)];
    let numbers = (any::<u16>(), any::<u16>(), 0..64_u8, 1..=255_u8);
    (
        any::<[u8; 6]>(),
        any::<[u8; 6]>(),
        vlan,
        addresses,
        numbers,
        rewrite,
    )
        .prop_map(
            |(source_mac, destination_mac, vlan, addresses, numbers, rewrite)| Leg {
                source_mac,
                destination_mac: Some(destination_mac),
                vlan,
                addresses,
                source_port: numbers.0,
                destination_port: numbers.1,
                dscp: numbers.2,
                ttl: numbers.3,
                mtu: 1500,
                rewrite,
                lease: 0,
                socket: 0,
            },
        )
}

fn payloads(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 12..=longest),
        (12..=longest).prop_map(|len| vec![0xff; len]),
        (12..=longest).prop_map(|len| vec![0; len]),
    ]
}

/// Lengths of headers that ingress takes.
fn header_lens() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![42_usize, 46, 50, 62, 66, 70])
}

/// The frame that the subscriber must see.
fn expected(leg: &Leg, payload: &[u8]) -> Vec<u8> {
    let mut payload = payload.to_vec();
    if let Some(rewrite) = &leg.rewrite {
        let (head, _) = payload.split_first_chunk_mut().unwrap();
        *head = rewrite::naive(rewrite, *head);
    }
    let is_v4 = matches!(leg.addresses, Addresses::V4 { .. });
    let ip_type = if is_v4 {
        EtherType::IPV4
    } else {
        EtherType::IPV6
    };
    let ethernet = Ethernet2Header {
        source: leg.source_mac,
        destination: leg.destination_mac.unwrap(),
        ether_type: if leg.vlan.is_some() {
            EtherType::VLAN_TAGGED_FRAME
        } else {
            ip_type
        },
    };
    let mut bytes = ethernet.to_bytes().to_vec();
    if let Some(vlan) = leg.vlan {
        let tag = SingleVlanHeader {
            vlan_id: VlanId::try_new(vlan).unwrap(),
            ether_type: ip_type,
            ..Default::default()
        };
        bytes.extend_from_slice(&tag.to_bytes());
    }
    let mut udp = UdpHeader {
        source_port: leg.source_port,
        destination_port: leg.destination_port,
        length: 8 + payload.len() as u16,
        checksum: 0,
    };
    match leg.addresses {
        Addresses::V4 {
            source,
            destination,
        } => {
            udp.checksum = udp
                .calc_checksum_ipv4_raw(source, destination, &payload)
                .unwrap();
            let mut ip =
                Ipv4Header::new(udp.length, leg.ttl, IpNumber::UDP, source, destination).unwrap();
            ip.dscp = leg.dscp.try_into().unwrap();
            ip.header_checksum = ip.calc_header_checksum();
            bytes.extend_from_slice(&ip.to_bytes());
        }
        Addresses::V6 {
            source,
            destination,
        } => {
            udp.checksum = udp
                .calc_checksum_ipv6_raw(source, destination, &payload)
                .unwrap();
            let ip = Ipv6Header {
                traffic_class: leg.dscp << 2,
                payload_length: udp.length,
                next_header: IpNumber::UDP,
                hop_limit: leg.ttl,
                source,
                destination,
                ..Default::default()
            };
            bytes.extend_from_slice(&ip.to_bytes());
        }
    }
    bytes.extend_from_slice(&udp.to_bytes());
    bytes.extend_from_slice(&payload);
    bytes
}

fn ticket_of(header_len: usize, payload: &[u8]) -> Ticket {
    Ticket {
        tag: 1,
        chunk: 1,
        mask: 1,
        now: 0,
        payload_len: payload.len() as u16,
        sum: Sum::default().bytes(&payload[12..]).fold(),
        header_len: header_len as u8,
        state: 0,
        round: 0,
        load: 0,
    }
}

/// What egress makes of a frame that ingress left: a ticket, the rest of the old headers, the payload.
fn replica(
    leg: &Leg,
    header_len: usize,
    payload: &[u8],
    headroom: usize,
) -> Result<Vec<u8>, Reason> {
    let mut bytes = vec![0xa5; headroom + header_len];
    bytes.extend_from_slice(payload);
    let ticket = ticket_of(header_len, payload);
    let mut frame = Buffer::new(&mut bytes, headroom).unwrap();
    ticket.write(&mut frame).unwrap();
    let ticket = Ticket::read(&frame).unwrap();
    let sent = replicate(&mut frame, &leg.to_hop(1), &ticket)?;
    assert_eq!(usize::from(sent), payload.len());
    Ok(frame.frame().to_vec())
}

fn header_len(leg: &Leg) -> usize {
    Shape::from_number(leg.to_hop(1).shape).header_len()
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn is_the_frame_that_another_builder_makes(
        mut leg in legs(), header_len in header_lens(), payload in payloads(1480)
    ) {
        leg.mtu = 1600;
        prop_assert_eq!(replica(&leg, header_len, &payload, HEADROOM), Ok(expected(&leg, &payload)));
    }

    #[test]
    fn the_mtu_is_that_of_the_ip_packet(leg in legs(), from in header_lens(), payload in payloads(1480)) {
        let tag = if leg.vlan.is_some() { 4 } else { 0 };
        let exact = (header_len(&leg) - 14 - tag + payload.len()) as u16;
        let fits = Leg { mtu: exact, ..leg };
        prop_assert!(replica(&fits, from, &payload, HEADROOM).is_ok());
        let too_big = Leg { mtu: exact - 1, ..leg };
        prop_assert_eq!(replica(&too_big, from, &payload, HEADROOM), Err(Reason::TooBig));
    }

    #[test]
    fn without_headroom_there_is_no_replica(
        leg in legs(), from in header_lens(), payload in payloads(100), headroom in 0..30_usize
    ) {
        let grows = header_len(&leg).saturating_sub(from);
        let made = replica(&leg, from, &payload, headroom);
        if headroom >= grows {
            prop_assert_eq!(made, Ok(expected(&leg, &payload)));
        } else {
            prop_assert_eq!(made, Err(Reason::NoRoom));
        }
    }

    /// Nothing that userspace stores, and no frame, makes it panic or write outside of the frame.
    #[test]
    fn hostile_hops_tickets_and_frames_do_no_harm(
        mut hop in legs().prop_map(|leg| leg.to_hop(1)),
        shape in any::<u8>(),
        flags in any::<u8>(),
        mtu in any::<u16>(),
        ticket in super::ticket::tickets(),
        mut bytes in vec(any::<u8>(), 0..200),
        headroom in 0..64_usize,
    ) {
        (hop.shape, hop.flags, hop.mtu) = (shape, flags, mtu);
        let headroom = headroom.min(bytes.len());
        let mut frame = Buffer::new(&mut bytes, headroom).unwrap();
        if let Ok(sent) = replicate(&mut frame, &hop, &ticket) {
            prop_assert_eq!(sent, ticket.payload_len);
            prop_assert!(frame.len() >= Shape::from_number(shape).header_len() + 12);
        }
    }

    #[test]
    fn a_frame_too_short_for_an_rtp_header_is_refused(leg in legs(), from in header_lens(), len in 0..12_usize) {
        let mut bytes = vec![0; HEADROOM + from + len];
        let mut ticket = ticket_of(from, &[0; 12]);
        ticket.payload_len = len as u16;
        let mut frame = Buffer::new(&mut bytes, HEADROOM).unwrap();
        prop_assert_eq!(replicate(&mut frame, &leg.to_hop(1), &ticket), Err(Reason::NoRoom));
    }

    #[test]
    fn only_current_hops_within_their_lease_are_sent_to(
        leg in legs(), resolved in any::<bool>(),
        (generation, member) in prop_oneof![any::<(u32, u32)>(), any::<u32>().prop_map(|both| (both, both))],
        (deadline, now) in prop_oneof![any::<(u64, u64)>(), any::<u64>().prop_map(|both| (both, both))],
    ) {
        let leg = Leg { destination_mac: leg.destination_mac.filter(|_| resolved), ..leg };
        let admitted = admit(&leg.to_hop(generation), member, deadline, now);
        let expected = if generation == 0 || generation != member {
            Err(Reason::StaleHop)
        } else if now >= deadline {
            Err(Reason::LeaseExpired)
        } else if !resolved {
            Err(Reason::Unresolved)
        } else {
            Ok(())
        };
        prop_assert_eq!(admitted, expected);
    }
}

/// The shortest headers still hold a ticket.
#[test]
fn a_ticket_fits_every_header() {
    assert!((0..4).all(|shape| Shape::from_number(shape).header_len() >= LEN));
    assert_eq!(replicate_void(), Err(Reason::TooBig));
}

/// A hop that was voided sends nothing, even if nobody looked at its generation.
fn replicate_void() -> Result<u16, Reason> {
    let mut bytes = [0; 400];
    let mut frame = Buffer::new(&mut bytes, HEADROOM).unwrap();
    replicate(&mut frame, &Hop::VOID, &ticket_of(42, &[0; 12]))
}

/// Payloads whose checksum comes out as zero go out as all ones, in both families.
#[test]
fn a_checksum_of_zero_is_sent_as_all_ones() {
    for addresses in [
        Addresses::V4 {
            source: [10, 0, 0, 1],
            destination: [10, 0, 0, 2],
        },
        Addresses::V6 {
            source: [1; 16],
            destination: [2; 16],
        },
    ] {
        let leg = Leg {
            source_mac: [2; 6],
            destination_mac: Some([4; 6]),
            vlan: None,
            addresses,
            source_port: 1,
            destination_port: 2,
            dscp: 0,
            ttl: 64,
            mtu: 1500,
            rewrite: None,
            lease: 0,
            socket: 0,
        };
        let mut ones = 0;
        for number in 0..=u16::MAX {
            let mut payload = [0; 14];
            payload[12..].copy_from_slice(&number.to_be_bytes());
            let frame = replica(&leg, 42, &payload, HEADROOM).unwrap();
            let at = header_len(&leg) - 2;
            assert_ne!(frame[at..at + 2], [0, 0]);
            if frame[at..at + 2] == [0xff, 0xff] {
                assert_eq!(frame, expected(&leg, &payload));
                ones += 1;
            }
        }
        assert!(ones > 0);
    }
}
