//! What a clear subscription changes in RTP: SSRC, payload type, sequence number and timestamp, right across every wrap.

use forwarder_tests::model::Mode;
use forwarder_tests::rtp::{Rewrite, Stream};
use forwarder_tests::{Family, Receivers};

use crate::room::{Path, RECEIVER, Room, assert_exactly, send_in_bursts};

scenarios!(
    kernel: wraps, other_payload_types_stay;
    socket: wraps, other_payload_types_stay
);

/// Offsets at which a carry, a sign or an end-around bit would go wrong.
const OFFSETS: [(u16, u32); 6] = [
    (0, 0),
    (1, 1),
    (u16::MAX, u32::MAX),
    (0x8000, 0x8000_0000),
    (36, 30_001),
    (0x00ff, 0xffff_0000),
];

/// More packets than there are sequence numbers, with timestamps that wrap every few hundred packets, a header extension and
/// markers.
fn wraps(path: Path) {
    let room = Room::new(path);
    let stream = Stream {
        extension_words: 3,
        timestamp_step: 0x00c0_ffee,
        ..Stream::new(1, 0x1111).with_payload(64)
    };
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    let rewrite = |n: usize| Rewrite {
        ssrc: Some(0x9000 + n as u32),
        payload_type: Some(111),
        sequence_offset: OFFSETS[n].0,
        timestamp_offset: OFFSETS[n].1,
    };
    room.fill(
        &receivers,
        &source,
        stream,
        0..OFFSETS.len(),
        |_| Family::V4,
        rewrite,
    );
    send_in_bursts(
        &source.publisher,
        &stream,
        0..66_048,
        &[&receivers],
        OFFSETS.len() as u64,
    );
    assert_exactly(receivers, 0..66_048);
    room.close();
}

/// Only the publication's payload type is mapped: redundancy or comfort noise under the same SSRC keeps its own.
fn other_payload_types_stay(path: Path) {
    let room = Room::new(path);
    let video = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Clear, &[video]);
    let rewrite = Rewrite {
        payload_type: Some(120),
        sequence_offset: 9,
        ..Rewrite::default()
    };
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    room.fill(
        &receivers,
        &source,
        video,
        0..2,
        |_| Family::V4,
        |_| rewrite,
    );
    send_in_bursts(&source.publisher, &video, 0..64, &[&receivers], 2);

    let redundancy = Stream {
        payload_type: 63,
        ..video
    };
    for n in 0..2 {
        receivers.expect(
            n,
            redundancy.rewritten(Rewrite {
                payload_type: None,
                ..rewrite
            }),
        );
    }
    send_in_bursts(&source.publisher, &redundancy, 64..128, &[&receivers], 2);
    assert_exactly(receivers, 0..128);
    room.close();
}
