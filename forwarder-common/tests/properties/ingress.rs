//! The judge: frames of every kind, cut at every byte, broken at random, and plain noise.

use forwarder_common::{
    ingress::{Taken, Verdict, judge},
    reason::Reason,
};
use proptest::{collection::vec, prelude::*};

use super::{
    cases,
    frames::{Frame, Options, ROUTE, Tables, media, rtp, tags},
};

fn verdict(bytes: &[u8]) -> Verdict {
    judge(bytes, &Tables)
}

/// The frame's IP packet, UDP datagram and RTP header are all there.
fn is_complete(frame: &Frame, len: usize) -> bool {
    len >= frame.header_len() + frame.payload.len()
}

/// A payload that says what it is in its first two bytes, or in one, or in none.
fn payload_of(kind: usize) -> (Vec<u8>, Verdict) {
    use Reason::*;
    match kind {
        0 => (
            vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42],
            Verdict::Pass(Stun),
        ),
        1 => (vec![22, 0xfe, 0xfd, 0], Verdict::Pass(Dtls)),
        2 => (vec![0x80, 200, 0, 1, 0, 0, 0, 1], Verdict::Pass(Rtcp)),
        3 => (vec![16, 0, 0, 0], Verdict::Drop(NotMedia)),
        4 => (vec![64, 0, 0, 0], Verdict::Drop(NotMedia)),
        5 => (vec![0x80, 72, 0, 0], Verdict::Drop(RefusedPayloadType)),
        6 => (
            vec![0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            Verdict::Drop(Malformed),
        ),
        7 => (
            vec![0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9],
            Verdict::Pass(UnknownStream),
        ),
        8 => (vec![], Verdict::Drop(NotMedia)),
        _ => (vec![0x80], Verdict::Drop(NotMedia)),
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn media_is_taken_and_padding_is_not_counted(frame in media()) {
        prop_assert_eq!(verdict(&frame.build()), Verdict::Take(Taken {
            route: ROUTE,
            header_len: frame.header_len() as u16,
            payload_len: frame.payload.len() as u16,
        }));
    }

    #[test]
    fn each_kind_goes_its_way(
        kind in 0..10_usize, tags in tags(), ipv6 in any::<bool>(), padding in vec(any::<u8>(), 0..50)
    ) {
        let (payload, expected) = payload_of(kind);
        let frame = Frame { tags, padding, ..Frame::plain(ipv6, payload) };
        prop_assert_eq!(verdict(&frame.build()), expected);
    }

    #[test]
    fn fragments_go_up_the_stack(
        tags in tags(), payload in rtp(200), offset in 0..0x2000_u16, more in any::<bool>()
    ) {
        let fragment = Frame { tags: tags.clone(), fragment: Some((offset, more)), ..Frame::plain(false, payload) };
        let expected = match (offset, more) {
            (0, false) => Verdict::Take(Taken {
                route: ROUTE,
                header_len: fragment.header_len() as u16,
                payload_len: fragment.payload.len() as u16,
            }),
            _ => Verdict::Pass(Reason::Fragment),
        };
        prop_assert_eq!(verdict(&fragment.build()), expected);
    }

    #[test]
    fn options_and_extension_headers_go_up_the_stack(
        tags in tags(),
        payload in rtp(200),
        options in vec(Just([1, 1, 1, 0]), 1..=10),
        extension in prop::sample::select(vec![0_u8, 43, 44, 50, 51, 60, 135, 139, 140]),
        other in any::<u8>(),
    ) {
        let v4 = Frame { options: Options::V4(options.concat()), tags: tags.clone(), ..Frame::plain(false, payload.clone()) };
        prop_assert_eq!(verdict(&v4.build()), Verdict::Pass(Reason::IpOptions));
        let v6 = Frame { options: Options::V6(extension), tags: tags.clone(), ..Frame::plain(true, payload.clone()) };
        prop_assert_eq!(verdict(&v6.build()), Verdict::Pass(Reason::ExtensionHeader));
        if other != 17 {
            let other = Frame { options: Options::V6(other), tags, ..Frame::plain(true, payload) };
            prop_assert!(matches!(verdict(&other.build()), Verdict::Pass(_)));
        }
    }

    #[test]
    fn three_tags_are_none_of_ours(mut tags in vec(Just((0x8100_u16, 1_u16)), 3), id in 0..4096_u16, payload in rtp(100)) {
        tags[2].1 = id;
        let frame = Frame { tags, ..Frame::plain(false, payload) };
        prop_assert_eq!(verdict(&frame.build()), Verdict::Pass(Reason::NotOurs));
    }

    #[test]
    fn another_mac_port_or_address_is_passed(frame in media(), bit in 0..48_usize, at in 0..3_usize) {
        let whole = frame.build();
        let header = frame.header_len();
        let mut bent = whole.clone();
        let (byte, expected) = match at {
            0 => (bit / 8, Reason::ForeignMac),
            // The destination port, then the last bytes of the destination address.
            1 => (header - 6 + bit / 8 % 2, Reason::NotOurs),
            _ => (header - 8 - 1 - bit / 8 % 4, Reason::NotOurs),
        };
        bent[byte] ^= 1 << (bit % 8);
        prop_assert_eq!(verdict(&bent), Verdict::Pass(expected));
    }

    #[test]
    fn another_source_or_ssrc_is_an_unknown_stream(frame in media(), bit in 0..32_usize, at in 0..3_usize) {
        let mut bent = frame.build();
        let header = frame.header_len();
        let ip_end = header - 8;
        let source = if frame.ipv6 { ip_end - 20 } else { ip_end - 8 };
        let byte = match at {
            0 => header + 8 + bit / 8,
            1 => ip_end + bit / 8 % 2,
            _ => source + bit / 8,
        };
        bent[byte] ^= 1 << (bit % 8);
        prop_assert_eq!(verdict(&bent), Verdict::Pass(Reason::UnknownStream));
    }

    #[test]
    fn lengths_that_lie_never_reach_beyond_the_frame(frame in media(), ip in any::<u16>(), udp in any::<u16>(), which in 1..4_u8) {
        let mut bytes = frame.build();
        let header = frame.header_len();
        if which & 1 != 0 {
            let at = if frame.ipv6 { header - 44 } else { header - 26 };
            bytes[at..at + 2].copy_from_slice(&ip.to_be_bytes());
        }
        if which & 2 != 0 {
            bytes[header - 4..header - 2].copy_from_slice(&udp.to_be_bytes());
        }
        if let Verdict::Take(taken) = verdict(&bytes) {
            let end = usize::from(taken.header_len) + usize::from(taken.payload_len);
            prop_assert!(end <= bytes.len() && taken.payload_len >= 12);
            prop_assert_eq!(usize::from(taken.header_len), header);
        }
    }

    #[test]
    fn bits_turned_anywhere_do_no_harm(frame in media(), turned in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = frame.build();
        for (at, bits) in turned {
            // The headers are where it matters.
            let at = at.index(bytes.len().min(frame.header_len() + 16));
            bytes[at] ^= bits;
        }
        if let Verdict::Take(taken) = verdict(&bytes) {
            prop_assert!(usize::from(taken.header_len) + usize::from(taken.payload_len) <= bytes.len());
            prop_assert!(matches!(taken.header_len, 42 | 46 | 50 | 62 | 66 | 70));
        }
    }

    #[test]
    fn noise_is_never_taken(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(!matches!(verdict(&bytes), Verdict::Take(_)));
    }
}

proptest! {
    #![proptest_config(cases(200))]

    /// The heart of it: no read beyond the end, and nothing is taken that is not all there.
    #[test]
    fn cut_at_every_byte(frame in media()) {
        let whole = frame.build();
        for len in 0..whole.len() {
            let cut = verdict(&whole[..len]);
            if is_complete(&frame, len) {
                prop_assert_eq!(cut, verdict(&whole), "{} bytes: only padding is missing", len);
            } else {
                prop_assert!(!matches!(cut, Verdict::Take(_)), "{} bytes", len);
            }
        }
    }

    /// A datagram that ends early, with lengths that agree.
    #[test]
    fn payload_cut_at_every_byte(mut frame in media()) {
        let whole = std::mem::take(&mut frame.payload);
        let first = whole[0];
        let mut announced = 12 + 4 * usize::from(first & 15);
        if first & 0x10 != 0 {
            announced += 4 + 4 * usize::from(u16::from_be_bytes([whole[announced + 2], whole[announced + 3]]));
        }
        for len in 0..=whole.len() {
            frame.payload = whole[..len].to_vec();
            let is_taken = matches!(verdict(&frame.build()), Verdict::Take(_));
            prop_assert_eq!(is_taken, len >= announced, "{} of {} bytes", len, announced);
        }
    }
}
