//! DSCP and TTL or hop limit: the node's, and an endpoint's own, in every frame.

use forwarder_tests::model::{Mode, NewEndpoint};
use forwarder_tests::rtp::Stream;
use forwarder_tests::{Capture, Family, Lab};

use crate::room::{BOTH, LONG, OUT, Path, RECEIVER, Room, rewrite_of};

scenarios!(kernel: as_configured, defaults; socket: as_configured, defaults);

fn as_configured(path: Path) {
    marked(path, &["--dscp", "34", "--ttl", "17"], 34, 17);
}

fn defaults(path: Path) {
    marked(path, &[], 0, 64);
}

/// Endpoints with and without a DSCP of their own, on one local address, in one publication.
fn marked(path: Path, arguments: &[&str], dscp: u8, ttl: u8) {
    let room = Room::with(path, Lab::star(), arguments);
    let leaf = room.lab.receiver();
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let own = [None, Some(46), Some(0), Some(63)];
    let remote = |n: usize| leaf.pool_socket(BOTH[n % 2], n, RECEIVER);
    for n in 0..8 {
        let local = leaf.fwd_socket(BOTH[n % 2], OUT);
        let new = NewEndpoint {
            dscp: own[n / 2],
            ..NewEndpoint::new(local, remote(n), Mode::Clear)
        };
        let endpoint = room.api.add_endpoint(&new).unwrap();
        room.subscribe(&source, &endpoint, rewrite_of(n));
    }
    let capture = Capture::start(leaf).unwrap();
    source
        .publisher
        .send(&stream, 0..32, forwarder_tests::Pace::Full)
        .unwrap();
    assert!(capture.wait_for(8 * 32, LONG), "{}", capture.seen());
    let frames = capture.finish().unwrap();
    for n in 0..8 {
        let parsed = frames
            .iter()
            .map(|frame| frame.parsed())
            .filter(|parsed| parsed.dst == remote(n));
        let mut count = 0;
        for parsed in parsed {
            count += 1;
            let right = (own[n / 2].unwrap_or(dscp), 0, ttl);
            assert_eq!(
                (parsed.dscp, parsed.ecn, parsed.hop_limit),
                right,
                "receiver {n}"
            );
        }
        assert_eq!(count, 32, "receiver {n}");
    }
    room.close();
}
