//! A call: pictures and sound of one client to several, in time and right to the bit.

use std::collections::BTreeMap;
use std::time::Duration;

use forwarder_tests::Family;
use forwarder_tests::rtc::wire::WireStream;
use forwarder_tests::rtc::{AgentOptions, Codec, Numbering, Participant};
use serde_json::Value;

use crate::hall::{Hall, IN_SYNC, Kind, Side, WHILE, clip, play, subscribe};

scenarios!(
    everybody_gets_everything,
    picture_and_sound_stay_together,
    h264,
    tracks_known_by_mid,
    headers_are_the_receivers_own,
    between_families,
    many_tracks,
);

fn everybody_gets_everything(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let subscribers: Vec<Participant> = (0..4).map(|n| hall.subscriber(n)).collect();
    for subscriber in &subscribers {
        subscribe(subscriber, &tracks);
    }
    let all: Vec<&Participant> = subscribers.iter().collect();
    play(&[&publisher], &all, WHILE);
    hall.assert_path(&all);
    for subscriber in all {
        let report = subscriber.report();
        assert_eq!(report.wire.streams.len(), 2);
        for (track, inbound) in tracks.iter().zip(report.inbound.values()) {
            assert_eq!(inbound.frames, track.track.ledger.len(), "{report:#?}");
        }
        assert!(report.round_trip.is_some());
        assert_counts(&hall.view(subscriber), &report.wire.streams);
    }
    let view = hall.view(&publisher);
    let published: Vec<u64> = lines(&view, "publications", "packets").collect();
    assert!(published.iter().all(|packets| *packets > 0), "{view:#}");
    let packets = view["packets"].as_u64();
    assert_eq!(packets, Some(published.iter().sum()), "{view:#}");
    hall.close();
}

/// Of every m-line of a session this count.
fn lines<'a>(view: &'a Value, lines: &str, count: &'a str) -> impl Iterator<Item = u64> + use<'a> {
    let all = view[lines].as_array().into_iter().flatten();
    all.filter_map(move |line| line[count].as_u64())
}

/// What the node says that it sent on each leg is what came, to the packet and the byte.
fn assert_counts(view: &Value, came: &BTreeMap<u32, WireStream>) {
    let legs = view["subscriptions"].as_array().unwrap();
    assert_eq!(legs.len(), came.len(), "{view:#}");
    for leg in legs {
        let ssrc = leg["ssrc"].as_u64().unwrap();
        let stream = &came[&u32::try_from(ssrc).unwrap()];
        let told = ["packets", "bytes"].map(|count| leg[count].as_u64());
        assert_eq!(told, [Some(stream.packets), Some(stream.bytes)], "{leg:#}");
    }
}

/// What sender reports say of the time of capture is the truth, for picture and sound alike, once the publisher itself has reported.
fn picture_and_sound_stay_together(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let subscriber = hall.subscriber(0);
    subscribe(&subscriber, &tracks);
    play(&[&publisher], &[&subscriber], Duration::from_millis(2800));
    let in_sync = || {
        let report = subscriber.report();
        let mut tracks = report.inbound.values();
        tracks.all(|inbound| {
            assert!(inbound.sender_reports > 0, "{report:#?}");
            u128::from(inbound.clock_error_us.unwrap()) < IN_SYNC.as_micros()
        })
    };
    // A thread that had to wait for the CPU at the wrong moment is late once; what is wrong with reports stays wrong.
    let in_sync = (0..5).any(|before| {
        if before > 0 {
            play(&[&publisher], &[&subscriber], Duration::from_secs(1));
        }
        in_sync()
    });
    assert!(in_sync, "{:#?}", subscriber.report());
    hall.close();
}

fn h264(kind: Kind) {
    let hall = Hall::new(kind);
    let publisher = hall.publisher(0);
    let track = publisher.publish(&clip(Codec::H264)).unwrap();
    let subscriber = hall.subscriber(0);
    subscribe(&subscriber, &[track]);
    play(&[&publisher], &[&subscriber], WHILE);
    hall.close();
}

/// As Chromium does in simulcast: no SSRC is announced, packets tell by their MID what they belong to.
fn tracks_known_by_mid(kind: Kind) {
    let hall = Hall::new(kind);
    let publisher = hall.publisher(0);
    let tracks = [Codec::Opus, Codec::Vp8, Codec::Opus]
        .map(|codec| publisher.publish_as(&clip(codec), false).unwrap());
    let subscriber = hall.subscriber(0);
    subscribe(&subscriber, &tracks);
    play(&[&publisher], &[&subscriber], WHILE);
    hall.close();
}

fn headers_are_the_receivers_own(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let join = |n, numbering| {
        let options = AgentOptions {
            numbering,
            inspects: true,
            ..hall.options(Side::Receiving, n)
        };
        let subscriber = hall.join(Side::Receiving, options);
        let subscribed = subscribe(&subscriber, &tracks);
        (subscriber, subscribed)
    };
    // The second one's identifiers reach past 14, so that its headers must have the two-byte form (RFC 8285 §4.3).
    let both = [join(0, Numbering::CHROMIUM), join(1, Numbering::OTHER)];
    play(&[&publisher], &[&both[0].0, &both[1].0], WHILE);
    for ((subscriber, subscribed), numbering) in
        both.iter().zip([Numbering::CHROMIUM, Numbering::OTHER])
    {
        let report = subscriber.report();
        let headers = &report.headers;
        assert!(headers.packets > 0);
        assert!(headers.without_mid.is_empty(), "{headers:?}");
        assert_eq!(headers.without_send_time, 0, "{headers:?}");
        assert_eq!(headers.transport_sequences.len() as u64, headers.packets);
        assert_eq!(headers.repeated_transport_sequences(), 0);
        assert_eq!(headers.with_sources, 0);
        for (one, codec) in subscribed.iter().zip([Codec::Vp8, Codec::Opus]) {
            let stream = &report.wire.streams[&one.ssrc];
            assert_eq!(stream.payload_type, numbering.payload_type(codec));
            assert_ne!(one.ssrc, tracks[0].track.ssrc);
        }
    }
    hall.close();
}

/// Publisher on one family, subscribers on both.
fn between_families(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let subscribers = [Family::V4, Family::V6].map(|family| {
        let address = hall.leaf(Side::Receiving).pool_addr(family, 0);
        let options = AgentOptions::new(format!("{family:?}"), address);
        let subscriber = hall.join(Side::Receiving, options);
        subscribe(&subscriber, &tracks);
        subscriber
    });
    play(&[&publisher], &[&subscribers[0], &subscribers[1]], WHILE);
    hall.close();
}

/// Many m-lines of one BUNDLE, both ways: everybody is publisher and subscriber.
fn many_tracks(kind: Kind) {
    let hall = Hall::new(kind);
    let people = [hall.publisher(0), hall.subscriber(0), hall.subscriber(1)];
    let published: Vec<_> = people
        .iter()
        .map(|one| {
            [Codec::Opus, Codec::Vp8, Codec::Opus].map(|codec| one.publish(&clip(codec)).unwrap())
        })
        .collect();
    for (n, one) in people.iter().enumerate() {
        for (m, tracks) in published.iter().enumerate() {
            if n != m {
                subscribe(one, tracks);
            }
        }
    }
    let all: Vec<&Participant> = people.iter().collect();
    play(&all, &all, WHILE);
    for one in all {
        assert_eq!(one.report().wire.streams.len(), 6);
    }
    hall.close();
}
