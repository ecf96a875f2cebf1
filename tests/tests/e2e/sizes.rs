//! Packets of every length from the bare RTP header to the MTU, beyond it towards IPv6, and frames with padding.

use forwarder_tests::frame::Frame;
use forwarder_tests::model::Mode;
use forwarder_tests::rtp::Stream;
use forwarder_tests::{Capture, Captured, Family, Lab, RawSender, Receivers};

use crate::room::{
    BOTH, LONG, MEDIA, PUBLISHER, Path, QUIET, RECEIVER, Room, Source, as_sent, assert_exactly,
    rewrite_of, send_in_bursts,
};

scenarios!(
    kernel: from_ipv4, from_ipv6, larger_links, too_big_for_the_device, padding_is_trimmed;
    socket: from_ipv4, from_ipv6, larger_links, padding_is_trimmed
);

/// UDP payload that fits an MTU of 1,500 bytes: less 20 and 8, less 40 and 8.
const MOST: [(Family, usize); 2] = [(Family::V4, 1472), (Family::V6, 1452)];

fn from_ipv4(path: Path) {
    every_length(path, Family::V4, 1472);
}

fn from_ipv6(path: Path) {
    every_length(path, Family::V6, 1452);
}

/// A subscriber of each family gets every length that fits its MTU; what does not is counted and not sent.
fn every_length(path: Path, from: Family, most: usize) {
    let room = Room::new(path);
    let stream = Stream::new(1, 0x1111);
    let (source, leaf) = (
        room.publish(from, Mode::Clear, &[stream]),
        room.lab.receiver(),
    );
    for (n, family) in BOTH.into_iter().enumerate() {
        let endpoint = room.subscriber(leaf, leaf.pool_socket(family, n, RECEIVER), Mode::Clear);
        room.subscribe(&source, &endpoint, rewrite_of(n));
    }
    let capture = Capture::start(leaf).unwrap();
    let lengths: Vec<usize> = (12..=most).collect();
    let mut wanted = 0;
    for burst in lengths.chunks(64) {
        send_lengths(&source, &stream, burst);
        let fitting = burst
            .iter()
            .map(|length| MOST.iter().filter(|most| *length <= most.1).count());
        wanted += fitting.sum::<usize>() as u64;
        assert!(
            capture.wait_for(wanted, LONG),
            "{wanted} frames, {} came",
            capture.seen()
        );
    }
    let too_big = lengths.iter().filter(|length| **length > 1452).count() as u64;
    room.wait_for_reason("too_big", too_big);
    capture.settle(QUIET);
    let frames = capture.finish().unwrap();
    for (n, (family, most)) in MOST.into_iter().enumerate() {
        let to = leaf.pool_socket(family, n, RECEIVER);
        let seen = payload_lengths(&frames, to, &stream.rewritten(rewrite_of(n)));
        let right: Vec<usize> = lengths
            .iter()
            .copied()
            .filter(|length| *length <= most)
            .collect();
        assert_eq!(seen, right, "lengths that {to} got");
    }
    assert_eq!(frames.len() as u64, wanted);
    room.close();
}

/// Links with room for more than 1,500 bytes: packets that wait for their turn must fit the loop, too.
fn larger_links(path: Path) {
    const RECEIVERS: usize = 100;
    let room = Room::with(path, Lab::star().mtu(3000), &[]);
    let stream = Stream::new(1, 0x1111).with_payload(2000 - 12);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    let family = |n: usize| BOTH[n % 2];
    room.fill(
        &receivers,
        &source,
        stream,
        0..RECEIVERS,
        family,
        rewrite_of,
    );
    send_in_bursts(
        &source.publisher,
        &stream,
        0..128,
        &[&receivers],
        RECEIVERS as u64,
    );
    assert_exactly(receivers, 0..128);
    room.close();
}

/// Packets that come in by a link with room for them and leave by one without: the kernel would free the copies before
/// our egress sees them, so they are counted before.
fn too_big_for_the_device(path: Path) {
    const RECEIVERS: usize = 70;
    let lab = Lab::star().mtu(3000).build().unwrap();
    let way_out = lab.receiver().fwd_interface().to_owned();
    lab.fwd
        .ip(&[format!("link set {way_out} mtu 1500")])
        .unwrap();
    let room = Room::in_lab(path, lab, &[]);
    let stream = Stream::new(1, 0x1111).with_payload(2000 - 12);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let leaf = room.lab.receiver();
    for n in 0..RECEIVERS {
        let remote = leaf.pool_socket(Family::V4, n, RECEIVER);
        let endpoint = room.subscriber(leaf, remote, Mode::Clear);
        room.subscribe(&source, &endpoint, rewrite_of(n));
    }
    let capture = Capture::start(leaf).unwrap();
    send_lengths(&source, &stream, &[2000; 32]);
    room.wait_for_reason("too_big", 32 * RECEIVERS as u64);
    // What fits still goes.
    send_lengths(&source, &stream, &[1000; 32]);
    let wanted = 32 * RECEIVERS as u64;
    assert!(capture.wait_for(wanted, LONG), "{} came", capture.seen());
    capture.settle(QUIET);
    assert_eq!(capture.finish().unwrap().len() as u64, wanted);
    room.close_after_losses();
}

/// Packet `length` of the stream has that length.
fn send_lengths(source: &Source, stream: &Stream, lengths: &[usize]) {
    let packet = |length: &usize| stream.with_payload(*length - 12).packet(*length as u64);
    let packets: Vec<Vec<u8>> = lengths.iter().map(packet).collect();
    source.publisher.send_datagrams(&packets).unwrap();
}

/// The lengths that went to an address, each packet verified to be the one of its length.
fn payload_lengths(frames: &[Captured], to: std::net::SocketAddr, stream: &Stream) -> Vec<usize> {
    let parsed = frames
        .iter()
        .map(Captured::parsed)
        .filter(|parsed| parsed.dst == to);
    let length = |parsed: forwarder_tests::frame::Parsed<'_>| {
        let length = parsed.payload.len();
        let arrival = stream
            .with_payload(length - 12)
            .check(parsed.payload)
            .unwrap();
        assert_eq!(arrival.index, length as u64);
        length
    };
    parsed.map(length).collect()
}

/// Short frames are padded to 60 bytes on Ethernet, and some devices append more: none of it leaves, on any path. Captures
/// call bytes after the end of the IP packet a fault.
fn padding_is_trimmed(path: Path) {
    let room = Room::new(path);
    let (from, leaf) = (room.lab.publisher(), room.lab.receiver());
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Opaque, &[stream]);
    for (n, family) in BOTH.into_iter().enumerate() {
        let endpoint = room.subscriber(leaf, leaf.pool_socket(family, n, RECEIVER), Mode::Opaque);
        room.subscribe(&source, &endpoint, as_sent(n));
    }
    let frame = |length: usize| {
        let packet = stream.with_payload(length - 12).packet(length as u64);
        let (source, to) = (
            from.socket(Family::V4, PUBLISHER),
            from.fwd_socket(Family::V4, MEDIA),
        );
        Frame::udp(from.mac, from.fwd_mac, source, to, &packet)
    };
    let frames = [
        frame(12).pad_to(60).build(),
        frame(13).pad_to(60).build(),
        frame(17).pad_to(64).build(),
        // Odd lengths with bytes that are not zero: they must not get into the checksum.
        frame(33).trailer(&[0xa5; 7]).build(),
        frame(1001).trailer(&[0xff; 4]).build(),
        // IPv4 may leave the UDP checksum out; what leaves has one.
        frame(500).without_checksum().build(),
    ];
    let capture = Capture::start(leaf).unwrap();
    RawSender::open(from).unwrap().send(&frames).unwrap();
    let wanted = 2 * frames.len() as u64;
    assert!(
        capture.wait_for(wanted, LONG),
        "{} of {wanted}",
        capture.seen()
    );
    capture.settle(QUIET);
    let frames = capture.finish().unwrap();
    for (n, family) in BOTH.into_iter().enumerate() {
        let to = leaf.pool_socket(family, n, RECEIVER);
        assert_eq!(
            payload_lengths(&frames, to, &stream),
            [12, 13, 17, 33, 1001, 500]
        );
    }
    room.close();
}
