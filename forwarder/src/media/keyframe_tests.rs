//! Keyframe starts in packets of real encoders, and in the forms that those do not use.

use proptest::prelude::*;

use super::{Codec, is_keyframe_start};

const FIXTURES: [(Codec, &str); 4] = [
    (Codec::Vp8, include_str!("fixtures/vp8.txt")),
    (Codec::Vp9, include_str!("fixtures/vp9.txt")),
    (Codec::H264, include_str!("fixtures/h264.txt")),
    (Codec::Av1, include_str!("fixtures/av1.txt")),
];

const CODECS: [Codec; 7] = [
    Codec::Opus,
    Codec::Vp8,
    Codec::Vp9,
    Codec::H264,
    Codec::Av1,
    Codec::Rtx,
    Codec::Other,
];

struct Sample {
    frame: u32,
    key: bool,
    payload: Vec<u8>,
}

fn samples(text: &str) -> Vec<Sample> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split_whitespace();
            let frame = words.next().unwrap().parse().unwrap();
            let key = words.next().unwrap() == "K";
            let hex = words.next().unwrap().as_bytes().chunks(2);
            let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            Sample {
                frame,
                key,
                payload: hex.map(byte).collect(),
            }
        })
        .collect()
}

/// The first packet of a keyframe is its start; no packet of another frame is. Nothing after the first packet is,
/// except the slice that comes after H.264's parameter sets.
#[test]
fn starts_of_encoded_keyframes() {
    for (codec, text) in FIXTURES {
        let (mut last, mut keys, mut others) = (u32::MAX, 0, 0);
        for Sample {
            frame,
            key,
            payload,
        } in samples(text)
        {
            let starts = is_keyframe_start(codec, &payload);
            let first = frame != last;
            if first {
                assert_eq!(starts, key, "{codec:?}, frame {frame}");
            }
            if codec != Codec::H264 || !key {
                assert_eq!(starts, key && first, "{codec:?}, frame {frame}");
            }
            last = frame;
            (keys, others) = (keys + u32::from(starts), others + u32::from(!starts));
        }
        assert!(keys >= 2 && others >= 5, "{codec:?}: {keys}, {others}");
    }
}

/// An AV1 sender that leaves the bit for a new sequence clear still shows its sequence headers.
#[test]
fn av1_sequence_header_without_the_bit() {
    for mut sample in samples(include_str!("fixtures/av1.txt")) {
        let starts = is_keyframe_start(Codec::Av1, &sample.payload);
        sample.payload[0] &= !0x08;
        assert_eq!(is_keyframe_start(Codec::Av1, &sample.payload), starts);
    }
}

#[test]
fn forms_by_hand() {
    let cases: [(Codec, &[u8], bool); 31] = [
        (Codec::Vp8, &[0x10, 0x00], true),
        (Codec::Vp8, &[0x10, 0x01], false),
        (Codec::Vp8, &[0x00, 0x00], false),
        (Codec::Vp8, &[0x11, 0x00], false),
        // All optional fields; picture ids of 7 and of 15 bits.
        (Codec::Vp8, &[0x90, 0xf0, 0x7f, 1, 1, 0x00], true),
        (Codec::Vp8, &[0x90, 0xf0, 0xff, 1, 1, 1, 0x00], true),
        (Codec::Vp8, &[0x90, 0xf0, 0xff, 0, 0, 0, 0x01], false),
        (Codec::Vp8, &[0x90, 0xf0, 0xff, 0, 0, 0], false),
        (Codec::Vp8, &[0xb0, 0x20, 0x00, 0x00], true),
        (Codec::Vp9, &[0x08], true),
        (Codec::Vp9, &[0x48], false),
        (Codec::Vp9, &[0x00], false),
        (Codec::Vp9, &[0xa8, 0x7f, 0x01, 0], true),
        (Codec::Vp9, &[0xa8, 0xff, 0xff, 0x01, 0], true),
        // The second spatial layer of the same picture.
        (Codec::Vp9, &[0xa8, 0xff, 0xff, 0x02, 0], false),
        (Codec::Vp9, &[0xa8, 0xff], false),
        (Codec::H264, &[0x65, 1], true),
        (Codec::H264, &[0x67, 1], true),
        (Codec::H264, &[0x68, 1], false),
        (Codec::H264, &[0x41, 1], false),
        (Codec::H264, &[0x7c, 0x85], true),
        (Codec::H264, &[0x7c, 0x05], false),
        (Codec::H264, &[0x7c, 0x81], false),
        (Codec::H264, &[0x78, 0, 1, 0x06, 0, 1, 0x67], true),
        (Codec::H264, &[0x78, 0, 1, 0x06, 0, 1, 0x41], false),
        (Codec::H264, &[0x78, 0, 9, 0x67], false),
        (Codec::H264, &[0x78, 0, 0, 0, 1, 0x65], true),
        // One element; more of them, with lengths of one byte and of two; the rest of an element.
        (Codec::Av1, &[0x10, 0x08], true),
        (Codec::Av1, &[0x20, 0x01, 0x08], true),
        (Codec::Av1, &[0x00, 0x81, 0x01, 0x08], true),
        (Codec::Av1, &[0x98, 0x08], false),
    ];
    for (codec, payload, starts) in cases {
        let found = is_keyframe_start(codec, payload);
        assert_eq!(found, starts, "{codec:?} {payload:02x?}");
    }
}

#[test]
fn names() {
    for (name, codec) in [
        ("opus", Codec::Opus),
        ("vp8", Codec::Vp8),
        ("VP9", Codec::Vp9),
        ("h264", Codec::H264),
        ("AV1", Codec::Av1),
        ("RTX", Codec::Rtx),
        ("PCMU", Codec::Other),
        ("", Codec::Other),
    ] {
        assert_eq!(Codec::from_name(name), codec);
    }
}

proptest! {
    #[test]
    fn any_payload_is_read(codec in prop::sample::select(&CODECS[..]), payload in prop::collection::vec(any::<u8>(), 0..40)) {
        let starts = is_keyframe_start(codec, &payload);
        prop_assert!(!starts || codec.has_keyframes());
        prop_assert!(!starts || !payload.is_empty());
    }
}
