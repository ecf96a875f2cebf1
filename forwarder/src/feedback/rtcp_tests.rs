//! RTCP written and read back, by this module and by another implementation; and any bytes.

use proptest::prelude::*;
use str0m::rtp::rtcp as other;

use super::{
    Remb, ReportBlock, Rtcp, SenderInfo, append, bye::goodbye_compound, parse_compound,
    rtcp::ReceiverDelay,
};

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    assert_eq!(out.len() % 4, 0);
    out
}

fn one(bytes: &[u8]) -> Rtcp<'_> {
    let mut packets = parse_compound(bytes);
    let packet = packets.next().unwrap();
    assert_eq!(packets.next(), None);
    packet
}

fn theirs(bytes: &[u8]) -> other::Rtcp {
    other::Rtcp::try_from(bytes).unwrap()
}

fn block(ssrc: u32, cumulative_lost: i32) -> ReportBlock {
    ReportBlock {
        ssrc,
        fraction_lost: 7,
        cumulative_lost,
        highest: 0x0001_ffff,
        jitter: 99,
        last_report: 0x1234_5678,
        delay: 65_536,
    }
}

const INFO: SenderInfo = SenderInfo {
    ssrc: 0x0000_0001,
    ntp: 0x0123_4567_89ab_cdef,
    rtp: 0xffff_0000,
    packets: 5,
    octets: 600,
};

#[test]
fn sender_report() {
    let bytes = written(|out| append::sender_report(out, &INFO));
    let Rtcp::SenderReport { info, blocks } = one(&bytes) else {
        panic!("{bytes:x?}");
    };
    assert_eq!((info, blocks.len()), (INFO, 0));
    let other::Rtcp::SenderReport(report) = theirs(&bytes) else {
        panic!("{bytes:x?}");
    };
    assert_eq!(*report.sender_info.ssrc, INFO.ssrc);
    assert_eq!(report.sender_info.rtp_time.numer(), u64::from(INFO.rtp));
    assert_eq!(report.sender_info.sender_packet_count, INFO.packets);
    assert_eq!(report.sender_info.sender_octet_count, INFO.octets);
}

#[test]
fn receiver_reports_with_any_number_of_blocks() {
    for count in [0_i32, 1, 31, 32, 70] {
        let blocks: Vec<_> = (0..count).map(|at| block(at as u32, at - 3)).collect();
        let bytes = written(|out| append::receiver_report(out, 9, &blocks));
        let mut found = Vec::new();
        for packet in parse_compound(&bytes) {
            let Rtcp::ReceiverReport { sender, blocks } = packet else {
                panic!("{packet:?}");
            };
            assert_eq!(sender, 9);
            found.extend(blocks);
        }
        assert_eq!(found, blocks);
    }
}

/// 24 bits with a sign, and no more.
#[test]
fn cumulative_loss_is_clamped() {
    for (lost, said) in [
        (-1, -1),
        (i32::MAX, 0x7f_ffff),
        (i32::MIN, -0x80_0000),
        (0x7f_ffff, 0x7f_ffff),
    ] {
        let bytes = written(|out| append::receiver_report(out, 1, &[block(2, lost)]));
        let Rtcp::ReceiverReport { blocks, .. } = one(&bytes) else {
            panic!();
        };
        assert_eq!(blocks[0].cumulative_lost, said);
    }
}

#[test]
fn source_description() {
    // SSRCs that begin with zero bytes follow the padding of the chunk before them.
    for cname in ["", "a", "ab", "abc", "abcd", "a-name-of-some-length@host"] {
        let ssrcs = [0x0000_0007, 0, 0xffff_ffff, 0x0012_3456];
        let bytes = written(|out| append::source_description(out, &ssrcs, cname));
        let Rtcp::SourceDescription(names) = one(&bytes) else {
            panic!();
        };
        assert_eq!(names.as_slice(), ssrcs.map(|ssrc| (ssrc, cname.as_bytes())));
        assert!(matches!(theirs(&bytes), other::Rtcp::SourceDescription(_)));
    }
    // Other items do not matter; a chunk without a name is left out; one that is cut ends the list.
    let bytes = [
        0x83, 202, 0, 8, 0, 0, 0, 1, 2, 1, b'n', 1, 1, b'c', 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, //
        0, 0, 0, 3, 1, 200, b'x', b'y', 0, 0, 0, 0,
    ];
    let Rtcp::SourceDescription(names) = one(&bytes) else {
        panic!();
    };
    assert_eq!(names.as_slice(), [(1, &b"c"[..])]);
}

#[test]
fn goodbye() {
    let ssrcs: Vec<u32> = (1..40).collect();
    let bytes = written(|out| goodbye_compound(out, &ssrcs, "name", "session closed"));
    let packets: Vec<_> = parse_compound(&bytes).collect();
    assert!(matches!(packets[0], Rtcp::ReceiverReport { sender: 1, .. }));
    assert!(matches!(packets[1], Rtcp::SourceDescription(_)));
    let gone: Vec<u32> = packets[2..]
        .iter()
        .flat_map(|packet| match packet {
            Rtcp::Goodbye(ssrcs) => ssrcs.to_vec(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(gone, ssrcs);
    assert!(written(|out| goodbye_compound(out, &[], "name", "")).is_empty());
}

#[test]
fn requests_for_keyframes() {
    let bytes = written(|out| append::picture_loss(out, 1, 2));
    let expected = Rtcp::PictureLoss {
        sender: 1,
        media: 2,
    };
    assert_eq!(one(&bytes), expected);
    let other::Rtcp::Pli(request) = theirs(&bytes) else {
        panic!();
    };
    assert_eq!((*request.sender_ssrc, *request.ssrc), (1, 2));

    let bytes = written(|out| append::full_intra(out, 1, 2, 250));
    let Rtcp::FullIntra { sender, entries } = one(&bytes) else {
        panic!();
    };
    assert_eq!((sender, entries.as_slice()), (1, &[(2, 250)][..]));
    let other::Rtcp::Fir(request) = theirs(&bytes) else {
        panic!();
    };
    let entry = request.reports.iter().next().unwrap();
    assert_eq!((*entry.ssrc, entry.seq_no), (2, 250));
}

#[test]
fn lost_packets() {
    let sequences = [65_530, 65_535, 0, 3, 100];
    let bytes = written(|out| append::nack(out, 1, 2, &sequences));
    let Rtcp::Nack {
        sender,
        media,
        sequences: mut found,
    } = one(&bytes)
    else {
        panic!();
    };
    found.sort_unstable();
    assert_eq!((sender, media), (1, 2));
    assert_eq!(found.as_slice(), [0, 3, 100, 65_530, 65_535]);
    // A list that claims everything is cut.
    let mut all = vec![0x81, 205, 0, 2 + 100, 0, 0, 0, 1, 0, 0, 0, 2];
    all.extend([0xff; 400]);
    let Rtcp::Nack { sequences, .. } = one(&all) else {
        panic!();
    };
    assert_eq!(sequences.len(), 64);
}

#[test]
fn round_trips() {
    let delays: Vec<_> = (0..5)
        .map(|ssrc| ReceiverDelay {
            ssrc,
            last_reference: ssrc + 7,
            delay: 100,
        })
        .collect();
    let bytes = written(|out| append::receiver_delays(out, 3, &delays));
    let Rtcp::ExtendedReport {
        sender,
        reference,
        delays: found,
    } = one(&bytes)
    else {
        panic!();
    };
    assert_eq!((sender, reference), (3, None));
    assert_eq!(found.as_slice(), delays);
    assert!(matches!(theirs(&bytes), other::Rtcp::ExtendedReport(_)));
    assert!(written(|out| append::receiver_delays(out, 3, &[])).is_empty());

    let reference = rtcp_types::ReceiverReferenceTime::builder().ntp_timestamp(0x1_0000_0002);
    let report = rtcp_types::Xr::builder()
        .sender_ssrc(4)
        .add_block(reference);
    let bytes = written(|out| append::packet(out, &report));
    let Rtcp::ExtendedReport {
        sender, reference, ..
    } = one(&bytes)
    else {
        panic!();
    };
    assert_eq!((sender, reference), (4, Some(0x1_0000_0002)));
}

#[test]
fn estimated_rate() {
    for (bitrate, said) in [
        (0, 0),
        (1, 1),
        (0x3_ffff, 0x3_ffff),
        (0x4_0001, 0x4_0000),
        (20_000_000, 20_000_000),
        (u64::MAX, 0x3_ffff << 46),
    ] {
        let mut remb = Remb::new(bitrate);
        let mut bytes = Vec::new();
        assert!(remb.poll(0, 1, &[5, 6], &mut bytes));
        assert!(!remb.poll(999_999_999, 1, &[5, 6], &mut Vec::new()));
        assert_eq!(remb.poll_timeout(), 1_000_000_000);
        let Rtcp::Remb {
            sender,
            bitrate: found,
            ssrcs,
        } = one(&bytes)
        else {
            panic!("{bytes:x?}");
        };
        assert_eq!((sender, found, ssrcs.as_slice()), (1, said, &[5, 6][..]));
        let other::Rtcp::Remb(theirs) = theirs(&bytes) else {
            panic!("{bytes:x?}");
        };
        // Theirs is a floating point number, which nothing and such exponents are not read as.
        if (1..1 << 40).contains(&said) {
            assert!((f64::from(theirs.bitrate) - said as f64).abs() <= said as f64 * 1e-6);
        }
        assert_eq!(theirs.ssrcs, [5, 6]);
    }
    // An exponent that no number of 64 bits has; a list that is not there.
    let mut bytes = Vec::new();
    Remb::new(1).poll(0, 1, &[5], &mut bytes);
    bytes[17] = 63 << 2 | 1;
    assert!(matches!(one(&bytes), Rtcp::Remb { .. }));
    bytes[16] = 2;
    assert_eq!(parse_compound(&bytes).count(), 0);
}

#[test]
fn padding_is_no_entry() {
    let mut bytes = written(|out| append::full_intra(out, 1, 2, 3));
    bytes[0] |= 0x20;
    bytes[3] += 2;
    bytes.extend([0, 0, 0, 9, 4, 0, 0, 8]);
    let Rtcp::FullIntra { entries, .. } = one(&bytes) else {
        panic!();
    };
    assert_eq!(entries.as_slice(), [(2, 3)]);
    for padding in [0, 255] {
        *bytes.last_mut().unwrap() = padding;
        assert_eq!(parse_compound(&bytes).count(), 0, "padding of {padding}");
    }
}

#[test]
fn unknown_packets_are_passed_over_and_broken_frames_end_it() {
    let app = [0x80, 204, 0, 2, 0, 0, 0, 1, b'n', b'a', b'm', b'e'];
    let strange = [0x80, 211, 0, 0];
    let mut bytes = [&app[..], &strange].concat();
    append::picture_loss(&mut bytes, 1, 2);
    assert_eq!(parse_compound(&bytes).count(), 1);
    let last = bytes.len();
    append::picture_loss(&mut bytes, 3, 4);
    assert_eq!(parse_compound(&bytes).count(), 2);
    for cut in last..bytes.len() {
        assert_eq!(parse_compound(&bytes[..cut]).count(), 1);
    }
    bytes[last] = 0x41;
    assert_eq!(parse_compound(&bytes).count(), 1);
}

fn packets() -> impl Strategy<Value = Vec<u8>> {
    // A header that fits its body, so that most get past the frame.
    let typed = (
        prop::sample::select(&[200_u8, 201, 202, 203, 204, 205, 206, 207, 208][..]),
        0_u8..64,
        prop::collection::vec(any::<u8>(), 0..30),
    );
    prop::collection::vec(typed, 0..5).prop_map(|packets| {
        let mut bytes = Vec::new();
        for (kind, count, words) in packets {
            bytes.extend([0x80 | count, kind, 0, words.len() as u8]);
            bytes.extend(
                words
                    .iter()
                    .flat_map(|word| [*word, word ^ 0xff, 0, *word & 7]),
            );
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3000) })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(parse_compound(&bytes).count() <= bytes.len() / 4);
    }

    #[test]
    fn any_packets(mut bytes in packets(), cut in any::<prop::sample::Index>(), flip in any::<(prop::sample::Index, u8)>()) {
        prop_assert!(parse_compound(&bytes).count() <= bytes.len() / 4);
        if !bytes.is_empty() {
            let (at, bits) = flip;
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
            prop_assert!(parse_compound(&bytes[..cut.index(bytes.len())]).count() <= bytes.len() / 4);
            prop_assert!(parse_compound(&bytes).count() <= bytes.len() / 4);
        }
    }
}
