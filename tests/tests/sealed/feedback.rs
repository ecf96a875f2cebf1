//! RTCP: requests for keyframes, reports, feedback on congestion.

use std::time::{Duration, Instant};

use forwarder_tests::rtc::{AgentOptions, Participant};
use str0m::media::KeyframeRequestKind::{Fir, Pli};

use crate::hall::{Hall, Kind, LONG, Side, play, subscribe, wait_for_frames, wait_until};

scenarios!(
    a_picture_loss_reaches_the_publisher,
    a_full_intra_request_reaches_the_publisher_as_such,
    requests_are_coalesced,
    reports_are_the_forwarders_own
);

fn requests(publisher: &Participant) -> usize {
    publisher.report().outbound["0"].keyframe_requests.len()
}

fn a_picture_loss_reaches_the_publisher(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let subscriber = hall.subscriber(0);
    let subscribed = subscribe(&subscriber, &tracks);
    publisher.start_media();
    wait_for_frames(&subscriber, &subscribed[0], 15);
    let before = requests(&publisher);
    let mid = subscribed[0].mid;
    subscriber
        .member
        .ask(move |agent, now| agent.request_keyframe(mid, Pli, now).unwrap());
    assert!(wait_until(LONG, || requests(&publisher) > before));
    publisher.stop_media();
    hall.close();
}

/// FIR stays FIR, and PLI stays PLI.
fn a_full_intra_request_reaches_the_publisher_as_such(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let subscriber = hall.subscriber(0);
    let subscribed = subscribe(&subscriber, &tracks);
    publisher.start_media();
    wait_for_frames(&subscriber, &subscribed[0], 15);
    let mid = subscribed[0].mid;
    let by_fir = || publisher.report().outbound["0"].full_intra_requests;
    for (asked, expected) in [(Pli, 0), (Fir, 1)] {
        // Sooner after the one before, it would be one too many.
        std::thread::sleep(Duration::from_millis(300));
        let (all, fir) = (requests(&publisher), by_fir());
        subscriber
            .member
            .ask(move |agent, now| agent.request_keyframe(mid, asked, now).unwrap());
        assert!(wait_until(LONG, || requests(&publisher) > all));
        assert_eq!(by_fir() - fir, expected);
    }
    publisher.stop_media();
    hall.close();
}

/// Twelve subscribers ask at once, again and again: the publisher hears it five times a second at most.
fn requests_are_coalesced(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let subscribers: Vec<_> = (0..12)
        .map(|n| {
            let subscriber = hall.subscriber(n);
            let subscribed = subscribe(&subscriber, &tracks);
            (subscriber, subscribed)
        })
        .collect();
    // What joining asked for is not counted.
    let (before, began) = (requests(&publisher), Instant::now());
    publisher.start_media();
    for (subscriber, subscribed) in &subscribers {
        wait_for_frames(subscriber, &subscribed[0], 5);
    }
    for _ in 0..10 {
        for (subscriber, subscribed) in &subscribers {
            let mid = subscribed[0].mid;
            subscriber
                .member
                .ask(move |agent, now| agent.request_keyframe(mid, Pli, now).unwrap());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    publisher.stop_media();
    let came = requests(&publisher) - before;
    let took = began.elapsed();
    // As sent they are 200 ms apart. On their way one may catch up with the one before, so all of them are counted.
    let most = took.as_millis() / 200 + 1;
    assert!((2..=most).contains(&(came as u128)), "{came} in {took:?}");
    hall.close();
}

fn reports_are_the_forwarders_own(kind: Kind) {
    let hall = Hall::new(kind);
    let watching = |side| AgentOptions {
        inspects: true,
        estimates: true,
        ..hall.options(side, 0)
    };
    let publisher = hall.join(Side::Publishing, watching(Side::Publishing));
    let tracks = [
        forwarder_tests::rtc::Codec::Vp8,
        forwarder_tests::rtc::Codec::Opus,
    ]
    .map(|codec| publisher.publish(&crate::hall::clip(codec)).unwrap());
    let subscriber = hall.join(Side::Receiving, watching(Side::Receiving));
    let subscribed = subscribe(&subscriber, &tracks);
    play(&[&publisher], &[&subscriber], Duration::from_millis(2500));
    let (sender, receiver) = (publisher.report(), subscriber.report());
    assert!(sender.rtcp.receiver_reports >= 1, "{:#?}", sender.rtcp);
    assert!(sender.rtcp.transport_cc >= 10, "{:#?}", sender.rtcp);
    // It begins with 500 kbit/s, and grows by nothing but what we report.
    assert!(sender.estimate > Some(550_000.0), "{:?}", sender.estimate);
    assert!(receiver.rtcp.sender_reports >= 2, "{:#?}", receiver.rtcp);
    for one in &subscribed {
        assert_eq!(receiver.rtcp.names.get(&one.ssrc), Some(&one.cname));
        assert!(!one.cname.is_empty());
    }
    // Picture and sound of one publisher have one name, or players would not keep them together (RFC 3550 §6.5.1).
    assert_eq!(subscribed[0].cname, subscribed[1].cname);
    let round_trips: Vec<_> = sender
        .outbound
        .values()
        .map(|track| track.round_trip)
        .collect();
    assert!(round_trips.iter().all(Option::is_some), "{round_trips:?}");
    hall.close();
}
