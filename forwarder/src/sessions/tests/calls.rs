//! Calls from end to end.

use super::{
    parameters::settings,
    peer::VP8,
    world::{MILLISECOND, SECOND, World},
};
use crate::{
    media::Kind,
    sessions::{
        output::{CloseReason, Event},
        specs::PeerRole,
        views::State,
    },
};

#[test]
fn media_reaches_a_subscriber_in_every_dtls_role() {
    for roles in [
        [PeerRole::Auto, PeerRole::Active],
        [PeerRole::Passive, PeerRole::Auto],
        [PeerRole::Active, PeerRole::Passive],
    ] {
        let mut world = World::new(settings());
        let publisher = world.join(roles[0]);
        let subscriber = world.join(roles[1]);
        world.peers[publisher].check_payload_types();
        world.run(SECOND);
        for peer in [publisher, subscriber] {
            let view = world.sessions.session(world.ids[peer]).unwrap();
            assert_eq!(view.state, State::Connected, "{roles:?}");
            assert!(view.keys.unwrap().0.label().contains("GCM"), "{roles:?}");
            assert!(world.peers[peer].connected);
        }
        let video = world.publish(publisher, "v", Kind::Video, 42);
        let (_, ssrc) = world.subscribe(subscriber, video, Kind::Video, "0");
        world.run(2 * SECOND);

        let sent = &world.peers[publisher].streams.values().next().unwrap().sent;
        let heard = &world.peers[subscriber].heard;
        assert!(heard.len() > 190, "{} of {}", heard.len(), sent.len());
        for (at, packet) in heard.iter().enumerate() {
            assert_eq!(packet.payload, sent[at]);
            assert_eq!((packet.ssrc, packet.payload_type), (ssrc, VP8));
            assert_eq!(packet.mid.as_deref(), Some("0"));
        }
        let steps = heard
            .windows(2)
            .map(|two| two[1].sequence - two[0].sequence);
        assert!(steps.clone().all(|step| step == 1));
        // 90 kHz, and a packet every 10 ms.
        let ticks = heard
            .windows(2)
            .map(|two| two[1].timestamp.wrapping_sub(two[0].timestamp));
        assert!(ticks.clone().all(|ticks| ticks == 900));
        let numbers = heard.windows(2).map(|two| {
            let [first, second] = [0, 1].map(|at: usize| two[at].transport_cc.unwrap());
            second.wrapping_sub(first)
        });
        assert!(numbers.clone().all(|step| step == 1));
    }
}

#[test]
fn a_publication_without_ssrcs_is_told_by_its_mid() {
    let mut world = World::new(settings());
    let (publisher, subscriber) = (world.join(PeerRole::Auto), world.join(PeerRole::Auto));
    world.run(SECOND);
    let spec = super::parameters::publication(Kind::Video, "v", None);
    let video = world
        .sessions
        .publish(world.now, world.ids[publisher], &spec)
        .unwrap();
    world.subscribe(subscriber, video, Kind::Video, "0");
    world.peers[publisher].send(world.now, "v", str0m::media::MediaKind::Video, 77);
    world.carry_out();
    world.run(SECOND);
    assert!(world.peers[subscriber].heard.len() > 90);
    let view = world.sessions.session(world.ids[publisher]).unwrap();
    assert_eq!(view.publications[0].ssrc, Some(77));
    // The subscriber came before the SSRC was known: the keyframe is asked for once it is.
    assert!(!world.peers[publisher].keyframes_asked.is_empty());
}

#[test]
fn a_subscriber_that_two_workers_send_to_sees_one_transport() {
    let mut world = World::new(settings());
    let publishers = [world.join(PeerRole::Auto), world.join(PeerRole::Auto)];
    let subscriber = world.join(PeerRole::Auto);
    world.run(SECOND);
    let worker = |peer: usize| world.sessions.session(world.ids[peer]).unwrap().worker;
    assert_ne!(worker(publishers[0]), worker(publishers[1]));
    for (at, publisher) in publishers.into_iter().enumerate() {
        // The same SSRC, MID and payload type from both: what they are to the subscriber is ours to say.
        let video = world.publish(publisher, "v", Kind::Video, 42);
        world.subscribe(subscriber, video, Kind::Video, &at.to_string());
    }
    world.run(2 * SECOND);
    let heard = &world.peers[subscriber].heard;
    for mid in ["0", "1"] {
        let of = heard.iter().filter(|it| it.mid.as_deref() == Some(mid));
        assert!(of.count() > 190);
    }
    let mut numbers: Vec<u16> = heard.iter().filter_map(|it| it.transport_cc).collect();
    numbers.sort_unstable();
    assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1));
    assert_eq!(numbers.len(), heard.len());
}

#[test]
fn pausing_resuming_and_leaving() {
    let mut world = World::new(settings());
    let (publisher, subscriber) = (world.join(PeerRole::Auto), world.join(PeerRole::Auto));
    world.run(SECOND);
    let video = world.publish(publisher, "v", Kind::Video, 42);
    let (leg, ssrc) = world.subscribe(subscriber, video, Kind::Video, "0");
    world.run(SECOND);
    let id = world.ids[subscriber];
    world.sessions.pause(id, leg).unwrap();
    world.carry_out();
    world.run(100 * MILLISECOND);
    let paused = world.peers[subscriber].heard.len();
    world.run(SECOND);
    assert_eq!(world.peers[subscriber].heard.len(), paused);

    let asked = world.peers[publisher].keyframes_asked.len();
    world.sessions.resume(world.now, id, leg).unwrap();
    world.carry_out();
    world.run(SECOND);
    assert!(world.peers[subscriber].heard.len() > paused + 90);
    assert_eq!(world.peers[publisher].keyframes_asked.len(), asked + 1);

    world.sessions.unsubscribe(world.now, id, leg).unwrap();
    world.carry_out();
    world.run(SECOND);
    let last = world.peers[subscriber].heard.len();
    let said = world.peers[subscriber].said_goodbye();
    assert_eq!(said, [ssrc]);
    // The same again gets another SSRC, under the same keys.
    world.peers[subscriber].forget("0");
    let (_, again) = world.subscribe(subscriber, video, Kind::Video, "0");
    assert_ne!(again, ssrc);
    world.run(SECOND);
    assert!(world.peers[subscriber].heard.len() > last + 90);
}

#[test]
fn closing_says_goodbye_and_leaves_nothing() {
    let mut world = World::new(settings());
    let (publisher, subscriber) = (world.join(PeerRole::Auto), world.join(PeerRole::Auto));
    world.run(SECOND);
    let video = world.publish(publisher, "v", Kind::Video, 42);
    let (leg, ssrc) = world.subscribe(subscriber, video, Kind::Video, "0");
    world.run(SECOND);
    world
        .sessions
        .close(world.now, world.ids[publisher])
        .unwrap();
    world.carry_out();
    world.run(SECOND);
    assert_eq!(world.peers[subscriber].said_goodbye(), [ssrc]);
    assert!(world.peers[publisher].closed, "close_notify");
    let ended = Event::SubscriptionEnded {
        session: world.ids[subscriber],
        subscription: leg,
        publication: video,
    };
    assert!(world.events.contains(&ended));
    world
        .sessions
        .close(world.now, world.ids[subscriber])
        .unwrap();
    world.carry_out();
    assert!(world.events.contains(&Event::Closed {
        session: world.ids[subscriber],
        reason: CloseReason::Asked,
    }));
    assert!(world.open.is_empty() && world.ufrags.is_empty());
    for worker in &world.workers {
        assert_eq!(worker.holds(), (0, 0, 0, 0));
    }
    assert_eq!(world.sessions.poll_timeout(), u64::MAX);
}

#[test]
fn the_peer_closes() {
    let mut world = World::new(settings());
    let peer = world.join(PeerRole::Auto);
    world.run(SECOND);
    world.peers[peer].rtc.close().unwrap();
    world.peers[peer].due = world.now;
    world.run(SECOND);
    let closed = Event::Closed {
        session: world.ids[peer],
        reason: CloseReason::Peer,
    };
    assert!(world.events.contains(&closed), "{:?}", world.events);
}

#[test]
fn a_certificate_that_was_not_signalled_gets_no_keys() {
    let mut world = World::new(settings());
    let mut peer = super::peer::Peer::new(world.base(), world.now, World::address(0));
    let other = ["AB"; 32].join(":");
    let id = world.create(&mut peer, PeerRole::Auto, &other);
    world.peers.push(peer);
    world.run(2 * SECOND);
    let closed = |event: &Event| matches!(event, Event::Closed { session, reason: CloseReason::Dtls(_) } if *session == id);
    assert!(world.events.iter().any(closed), "{:?}", world.events);
    assert_eq!(world.workers[0].holds(), (0, 0, 0, 0));
}

#[test]
fn whoever_never_comes_is_forgotten() {
    let mut world = World::new(settings());
    let peer = world.join(PeerRole::Auto);
    world.peers[peer].dead = true;
    world.run(31 * SECOND);
    let closed = Event::Closed {
        session: world.ids[peer],
        reason: CloseReason::SetUpTimedOut,
    };
    assert!(world.events.contains(&closed));
    assert!(world.ufrags.is_empty());
}
