//! What a publication is fed from: another source under the same MID, and a publication that ends and comes again, all under the
//! keys that were there before.

use std::collections::BTreeSet;
use std::time::Duration;

use forwarder_tests::rtc::wire::WireStream;
use forwarder_tests::rtc::{Codec, Participant, Subscribed};

use crate::hall::{Hall, Kind, LONG, assert_whole, subscribe, wait_for_frames, wait_until};

scenarios!(
    another_source_under_the_same_mid,
    a_publication_that_comes_again
);

/// How long a source is silent before another one takes its place: a second is asked for (docs/sealed-path.md).
const SILENT: Duration = Duration::from_millis(1100);

/// How far RTP time may be from the time that has passed: more than packets of a busy machine are late by, and less than [`SILENT`].
const LATE: f64 = 0.5;

fn stream(participant: &Participant, subscribed: &Subscribed) -> WireStream {
    participant.report().wire.streams[&subscribed.ssrc].clone()
}

/// The publisher falls silent and goes on with other SSRCs, announced to nobody: subscribers see one stream that goes on.
fn another_source_under_the_same_mid(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let subscriber = hall.subscriber(0);
    let subscribed = subscribe(&subscriber, &tracks);
    publisher.start_media();
    wait_for_frames(&subscriber, &subscribed[0], 15);
    wait_for_frames(&subscriber, &subscribed[1], 15);
    publisher.stop_media();
    assert_whole(&[&subscriber]);
    let before = subscribed
        .iter()
        .map(|one| stream(&subscriber, one))
        .collect::<Vec<_>>();
    let requests = || publisher.report().outbound["0"].keyframe_requests.len();
    let requested = requests();
    std::thread::sleep(SILENT);
    for (track, one) in tracks.iter().zip(&subscribed) {
        let (mid, at) = (track.track.mid, one.mid);
        let changed = publisher
            .member
            .ask(move |agent, _| agent.change_source(mid).unwrap());
        assert_ne!(changed.ssrc, track.track.ssrc);
        subscriber
            .member
            .ask(move |agent, _| agent.expect_another_source(at));
    }
    let frames = subscribed
        .iter()
        .map(|one| subscriber.frames(one))
        .collect::<Vec<_>>();
    publisher.start_media();
    for (one, frames) in subscribed.iter().zip(&frames) {
        wait_for_frames(&subscriber, one, frames + 15);
    }
    publisher.stop_media();
    let last = || {
        let report = subscriber.report();
        let mut all = tracks.iter().zip(report.inbound.values());
        all.all(|(track, inbound)| inbound.last == Some(track.track.ledger.len() - 1))
    };
    assert!(wait_until(LONG, last), "{:#?}", subscriber.report());
    assert!(requests() > requested, "a keyframe is asked for");
    let report = subscriber.report();
    assert_eq!(report.wire.streams.len(), 2, "one SSRC per track");
    for inbound in report.inbound.values() {
        assert_eq!((inbound.wrong, inbound.doubled), (0, 0), "{report:#?}");
        assert_eq!(inbound.before_keyframe, 0, "{report:#?}");
    }
    let clock_rates = [Codec::Vp8, Codec::Opus].map(|codec| f64::from(codec.clock_rate()));
    for ((one, before), clock_rate) in subscribed.iter().zip(&before).zip(clock_rates) {
        let after = stream(&subscriber, one);
        assert!(after.packets > before.packets);
        let faults = (after.lost(), after.duplicates, after.reordered);
        assert_eq!(faults, (0, 0, 0), "{after:?}");
        let passed = after.arrived.unwrap() - before.arrived.unwrap();
        let told = f64::from(after.timestamp.wrapping_sub(before.timestamp)) / clock_rate;
        let error = told - passed.as_secs_f64();
        assert!(error.abs() < LATE, "RTP time: {told} s in {passed:?}");
    }
    hall.close();
}

/// While media flows its publication is taken away and made anew, with the same SSRC, again and again. Subscribers that subscribe anew
/// get it under an SSRC that they never had, so that no index is used twice.
fn a_publication_that_comes_again(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let subscriber = hall.subscriber(0);
    let mut tracks = tracks.to_vec();
    let mut ssrcs = BTreeSet::new();
    publisher.start_media();
    for round in 0..3 {
        let subscribed = subscribe(&subscriber, &tracks);
        for one in &subscribed {
            assert!(ssrcs.insert(one.ssrc), "an SSRC came twice");
            wait_for_frames(&subscriber, one, 10);
        }
        if round == 2 {
            break;
        }
        for (one, track) in subscribed.iter().zip(&mut tracks) {
            publisher.unpublish(track).unwrap();
            // What is on its way still comes, and belongs to a track that is there.
            std::thread::sleep(Duration::from_millis(50));
            let mid = one.mid;
            subscriber
                .member
                .ask(move |agent, _| agent.expect_no_more(mid));
            *track = publisher.publish_again(track).unwrap();
        }
    }
    publisher.stop_media();
    assert_whole(&[&subscriber]);
    let streams = subscriber.report().wire.streams;
    assert_eq!(streams.keys().copied().collect::<BTreeSet<_>>(), ssrcs);
    // Nothing that the client sent under its live keys was taken for a replay.
    let view = hall.view(&publisher);
    assert_eq!(view["replayed"], 0, "{view:#}");
    assert_eq!(view["unauthentic"], 0, "{view:#}");
    hall.close();
}
