//! Coming and going while media flows: late subscribers, pauses, leaving.

use std::time::Duration;

use forwarder_tests::rtc::AgentOptions;

use crate::hall::{Hall, Kind, LONG, Side, assert_whole, subscribe, wait_for_frames, wait_until};

scenarios!(
    a_late_subscriber_gets_a_keyframe_at_once,
    who_leaves_disturbs_nobody,
    a_pause_is_no_loss,
    a_track_that_ends,
    a_session_that_is_closed_says_so,
);

/// How soon a keyframe is there: the clip itself has one in ten seconds.
const AT_ONCE: Duration = Duration::from_millis(400);
/// How late it may be where the machine was busy with something else.
const SOON: Duration = Duration::from_secs(3);

fn a_late_subscriber_gets_a_keyframe_at_once(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    publisher.start_media();
    let mut waits = Vec::new();
    for n in 0..3 {
        std::thread::sleep(Duration::from_millis(300));
        let subscriber = hall.subscriber(n);
        let subscribed = subscribe(&subscriber, &tracks);
        let report = wait_for_frames(&subscriber, &subscribed[0], 5);
        waits.push(report.inbound["0"].keyframe_wait.unwrap());
        publisher.stop_media();
        assert_whole(&[&subscriber]);
        publisher.start_media();
    }
    waits.sort_unstable();
    assert!(waits[0] < AT_ONCE && waits[2] < SOON, "{waits:?}");
    publisher.stop_media();
    hall.close();
}

/// Waits until nothing was counted for this long, in which a stream would have been many packets; whether that came.
fn falls_silent(count: impl Fn() -> u64, quiet: Duration) -> bool {
    wait_until(SOON, || {
        let before = count();
        std::thread::sleep(quiet);
        count() == before
    })
}

fn who_leaves_disturbs_nobody(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let stays = hall.subscriber(0);
    subscribe(&stays, &tracks);
    publisher.start_media();
    for n in 1..5 {
        let leaves = hall.subscriber(n);
        let subscribed = subscribe(&leaves, &tracks);
        wait_for_frames(&leaves, &subscribed[1], 10);
        if n % 2 == 0 {
            leaves.leave().unwrap();
        } else {
            for one in &subscribed {
                leaves.unsubscribe(one).unwrap();
            }
        }
        // Nothing comes once the answer is there, but for what was on its way.
        let packets = || {
            let streams = leaves.report().wire.streams;
            streams.values().map(|stream| stream.packets).sum()
        };
        assert!(falls_silent(packets, Duration::from_millis(100)));
    }
    publisher.stop_media();
    assert_whole(&[&stays]);
    hall.close();
}

fn a_pause_is_no_loss(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let subscriber = hall.subscriber(0);
    let subscribed = subscribe(&subscriber, &tracks);
    publisher.start_media();
    wait_for_frames(&subscriber, &subscribed[0], 20);
    let requests = || publisher.report().outbound["0"].keyframe_requests.len();
    for one in &subscribed {
        subscriber.pause(one).unwrap();
    }
    let frames = || subscriber.frames(&subscribed[0]);
    assert!(falls_silent(frames, Duration::from_millis(300)));
    let (paused, before) = (frames(), requests());
    for one in &subscribed {
        subscriber.resume(one).unwrap();
    }
    wait_for_frames(&subscriber, &subscribed[0], paused + 20);
    assert!(requests() > before, "a keyframe is asked for after a pause");
    publisher.stop_media();
    assert!(wait_until(LONG, || {
        subscriber.report().inbound["0"].last == Some(tracks[0].track.ledger.len() - 1)
    }));
    let report = subscriber.report();
    for inbound in report.inbound.values() {
        assert_eq!((inbound.wrong, inbound.doubled), (0, 0), "{report:#?}");
        // What was published during the pause is not there, and no sequence number tells of it.
        assert!(inbound.missing() > 5, "{report:#?}");
    }
    for stream in report.wire.streams.values() {
        assert_eq!((stream.lost(), stream.duplicates), (0, 0), "{report:#?}");
    }
    hall.close();
}

fn a_track_that_ends(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let options = AgentOptions {
        inspects: true,
        ..hall.options(Side::Receiving, 0)
    };
    let subscriber = hall.join(Side::Receiving, options);
    let subscribed = subscribe(&subscriber, &tracks);
    publisher.start_media();
    wait_for_frames(&subscriber, &subscribed[0], 10);
    publisher.unpublish(&tracks[0]).unwrap();
    // RFC 3550 §6.6: the source says goodbye to who received it.
    let ended = || {
        subscriber
            .report()
            .rtcp
            .goodbyes
            .contains(&subscribed[0].ssrc)
    };
    assert!(wait_until(LONG, ended), "{:#?}", subscriber.report().rtcp);
    let before = subscriber.frames(&subscribed[1]);
    wait_for_frames(&subscriber, &subscribed[1], before + 10);
    let report = subscriber.report();
    assert!(!report.rtcp.goodbyes.contains(&subscribed[1].ssrc));
    // With the first sender report, which waits for the publisher's.
    let named = || {
        let names = subscriber.report().rtcp.names;
        names.get(&subscribed[1].ssrc) == Some(&subscribed[1].cname)
    };
    assert!(wait_until(LONG, named), "{:#?}", subscriber.report().rtcp);
    publisher.stop_media();
    hall.close();
}

fn a_session_that_is_closed_says_so(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let options = AgentOptions {
        inspects: true,
        ..hall.options(Side::Receiving, 0)
    };
    let subscriber = hall.join(Side::Receiving, options);
    let subscribed = subscribe(&subscriber, &tracks);
    publisher.start_media();
    wait_for_frames(&subscriber, &subscribed[1], 10);
    publisher.leave().unwrap();
    assert!(wait_until(LONG, || publisher.report().closed));
    let ended = || subscriber.report().rtcp.goodbyes.len() == 2;
    assert!(wait_until(LONG, ended), "{:#?}", subscriber.report().rtcp);
    subscriber.leave().unwrap();
    assert!(wait_until(LONG, || subscriber.report().closed));
    assert_eq!(hall.state().more["sessions"], serde_json::json!([]));
    hall.close();
}
