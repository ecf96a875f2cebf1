//! From one packet to many: 1 to 1,024 receivers in bursts of 64 packets, every one of them exact.

use forwarder_tests::model::{Mode, NewSubscription};
use forwarder_tests::rtp::{Rewrite, Stream};
use forwarder_tests::{Capture, Family, Lab, Pace, Receivers};

use crate::room::{
    BOTH, LONG, Path, RECEIVER, Room, as_sent, assert_exactly, rewrite_of, send_in_bursts,
    subscription,
};

scenarios!(
    kernel: few, chunks, hundreds, a_thousand, opaque, several_ssrcs, two_leaves_and_back, the_last_are_refused;
    socket: few, chunks, hundreds, a_thousand, opaque, several_ssrcs, two_leaves_and_back, the_last_are_refused
);

/// One receiver, then two: the cases without and with a broadcast.
fn few(path: Path) {
    exact(path, &[1, 2], 5, Mode::Clear);
}

/// Around the size of one chunk.
fn chunks(path: Path) {
    exact(path, &[63, 64, 65], 3, Mode::Clear);
}

fn hundreds(path: Path) {
    exact(path, &[256, 512], 2, Mode::Clear);
}

fn a_thousand(path: Path) {
    exact(path, &[1024], 2, Mode::Clear);
}

fn opaque(path: Path) {
    exact(path, &[1, 65], 2, Mode::Opaque);
}

/// Grows the same room step by step, and sends `bursts` of 64 packets at every size.
fn exact(path: Path, sizes: &[usize], bursts: u64, mode: Mode) {
    let room = Room::new(path);
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, mode, &[stream]);
    let rewrite = if mode == Mode::Clear {
        rewrite_of
    } else {
        as_sent
    };
    let mut joined = 0;
    for (step, &size) in (0..).zip(sizes) {
        let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
        for n in 0..joined {
            receivers.expect(n, stream.rewritten(rewrite(n)));
        }
        // Both families in one room, side by side in the chunks.
        let family = |n: usize| BOTH[n % 2];
        room.fill(&receivers, &source, stream, joined..size, family, rewrite);
        joined = size;

        let capture = Capture::each(room.lab.receiver(), |_| ()).unwrap();
        let range = step * bursts * 64..(step + 1) * bursts * 64;
        let copies = size as u64;
        send_in_bursts(
            &source.publisher,
            &stream,
            range.clone(),
            &[&receivers],
            copies,
        );
        assert_exactly(receivers, range.clone());
        let count = capture.count().unwrap();
        count.flawless().unwrap();
        assert_eq!(
            count.udp,
            (range.end - range.start) * copies,
            "frames at {size} receivers"
        );
        room.assert_lossless();
    }
    let state = room.state();
    let packets = sizes.len() as u64 * bursts * 64;
    assert_eq!(
        (state.reason("taken"), state.publications[0].packets),
        (packets, packets)
    );
    assert!(
        state
            .subscriptions
            .iter()
            .all(|subscription| subscription.legs[0].path == path.name())
    );
    room.close();
}

/// A publication of several SSRCs: every subscriber gets all of them, each under a number of its own.
fn several_ssrcs(path: Path) {
    let room = Room::new(path);
    let streams: Vec<Stream> = (0..3).map(|n| Stream::new(n, 0x2000 + n)).collect();
    let source = room.publish(Family::V6, Mode::Clear, &streams);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    for n in 0..10_usize {
        let seen: Vec<u32> = (0..3).map(|k| 0x9000 + n as u32 * 16 + k).collect();
        for (stream, ssrc) in streams.iter().zip(&seen) {
            let rewrite = Rewrite {
                ssrc: Some(*ssrc),
                ..Default::default()
            };
            receivers.expect(n, stream.rewritten(rewrite));
        }
        let remote = receivers.socket(BOTH[n % 2], n);
        let endpoint = room.subscriber(room.lab.receiver(), remote, Mode::Clear);
        let wanted = NewSubscription {
            ssrcs: Some(seen.clone()),
            ..subscription(&source, &endpoint, Default::default())
        };
        let subscribed = room.api.subscribe(&wanted).unwrap();
        assert_eq!(
            subscribed
                .legs
                .iter()
                .map(|leg| leg.ssrc)
                .collect::<Vec<_>>(),
            seen
        );
    }
    let pace = Pace::Full;
    source
        .publisher
        .send_interleaved(&streams, 0..64, pace)
        .unwrap();
    assert!(receivers.wait_for(64 * 3 * 10, LONG));
    assert_exactly(receivers, 0..64);
    room.close();
}

/// Two egress interfaces at once, and the publisher's own as a third: one packet leaves by all of them.
fn two_leaves_and_back(path: Path) {
    let room = Room::with(path, Lab::star().receivers(2), &[]);
    let stream = Stream::new(1, 0x3333);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let leaves: Vec<_> = room.lab.leaves().collect();
    let counts = [3, 70, 130];
    let (mut receivers, mut captures) = (Vec::new(), Vec::new());
    for leaf in &leaves {
        receivers.push(Receivers::start(leaf, RECEIVER).unwrap());
        captures.push(Capture::start(leaf).unwrap());
    }
    // In turn, so that the chunks of the devices are interleaved as joining goes on.
    for n in 0..130 {
        for ((leaf, receivers), count) in leaves.iter().zip(&receivers).zip(counts) {
            if n < count {
                receivers.expect(n, stream.rewritten(rewrite_of(n)));
                let remote = receivers.socket(BOTH[n % 2], n);
                let endpoint = room.subscriber(leaf, remote, Mode::Clear);
                room.subscribe(&source, &endpoint, rewrite_of(n));
            }
        }
    }
    let all: Vec<&Receivers> = receivers.iter().collect();
    let copies = counts.iter().sum::<usize>() as u64;
    send_in_bursts(&source.publisher, &stream, 0..256, &all, copies);
    for (leaf, (receivers, (capture, count))) in leaves
        .iter()
        .zip(receivers.into_iter().zip(captures.into_iter().zip(counts)))
    {
        assert_exactly(receivers, 0..256);
        let frames = capture.finish().unwrap();
        assert_eq!(frames.len(), 256 * count, "{}", leaf.role);
        for frame in &frames {
            let parsed = frame.parsed();
            assert_eq!((parsed.eth_src, parsed.eth_dst), (leaf.fwd_mac, leaf.mac));
        }
    }
    room.close();
}

/// A packet that is too big for whoever joined last, and comes alone: the others get it now, not with the next packet. A
/// driver is told to begin only with the last 16 clones, and only if egress left any of those (`bq_xmit_all`).
fn the_last_are_refused(path: Path) {
    const SERVED: usize = 16;
    const REFUSED: usize = 4;
    let room = Room::new(path);
    // Fits an MTU of 1,500 bytes under the headers of IPv4, not under those of IPv6.
    let stream = Stream::new(1, 0x1111).with_payload(1472 - 12);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let leaf = room.lab.receiver();
    for n in 0..SERVED + REFUSED {
        let family = BOTH[usize::from(n >= SERVED)];
        let endpoint = room.subscriber(leaf, leaf.pool_socket(family, n, RECEIVER), Mode::Clear);
        room.subscribe(&source, &endpoint, rewrite_of(n));
    }
    let capture = Capture::each(leaf, |_| ()).unwrap();
    for packet in 0..8 {
        source
            .publisher
            .send(&stream, packet..packet + 1, Pace::Full)
            .unwrap();
        let wanted = (packet + 1) * SERVED as u64;
        let came = capture.wait_for(wanted, LONG);
        assert!(came, "{} of {wanted} copies", capture.seen());
        room.wait_for_reason("too_big", (packet + 1) * REFUSED as u64);
    }
    let count = capture.count().unwrap();
    count.flawless().unwrap();
    assert_eq!(count.udp, 8 * SERVED as u64);
    room.close();
}
