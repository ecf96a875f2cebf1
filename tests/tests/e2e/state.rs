//! What the API says of traffic is what happened, to the packet and to the byte.

use forwarder_tests::model::Mode;
use forwarder_tests::rtp::Stream;
use forwarder_tests::{Family, Receivers};
use serde_json::Value;

use crate::room::{
    BOTH, Path, RECEIVER, Room, as_sent, assert_exactly, counted, rewrite_of, send_in_bursts,
};

scenarios!(kernel: counters; socket: counters);

fn counters(path: Path) {
    let room = Room::new(path);
    let streams = [
        Stream::new(1, 0x1111).with_payload(988),
        Stream::new(2, 0x2222).with_payload(48),
    ];
    let idle = Stream::new(3, 0x3333);
    let source = room.publish(Family::V4, Mode::Clear, &streams[..1]);
    let sound = room.announce(source.endpoint.clone(), &streams[1..]);
    let silent = room.announce(source.endpoint.clone(), &[idle]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    let pictures = room.fill(
        &receivers,
        &source,
        streams[0],
        0..5,
        |n| BOTH[n % 2],
        rewrite_of,
    );
    receivers.expect(0, streams[1]);
    let first = room.api.endpoint(&pictures[0].endpoint).unwrap();
    let heard = room.subscribe(&sound, &first, as_sent(0));
    let before = room.state();
    assert!(
        before
            .publications
            .iter()
            .all(|publication| publication.packets == 0)
    );
    assert!(
        before
            .subscriptions
            .iter()
            .all(|one| one.legs[0].more["last_seen_ms"].is_null())
    );

    send_in_bursts(&source.publisher, &streams[0], 0..200, &[&receivers], 5);
    send_in_bursts(&source.publisher, &streams[1], 0..200, &[&receivers], 1);
    assert_exactly(receivers, 0..200);

    let state = room.state();
    let publication = |id: &str| {
        let found = state
            .publications
            .iter()
            .find(|publication| publication.id == id)
            .unwrap();
        (found.packets, found.bytes)
    };
    // Bytes are those of UDP payload, the RTP header included.
    assert_eq!(publication(&source.id), (200, 200 * 1000));
    assert_eq!(publication(&sound.id), (200, 200 * 60));
    assert_eq!(publication(&silent.id), (0, 0));
    let leg = |id: &str| {
        let found = state.subscriptions.iter().find(|one| one.id == id).unwrap();
        let age = found.legs[0].more["last_seen_ms"].as_u64();
        assert!(age.is_some_and(|age| age < 30_000), "{id}: {age:?}");
        assert_eq!(
            (found.legs.len(), found.legs[0].path.as_str()),
            (1, path.name()),
            "{id}"
        );
        (found.legs[0].packets, found.legs[0].bytes)
    };
    for subscription in &pictures {
        assert_eq!(leg(&subscription.id), (200, 200 * 1000));
    }
    assert_eq!(leg(&heard.id), (200, 200 * 60));
    let expected = [("sent", 1200), ("taken", 400)];
    // No losses, and multicast reports of the lab's kernel.
    let quiet = ["surplus", "queued", "not_ours", "extension_header"];
    let mut seen = counted(&state);
    seen.retain(|(name, _)| !quiet.contains(name));
    assert_eq!(seen, expected);

    if path == Path::Kernel {
        let device = state
            .devices
            .iter()
            .find(|device| device["name"] == "rx0")
            .unwrap();
        assert_eq!(device["xmit_sent"].as_u64(), Some(1200), "{device}");
        assert_eq!(
            (&device["xmit_drops"], &device["driver"]),
            (&Value::from(0), &Value::from("veth"))
        );
    }
    let node = room.api.node().unwrap();
    assert_eq!(
        (node.path.as_str(), node.pid),
        (path.name(), room.node.pid() as u32)
    );
    assert_eq!(node.why.is_some(), path == Path::Socket, "{node:?}");
    room.close();
}
