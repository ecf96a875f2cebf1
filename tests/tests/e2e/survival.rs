//! The control plane is killed: media goes on in the kernel until the lease runs out, and a new run of the node takes over.

use std::time::Duration;

use forwarder_tests::model::Mode;
use forwarder_tests::rtp::{Stream, now_ns};
use forwarder_tests::{Capture, Family, Lab, Receivers};

use crate::room::{
    BOTH, LONG, Path, RECEIVER, Room, assert_exactly, rewrite_of, send_in_bursts, start, wait_until,
};
use crate::traffic::Traffic;

scenarios!(
    kernel: media_goes_on_until_the_lease_runs_out, a_living_node_is_not_replaced, taken_over_while_media_flows;
    socket: a_killed_node_is_replaced, a_living_node_is_not_replaced
);

const LEASE: u64 = 2_000_000_000;

/// Within the lease nothing is lost, past it nothing is sent, and both are facts of the kernel: nobody runs any more.
fn media_goes_on_until_the_lease_runs_out(path: Path) {
    let mut room = Room::with(path, Lab::star(), &["--lease", "2s"]);
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    room.fill(
        &receivers,
        &source,
        stream,
        0..70,
        |n| BOTH[n % 2],
        rewrite_of,
    );
    let capture = Capture::each(room.lab.receiver(), |_| ()).unwrap();
    let traffic = Traffic::start(source.publisher, stream, Duration::from_millis(4));
    assert!(
        wait_until(LONG, || receivers.received() > 700),
        "traffic flows"
    );

    room.node.kill().unwrap();
    let (killed_at, killed_after) = (now_ns(), traffic.next());
    // Past the lease by half a second, in packets.
    let enough = killed_after + (LEASE / 4_000_000) + 125;
    assert!(wait_until(LONG, || traffic.sent() >= enough
        && now_ns() > killed_at + LEASE + 500_000_000));
    let (publisher, sent) = traffic.stop();
    receivers.settle(Duration::from_millis(100));
    let report = receivers.finish().unwrap();
    let last = report.tally(0, 0x5000_0000).unwrap().last.unwrap();
    // Everybody's lease ends with the same packet, and until then nobody misses one.
    report.exactly(0..last + 1).unwrap();
    assert!(
        last + 1 < sent,
        "packet {last} of {sent} was the last: media stopped"
    );
    // A lease is renewed well before it ends, so at least half of it was left.
    let lived = last - killed_after;
    println!("media went on for {lived} packets of 4 ms after the kill, the lease is 2 s");
    assert!(
        (100..=550).contains(&lived),
        "{lived} packets of at least 4 ms each"
    );
    capture.count().unwrap().flawless().unwrap();

    // A new run finds what was left, and serves those who subscribe anew.
    room.node = start(&room.lab, path, &["--lease", "2s"]);
    room.api = room.node.client().unwrap();
    assert!(
        room.api.subscriptions().unwrap().is_empty(),
        "a new run starts empty"
    );
    drop(publisher);
    works(&room);
    room.close();
}

/// A subscriber gets what a publisher sends.
fn works(room: &Room) {
    let stream = Stream::new(7, 0x7777);
    let source = room.publish(Family::V6, Mode::Clear, &[stream]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    room.fill(
        &receivers,
        &source,
        stream,
        0..66,
        |n| BOTH[n % 2],
        rewrite_of,
    );
    send_in_bursts(&source.publisher, &stream, 0..128, &[&receivers], 66);
    assert_exactly(receivers, 0..128);
}

/// The successor comes while the predecessor's media still flows: that stops, and nothing goes to wrong places.
fn taken_over_while_media_flows(path: Path) {
    let mut room = Room::with(path, Lab::star(), &["--lease", "30s"]);
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    room.fill(
        &receivers,
        &source,
        stream,
        0..3,
        |_| Family::V4,
        rewrite_of,
    );
    let traffic = Traffic::start(source.publisher, stream, Duration::from_millis(1));
    assert!(
        wait_until(LONG, || receivers.received() > 100),
        "traffic flows"
    );
    for _ in 0..2 {
        let seen = receivers.received();
        room.node.kill().unwrap();
        room.node = start(&room.lab, path, &["--lease", "30s"]);
        room.api = room.node.client().unwrap();
        assert!(
            receivers.received() > seen,
            "media went on until the successor was there"
        );
        let endpoint = room.publisher_endpoint(room.lab.publisher(), Family::V4, Mode::Clear);
        let source = room.announce(endpoint, &[stream]);
        room.fill(
            &receivers,
            &source,
            stream,
            0..3,
            |_| Family::V4,
            rewrite_of,
        );
        let next = traffic.next();
        let came = || {
            receivers
                .report()
                .tally(0, 0x5000_0000)
                .is_some_and(|tally| tally.last >= Some(next))
        };
        assert!(wait_until(LONG, came), "traffic flows again");
    }
    let (_, sent) = traffic.stop();
    receivers.settle(Duration::from_millis(30));
    let report = receivers.finish().unwrap();
    assert_eq!((report.faulty, report.lost), (0, 0), "{:?}", report.faults);
    for n in 0..3 {
        let tally = report.tally(n, 0x5000_0000 + n as u32).unwrap();
        assert_eq!(
            (tally.duplicates, tally.last),
            (0, Some(sent - 1)),
            "receiver {n}"
        );
    }
    room.close();
}

/// Sockets go with their process; all the rest is as on the other path.
fn a_killed_node_is_replaced(path: Path) {
    let mut room = Room::new(path);
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    room.fill(
        &receivers,
        &source,
        stream,
        0..3,
        |_| Family::V4,
        rewrite_of,
    );
    send_in_bursts(&source.publisher, &stream, 0..64, &[&receivers], 3);
    room.node.kill().unwrap();
    assert_exactly(receivers, 0..64);
    drop(source);
    room.node = start(&room.lab, path, &[]);
    room.api = room.node.client().unwrap();
    works(&room);
    room.close();
}

/// Two nodes of one name would undo each other's work: the second says who is there, and the first does not notice.
fn a_living_node_is_not_replaced(path: Path) {
    let room = Room::new(path);
    let arguments = ["--path", path.name(), "--api", "127.0.0.1:7700"];
    let refused = forwarder_tests::Node::start_on_all(&room.lab, &arguments).map(drop);
    let said = format!("{:#}", refused.unwrap_err());
    assert!(
        said.contains(&room.node.pid().to_string()),
        "who is there: {said}"
    );
    works(&room);
    room.close();
}
