//! The case table: one frame for everything that ingress tells apart, sent by one publisher to one media address per
//! family. Kernel parity runs it through both implementations, and the fuzz targets start from it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{
    frame::{Frame, Mac, Tag},
    plan::Family,
};

/// The MAC of the media interface.
pub const LOCAL_MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);
/// MAC of another interface of the node, which the address is not on.
pub const OTHER_OWN_MAC: Mac = Mac([2, 0, 0, 0, 0, 9]);
/// The publisher's MAC.
pub const REMOTE_MAC: Mac = Mac([2, 0, 0, 0, 0, 2]);

/// A stream with members of all shapes and modes, and some that must not be sent to.
pub const MIXED: u32 = 0x1111_1111;
/// A stream with more than one chunk.
pub const CHAIN: u32 = 0x2222_2222;
/// A stream without members.
pub const NOBODY: u32 = 0x3333_3333;
/// A stream that only the socket worker sends.
pub const SOCKET: u32 = 0x4444_4444;
/// A stream with legs of both kinds.
pub const BOTH: u32 = 0x5555_5555;
/// A stream with one member.
pub const SINGLE: u32 = 0x6666_6666;
/// A stream whose chunk names a device that is not there.
pub const NO_DEVICE: u32 = 0x7777_7777;
/// All streams above; the number of a stream's route is its place here, from 1.
pub const STREAMS: [u32; 7] = [MIXED, CHAIN, NOBODY, SOCKET, BOTH, SINGLE, NO_DEVICE];

/// One frame that arrives.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is about, with dashes: a file name too.
    pub name: String,
    /// Its bytes.
    pub frame: Vec<u8>,
}

/// The media address.
#[must_use]
pub fn local(family: Family) -> SocketAddr {
    match family {
        Family::V4 => (Ipv4Addr::new(10, 0, 0, 1), 5000).into(),
        Family::V6 => (Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1), 5000).into(),
    }
}

/// The publisher's address.
#[must_use]
pub fn remote(family: Family) -> SocketAddr {
    match family {
        Family::V4 => (Ipv4Addr::new(10, 0, 0, 2), 6000).into(),
        Family::V6 => (Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2), 6000).into(),
    }
}

/// The media port of sessions, at the media address. The publisher's address is a validated pair with it.
#[must_use]
pub fn sealed_local(family: Family) -> SocketAddr {
    let mut address = local(family);
    address.set_port(7700);
    address
}

/// A local username fragment of a session.
pub const UFRAG: [u8; 8] = *b"abcdEFGH";
/// A payload type that carries audio, in the session of the validated pair.
pub const AUDIO: u8 = 111;

/// A STUN binding request whose attributes are these: type and content.
#[must_use]
pub fn binding_request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, content) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend((content.len() as u16).to_be_bytes());
        body.extend(*content);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut message = vec![0, 1];
    message.extend((body.len() as u16).to_be_bytes());
    message.extend([0x21, 0x12, 0xa4, 0x42]);
    message.extend(1..=12);
    message.extend(body);
    message
}

/// An RTP packet of `len` bytes (at least 12), its body counting up.
#[must_use]
pub fn rtp(ssrc: u32, sequence: u16, timestamp: u32, len: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend((12..len).map(|at| at as u8));
    packet
}

/// A frame from the publisher to the media address.
#[must_use]
pub fn frame(family: Family, payload: &[u8]) -> Frame {
    Frame::udp(
        REMOTE_MAC,
        LOCAL_MAC,
        remote(family),
        local(family),
        payload,
    )
}

/// The table.
#[must_use]
pub fn cases() -> Vec<Case> {
    let mut cases = Table(Vec::new());
    for family in [Family::V4, Family::V6] {
        media(&mut cases, family);
        payloads(&mut cases, family);
        headers(&mut cases, family);
        sessions(&mut cases, family);
    }
    cases.0
}

struct Table(Vec<Case>);

impl Table {
    fn add(&mut self, family: Family, name: &str, frame: Vec<u8>) {
        let family = match family {
            Family::V4 => "v4",
            Family::V6 => "v6",
        };
        self.0.push(Case {
            name: format!("{family}-{name}"),
            frame,
        });
    }
}

/// What is forwarded.
fn media(cases: &mut Table, family: Family) {
    let mixed = |len| rtp(MIXED, 0xfffe, 0xffff_ff00, len);
    for len in [12, 13, 14, 15, 16, 17, 100, 524, 525, 1200, 1452, 1472] {
        let built = frame(family, &mixed(len)).build();
        cases.add(family, &format!("payload-{len}"), built);
    }
    let plain = frame(family, &mixed(40));
    cases.add(family, "one-tag", plain.clone().vlan(5).build());
    cases.add(
        family,
        "service-tag",
        plain.clone().tag(Tag::service(5)).build(),
    );
    let two_tags = plain.clone().tag(Tag::service(5)).vlan(6);
    cases.add(family, "two-tags", two_tags.build());
    let tagged = frame(family, &mixed(1000)).tag(Tag::service(5)).vlan(6);
    cases.add(family, "two-tags-long", tagged.build());
    cases.add(
        family,
        "padded",
        frame(family, &mixed(12)).pad_to(80).build(),
    );
    cases.add(
        family,
        "trailer",
        plain.clone().trailer(&[0xff; 33]).build(),
    );
    cases.add(
        family,
        "without-udp-checksum",
        plain.clone().without_checksum().build(),
    );
    cases.add(
        family,
        "wrong-udp-checksum",
        plain.clone().wrong_udp_checksum().build(),
    );
    cases.add(
        family,
        "marked-traffic-class",
        plain.traffic_class(46, 3).hop_limit(1).build(),
    );
    let zeroes = [&rtp(MIXED, 0, 0, 12)[..], &[0; 50]].concat();
    cases.add(family, "zeroes", frame(family, &zeroes).build());
    let ones = [&rtp(MIXED, 0xffff, u32::MAX, 12)[..], &[0xff; 51]].concat();
    cases.add(family, "ones", frame(family, &ones).build());
    let mut marked = mixed(60);
    marked[1] = 0x80 | 96;
    cases.add(family, "marker", frame(family, &marked).build());
    for (name, ssrc) in [
        ("chain", CHAIN),
        ("nobody", NOBODY),
        ("socket", SOCKET),
        ("both", BOTH),
        ("single", SINGLE),
        ("no-device", NO_DEVICE),
        ("unknown", 0x0bad_5eed),
    ] {
        let payload = rtp(ssrc, 7, 8, 90);
        cases.add(
            family,
            &format!("stream-{name}"),
            frame(family, &payload).build(),
        );
    }
}

/// What UDP carries.
fn payloads(cases: &mut Table, family: Family) {
    let mut add = |name: &str, payload: &[u8]| {
        cases.add(family, name, frame(family, payload).build());
    };
    add("empty", &[]);
    add("one-byte", &[0x80]);
    add(
        "stun",
        &[
            0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
        ],
    );
    add("dtls", &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    add("rtcp", &[0x80, 200, 0, 1, 0x11, 0x11, 0x11, 0x11]);
    add("zrtp", &[16, 0, 0, 0]);
    add("turn-channel", &[64, 0, 0, 0]);
    add(
        "refused-payload-type",
        &[0x80, 72, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    add("short-rtp", &rtp(MIXED, 1, 1, 12)[..11]);
    let mut sources = rtp(MIXED, 1, 1, 72);
    sources[0] = 0x8f;
    add("sources", &sources);
    add("sources-that-do-not-fit", &sources[..71]);
    let mut extension = rtp(MIXED, 1, 1, 36);
    extension[0] = 0x90;
    extension[12..16].copy_from_slice(&[0xbe, 0xde, 0, 5]);
    add("extension", &extension);
    add("extension-that-does-not-fit", &extension[..35]);
    add("extension-without-its-header", &extension[..15]);
    extension[14..16].copy_from_slice(&[0xff, 0xff]);
    add("extension-of-all-words", &extension);
    let mut both = rtp(MIXED, 1, 1, 12 + 8 + 4 + 8);
    both[0] = 0xb2;
    both[20..24].copy_from_slice(&[0, 0, 0, 2]);
    add("sources-and-extension", &both);
}

/// What comes to the media port of sessions, from a validated pair and from a stranger.
fn sessions(cases: &mut Table, family: Family) {
    const USERNAME: u16 = 6;
    let named = |ufrag: &[u8]| [ufrag, b":their"].concat();
    let known = named(&UFRAG);
    let mut audio = rtp(MIXED, 1, 1, 80);
    audio[1] = AUDIO | 0x80;
    let mut extension = rtp(MIXED, 1, 1, 36);
    extension[0] = 0x90;
    extension[12..16].copy_from_slice(&[0xbe, 0xde, 0, 6]);
    let payloads: [(&str, Vec<u8>); 17] = [
        ("rtp", rtp(MIXED, 1, 1, 1200)),
        ("rtp-short", rtp(MIXED, 1, 1, 12)),
        ("rtp-too-short", rtp(MIXED, 1, 1, 12)[..11].to_vec()),
        ("rtp-extension-that-does-not-fit", extension),
        ("audio", audio),
        ("rtcp", vec![0x80, 200, 0, 1, 0x11, 0x11, 0x11, 0x11]),
        ("dtls", vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("zrtp", vec![16, 0, 0, 0]),
        ("check", binding_request(&[(USERNAME, &known)])),
        (
            "check-named-late",
            binding_request(&[
                (0x802a, &[0; 8]),
                (0x25, &[]),
                (0x24, &[1; 4]),
                (USERNAME, &known),
            ]),
        ),
        (
            "check-named-too-late",
            binding_request(
                &[(0x25, &[][..]); 6]
                    .iter()
                    .copied()
                    .chain([(USERNAME, &known[..])])
                    .collect::<Vec<_>>(),
            ),
        ),
        (
            "check-unknown",
            binding_request(&[(USERNAME, &named(b"abcdEFGX"))]),
        ),
        (
            "check-short-name",
            binding_request(&[(USERNAME, b"abcdEFGH")]),
        ),
        (
            "check-long-name",
            binding_request(&[(USERNAME, &named(b"abcdEFGHI"))]),
        ),
        ("check-nameless", binding_request(&[(0x25, &[])])),
        (
            "check-endless",
            binding_request(&[(0x25, &[0; 800]), (USERNAME, &known)]),
        ),
        ("response", {
            let mut response = binding_request(&[(USERNAME, &known)]);
            response[0] = 1;
            response
        }),
    ];
    let mut stranger = remote(family);
    stranger.set_port(6001);
    for (name, payload) in &payloads {
        for (who, source) in [("pair", remote(family)), ("stranger", stranger)] {
            let built = Frame::udp(REMOTE_MAC, LOCAL_MAC, source, sealed_local(family), payload);
            cases.add(family, &format!("session-{who}-{name}"), built.build());
        }
    }
    let tagged = Frame::udp(
        REMOTE_MAC,
        LOCAL_MAC,
        remote(family),
        sealed_local(family),
        &rtp(MIXED, 1, 1, 50),
    );
    cases.add(family, "session-tagged", tagged.clone().vlan(5).build());
    cases.add(family, "session-padded", tagged.pad_to(150).build());
    let macs = [
        ("own", OTHER_OWN_MAC),
        ("foreign", Mac([2, 0, 0, 0, 0, 8])),
        ("group", Mac([0xff; 6])),
    ];
    for (which, mac) in macs {
        for (who, source) in [("pair", remote(family)), ("stranger", stranger)] {
            let payload = rtp(MIXED, 1, 1, 50);
            let built = Frame::udp(REMOTE_MAC, mac, source, sealed_local(family), &payload);
            let name = format!("session-{who}-to-{which}-mac");
            cases.add(family, &name, built.build());
        }
    }
}

/// What lies around it.
fn headers(cases: &mut Table, family: Family) {
    let payload = rtp(MIXED, 1, 1, 64);
    let plain = frame(family, &payload);
    let mut other_mac = plain.build();
    other_mac[5] ^= 1;
    cases.add(family, "other-mac", other_mac);
    let mut other_port = local(family);
    other_port.set_port(5001);
    let elsewhere = Frame::udp(REMOTE_MAC, LOCAL_MAC, remote(family), other_port, &payload);
    cases.add(family, "other-port", elsewhere.build());
    let mut other_source = remote(family);
    other_source.set_port(6001);
    let stranger = Frame::udp(REMOTE_MAC, LOCAL_MAC, other_source, local(family), &payload);
    cases.add(family, "other-source", stranger.build());
    cases.add(
        family,
        "first-fragment",
        plain.clone().fragment(0, true).build(),
    );
    cases.add(
        family,
        "later-fragment",
        plain.clone().fragment(9, false).build(),
    );
    let three_tags = plain.clone().vlan(1).vlan(2).vlan(3);
    cases.add(family, "three-tags", three_tags.build());
    let header = plain.build().len() - payload.len();
    let bend = |at: usize, to: &[u8]| {
        let mut bytes = plain.build();
        bytes[at..at + to.len()].copy_from_slice(to);
        bytes
    };
    cases.add(family, "udp-length-too-long", bend(header - 4, &[0, 73]));
    cases.add(family, "udp-length-too-short", bend(header - 4, &[0, 7]));
    cases.add(family, "udp-length-shorter", bend(header - 4, &[0, 40]));
    cases.add(family, "arp", bend(12, &[0x08, 0x06]));
    match family {
        Family::V4 => {
            cases.add(
                family,
                "options",
                plain.clone().options(&[1, 1, 1, 0]).build(),
            );
            cases.add(family, "version-5", bend(14, &[0x55]));
            cases.add(family, "ihl-4", bend(14, &[0x44]));
            cases.add(family, "tcp", bend(23, &[6]));
            cases.add(family, "total-length-too-short", bend(16, &[0, 91]));
            cases.add(family, "total-length-zero", bend(16, &[0, 0]));
            cases.add(family, "total-length-longer", bend(16, &[0xff, 0xff]));
            cases.add(family, "reserved-flag", bend(20, &[0x80, 0]));
        }
        Family::V6 => {
            for number in [0, 43, 60, 135] {
                let extended = plain.clone().extension(number, &[1, 4, 0, 0, 0, 0]);
                cases.add(
                    family,
                    &format!("extension-header-{number}"),
                    extended.build(),
                );
            }
            cases.add(family, "version-5", bend(14, &[0x50]));
            cases.add(family, "tcp", bend(20, &[6]));
            cases.add(family, "payload-length-too-short", bend(18, &[0, 71]));
            cases.add(family, "payload-length-zero", bend(18, &[0, 0]));
            cases.add(family, "flow-label", bend(15, &[0x0f, 0xff, 0xff]));
        }
    }
}
