//! Seeds of the targets `header` and `rtcp`.

use forwarder::feedback::{
    Remb, ReportBlock, SenderInfo, TransportCc, append, bye::goodbye_compound, rtcp::ReceiverDelay,
};
use forwarder_tests::cases::rtp;

/// Packets with each form of extension block, of short and of long identifiers, with sources, padding and all.
pub fn headers() -> Vec<(String, Vec<u8>)> {
    let one_byte: &[u8] = &[
        0xbe, 0xde, 0, 5, 0x12, b'm', b'i', b'd', 0x20, b'h', 0x42, 1, 2, 3, 0x51, 4, 5, 0x60,
        0x80, 0x70, 1, 0x82, 9, 9,
    ];
    let two_byte: &[u8] = &[
        0x10, 0, 0, 4, 16, 1, b'0', 20, 2, 0, 7, 0, 25, 0, 26, 4, 1, 2, 3, 4,
    ];
    let stopped: &[u8] = &[0xbe, 0xde, 0, 2, 0x60, 0x80, 0xf3, 0x60, 0x81, 0, 0, 0];
    let other: &[u8] = &[0xab, 0xac, 0, 1, 0x10, 1, 2, 3];
    let mut seeds = Vec::new();
    for (name, block) in [
        ("bare", &[][..]),
        ("one-byte", one_byte),
        ("two-byte", two_byte),
        ("stopped", stopped),
        ("other", other),
    ] {
        for choice in 0..8_u8 {
            let mut packet = rtp(7, 0xffff, 96, 12 + 20);
            packet.splice(12..12, block.iter().copied());
            packet[0] |= u8::from(!block.is_empty()) << 4;
            if choice & 4 != 0 {
                packet.splice(12..12, [1, 2, 3, 4, 5, 6, 7, 8]);
                packet[0] |= 0x22;
                *packet.last_mut().unwrap() = 5;
            }
            packet.insert(0, choice);
            seeds.push((format!("{name}-{choice}"), packet));
        }
    }
    seeds
}

/// One of each packet that is known, alone, and all of them in one datagram.
pub fn reports() -> Vec<(String, Vec<u8>)> {
    let info = SenderInfo {
        ssrc: 1,
        ntp: 0x0102_0304_0506_0708,
        rtp: 9,
        packets: 10,
        octets: 11,
    };
    let block = ReportBlock {
        ssrc: 2,
        fraction_lost: 3,
        cumulative_lost: -4,
        ..ReportBlock::default()
    };
    let delay = ReceiverDelay {
        ssrc: 3,
        last_reference: 4,
        delay: 5,
    };
    let mut feedback = TransportCc::new(1);
    for (sequence, at) in [
        (65_534, 0),
        (1, 90_000_000),
        (0, 91_000_000),
        (9, 92_000_000),
    ] {
        feedback.arrived(2, sequence, at);
    }
    let of = |write: &mut dyn FnMut(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        write(&mut bytes);
        bytes
    };
    let mut seeds = [
        (
            "sender-report",
            of(&mut |out| append::sender_report(out, &info)),
        ),
        (
            "receiver-report",
            of(&mut |out| append::receiver_report(out, 1, &[block, block])),
        ),
        (
            "description",
            of(&mut |out| append::source_description(out, &[1, 2], "cname")),
        ),
        (
            "goodbye",
            of(&mut |out| goodbye_compound(out, &[1, 2], "cname", "gone")),
        ),
        (
            "picture-loss",
            of(&mut |out| append::picture_loss(out, 1, 2)),
        ),
        (
            "full-intra",
            of(&mut |out| append::full_intra(out, 1, 2, 3)),
        ),
        (
            "nack",
            of(&mut |out| append::nack(out, 1, 2, &[65_535, 0, 40])),
        ),
        (
            "delays",
            of(&mut |out| append::receiver_delays(out, 1, &[delay, delay])),
        ),
        (
            "reference",
            vec![
                0x80, 207, 0, 4, 0, 0, 0, 1, 4, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8,
            ],
        ),
        (
            "remb",
            of(&mut |out| assert!(Remb::new(1 << 20).poll(0, 1, &[2, 3], out))),
        ),
        (
            "transport-cc",
            of(&mut |out| assert!(feedback.poll(1 << 40, out))),
        ),
        (
            "padded",
            vec![0xa1, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4],
        ),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .to_vec();
    let all = seeds.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    seeds.push(("all".to_owned(), all));
    seeds
}

/// Each seed has what its name says, or else it would lead nowhere.
#[test]
fn seeds_of_rtcp_are_read() {
    for (name, bytes) in reports() {
        let found = forwarder::feedback::parse_compound(&bytes).count();
        let expected = match name.as_str() {
            "goodbye" => 3,
            "all" => 14,
            _ => 1,
        };
        assert_eq!(found, expected, "{name}");
    }
}
