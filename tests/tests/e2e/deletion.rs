//! Pausing, resuming and deleting: each takes effect with its answer, and deleting takes what depends on it along.

use forwarder_tests::client::CallError;
use forwarder_tests::model::{Mode, NewSubscription};
use forwarder_tests::rtp::{Rewrite, Stream};
use forwarder_tests::{Family, Pace, Receivers};

use crate::room::{
    BOTH, LONG, Path, QUIET, RECEIVER, Room, as_sent, send_in_bursts, subscription, wait_until,
};

scenarios!(
    kernel: pause_and_resume, a_publication, a_subscriber, a_publisher;
    socket: pause_and_resume, a_publication, a_subscriber, a_publisher
);

/// The status of a refusal.
fn status<T: std::fmt::Debug>(outcome: Result<T, CallError>) -> u16 {
    outcome.map_err(CallError::problem).unwrap_err().status
}

fn pause_and_resume(path: Path) {
    let room = Room::new(path);
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    let subscribed = room.fill(&receivers, &source, stream, 0..2, |n| BOTH[n], as_sent);
    receivers.expect(2, stream);
    let late = room.subscriber(
        room.lab.receiver(),
        receivers.socket(Family::V4, 2),
        Mode::Clear,
    );
    let late = NewSubscription {
        paused: Some(true),
        ..subscription(&source, &late, Rewrite::default())
    };
    let late = room.api.subscribe(&late).unwrap();
    assert!(late.paused);

    let send =
        |range, copies| send_in_bursts(&source.publisher, &stream, range, &[&receivers], copies);
    send(0..64, 2);
    room.api.pause(&subscribed[1].id).unwrap();
    room.api.resume(&late.id).unwrap();
    // Twice is as good as once.
    room.api.pause(&subscribed[1].id).unwrap();
    room.api.resume(&late.id).unwrap();
    send(64..128, 2);
    assert!(room.api.subscription(&subscribed[1].id).unwrap().paused);
    room.api.resume(&subscribed[1].id).unwrap();
    send(128..192, 3);
    for id in subscribed
        .iter()
        .chain([&late])
        .map(|subscription| &subscription.id)
    {
        room.api.pause(id).unwrap();
    }
    source
        .publisher
        .send(&stream, 192..256, Pace::Full)
        .unwrap();
    room.wait_for_reason("no_members", 64);
    for id in subscribed
        .iter()
        .chain([&late])
        .map(|subscription| &subscription.id)
    {
        room.api.resume(id).unwrap();
    }
    send(256..320, 3);

    receivers.settle(QUIET);
    let report = receivers.finish().unwrap();
    assert_eq!((report.faulty, report.lost), (0, 0), "{:?}", report.faults);
    let has = |n: usize, index| report.tally(n, stream.ssrc).unwrap().has(index);
    for index in 0..320 {
        assert_eq!(
            has(0, index),
            !(192..256).contains(&index),
            "the first, packet {index}"
        );
        let paused = (64..128).contains(&index) || (192..256).contains(&index);
        assert_eq!(has(1, index), !paused, "the second, packet {index}");
        let paused = index < 64 || (192..256).contains(&index);
        assert_eq!(has(2, index), !paused, "the third, packet {index}");
    }
    room.close();
}

fn a_publication(path: Path) {
    let room = Room::new(path);
    let streams = [Stream::new(1, 0x1111), Stream::new(2, 0x2222)];
    let source = room.publish(Family::V4, Mode::Clear, &streams[..1]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    let subscribed = room.fill(
        &receivers,
        &source,
        streams[0],
        0..66,
        |n| BOTH[n % 2],
        as_sent,
    );
    // The same publisher's other publication stays.
    let other = room.announce(source.endpoint.clone(), &streams[1..]);
    let endpoint = subscribed[0].endpoint.clone();
    receivers.expect(0, streams[1]);
    let wanted = NewSubscription {
        publication: other.id.clone(),
        endpoint,
        ..Default::default()
    };
    room.api.subscribe(&wanted).unwrap();

    source
        .publisher
        .send_interleaved(&streams, 0..64, Pace::Full)
        .unwrap();
    assert!(
        receivers.wait_for(64 * 67, LONG),
        "{}",
        receivers.received()
    );
    room.api.unpublish(&source.id).unwrap();
    source
        .publisher
        .send_interleaved(&streams, 64..128, Pace::Full)
        .unwrap();
    assert!(
        receivers.wait_for(64 * 68, LONG),
        "{}",
        receivers.received()
    );
    receivers.settle(QUIET);
    let report = receivers.finish().unwrap();
    assert_eq!((report.faulty, report.lost), (0, 0), "{:?}", report.faults);
    for n in 0..66 {
        assert_eq!(
            report.tally(n, 0x1111).unwrap().differs_from(0..64),
            None,
            "receiver {n}"
        );
    }
    assert_eq!(report.tally(0, 0x2222).unwrap().differs_from(0..128), None);

    assert_eq!(status(room.api.publication(&source.id)), 404);
    assert_eq!(status(room.api.subscription(&subscribed[0].id)), 404);
    assert_eq!(status(room.api.unpublish(&source.id)), 404);
    let left = room.api.subscriptions().unwrap();
    assert!(
        left.len() == 1 && left[0].publication == other.id,
        "{left:?}"
    );
    room.close();
}

/// With a subscriber's endpoint its subscriptions go, and nobody else's.
fn a_subscriber(path: Path) {
    let room = Room::new(path);
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    let subscribed = room.fill(&receivers, &source, stream, 0..66, |n| BOTH[n % 2], as_sent);
    send_in_bursts(&source.publisher, &stream, 0..64, &[&receivers], 66);
    for leaving in &subscribed[3..64] {
        room.api.remove_endpoint(&leaving.endpoint).unwrap();
        assert_eq!(status(room.api.subscription(&leaving.id)), 404);
    }
    send_in_bursts(&source.publisher, &stream, 64..128, &[&receivers], 5);
    receivers.settle(QUIET);
    let report = receivers.finish().unwrap();
    assert_eq!((report.faulty, report.lost), (0, 0), "{:?}", report.faults);
    for n in 0..66 {
        let end = if (3..64).contains(&n) { 64 } else { 128 };
        assert_eq!(
            report.tally(n, 0x1111).unwrap().differs_from(0..end),
            None,
            "receiver {n}"
        );
    }
    assert_eq!(room.api.subscriptions().unwrap().len(), 5);
    assert_eq!(room.api.endpoints().unwrap().len(), 6);
    room.close();
}

/// With a publisher's endpoint its publications go, and with them all subscriptions; the address takes no media any more,
/// and can be used again.
fn a_publisher(path: Path) {
    let room = Room::new(path);
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    let subscribed = room.fill(&receivers, &source, stream, 0..3, |_| Family::V4, as_sent);
    send_in_bursts(&source.publisher, &stream, 0..64, &[&receivers], 3);
    room.api.remove_endpoint(&source.endpoint.id).unwrap();
    assert_eq!(status(room.api.publication(&source.id)), 404);
    assert!(room.api.subscriptions().unwrap().is_empty());
    let taken = room.state().reason("taken");
    // The stack answers that nobody listens there, of which the publisher's socket may complain.
    let _ = source.publisher.send(&stream, 64..65, Pace::Full);
    receivers.settle(QUIET);
    assert_eq!(
        (receivers.received(), room.state().reason("taken")),
        (64 * 3, taken)
    );

    drop(source);
    let again = room.publish(Family::V4, Mode::Clear, &[stream]);
    for subscriber in &subscribed {
        let endpoint = room.api.endpoint(&subscriber.endpoint).unwrap();
        room.subscribe(&again, &endpoint, Rewrite::default());
    }
    assert!(wait_until(LONG, || room.api.subscriptions().unwrap().len() == 3));
    send_in_bursts(&again.publisher, &stream, 64..128, &[&receivers], 3);
    crate::room::assert_exactly(receivers, 0..128);
    room.close();
}
