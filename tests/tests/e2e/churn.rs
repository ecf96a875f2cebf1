//! Subscribing and unsubscribing 10,000 times under traffic: nobody who stays misses a packet, and nobody who has left gets
//! one that was sent after the answer to leaving.

use std::time::{Duration, Instant};

use forwarder_tests::model::{Endpoint, Mode};
use forwarder_tests::rtp::{Rewrite, Stream};
use forwarder_tests::{Family, Receivers};

use crate::room::{
    Announced, BOTH, LONG, Path, QUIET, RECEIVER, Room, Source, counted, subscription, wait_until,
};
use crate::traffic::Traffic;

scenarios!(kernel: ten_thousand_times; socket: ten_thousand_times);

/// How often somebody joins, and as often leaves.
const TIMES: usize = 10_000;
/// Who stays: more than a chunk of them.
const STAYERS: usize = 72;
/// Who comes and goes: the places that are left free in the middle of the chunks.
const GUESTS: usize = 8;

/// A subscription that has come to its end.
struct Visit {
    receiver: usize,
    ssrc: u32,
    /// Packets from this one on were begun after the node had said that the subscription is gone.
    gone_before: u64,
}

fn ten_thousand_times(path: Path) {
    let room = Room::new(path);
    let stream = Stream::new(1, 0x1111).with_payload(160);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    let stays = |n: usize| Rewrite {
        ssrc: Some(0x5000_0000 + n as u32),
        ..Rewrite::default()
    };
    let family = |n: usize| BOTH[n % 2];
    room.fill(&receivers, &source, stream, 0..STAYERS / 2, family, stays);
    let guests: Vec<Endpoint> = (0..GUESTS)
        .map(|n| {
            room.subscriber(
                room.lab.receiver(),
                receivers.socket(family(n), 1000 + n),
                Mode::Clear,
            )
        })
        .collect();
    // They hold places between the stayers', and free them by leaving.
    let held: Vec<String> = guests
        .iter()
        .map(|guest| room.subscribe(&source, guest, Rewrite::default()).id)
        .collect();
    room.fill(
        &receivers,
        &source,
        stream,
        STAYERS / 2..STAYERS,
        family,
        stays,
    );
    held.iter().for_each(|id| room.api.unsubscribe(id).unwrap());

    let Source {
        publisher,
        announced,
    } = source;
    let traffic = Traffic::start(publisher, stream, Duration::from_millis(1));
    assert!(
        wait_until(LONG, || receivers.received() > 0),
        "traffic flows"
    );
    let (visits, mut joining) = visit(&room, &announced, &guests, &receivers, stream, &traffic);
    // Let everybody who is left by mistake get something.
    let last = traffic.next();
    assert!(
        wait_until(LONG, || traffic.sent() >= last + 50),
        "traffic flows on"
    );
    let (_, sent) = traffic.stop();
    joining.sort();
    println!(
        "{}: {TIMES} times under {sent} packets, {STAYERS} others; subscribe call: median {:?}, 99th percentile {:?}, longest {:?}",
        path.name(),
        joining[TIMES / 2],
        joining[TIMES * 99 / 100],
        joining[TIMES - 1],
    );

    receivers.settle(QUIET);
    let report = receivers.finish().unwrap();
    assert_eq!((report.lost, report.faulty), (0, 0), "{:?}", report.faults);
    for n in 0..STAYERS {
        let tally = report.tally(n, 0x5000_0000 + n as u32).unwrap();
        assert_eq!(
            (tally.differs_from(0..sent), tally.reordered),
            (None, 0),
            "receiver {n} stayed"
        );
    }
    let mut got = 0;
    for visit in &visits {
        let tally = report.tally(visit.receiver, visit.ssrc).unwrap();
        got += tally.packets;
        assert_eq!(
            (tally.duplicates, tally.reordered),
            (0, 0),
            "receiver {}",
            visit.receiver
        );
        assert!(
            tally.last.is_none_or(|last| last < visit.gone_before),
            "receiver {} got packet {:?}, and {} was sent after it had left",
            visit.receiver,
            tally.last,
            visit.gone_before
        );
    }
    assert!(got > 0, "guests get something while they are there");
    let state = room.state();
    for loss in [
        "queue_full",
        "stalled",
        "no_room",
        "no_device",
        "foreign_frame",
        "send_failed",
    ] {
        assert_eq!(state.reason(loss), 0, "{loss}: {:?}", counted(&state));
    }
    assert_eq!(state.subscriptions.len(), STAYERS);
    assert!(
        state.devices.iter().all(|device| device["xmit_drops"] == 0),
        "{:?}",
        state.devices
    );
    room.close_after_losses();
}

/// Joins and leaves, every time under an SSRC of its own; gives all visits, and how long joining took.
fn visit(
    room: &Room,
    publication: &Announced,
    guests: &[Endpoint],
    receivers: &Receivers,
    stream: Stream,
    traffic: &Traffic,
) -> (Vec<Visit>, Vec<Duration>) {
    let (mut visits, mut joining) = (Vec::new(), Vec::new());
    let mut present: Vec<Option<(String, u32)>> = vec![None; guests.len()];
    let mut leave = |place: &mut Option<(String, u32)>, n: usize| {
        if let Some((id, ssrc)) = place.take() {
            room.api.unsubscribe(&id).unwrap();
            let gone_before = traffic.next();
            visits.push(Visit {
                receiver: 1000 + n,
                ssrc,
                gone_before,
            });
        }
    };
    for time in 0..TIMES {
        let n = time % guests.len();
        leave(&mut present[n], n);
        let ssrc = 0x6000_0000 + time as u32;
        let rewrite = Rewrite {
            ssrc: Some(ssrc),
            ..Rewrite::default()
        };
        receivers.expect(1000 + n, stream.rewritten(rewrite));
        let wanted = subscription(publication, &guests[n], rewrite);
        let start = Instant::now();
        let joined = room.api.subscribe(&wanted).unwrap();
        joining.push(start.elapsed());
        present[n] = Some((joined.id, ssrc));
    }
    for (n, place) in present.iter_mut().enumerate() {
        leave(place, n);
    }
    (visits, joining)
}
