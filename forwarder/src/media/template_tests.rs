//! Headers read and written: all extensions, both forms, against a reader of the tests' own.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    Extension, ExtensionIds, IdError, Kind, Profile, Stamp, Template, abs_send_time, parse,
};

const ONE_BYTE: u16 = 0xbede;
const TWO_BYTE: u16 = 0x1005;

/// A packet as its parts.
#[derive(Clone, Debug)]
struct Packet {
    marker: bool,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    sources: Vec<u32>,
    /// The extension's profile and elements.
    extension: Option<(u16, Vec<(u8, Vec<u8>)>)>,
    payload: Vec<u8>,
    padding: u8,
}

impl Packet {
    fn bytes(&self) -> Vec<u8> {
        let padded = u8::from(self.padding != 0) << 5;
        let extended = u8::from(self.extension.is_some()) << 4;
        let mut bytes = vec![
            0x80 | padded | extended | self.sources.len() as u8,
            u8::from(self.marker) << 7 | self.payload_type,
        ];
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(self.ssrc.to_be_bytes());
        for source in &self.sources {
            bytes.extend(source.to_be_bytes());
        }
        if let Some((profile, elements)) = &self.extension {
            let mut block = Vec::new();
            for (id, data) in elements {
                match *profile {
                    ONE_BYTE => block.push(id << 4 | (data.len() - 1) as u8),
                    _ => block.extend([*id, data.len() as u8]),
                }
                block.extend(data);
            }
            block.resize(block.len().next_multiple_of(4), 0);
            bytes.extend(profile.to_be_bytes());
            bytes.extend(((block.len() / 4) as u16).to_be_bytes());
            bytes.extend(block);
        }
        bytes.extend(&self.payload);
        if self.padding != 0 {
            bytes.resize(bytes.len() + usize::from(self.padding) - 1, 0);
            bytes.push(self.padding);
        }
        bytes
    }
}

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

fn ids(pairs: &[(u8, Extension)]) -> ExtensionIds {
    let mut ids = ExtensionIds::new();
    for &(id, extension) in pairs {
        ids.insert(id, extension).unwrap();
    }
    ids
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

fn plain() -> Packet {
    Packet {
        marker: true,
        payload_type: 96,
        sequence: 9,
        timestamp: 10,
        ssrc: 11,
        sources: Vec::new(),
        extension: None,
        payload: vec![1, 2, 3],
        padding: 0,
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
fn padding_is_cut_or_refused() {
    let none = ids(&[]);
    let padded = |padding| Packet { padding, ..plain() }.bytes();
    for padding in [1, 4, 255] {
        let bytes = padded(padding);
        let mut parsed = parse(&bytes, &none).unwrap();
        parsed.unpad(&bytes).unwrap();
        assert_eq!((parsed.payload, parsed.padding), (12..15, padding));
    }
    // All of it padding; none although announced; more than there is; nothing there.
    let mut bytes = padded(1);
    for (last, padding) in [(4, Some(4)), (0, None), (5, None)] {
        *bytes.last_mut().unwrap() = last;
        let mut parsed = parse(&bytes, &none).unwrap();
        assert_eq!(parsed.unpad(&bytes).map(|()| parsed.padding), padding);
    }
    let mut parsed = parse(&bytes, &none).unwrap();
    assert_eq!(parsed.unpad(&bytes[..12]), None);
    assert_eq!(parsed.unpad(&bytes[..3]), None);
}

#[test]
fn identifiers_are_taken_once() {
    let mut ids = ExtensionIds::new();
    ids.insert(3, Extension::Mid).unwrap();
    ids.insert(3, Extension::Mid).unwrap();
    let refused = [
        (0, Extension::Rid, IdError::Reserved(0)),
        (15, Extension::Rid, IdError::Reserved(15)),
        (3, Extension::Rid, IdError::IdTaken(3, Extension::Mid)),
        (
            4,
            Extension::Mid,
            IdError::ExtensionTaken(Extension::Mid, 3),
        ),
    ];
    for (id, extension, error) in refused {
        assert_eq!(ids.insert(id, extension), Err(error), "{error}");
    }
    assert_eq!(ids.iter().collect::<Vec<_>>(), [(3, Extension::Mid)]);
    assert_eq!(ids.id(Extension::Rid), None);
    ids.insert(255, Extension::Rid).unwrap();
    assert_eq!(ids.extension(255), Some(Extension::Rid));
    for extension in Extension::all() {
        assert_eq!(Extension::from_uri(extension.uri()), Some(extension));
    }
    assert_eq!(Extension::from_uri("urn:nothing"), None);
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

fn kinds() -> impl Strategy<Value = ExtensionIds> {
    let all: Vec<_> = Extension::all().collect();
    (
        Just(all).prop_shuffle(),
        0..15_usize,
        prop::collection::btree_set(1_u8..40, 15),
    )
        .prop_map(|(extensions, count, numbers)| {
            let numbers = numbers.into_iter().filter(|id| *id != 15);
            let pairs: Vec<_> = numbers.zip(extensions).take(count).collect();
            ids(&pairs)
        })
}

fn packets() -> impl Strategy<Value = Packet> {
    let short = prop::collection::vec((1_u8..15, prop::collection::vec(any::<u8>(), 1..17)), 0..12)
        .prop_map(|elements| (ONE_BYTE, elements));
    let long = prop::collection::vec((1_u8..40, prop::collection::vec(any::<u8>(), 0..40)), 0..12)
        .prop_map(|elements| (TWO_BYTE, elements));
    (
        (
            any::<bool>(),
            0_u8..128,
            any::<u16>(),
            any::<u32>(),
            any::<u32>(),
        ),
        prop::collection::vec(any::<u32>(), 0..16),
        prop::option::of(prop_oneof![short, long]),
        prop::collection::vec(any::<u8>(), 0..20),
        any::<u8>(),
    )
        .prop_map(|(fixed, sources, extension, payload, padding)| {
            let (marker, payload_type, sequence, timestamp, ssrc) = fixed;
            Packet {
                marker,
                payload_type,
                sequence,
                timestamp,
                ssrc,
                sources,
                extension,
                payload,
                padding,
            }
        })
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

    /// Any bytes are read or refused; cut anywhere in the header they are refused.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..120), packet in packets(), came in kinds()) {
        if let Some(mut parsed) = parse(&bytes, &came) {
            prop_assert!(parsed.header_len <= bytes.len());
            for (extension, place) in &parsed.elements {
                let data = parsed.element(*extension, &bytes).unwrap();
                prop_assert_eq!(data.len(), place.len());
            }
            let _ = parsed.unpad(&bytes);
            prop_assert!(parsed.payload.end + usize::from(parsed.padding) <= bytes.len());
        }
        let whole = packet.bytes();
        let header_len = parse(&whole, &came).unwrap().header_len;
        for len in 0..header_len {
            prop_assert_eq!(parse(&whole[..len], &came), None);
        }
    }
}
