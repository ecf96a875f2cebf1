//! Next hops follow the kernel's neighbour table: a changed MAC, a neighbour that is not there, and one that appears.

use std::time::Duration;

use forwarder_tests::frame::Mac;
use forwarder_tests::model::Mode;
use forwarder_tests::rtp::Stream;
use forwarder_tests::{Capture, Family, Lab, Neighbours, Pace, Pool, Receivers};

use crate::room::{
    BOTH, LONG, Path, QUIET, RECEIVER, Room, Source, as_sent, assert_exactly, rewrite_of,
    send_in_bursts, wait_until,
};

scenarios!(
    kernel: a_changed_mac, a_mac_each, resolved_when_needed, nobody_there;
    socket: a_changed_mac, a_mac_each, resolved_when_needed, nobody_there_on_sockets
);

/// The receiver gets another network card. From the first packet that goes there, none goes to the old one any more.
fn a_changed_mac(path: Path) {
    let room = Room::new(path);
    let leaf = room.lab.receiver();
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    for (n, family) in BOTH.into_iter().enumerate() {
        let endpoint = room.subscriber(leaf, leaf.pool_socket(family, n, RECEIVER), Mode::Clear);
        room.subscribe(&source, &endpoint, as_sent(n));
    }
    let mut at = 0;
    let mut old = leaf.mac;
    for step in 1..=3 {
        let new = Mac([2, 0, 0, 0, 0x77, step]);
        assert!(
            macs(&room, &source, &stream, &mut at, 20)
                .iter()
                .all(|mac| *mac == old)
        );
        room.lab.change_mac(leaf, new).unwrap();
        // The node is told by the kernel; how soon is not ours to say, so send until both legs have followed.
        let follows = wait_until(LONG, || {
            let seen = macs(&room, &source, &stream, &mut at, 1);
            assert!(seen.iter().all(|mac| [old, new].contains(mac)), "{seen:?}");
            seen.iter().all(|mac| *mac == new)
        });
        assert!(follows, "replicas go to {new}");
        old = new;
    }
    assert!(
        macs(&room, &source, &stream, &mut at, 100)
            .iter()
            .all(|mac| *mac == old)
    );
    room.close();
}

/// Subscribers on the link, every one a neighbour of its own: each replica carries the MAC of its address.
fn a_mac_each(path: Path) {
    const MANY: usize = 150;
    let room = Room::with(path, Lab::star().pool(Pool::Individual(MANY)), &[]);
    let leaf = room.lab.receiver();
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V6, Mode::Clear, &[stream]);
    for n in 0..MANY {
        let endpoint = room.subscriber(
            leaf,
            leaf.pool_socket(BOTH[n % 2], n, RECEIVER),
            Mode::Clear,
        );
        room.subscribe(&source, &endpoint, rewrite_of(n));
    }
    let capture = Capture::start(leaf).unwrap();
    let mut wanted = 0;
    for burst in 0..2 {
        source
            .publisher
            .send(&stream, burst * 64..(burst + 1) * 64, Pace::Full)
            .unwrap();
        wanted += 64 * MANY as u64;
        assert!(
            capture.wait_for(wanted, LONG),
            "{} of {wanted}",
            capture.seen()
        );
    }
    capture.settle(QUIET);
    let mut next = [0; MANY];
    for frame in capture.finish().unwrap() {
        let parsed = frame.parsed();
        let n = leaf.pool_index(parsed.dst.ip()).unwrap();
        assert_eq!(parsed.eth_dst, leaf.pool_mac(n), "{}", parsed.dst);
        let arrival = stream
            .rewritten(rewrite_of(n))
            .check(parsed.payload)
            .unwrap();
        assert_eq!(arrival.index, next[n], "receiver {n}, in order");
        next[n] += 1;
    }
    assert!(next.iter().all(|packets| *packets == 128), "{next:?}");
    room.close();
}

/// Sends packets, and gives the MACs that their replicas went to.
fn macs(room: &Room, source: &Source, stream: &Stream, at: &mut u64, packets: u64) -> Vec<Mac> {
    let capture = Capture::start(room.lab.receiver()).unwrap();
    source
        .publisher
        .send(stream, *at..*at + packets, Pace::Full)
        .unwrap();
    *at += packets;
    let wanted = packets * 2;
    assert!(
        capture.wait_for(wanted, LONG),
        "{} of {wanted}",
        capture.seen()
    );
    capture
        .finish()
        .unwrap()
        .iter()
        .map(|frame| frame.parsed().eth_dst)
        .collect()
}

/// Nothing is pinned: the forwarder has the kernel resolve its next hops before anything is sent.
fn resolved_when_needed(path: Path) {
    let room = Room::with(path, Lab::star().neighbours(Neighbours::Dynamic), &[]);
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    let subscribed = room.fill(&receivers, &source, stream, 0..4, |n| BOTH[n % 2], as_sent);
    for subscription in &subscribed {
        let resolved = || room.api.subscription(&subscription.id).unwrap().legs[0].resolved;
        assert!(wait_until(LONG, resolved), "{}", subscription.id);
    }
    send_in_bursts(&source.publisher, &stream, 0..64, &[&receivers], 4);
    assert_exactly(receivers, 0..64);
    assert_eq!(room.state().reason("unresolved"), 0);
    room.close();
}

/// A subscriber on the link that does not exist yet, beside one that does.
fn nobody_there(path: Path) {
    let room = Room::with(path, Lab::star().neighbours(Neighbours::Dynamic), &[]);
    let leaf = room.lab.receiver();
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let receivers = Receivers::start(leaf, RECEIVER).unwrap();
    let there = room.fill(&receivers, &source, stream, 0..1, |_| Family::V4, as_sent);
    assert!(wait_until(LONG, || room
        .api
        .subscription(&there[0].id)
        .unwrap()
        .legs[0]
        .resolved));
    let absent = format!("10.200.{}.77:{RECEIVER}", leaf.leg)
        .parse()
        .unwrap();
    let endpoint = room.subscriber(leaf, absent, Mode::Clear);
    let missing = room.subscribe(&source, &endpoint, as_sent(1));
    assert!(!missing.legs[0].resolved && missing.legs[0].path == "kernel");
    assert!(missing.legs[0].why.is_some(), "{missing:?}");

    let capture = Capture::start(leaf).unwrap();
    send_in_bursts(&source.publisher, &stream, 0..64, &[&receivers], 1);
    room.wait_for_reason("unresolved", 64);
    capture.settle(QUIET);
    let frames = capture.finish().unwrap();
    assert!(
        frames.iter().all(|frame| frame.parsed().dst != absent),
        "nothing goes to a guess"
    );
    assert_eq!(frames.len(), 64);
    assert_exactly(receivers, 0..64);

    // It appears, and nobody tells the forwarder.
    leaf.netns
        .ip(&[format!("addr add {}/24 dev eth0", absent.ip())])
        .unwrap();
    let resolved = || room.api.subscription(&missing.id).unwrap().legs[0].resolved;
    assert!(wait_until(LONG, resolved), "the neighbour is found");
    let capture = Capture::start(leaf).unwrap();
    source.publisher.send(&stream, 64..128, Pace::Full).unwrap();
    assert!(capture.wait_for(128, LONG), "{} of 128", capture.seen());
    let frames = capture.finish().unwrap();
    let to_it = frames
        .iter()
        .map(|frame| frame.parsed())
        .filter(|parsed| parsed.dst == absent);
    assert_eq!(
        to_it.filter(|parsed| parsed.eth_dst == leaf.mac).count(),
        64
    );
    assert_eq!(room.state().reason("unresolved"), 64);
    room.close();
}

/// A socket leaves resolving to the kernel, which holds a few packets meanwhile. What counts: others are not held up, and it
/// starts when the neighbour is there.
fn nobody_there_on_sockets(path: Path) {
    let room = Room::with(path, Lab::star().neighbours(Neighbours::Dynamic), &[]);
    let leaf = room.lab.receiver();
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let receivers = Receivers::start(leaf, RECEIVER).unwrap();
    let absent: std::net::SocketAddr = format!("10.200.{}.77:{RECEIVER}", leaf.leg)
        .parse()
        .unwrap();
    let endpoint = room.subscriber(leaf, absent, Mode::Clear);
    room.subscribe(&source, &endpoint, as_sent(1));
    room.fill(&receivers, &source, stream, 0..1, |_| Family::V4, as_sent);
    send_in_bursts(&source.publisher, &stream, 0..640, &[&receivers], 1);
    assert_exactly(receivers, 0..640);

    leaf.netns
        .ip(&[format!("addr add {}/24 dev eth0", absent.ip())])
        .unwrap();
    let capture = Capture::start(leaf).unwrap();
    let mut at = 640;
    let starts = wait_until(LONG, || {
        source
            .publisher
            .send(&stream, at..at + 1, Pace::Full)
            .unwrap();
        at += 1;
        std::thread::sleep(Duration::from_millis(20));
        // One per packet for the other subscriber, who has no socket open any more: all beyond that are for this one.
        capture.seen() > at - 640
    });
    let frames = capture.finish().unwrap();
    assert!(starts, "{} frames", frames.len());
    assert!(frames.iter().any(|frame| frame.parsed().dst == absent));
    room.close_after_losses();
}
