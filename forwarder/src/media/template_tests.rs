//! Headers written: all extensions, both forms, against a reader of the tests' own.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    Extension, ExtensionIds, Kind, Profile, Stamp, Template, abs_send_time, parse,
    samples::{ONE_BYTE, Packet, TWO_BYTE, ids, kinds, packets, plain},
};

/// A written header, read byte by byte: its elements by identifier, and their form.
fn read_header(bytes: &[u8]) -> (Option<u16>, BTreeMap<u8, Vec<u8>>) {
    let mut elements = BTreeMap::new();
    if bytes[0] & 0x10 == 0 {
        assert_eq!(bytes.len(), 12);
        return (None, elements);
    }
    let profile = u16::from_be_bytes([bytes[12], bytes[13]]);
    let words = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    assert_eq!(bytes.len(), 16 + 4 * words);
    let mut rest = &bytes[16..];
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == 0 {
            continue;
        }
        let (id, len) = match profile {
            0xbede => (first >> 4, usize::from(first & 15) + 1),
            0x1000 => {
                rest = &tail[1..];
                (*first, usize::from(tail[0]))
            }
            other => panic!("profile {other:x}"),
        };
        assert!(elements.insert(id, rest[..len].to_vec()).is_none());
        rest = &rest[len..];
    }
    (Some(profile), elements)
}

fn profile(ids: ExtensionIds, mid: &str, kind: Kind) -> Profile {
    Profile {
        ids,
        mid: Some(mid.bytes().collect()),
        kind,
    }
}

fn stamp(mid: &[u8]) -> Stamp<'_> {
    Stamp {
        ssrc: 0xaabb_ccdd,
        payload_type: 111,
        sequence: 0xfffe,
        timestamp: 0x0102_0304,
        abs_send_time: 0x00fe_dcba,
        transport_sequence: 0x1234,
        mid,
    }
}

fn write(packet: &Packet, from: &ExtensionIds, to: &Profile) -> Vec<u8> {
    let bytes = packet.bytes();
    let parsed = parse(&bytes, from).unwrap();
    let template = Template::build(&parsed, &bytes, to);
    let mut out = vec![0xee; 300];
    let len = template.write(&mut out, &stamp(to.mid())).unwrap();
    assert_eq!(len, template.len());
    assert!(out[len..].iter().all(|byte| *byte == 0xee));
    out.truncate(len);
    out
}

#[test]
fn nothing_negotiated_is_a_bare_header() {
    let packet = Packet {
        sources: vec![7, 8],
        extension: Some((ONE_BYTE, vec![(1, vec![0x80])])),
        ..plain()
    };
    let out = write(
        &packet,
        &ids(&[(1, Extension::AudioLevel)]),
        &profile(ids(&[]), "0", Kind::Audio),
    );
    assert_eq!(
        out,
        [0x80, 0xef, 0xff, 0xfe, 1, 2, 3, 4, 0xaa, 0xbb, 0xcc, 0xdd]
    );
}

#[test]
fn each_extension_has_its_rule() {
    // Every extension comes in, under ids that the leg uses for others.
    let all: Vec<_> = Extension::all().collect();
    let incoming: Vec<_> = (1..).zip(all.iter().copied()).collect();
    let outgoing: Vec<_> = (1..).zip(all.iter().rev().copied()).collect();
    let elements: Vec<_> = incoming.iter().map(|&(id, _)| (id, vec![id; 3])).collect();
    let packet = Packet {
        extension: Some((ONE_BYTE, elements)),
        ..plain()
    };
    for (kind, absent) in [
        (
            Kind::Audio,
            &[
                Extension::VideoOrientation,
                Extension::PlayoutDelay,
                Extension::DependencyDescriptor,
                Extension::VideoLayersAllocation,
                Extension::VideoContentType,
                Extension::VideoTiming,
            ][..],
        ),
        (Kind::Video, &[Extension::AudioLevel][..]),
    ] {
        let out = write(
            &packet,
            &ids(&incoming),
            &profile(ids(&outgoing), "v1", kind),
        );
        let (form, found) = read_header(&out);
        assert_eq!(form, Some(ONE_BYTE));
        for &(id, extension) in &outgoing {
            let came_as = incoming.iter().find(|(_, came)| *came == extension);
            let expected = match extension {
                Extension::Mid => Some(b"v1".to_vec()),
                Extension::Rid | Extension::RepairedRid => None,
                Extension::AbsSendTime => Some(vec![0xfe, 0xdc, 0xba]),
                Extension::TransportCc => Some(vec![0x12, 0x34]),
                _ if absent.contains(&extension) => None,
                _ => Some(vec![came_as.unwrap().0; 3]),
            };
            assert_eq!(
                found.get(&id),
                expected.as_ref(),
                "{extension:?} on {kind:?}"
            );
        }
    }
}

#[test]
fn stamped_extensions_need_not_come_in() {
    let leg = profile(
        ids(&[
            (3, Extension::Mid),
            (4, Extension::AbsSendTime),
            (5, Extension::TransportCc),
        ]),
        "audio",
        Kind::Audio,
    );
    let (form, found) = read_header(&write(&plain(), &ids(&[]), &leg));
    assert_eq!(form, Some(ONE_BYTE));
    assert_eq!(found[&3], b"audio");
    assert_eq!(found[&4], [0xfe, 0xdc, 0xba]);
    assert_eq!(found[&5], [0x12, 0x34]);
}

#[test]
fn two_byte_form_where_one_byte_does_not_do() {
    let came = ids(&[
        (9, Extension::DependencyDescriptor),
        (20, Extension::AbsCaptureTime),
    ]);
    let out_ids = |id| ids(&[(id, Extension::DependencyDescriptor)]);
    for (data, id, form) in [
        (vec![1; 16], 14, ONE_BYTE),
        (vec![1; 17], 14, 0x1000),
        (vec![1; 16], 16, 0x1000),
        (vec![], 3, 0x1000),
    ] {
        let packet = Packet {
            extension: Some((TWO_BYTE, vec![(9, data.clone())])),
            ..plain()
        };
        let out = write(&packet, &came, &profile(out_ids(id), "0", Kind::Video));
        let (found, elements) = read_header(&out);
        assert_eq!(found, Some(form), "{} bytes as {id}", data.len());
        assert_eq!(elements[&id], data);
    }
}

/// Stamped elements always have room; of the others, those that fit.
#[test]
fn what_has_no_room_is_left_out() {
    let came = ids(&[
        (1, Extension::DependencyDescriptor),
        (2, Extension::VideoLayersAllocation),
        (3, Extension::VideoTiming),
    ]);
    let leg = ids(&[
        (1, Extension::DependencyDescriptor),
        (2, Extension::VideoLayersAllocation),
        (3, Extension::VideoTiming),
        (4, Extension::Mid),
        (5, Extension::AbsSendTime),
        (6, Extension::TransportCc),
    ]);
    let packet = Packet {
        extension: Some((
            TWO_BYTE,
            vec![(1, vec![1; 150]), (2, vec![2; 150]), (3, vec![3; 13])],
        )),
        ..plain()
    };
    let leg = profile(leg, "0123456789abcdef", Kind::Video);
    let out = write(&packet, &came, &leg);
    assert!(out.len() <= super::template::MAX_LEN);
    let (_, found) = read_header(&out);
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [1, 3, 4, 5, 6]);
}

#[test]
fn a_template_is_shared_where_only_the_letters_differ() {
    let some = ids(&[(3, Extension::Mid), (4, Extension::TransportCc)]);
    let leg = profile(some.clone(), "1", Kind::Video);
    let other = profile(some.clone(), "2", Kind::Video);
    let longer = profile(some.clone(), "10", Kind::Video);
    assert!(leg.shares_template(&other) && !leg.shares_template(&longer));
    assert!(!leg.shares_template(&profile(some, "1", Kind::Audio)));
    let bytes = plain().bytes();
    let template = Template::build(&parse(&bytes, &ids(&[])).unwrap(), &bytes, &leg);
    let mut out = [0; 300];
    let len = template.write(&mut out, &stamp(other.mid())).unwrap();
    assert_eq!(read_header(&out[..len]).1[&3], b"2");
    assert_eq!(template.write(&mut out, &stamp(longer.mid())), None);
    assert_eq!(template.write(&mut out[..len - 1], &stamp(b"1")), None);
}

#[test]
fn a_mid_that_was_not_negotiated_is_not_written() {
    let leg = profile(ids(&[]), "1", Kind::Video);
    assert_eq!(leg.mid(), b"");
    assert_eq!(write(&plain(), &ids(&[]), &leg).len(), 12);
}

#[test]
fn send_times_count_and_come_round() {
    const SECOND: u64 = 1_000_000_000;
    assert_eq!(abs_send_time(0), 0);
    assert_eq!(abs_send_time(SECOND), 1 << 18);
    assert_eq!(abs_send_time(SECOND / 2), 1 << 17);
    assert_eq!(abs_send_time(64 * SECOND - 1), 0x00ff_ffff);
    assert_eq!(abs_send_time(64 * SECOND), 0);
    assert_eq!(abs_send_time(u64::MAX) >> 24, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    /// What is read of any packet is what it was made of, and what is written is what the rules say.
    #[test]
    fn any_packet_for_any_leg(packet in packets(), came in kinds(), leg in kinds(), mid in "[a-z0-9]{1,16}", audio: bool) {
        let bytes = packet.bytes();
        let mut parsed = parse(&bytes, &came).unwrap();
        parsed.unpad(&bytes).unwrap();
        prop_assert_eq!(&bytes[parsed.payload.clone()], &packet.payload[..]);
        prop_assert_eq!(parsed.padding, packet.padding);
        prop_assert_eq!(
            (parsed.marker, parsed.payload_type, parsed.sequence, parsed.timestamp, parsed.ssrc),
            (packet.marker, packet.payload_type, packet.sequence, packet.timestamp, packet.ssrc)
        );
        // The first of each identifier counts.
        let mut first = BTreeMap::new();
        for (id, data) in packet.extension.iter().flat_map(|(_, elements)| elements) {
            first.entry(*id).or_insert_with(|| data.clone());
        }
        for (id, extension) in came.iter() {
            prop_assert_eq!(parsed.element(extension, &bytes), first.get(&id).map(Vec::as_slice));
        }

        let kind = if audio { Kind::Audio } else { Kind::Video };
        let leg = profile(leg, &mid, kind);
        let template = Template::build(&parsed, &bytes, &leg);
        let mut out = [0; 300];
        let len = template.write(&mut out, &stamp(leg.mid())).unwrap();
        let out = &out[..len];
        prop_assert_eq!(out[0] & 0x2f, 0, "padding or sources");
        prop_assert_eq!(out[1], u8::from(packet.marker) << 7 | 111);
        let (form, found) = read_header(out);
        let mut expected = BTreeMap::new();
        let mut size = 0;
        for (id, extension) in leg.ids.iter() {
            let data = match extension {
                Extension::Mid => Some(mid.clone().into_bytes()),
                Extension::Rid | Extension::RepairedRid => None,
                Extension::AbsSendTime => Some(vec![0xfe, 0xdc, 0xba]),
                Extension::TransportCc => Some(vec![0x12, 0x34]),
                _ if !extension.suits(kind) => None,
                _ => came.id(extension).and_then(|id| first.get(&id).cloned()),
            };
            if let Some(data) = data {
                size += 2 + data.len();
                expected.insert(id, data);
            }
        }
        if size <= 252 {
            prop_assert_eq!(&found, &expected);
            let short = |(id, data): (&u8, &Vec<u8>)| *id < 15 && (1..17).contains(&data.len());
            let one_byte = expected.iter().all(short);
            let wanted = if one_byte { ONE_BYTE } else { 0x1000 };
            prop_assert_eq!(form, (!expected.is_empty()).then_some(wanted));
        } else {
            prop_assert!(found.iter().all(|(id, data)| expected.get(id) == Some(data)));
        }
    }
}
