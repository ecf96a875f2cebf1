//! One port for everything: STUN, DTLS, RTCP and unknown streams go up to the control socket and are counted, what has no
//! place there is dropped, and media that only the stack can make whole is forwarded all the same.

use forwarder_tests::frame::Frame;
use forwarder_tests::model::Mode;
use forwarder_tests::rtp::Stream;
use forwarder_tests::{Family, RawSender, Receivers};

use crate::room::{
    BOTH, LONG, MEDIA, PUBLISHER, Path, QUIET, RECEIVER, Room, Source, as_sent, assert_exactly,
    counted, send_in_bursts,
};

scenarios!(
    kernel: what_is_not_a_known_stream, fragments, options_and_extensions;
    socket: what_is_not_a_known_stream, fragments, options_and_extensions
);

/// A room with one publication and three subscribers.
fn room(path: Path, family: Family, stream: Stream) -> (Room, Source, Receivers) {
    let room = Room::new(path);
    let source = room.publish(family, Mode::Clear, &[stream]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    room.fill(&receivers, &source, stream, 0..3, |n| BOTH[n % 2], as_sent);
    (room, source, receivers)
}

/// A datagram of 40 bytes that starts like this.
fn starting(bytes: &[u8]) -> Vec<u8> {
    let mut datagram = vec![0x11; 40];
    datagram[..bytes.len()].copy_from_slice(bytes);
    datagram
}

fn what_is_not_a_known_stream(path: Path) {
    let stream = Stream::new(1, 0x1111);
    let (room, source, receivers) = room(path, Family::V4, stream);
    let rtp = |ssrc: u32| Stream::new(1, ssrc).with_payload(40).packet(0);
    let truncated_extension = {
        let mut packet = rtp(0x1111)[..16].to_vec();
        packet[0] |= 0x10;
        packet[14..16].copy_from_slice(&[0, 9]);
        packet
    };
    // RFC 7983 §7 and RFC 5761 §4 name the bytes.
    let cases: [(&str, Vec<Vec<u8>>); 7] = [
        (
            "stun",
            vec![starting(&[0, 1]), starting(&[3, 0xff]), vec![1, 1]],
        ),
        ("dtls", vec![starting(&[20, 0xfe]), starting(&[63, 0xfd])]),
        (
            "rtcp",
            vec![
                starting(&[0x80, 192]),
                starting(&[0x81, 200]),
                starting(&[0xbf, 223]),
            ],
        ),
        ("unknown_stream", vec![rtp(0x1112), rtp(0), rtp(u32::MAX)]),
        (
            "not_media",
            vec![
                starting(&[4]),
                starting(&[16]),
                starting(&[19]),
                starting(&[64]),
                starting(&[127]),
                starting(&[192]),
                starting(&[255]),
                vec![0x80],
                vec![],
            ],
        ),
        (
            "refused_payload_type",
            vec![starting(&[0x80, 64]), starting(&[0x80, 95])],
        ),
        (
            "malformed",
            vec![
                rtp(0x1111)[..11].to_vec(),
                starting(&[0x8f, 96])[..40].to_vec(),
                truncated_extension,
            ],
        ),
    ];
    for (name, datagrams) in &cases {
        source.publisher.send_datagrams(datagrams).unwrap();
        room.wait_for_reason(name, datagrams.len() as u64);
    }
    send_in_bursts(&source.publisher, &stream, 0..64, &[&receivers], 3);
    receivers.settle(QUIET);
    let state = room.state();
    for (name, datagrams) in &cases {
        assert_eq!(
            state.reason(name),
            datagrams.len() as u64,
            "{name}: {:?}",
            counted(&state)
        );
    }
    assert_eq!(state.reason("taken"), 64);
    assert_exactly(receivers, 0..64);
    room.close_after_losses();
}

/// A publisher behind a smaller MTU: its packets come in two fragments, are made whole by the stack, and are forwarded once.
fn fragments(path: Path) {
    for family in BOTH {
        let stream = Stream::new(1, 0x1111).with_payload(1000);
        let (room, source, receivers) = room(path, family, stream);
        let from = room.lab.publisher();
        let raw = RawSender::open(from).unwrap();
        for index in 0..20 {
            raw.send(&in_two(
                &room,
                family,
                index as u16 + 1,
                &stream.packet(index),
            ))
            .unwrap();
        }
        assert!(
            receivers.wait_for(60, LONG),
            "{} of 60",
            receivers.received()
        );
        if path == Path::Kernel {
            match family {
                Family::V4 => room.wait_for_reason("fragment", 40),
                Family::V6 => drop(room.wait_for_at_least("extension_header", 40)),
            }
        }
        send_in_bursts(&source.publisher, &stream, 20..84, &[&receivers], 3);
        assert_exactly(receivers, 0..84);
        room.close();
    }
}

/// A datagram in two fragments, the first with the UDP header of the whole.
fn in_two(room: &Room, family: Family, identification: u16, payload: &[u8]) -> [Vec<u8>; 2] {
    const CUT: usize = 512;
    let from = room.lab.publisher();
    let (source, to) = (
        from.socket(family, PUBLISHER),
        from.fwd_socket(family, MEDIA),
    );
    let frame = |payload: &[u8]| {
        Frame::udp(from.mac, from.fwd_mac, source, to, payload)
            .identification(identification, false)
    };
    let whole = frame(payload).build();
    let ip = if family == Family::V4 { 34 } else { 54 };
    let datagram = &whole[ip..];
    // What the builder writes as UDP header at the start of a payload is what the fragment's first 8 bytes are replaced by.
    let fragment = |bytes: &[u8], offset: u16, more: bool| {
        let mut built = frame(&bytes[8..]).fragment(offset, more).build();
        let at = built.len() - bytes.len();
        built[at..].copy_from_slice(bytes);
        built
    };
    [
        fragment(&datagram[..CUT], 0, true),
        fragment(&datagram[CUT..], (CUT / 8) as u16, false),
    ]
}

/// IPv4 options and IPv6 extension headers are for the stack, and the media behind them is forwarded from the socket.
fn options_and_extensions(path: Path) {
    for family in BOTH {
        let stream = Stream::new(1, 0x1111);
        let (room, source, receivers) = room(path, family, stream);
        let from = room.lab.publisher();
        let frames: Vec<Vec<u8>> = (0..20)
            .map(|index| {
                let (source, to) = (
                    from.socket(family, PUBLISHER),
                    from.fwd_socket(family, MEDIA),
                );
                let frame = Frame::udp(from.mac, from.fwd_mac, source, to, &stream.packet(index));
                match family {
                    // No-operations and the end of the list (RFC 791 §3.1).
                    Family::V4 => frame.options(&[1, 1, 1, 0]).build(),
                    // Destination options with six bytes of padding (RFC 8200 §4.2).
                    Family::V6 => frame.extension(60, &[1, 4, 0, 0, 0, 0]).build(),
                }
            })
            .collect();
        RawSender::open(from).unwrap().send(&frames).unwrap();
        assert!(
            receivers.wait_for(60, LONG),
            "{} of 60",
            receivers.received()
        );
        if path == Path::Kernel {
            match family {
                Family::V4 => room.wait_for_reason("ip_options", 20),
                Family::V6 => drop(room.wait_for_at_least("extension_header", 20)),
            }
        }
        send_in_bursts(&source.publisher, &stream, 20..84, &[&receivers], 3);
        assert_exactly(receivers, 0..84);
        room.close();
    }
}
