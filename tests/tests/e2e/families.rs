//! IPv4, IPv6, and from one to the other: headers are right, whichever family a packet comes in and leaves by.

use forwarder_tests::model::{Mode, NewEndpoint};
use forwarder_tests::rtp::Stream;
use forwarder_tests::{Capture, Family, Publisher, Receivers};

use crate::room::{
    OUT, Path, RECEIVER, Room, Source, as_sent, assert_exactly, rewrite_of, send_in_bursts,
};

scenarios!(
    kernel: ipv4, ipv6, from_ipv4_to_ipv6, from_ipv6_to_ipv4;
    socket: ipv4, ipv6, from_ipv4_to_ipv6, from_ipv6_to_ipv4
);

fn ipv4(path: Path) {
    between(path, Family::V4, Family::V4);
}

fn ipv6(path: Path) {
    between(path, Family::V6, Family::V6);
}

fn from_ipv4_to_ipv6(path: Path) {
    between(path, Family::V4, Family::V6);
}

fn from_ipv6_to_ipv4(path: Path) {
    between(path, Family::V6, Family::V4);
}

/// A clear and an opaque publication beside each other, five subscribers each.
fn between(path: Path, from: Family, to: Family) {
    let room = Room::new(path);
    let leaf = room.lab.receiver();
    let clear = Stream::new(1, 0x1111);
    let source = room.publish(from, Mode::Clear, &[clear]);
    let receivers = Receivers::start(leaf, RECEIVER).unwrap();
    room.fill(&receivers, &source, clear, 0..5, |_| to, rewrite_of);

    // SRTP as far as the forwarder is concerned: bytes that stay as they are.
    let opaque = Stream {
        first_sequence: 1,
        ..Stream::new(2, 0x2222)
    };
    let publisher = room.lab.publisher();
    let (local, remote) = (
        publisher.fwd_socket(from, 5002),
        publisher.socket(from, 4002),
    );
    let endpoint = NewEndpoint::new(local, remote, Mode::Opaque);
    let endpoint = room.api.add_endpoint(&endpoint).unwrap();
    let secret = Source {
        publisher: Publisher::open(publisher, 4002, local).unwrap(),
        announced: room.announce(endpoint, &[opaque]),
    };
    room.fill(&receivers, &secret, opaque, 5..10, |_| to, as_sent);

    let capture = Capture::start(leaf).unwrap();
    send_in_bursts(&source.publisher, &clear, 0..128, &[&receivers], 5);
    send_in_bursts(&secret.publisher, &opaque, 0..128, &[&receivers], 5);
    assert_exactly(receivers, 0..128);
    let frames = capture.finish().unwrap();
    assert_eq!(frames.len(), 128 * 10);
    for frame in &frames {
        let parsed = frame.parsed();
        assert_eq!((parsed.eth_src, parsed.eth_dst), (leaf.fwd_mac, leaf.mac));
        assert_eq!((parsed.vlan, parsed.src), (None, leaf.fwd_socket(to, OUT)));
        assert_eq!((parsed.dst.port(), parsed.ecn), (RECEIVER, 0));
        assert!(parsed.dont_fragment, "media is never fragmented on its way");
        assert!(leaf.pool_index(parsed.dst.ip()).is_some_and(|n| n < 10));
    }
    room.close();
}
