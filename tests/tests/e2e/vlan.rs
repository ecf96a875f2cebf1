//! VLAN tags: one or two on the way in, one on the way out by an endpoint's configuration. The lab's kernel has no VLAN
//! devices, so publishers are raw senders and captures are the receivers.

use forwarder_tests::frame::{Frame, Tag};
use forwarder_tests::model::{Mode, NewEndpoint};
use forwarder_tests::rtp::Stream;
use forwarder_tests::{Capture, Captured, Family, RawSender};

use crate::room::{
    BOTH, LONG, MEDIA, OUT, PUBLISHER, Path, QUIET, RECEIVER, Room, Source, rewrite_of,
};

scenarios!(
    kernel: tags_in, tags_out;
    socket: tags_are_for_the_kernel_path
);

/// A packet of the stream from the first publisher, to be tagged.
fn frame(room: &Room, family: Family, stream: &Stream, index: u64) -> Frame {
    let from = room.lab.publisher();
    let (source, to) = (
        from.socket(family, PUBLISHER),
        from.fwd_socket(family, MEDIA),
    );
    Frame::udp(from.mac, from.fwd_mac, source, to, &stream.packet(index))
}

/// One frame of every kind of tagging.
fn tagged(room: &Room, family: Family, stream: &Stream) -> Vec<Vec<u8>> {
    let frame = |index| frame(room, family, stream, index);
    vec![
        frame(0).build(),
        frame(1).vlan(7).build(),
        frame(2)
            .tag(Tag {
                ethertype: 0x8100,
                control: 0xe000 | 4094,
            })
            .build(),
        frame(3).tag(Tag::service(9)).build(),
        frame(4).tag(Tag::service(9)).vlan(7).build(),
        frame(5).vlan(7).vlan(8).build(),
    ]
}

/// The packets of the stream that went to an address, and the tags that they had.
fn arrived(
    frames: &[Captured],
    to: std::net::SocketAddr,
    stream: &Stream,
) -> Vec<(u64, Option<Tag>)> {
    let parsed = frames
        .iter()
        .map(Captured::parsed)
        .filter(|parsed| parsed.dst == to);
    let tell = |parsed: forwarder_tests::frame::Parsed<'_>| {
        assert_eq!(parsed.inner_vlan, None);
        (stream.check(parsed.payload).unwrap().index, parsed.vlan)
    };
    parsed.map(tell).collect()
}

fn subscribe_two(room: &Room, source: &Source, vlan: impl Fn(usize) -> Option<u16>) {
    let leaf = room.lab.receiver();
    for (n, family) in BOTH.into_iter().enumerate() {
        let remote = leaf.pool_socket(family, n, RECEIVER);
        let new = NewEndpoint {
            vlan: vlan(n),
            ..NewEndpoint::new(leaf.fwd_socket(family, OUT), remote, Mode::Clear)
        };
        let endpoint = room.api.add_endpoint(&new).unwrap();
        assert_eq!(endpoint.vlan, vlan(n));
        room.subscribe(source, &endpoint, rewrite_of(n));
    }
}

/// Packets are found under any tags, and leave without them.
fn tags_in(path: Path) {
    for family in BOTH {
        let room = Room::new(path);
        let leaf = room.lab.receiver();
        let stream = Stream::new(1, 0x1111);
        let source = room.publish(family, Mode::Clear, &[stream]);
        subscribe_two(&room, &source, |_| None);
        let capture = Capture::start(leaf).unwrap();
        let frames = tagged(&room, family, &stream);
        RawSender::open(room.lab.publisher())
            .unwrap()
            .send(&frames)
            .unwrap();
        assert!(capture.wait_for(12, LONG), "{} of 12", capture.seen());
        capture.settle(QUIET);
        let frames = capture.finish().unwrap();
        for (n, family) in BOTH.into_iter().enumerate() {
            let to = leaf.pool_socket(family, n, RECEIVER);
            let right: Vec<_> = (0..6).map(|index| (index, None)).collect();
            assert_eq!(
                arrived(&frames, to, &stream.rewritten(rewrite_of(n))),
                right
            );
        }
        room.close();
    }
}

/// Each leg has the tag of its endpoint, whatever the packet came with, also at the largest size.
fn tags_out(path: Path) {
    let room = Room::new(path);
    let leaf = room.lab.receiver();
    // 1,452 bytes of UDP payload: the whole MTU towards IPv6, to which the tag does not belong.
    let stream = Stream::new(1, 0x1111).with_payload(1440);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let ids = [7, 4094];
    subscribe_two(&room, &source, |n| Some(ids[n]));
    let plain = room.subscriber(leaf, leaf.pool_socket(Family::V4, 2, RECEIVER), Mode::Clear);
    room.subscribe(&source, &plain, rewrite_of(2));

    let capture = Capture::start(leaf).unwrap();
    let frames = tagged(&room, Family::V4, &stream);
    // A full frame with two tags is longer than the publisher's own device sends.
    let sent: Vec<_> = frames[..4].to_vec();
    RawSender::open(room.lab.publisher())
        .unwrap()
        .send(&sent)
        .unwrap();
    assert!(capture.wait_for(12, LONG), "{} of 12", capture.seen());
    capture.settle(QUIET);
    let frames = capture.finish().unwrap();
    assert_eq!(frames.len(), 12);
    let tags = [Some(Tag::customer(7)), Some(Tag::customer(4094)), None];
    for (n, tag) in tags.into_iter().enumerate() {
        let family = [Family::V4, Family::V6, Family::V4][n];
        let to = leaf.pool_socket(family, n, RECEIVER);
        let right: Vec<_> = (0..4).map(|index| (index, tag)).collect();
        assert_eq!(
            arrived(&frames, to, &stream.rewritten(rewrite_of(n))),
            right
        );
    }
    room.close();
}

/// A socket sends by routes and cannot tag: an endpoint that asks for a tag is refused, rather than sent to without one. What
/// comes tagged is for a VLAN device, of which there is none.
fn tags_are_for_the_kernel_path(path: Path) {
    let room = Room::new(path);
    let leaf = room.lab.receiver();
    let new = NewEndpoint::new(
        leaf.fwd_socket(Family::V4, OUT),
        leaf.pool_socket(Family::V4, 5, RECEIVER),
        Mode::Clear,
    );
    let refused = room.api.add_endpoint(&new.vlan(7));
    let problem = refused
        .map_err(forwarder_tests::client::CallError::problem)
        .unwrap_err();
    assert_eq!(problem.field.as_deref(), Some("vlan"), "{problem:?}");

    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    subscribe_two(&room, &source, |_| None);
    let capture = Capture::start(leaf).unwrap();
    let frames = [
        frame(&room, Family::V4, &stream, 0).vlan(7).build(),
        frame(&room, Family::V4, &stream, 1).build(),
    ];
    RawSender::open(room.lab.publisher())
        .unwrap()
        .send(&frames)
        .unwrap();
    assert!(capture.wait_for(2, LONG), "{} of 2", capture.seen());
    capture.settle(QUIET);
    let frames = capture.finish().unwrap();
    let to = leaf.pool_socket(Family::V4, 0, RECEIVER);
    assert_eq!(
        arrived(&frames, to, &stream.rewritten(rewrite_of(0))),
        [(1, None)]
    );
    assert_eq!(frames.len(), 2);
    room.close();
}
