//! What goes back and forth beside the media: keyframe requests, reports, transport-wide feedback.

use std::sync::atomic::Ordering::Relaxed;

use str0m::{
    media::KeyframeRequestKind,
    rtp::rtcp::{Rtcp, SdesType, SenderInfo},
};

use super::{
    parameters::{publication, settings, subscription},
    peer::Peer,
    world::{MILLISECOND, SECOND, World},
};
use crate::{
    media::Kind,
    sessions::{output::Output, specs::PeerRole},
    worker::note::Note,
};

#[test]
fn a_new_subscriber_gets_a_keyframe_and_many_losses_ask_once() {
    let mut world = World::new(settings());
    let publisher = world.join(PeerRole::Auto);
    let subscribers: Vec<_> = (0..3).map(|_| world.join(PeerRole::Auto)).collect();
    world.run(SECOND);
    let video = world.publish(publisher, "v", Kind::Video, 42);
    world.run(5 * SECOND);
    assert!(world.peers[publisher].keyframes_asked.is_empty());

    let before = world.now;
    let mut ssrcs = Vec::new();
    for subscriber in &subscribers {
        ssrcs.push(world.subscribe(*subscriber, video, Kind::Video, "0").1);
    }
    world.run(SECOND);
    let asked = &world.peers[publisher].keyframes_asked;
    // At once for the first, and once more for those who came right after it.
    assert!(asked.len() <= 2, "{asked:?}");
    assert!(asked[0] - before < 25 * MILLISECOND);
    for subscriber in &subscribers {
        let heard = &world.peers[*subscriber].heard;
        // Descriptor, then the frame tag whose lowest bit says "no keyframe" (RFC 7741 §4.3).
        let keyframe = heard.iter().position(|packet| packet.payload[1] & 1 == 0);
        assert!(heard[keyframe.unwrap()].at - before < 120 * MILLISECOND);
    }

    // Three receivers lose something, again and again, for three seconds.
    world.run(10 * SECOND);
    let before = world.peers[publisher].keyframes_asked.len();
    for _ in 0..30 {
        for (subscriber, ssrc) in subscribers.iter().zip(&ssrcs) {
            world.peers[*subscriber].ask_keyframe(*ssrc, KeyframeRequestKind::Pli);
        }
        world.run(100 * MILLISECOND);
    }
    let asked = &world.peers[publisher].keyframes_asked[before..];
    assert!((1..=9).contains(&asked.len()), "{asked:?}");
    let apart = asked.windows(2).map(|two| two[1] - two[0]);
    assert!(apart.clone().all(|apart| apart >= 190 * MILLISECOND));
}

/// FIR is for decoders that begin, PLI for loss, and both count against the same limits.
#[test]
fn full_intra_requests_stay_what_they_are() {
    let mut world = World::new(settings());
    let (publisher, subscriber) = (world.join(PeerRole::Auto), world.join(PeerRole::Auto));
    world.run(SECOND);
    let video = world.publish(publisher, "v", Kind::Video, 42);
    let (_, ssrc) = world.subscribe(subscriber, video, Kind::Video, "0");
    world.run(11 * SECOND);
    let asked = |world: &World| {
        let peer = &world.peers[publisher];
        (peer.keyframes_asked.len(), peer.full_intra_asked.len())
    };
    // The subscription is a decoder that begins.
    assert_eq!(asked(&world), (1, 1));
    world.peers[subscriber].ask_keyframe(ssrc, KeyframeRequestKind::Pli);
    world.run(SECOND);
    assert_eq!(asked(&world), (2, 1));
    world.peers[subscriber].ask_keyframe(ssrc, KeyframeRequestKind::Fir);
    world.run(SECOND);
    assert_eq!(asked(&world), (3, 2));
    // A third in ten seconds is the last, of whatever kind.
    for kind in [KeyframeRequestKind::Pli, KeyframeRequestKind::Fir] {
        world.peers[subscriber].ask_keyframe(ssrc, kind);
        world.run(SECOND);
        world.peers[subscriber].ask_keyframe(ssrc, kind);
        world.run(SECOND);
    }
    assert_eq!(asked(&world).0, 4);
}

#[test]
fn a_publisher_without_full_intra_requests_is_sent_picture_losses() {
    let mut world = World::new(settings());
    let (publisher, subscriber) = (world.join(PeerRole::Auto), world.join(PeerRole::Auto));
    world.run(SECOND);
    let mut spec = publication(Kind::Video, "v", Some(42));
    spec.feedback.fir = false;
    let id = world.ids[publisher];
    let video = world.sessions.publish(world.now, id, &spec).unwrap();
    world.peers[publisher].send(world.now, "v", str0m::media::MediaKind::Video, 42);
    world.carry_out();
    let (_, ssrc) = world.subscribe(subscriber, video, Kind::Video, "0");
    world.run(SECOND);
    world.peers[subscriber].ask_keyframe(ssrc, KeyframeRequestKind::Fir);
    world.run(SECOND);
    let peer = &world.peers[publisher];
    assert_eq!(
        (peer.keyframes_asked.len(), peer.full_intra_asked.len()),
        (2, 0)
    );
}

#[test]
fn a_lost_request_is_repeated() {
    let mut world = World::new(settings());
    let (publisher, subscriber) = (world.join(PeerRole::Auto), world.join(PeerRole::Auto));
    world.run(SECOND);
    let video = world.publish(publisher, "v", Kind::Video, 42);
    world.run(SECOND);
    // All RTCP is lost, in both directions.
    world.loses = |bytes| (192..=223).contains(&bytes[1]) && bytes[0] >> 6 == 2;
    world.subscribe(subscriber, video, Kind::Video, "0");
    world.run(100 * MILLISECOND);
    world.loses = |_| false;
    assert!(world.peers[publisher].keyframes_asked.is_empty());
    world.run(SECOND);
    assert_eq!(world.peers[publisher].keyframes_asked.len(), 1);
}

/// A keyframe came, and a subscriber that waits for one could not be sent it: another is asked for, but not at any rate, and not
/// for those whose stream has begun.
#[test]
fn a_keyframe_that_could_not_be_sent_is_asked_for_again() {
    let mut world = World::new(settings());
    let publisher = world.join(PeerRole::Auto);
    let subscribers: Vec<_> = (0..2).map(|_| world.join(PeerRole::Auto)).collect();
    world.run(SECOND);
    let video = world.publish(publisher, "v", Kind::Video, 42);
    let track = world.sessions.track_owners.keys().copied().next().unwrap();
    world.subscribe(subscribers[0], video, Kind::Video, "0");
    world.run(11 * SECOND);
    // The worker has no way to the second subscriber, and control does not know.
    let number = world
        .sessions
        .session(world.ids[subscribers[1]])
        .unwrap()
        .number;
    let mut ways = world.workers.iter_mut().enumerate();
    let (at, way) = ways
        .find_map(|(at, worker)| Some((at, worker.senders.remove(&number)?)))
        .unwrap();
    let asked = |world: &World| world.peers[publisher].keyframes_asked.len();
    let before = asked(&world);
    world.subscribe(subscribers[1], video, Kind::Video, "0");
    world.run(3 * SECOND);
    // The keyframe came, so it is not asked for again by itself.
    assert_eq!(asked(&world), before + 1);
    let missed = |world: &mut World, waits: bool| {
        let session = world.sessions.table.at_mut(number).unwrap();
        for subscription in &session.subscriptions {
            subscription.counters.missed.store(waits, Relaxed);
        }
        world
            .sessions
            .handle_note(world.now, Note::Missed { track });
        world.carry_out();
        world.run(SECOND);
    };
    // Its own request was the first of three in ten seconds.
    for more in [2, 3, 3] {
        missed(&mut world, true);
        assert_eq!(asked(&world), before + more);
    }
    // The fourth is asked for when those are over. Once it is served, what is missed is nobody's.
    world.workers[at].senders.insert(number, way);
    world.run(11 * SECOND);
    assert_eq!(asked(&world), before + 4);
    assert!(!world.peers[subscribers[1]].heard.is_empty());
    missed(&mut world, false);
    assert_eq!(asked(&world), before + 4);
}

#[test]
fn another_source_is_asked_for_a_keyframe_at_once() {
    let mut world = World::new(settings());
    let publisher = world.join(PeerRole::Auto);
    let subscribers: Vec<_> = (0..2).map(|_| world.join(PeerRole::Auto)).collect();
    world.run(SECOND);
    let video = world.publish(publisher, "v", Kind::Video, 42);
    let track = world.sessions.track_owners.keys().copied().next().unwrap();
    world.run(SECOND);
    for stream in world.peers[publisher].streams.values_mut() {
        stream.next = u64::MAX;
    }
    let learnt = |world: &mut World, ssrc| {
        let number = world.sessions.track_owners[&track];
        let session = world.sessions.table.at_mut(number).unwrap();
        let counters = &session.track_mut(track).unwrap().counters;
        counters.ssrc.store(ssrc, Relaxed);
        let note = Note::Learnt { track, ssrc };
        world.sessions.handle_note(world.now, note);
        let sent = |output: &&Output| matches!(output, Output::Transmit { .. });
        let asked = world.sessions.outputs.iter().filter(sent).count();
        world.carry_out();
        asked
    };
    // Nobody is sent it.
    assert_eq!(learnt(&mut world, 77), 0);
    for subscriber in &subscribers {
        world.subscribe(*subscriber, video, Kind::Video, "0");
        world.run(SECOND);
    }
    assert_eq!(learnt(&mut world, 78), 1);
    assert_eq!(learnt(&mut world, 78), 0);
    // That a keyframe was asked of the former a moment ago is nothing to the next.
    assert_eq!(learnt(&mut world, 79), 1);
}

fn sender_infos(peer: &Peer) -> Vec<(u64, SenderInfo)> {
    let info = |(at, rtcp): &(u64, Rtcp)| match rtcp {
        Rtcp::SenderReport(report) => Some((*at, report.sender_info)),
        _ => None,
    };
    peer.rtcp.iter().filter_map(info).collect()
}

#[test]
fn sender_reports_are_our_own_and_keep_sound_and_picture_together() {
    let mut world = World::new(settings());
    let (publisher, subscriber) = (world.join(PeerRole::Auto), world.join(PeerRole::Auto));
    world.run(SECOND);
    let audio = world.publish(publisher, "a", Kind::Audio, 41);
    let video = world.publish(publisher, "v", Kind::Video, 42);
    let (_, sound) = world.subscribe(subscriber, audio, Kind::Audio, "0");
    let (_, picture) = world.subscribe(subscriber, video, Kind::Video, "1");
    world.run(20 * SECOND);

    let peer = &world.peers[subscriber];
    let reports = sender_infos(peer);
    for (ssrc, clock_rate, size) in [(sound, 48_000.0, 100), (picture, 90_000.0, 1000)] {
        let of: Vec<_> = reports
            .iter()
            .filter(|(_, info)| *info.ssrc == ssrc)
            .collect();
        assert!((10..=45).contains(&of.len()), "{} reports", of.len());
        let (at, last) = of[of.len() - 1];
        let sent = peer
            .heard
            .iter()
            .filter(|it| it.ssrc == ssrc && it.at <= *at)
            .count();
        assert!((i64::from(last.sender_packet_count) - sent as i64).abs() <= 3);
        assert_eq!(last.sender_octet_count, last.sender_packet_count * size);
        // Both times of the reports advance at the rate of the stream.
        let (first_at, first) = of[0];
        let ticks = f64::from(last.rtp_time.numer() as u32 - first.rtp_time.numer() as u32);
        let seconds = (at - first_at) as f64 / 1e9;
        assert!(
            (ticks / clock_rate - seconds).abs() < 0.02,
            "{ticks} in {seconds}"
        );
    }
    // CNAMEs are equal, and what the API says.
    let mut names = Vec::new();
    for (_, rtcp) in &peer.rtcp {
        if let Rtcp::SourceDescription(list) = rtcp {
            for chunk in list.reports.iter() {
                let values = chunk.values.iter();
                names.extend(
                    values
                        .filter(|(kind, _)| *kind == SdesType::CNAME)
                        .map(|(_, name)| (*chunk.ssrc, name.clone())),
                );
            }
        }
    }
    let view = world.sessions.session(world.ids[subscriber]).unwrap();
    for subscription in &view.subscriptions {
        let named = (subscription.ssrc, subscription.cname.to_owned());
        assert!(names.contains(&named));
        assert_eq!(subscription.cname, view.subscriptions[0].cname);
        // The network takes 10 ms each way.
        let rtt = subscription.rtt.unwrap();
        assert!((19 * MILLISECOND..25 * MILLISECOND).contains(&rtt), "{rtt}");
        assert_eq!(subscription.lost, Some(0));
    }
}

#[test]
fn receiver_reports_tell_the_publisher_of_losses() {
    let mut world = World::new(settings());
    let publisher = world.join(PeerRole::Auto);
    world.run(SECOND);
    world.publish(publisher, "v", Kind::Video, 42);
    world.run(3 * SECOND);
    // From here on every other second packet is lost: sealed packets are told apart by their last byte.
    world.loses = |bytes| bytes[0] >> 6 == 2 && bytes.len() > 900 && bytes[3] & 1 == 1;
    world.run(10 * SECOND);
    let report = |(_, rtcp): &(u64, Rtcp)| match rtcp {
        Rtcp::ReceiverReport(report) => report.reports.iter().next().copied(),
        _ => None,
    };
    let reports: Vec<_> = world.peers[publisher]
        .rtcp
        .iter()
        .filter_map(report)
        .collect();
    assert!(reports.len() >= 8, "{}", reports.len());
    assert!(reports.iter().all(|report| *report.ssrc == 42));
    assert_eq!((reports[0].fraction_lost, reports[0].packets_lost), (0, 0));
    let last = reports[reports.len() - 1];
    assert!((100..=156).contains(&last.fraction_lost), "{last:?}");
    assert!((300..=520).contains(&last.packets_lost), "{last:?}");
    // The sequence numbers wrapped at the beginning.
    assert_eq!(last.max_seq >> 16, 1, "{last:?}");
    assert_ne!(last.last_sr_time, 0);
}

#[test]
fn transport_wide_feedback_lets_the_publisher_see_its_rate() {
    let mut world = World::new(settings());
    let publisher = world.join(PeerRole::Auto);
    world.run(SECOND);
    let video = world.publish(publisher, "v", Kind::Video, 42);
    world.run(5 * SECOND);
    let peer = &world.peers[publisher];
    let feedback = |(at, rtcp): &(u64, Rtcp)| matches!(rtcp, Rtcp::Twcc(_)).then_some(*at);
    let times: Vec<u64> = peer.rtcp.iter().filter_map(feedback).collect();
    assert!((40..=110).contains(&times.len()), "{}", times.len());
    // 100 packets of 1000 bytes a second are 800 kbit/s, on a network without a limit.
    let estimate = peer.estimate.unwrap();
    assert!(estimate > 500_000.0, "{estimate}");
    // Arrivals wake nobody: whoever reads the notes is woken in time, as long as there is something to tell of.
    assert!(world.sessions.poll_timeout() <= world.now + 50 * MILLISECOND);
    let id = world.ids[publisher];
    world.sessions.unpublish(world.now, id, video).unwrap();
    world.carry_out();
    world.run(SECOND);
    assert!(world.sessions.poll_timeout() > world.now + SECOND / 2);
}

#[test]
fn without_transport_wide_feedback_there_is_remb() {
    let mut world = World::new(settings());
    let publisher = world.join(PeerRole::Auto);
    world.run(SECOND);
    let mut spec = publication(Kind::Video, "v", Some(42));
    spec.header_extensions.retain(|extension| extension.id != 3);
    let id = world.ids[publisher];
    world.sessions.publish(world.now, id, &spec).unwrap();
    world.peers[publisher].send(world.now, "v", str0m::media::MediaKind::Video, 42);
    world.carry_out();
    world.run(3 * SECOND);
    let peer = &world.peers[publisher];
    let remb = |(_, rtcp): &&(u64, Rtcp)| matches!(rtcp, Rtcp::Remb(_));
    assert!((1..=6).contains(&peer.rtcp.iter().filter(remb).count()));
    assert!(
        !peer
            .rtcp
            .iter()
            .any(|(_, rtcp)| matches!(rtcp, Rtcp::Twcc(_)))
    );
    // Nor is it sent to one that has the extension and does not read the feedback.
    let mut spec = publication(Kind::Video, "u", Some(41));
    spec.feedback.transport_cc = false;
    world.sessions.publish(world.now, id, &spec).unwrap();
    world.peers[publisher].send(world.now, "u", str0m::media::MediaKind::Video, 41);
    world.carry_out();
    world.run(3 * SECOND);
    let peer = &world.peers[publisher];
    let twcc = |(_, rtcp): &(u64, Rtcp)| matches!(rtcp, Rtcp::Twcc(_));
    assert!(!peer.rtcp.iter().any(twcc));
    // A second m-line with the extension, on the live session, brings it.
    world.publish(publisher, "w", Kind::Video, 43);
    world.run(SECOND);
    let peer = &world.peers[publisher];
    assert!(
        peer.rtcp
            .iter()
            .any(|(_, rtcp)| matches!(rtcp, Rtcp::Twcc(_)))
    );
}

/// The world looks at the length of every datagram.
#[test]
fn the_end_of_hundreds_of_streams_takes_several_datagrams() {
    let mut world = World::new(settings());
    let (publisher, subscriber) = (world.join(PeerRole::Auto), world.join(PeerRole::Auto));
    world.run(SECOND);
    let video = world.publish(publisher, "v", Kind::Video, 42);
    for mid in 0..400 {
        let mut spec = subscription(video, Kind::Video, &mid.to_string());
        spec.paused = true;
        let id = world.ids[subscriber];
        world.sessions.subscribe(world.now, id, &spec).unwrap();
    }
    world.run(SECOND);
    let id = world.ids[subscriber];
    let view = world.sessions.session(id).unwrap();
    let mut ssrcs: Vec<u32> = view.subscriptions.iter().map(|it| it.ssrc).collect();
    world.sessions.close(world.now, id).unwrap();
    let before = world.peers[subscriber].rtcp.len();
    world.carry_out();
    world.run(SECOND);
    assert!(world.peers[subscriber].rtcp.len() > before);
    let mut said = world.peers[subscriber].said_goodbye();
    for list in [&mut said, &mut ssrcs] {
        list.sort_unstable();
        list.dedup();
    }
    assert!(ssrcs.iter().all(|ssrc| said.binary_search(ssrc).is_ok()));
}

#[test]
fn rtcp_of_strangers_and_replays_does_nothing() {
    let mut world = World::new(settings());
    let (publisher, subscriber) = (world.join(PeerRole::Auto), world.join(PeerRole::Auto));
    world.run(SECOND);
    let video = world.publish(publisher, "v", Kind::Video, 42);
    let spec = subscription(video, Kind::Video, "0");
    let id = world.ids[subscriber];
    world.sessions.subscribe(world.now, id, &spec).unwrap();
    world.carry_out();
    world.run(3 * SECOND);
    let counters = |world: &World| world.sessions.session(id).unwrap().control;
    let before = counters(&world);
    let strangers = world.sessions.strangers();
    let mut noise = vec![0x80, 200, 0, 6];
    noise.resize(60, 7);
    world.inject(
        ([203, 0, 113, 9], 9).into(),
        super::world::SERVER,
        noise.clone(),
    );
    world.inject(World::address(subscriber), super::world::SERVER, noise);
    world.run(15 * MILLISECOND);
    assert_eq!(world.sessions.strangers(), strangers + 1);
    assert_eq!(counters(&world).rtcp_refused, before.rtcp_refused + 1);
}
