//! 10,000 subscriptions on one node: taken, listed, served, and the one after them refused. Prints what they cost.

use std::time::Instant;

use forwarder_tests::client::CallError;
use forwarder_tests::model::{Endpoint, Mode, NewEndpoint};
use forwarder_tests::rtp::{Rewrite, Stream};
use forwarder_tests::{Family, Lab, Publisher, Receivers};

use crate::room::{
    LONG, MEDIA, OUT, PUBLISHER, Path, RECEIVER, Room, assert_exactly, subscription,
};

scenarios!(kernel: ten_thousand_subscriptions; socket: ten_thousand_subscriptions);

const PUBLICATIONS: usize = 10;
const SUBSCRIBERS: usize = 1000;

fn ten_thousand_subscriptions(path: Path) {
    let room = Room::with(
        path,
        Lab::star(),
        &["--max-subscriptions", "10000", "--max-publications", "16"],
    );
    let (from, leaf) = (room.lab.publisher(), room.lab.receiver());
    let empty = memory(&room);
    let streams: Vec<Stream> = (0..PUBLICATIONS as u32)
        .map(|n| Stream::new(n, 0x1000 + n).with_payload(100))
        .collect();
    let publications: Vec<_> = (0..)
        .zip(&streams)
        .map(|(n, stream)| {
            let (local, remote) = (
                from.fwd_socket(Family::V4, MEDIA),
                from.socket(Family::V4, PUBLISHER + n),
            );
            let endpoint = room
                .api
                .add_endpoint(&NewEndpoint::new(local, remote, Mode::Clear))
                .unwrap();
            room.announce(endpoint, std::slice::from_ref(stream))
        })
        .collect();
    let receivers = Receivers::start(leaf, RECEIVER).unwrap();
    let endpoints: Vec<Endpoint> = (0..SUBSCRIBERS)
        .map(|n| room.subscriber(leaf, receivers.socket(Family::V4, n), Mode::Clear))
        .collect();
    let mut took = Vec::new();
    for (publication, stream) in publications.iter().zip(&streams) {
        for (n, endpoint) in endpoints.iter().enumerate() {
            let rewrite = Rewrite {
                sequence_offset: n as u16,
                ..Rewrite::default()
            };
            receivers.expect(n, stream.rewritten(rewrite));
            let wanted = subscription(publication, endpoint, rewrite);
            let start = Instant::now();
            room.api.subscribe(&wanted).unwrap();
            took.push(start.elapsed());
        }
    }
    took.sort();
    let full = memory(&room);

    let start = Instant::now();
    let listed = room.api.subscriptions().unwrap();
    let listing = start.elapsed();
    assert_eq!(listed.len(), PUBLICATIONS * SUBSCRIBERS);
    let mut ids: Vec<&str> = listed
        .iter()
        .map(|subscription| subscription.id.as_str())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), listed.len(), "every id once");
    assert!(
        listed
            .iter()
            .all(|one| one.legs.len() == 1 && one.legs[0].path == path.name())
    );
    println!(
        "{}: 10,000 subscriptions; subscribe call: median {:?}, 99th percentile {:?}; listing all {listing:?}; resident {empty} kB empty, {full} kB full",
        path.name(),
        took[took.len() / 2],
        took[took.len() * 99 / 100],
    );

    let one_more = room.subscriber(
        leaf,
        leaf.pool_socket(Family::V4, 4000, RECEIVER),
        Mode::Clear,
    );
    let wanted = subscription(&publications[0], &one_more, Rewrite::default());
    let refused = room
        .api
        .subscribe(&wanted)
        .map_err(CallError::problem)
        .unwrap_err();
    assert_eq!(refused.status, 507, "{refused:?}");
    assert_eq!(one_more.local.port(), OUT);

    for (n, stream) in (0..).zip(&streams) {
        let publisher =
            Publisher::open(from, PUBLISHER + n, from.fwd_socket(Family::V4, MEDIA)).unwrap();
        publisher
            .send(stream, 0..4, forwarder_tests::Pace::Full)
            .unwrap();
        let wanted = 4 * SUBSCRIBERS as u64 * u64::from(n + 1);
        assert!(
            receivers.wait_for(wanted, LONG),
            "{} of {wanted}",
            receivers.received()
        );
    }
    assert_exactly(receivers, 0..4);
    // One by one, as after a conference, and nothing is left of them.
    for subscription in &listed {
        room.api.unsubscribe(&subscription.id).unwrap();
    }
    assert!(room.api.subscriptions().unwrap().is_empty());
    // Numbers rest for a moment after use, and are there again.
    let again = || room.api.subscribe(&wanted).is_ok();
    assert!(
        crate::room::wait_until(crate::room::LONG, again),
        "there is room again"
    );
    room.close();
}

/// Resident memory of the node, kB.
fn memory(room: &Room) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", room.node.pid())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
