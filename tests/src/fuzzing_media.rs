//! What the fuzz targets of RTP headers and of RTCP run, and the tests on their committed corpora: any bytes read and
//! written, with what must hold.
//!
//! Depends on `forwarder` alone, since the fuzz targets are built by a compiler and with flags of their own.

use forwarder::{
    feedback::{Rtcp, append, parse_compound},
    media::{
        Codec, Extension, ExtensionIds, Kind, Parsed, Primary, Profile, Stamp, Template,
        is_keyframe_start, parse,
    },
};

/// A target.
pub type Target = fn(&[u8]);

/// All targets, by the names of their corpora.
pub const TARGETS: [(&str, Target); 2] = [("header", header), ("rtcp", rtcp)];

/// What a leg's headers are stamped with.
const STAMP: Stamp<'_> = Stamp {
    ssrc: 0x1122_3344,
    payload_type: 111,
    sequence: 0xfffe,
    timestamp: 0x5566_7788,
    abs_send_time: 0x0001_0203,
    transport_sequence: 0x0405,
    mid: b"mid",
};

/// The identifiers of the publisher and those of the leg: all extensions, in another order. The first byte of the input
/// chooses how long identifiers are.
fn negotiated(long: bool, reversed: bool) -> ExtensionIds {
    let all: Vec<_> = Extension::all().collect();
    let first = if long { 16 } else { 1 };
    let mut ids = ExtensionIds::new();
    for (at, extension) in (first..).zip(&all) {
        let id = if reversed { 2 * first + 13 - at } else { at };
        ids.insert(id, *extension).expect("all are different");
    }
    ids
}

/// A byte that chooses, and an RTP packet: read, written for a leg and read again.
pub fn header(data: &[u8]) {
    let Some((choice, packet)) = data.split_first() else {
        return;
    };
    let came = negotiated(choice & 1 != 0, false);
    let Some(mut parsed) = parse(packet, &came) else {
        return;
    };
    assert!(parsed.header_len <= packet.len());
    assert_eq!(parse(&packet[..parsed.header_len - 1], &came), None);
    for (extension, place) in &parsed.elements {
        assert!(usize::from(place.end) <= parsed.header_len);
        let data = parsed.element(*extension, packet).expect("it is there");
        assert_eq!(data.len(), place.len());
    }
    if parsed.unpad(packet).is_some() {
        let end = parsed.payload.end + usize::from(parsed.padding);
        assert_eq!(
            (parsed.payload.start, end),
            (parsed.header_len, packet.len())
        );
        if let Some(primary) = Primary::find(&packet[parsed.payload.clone()]) {
            assert!(primary.start <= parsed.payload.len() && primary.payload_type < 128);
        }
        for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1, Codec::Opus] {
            let _ = is_keyframe_start(codec, &packet[parsed.payload.clone()]);
        }
    }
    let profile = Profile {
        ids: negotiated(choice & 2 != 0, true),
        mid: Some(STAMP.mid.iter().copied().collect()),
        kind: if choice & 4 == 0 {
            Kind::Audio
        } else {
            Kind::Video
        },
    };
    write(&parsed, packet, &profile);
}

/// What is written for a leg is what was read, but for what is stamped, set and removed.
fn write(parsed: &Parsed, packet: &[u8], profile: &Profile) {
    let template = Template::build(parsed, packet, profile);
    let mut out = [0xee; 300];
    let len = template.write(&mut out, &STAMP).expect("there is room");
    assert_eq!(len, template.len());
    assert!(out[len..].iter().all(|byte| *byte == 0xee));
    let out = &out[..len];
    let again = parse(out, &profile.ids).expect("it was written");
    assert_eq!((again.header_len, again.marker), (len, parsed.marker));
    assert_eq!(
        (again.payload_type, again.ssrc),
        (STAMP.payload_type, STAMP.ssrc)
    );
    assert_eq!(
        (again.sequence, again.timestamp),
        (STAMP.sequence, STAMP.timestamp)
    );
    assert_eq!(again.element(Extension::Mid, out), Some(STAMP.mid));
    assert_eq!(
        again.element(Extension::AbsSendTime, out),
        Some(&[1, 2, 3][..])
    );
    assert_eq!(
        again.transport_sequence(out),
        Some(STAMP.transport_sequence)
    );
    for (extension, _) in &again.elements {
        match extension {
            Extension::Mid | Extension::AbsSendTime | Extension::TransportCc => {}
            Extension::Rid | Extension::RepairedRid => panic!("{extension:?} went further"),
            _ => {
                assert!(extension.suits(profile.kind));
                let carried = again.element(*extension, out);
                assert_eq!(carried, parsed.element(*extension, packet));
            }
        }
    }
}

/// A compound RTCP packet: what is read, and can be written, is read again the same.
pub fn rtcp(data: &[u8]) {
    let packets: Vec<_> = parse_compound(data).collect();
    assert!(packets.len() <= data.len() / 4);
    for packet in packets {
        let mut out = Vec::new();
        match &packet {
            Rtcp::ReceiverReport { sender, blocks } => {
                append::receiver_report(&mut out, *sender, blocks);
            }
            Rtcp::SenderReport { info, blocks } if blocks.is_empty() => {
                append::sender_report(&mut out, info);
            }
            Rtcp::PictureLoss { sender, media } => append::picture_loss(&mut out, *sender, *media),
            Rtcp::Goodbye(ssrcs) if !ssrcs.is_empty() => append::goodbye(&mut out, ssrcs, ""),
            Rtcp::ExtendedReport {
                sender,
                reference: None,
                delays,
            } if !delays.is_empty() => {
                append::receiver_delays(&mut out, *sender, delays);
            }
            Rtcp::Nack {
                sender,
                media,
                sequences,
            } if !sequences.is_empty() => {
                append::nack(&mut out, *sender, *media, sequences);
                let Some(Rtcp::Nack {
                    sequences: again, ..
                }) = parse_compound(&out).next()
                else {
                    panic!("{out:x?}");
                };
                // In another order, and each once.
                assert!(again.iter().all(|sequence| sequences.contains(sequence)));
                assert!(sequences.iter().all(|sequence| again.contains(sequence)));
                continue;
            }
            _ => continue,
        }
        assert_eq!(parse_compound(&out).collect::<Vec<_>>(), [packet]);
    }
}
