//! Random packets: whole ones of any kind, then bent, cut or padded; and noise.

use forwarder_common::reason::Reason;
use forwarder_tests::{
    Family,
    cases::{STREAMS, frame, rtp},
    frame::Tag,
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};

use crate::{SHORTEST, bench::Bench};

/// One frame as it arrives.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => whole(),
        4 => (whole(), vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)).prop_map(bent),
        2 => (whole(), any::<prop::sample::Index>()).prop_map(|(mut frame, len)| {
            frame.truncate(len.index(frame.len()).max(SHORTEST));
            frame
        }),
        1 => vec(any::<u8>(), SHORTEST..1600),
    ]
}

/// A frame to the media address that is right in every field.
fn whole() -> impl Strategy<Value = Vec<u8>> {
    let tags = vec((any::<bool>(), 0..4096_u16), 0..=3);
    let family = prop_oneof![Just(Family::V4), Just(Family::V6)];
    let class = (0..64_u8, 0..4_u8, any::<u8>());
    let trailer = prop_oneof![2 => Just(Vec::new()), 1 => vec(any::<u8>(), 1..64)];
    (tags, family, payloads(), class, trailer).prop_map(
        |(tags, family, payload, (dscp, ecn, hops), trailer)| {
            let mut built = frame(family, &payload)
                .traffic_class(dscp, ecn)
                .hop_limit(hops);
            for (is_service, id) in tags {
                built = built.tag(if is_service {
                    Tag::service(id)
                } else {
                    Tag::customer(id)
                });
            }
            built.trailer(&trailer).build()
        },
    )
}

/// RTP of the known streams and of others, with any flags; and what is no RTP.
fn payloads() -> impl Strategy<Value = Vec<u8>> {
    let ssrc = prop_oneof![6 => prop::sample::select(STREAMS.to_vec()), 1 => any::<u32>()];
    let len = prop_oneof![12..100_usize, 12..1472_usize, 12..3000_usize];
    let edge = prop_oneof![any::<u32>(), Just(0), Just(u32::MAX)];
    let flags = prop_oneof![4 => Just((0x80_u8, 96_u8)), 2 => (0x80..0xc0_u8, any::<u8>()), 1 => any::<(u8, u8)>()];
    let body = prop_oneof![any::<u64>().prop_map(Some), Just(None)];
    (ssrc, len, edge.clone(), edge, flags, body).prop_map(
        |(ssrc, len, sequence, timestamp, flags, body)| {
            let mut packet = rtp(ssrc, sequence as u16, timestamp, len);
            (packet[0], packet[1]) = flags;
            for (at, byte) in packet.iter_mut().enumerate().skip(12) {
                // Ones have the most carries.
                *byte = body.map_or(0xff, |seed| (seed >> (at % 57)) as u8 ^ at as u8);
            }
            packet
        },
    )
}

/// Changes bytes, mostly of the headers.
fn bent((mut frame, changes): (Vec<u8>, Vec<(prop::sample::Index, u8)>)) -> Vec<u8> {
    let headers = frame.len().min(90);
    for (at, bits) in changes {
        frame[at.index(headers)] ^= bits;
    }
    frame
}

/// Runs so many random frames through both sides.
pub fn run(packets: u32) {
    let bench = Bench::take();
    let taken = |bench: &Bench| bench.reasons()[Reason::Taken as usize];
    let before = taken(&bench);
    let mut runner = TestRunner::new(Config {
        cases: packets,
        failure_persistence: None,
        ..Config::default()
    });
    let bench = std::cell::RefCell::new(bench);
    let result = runner.run(&frames(), |frame| {
        let mut bench = bench.borrow_mut();
        bench.fresh();
        bench.through("random", &frame);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let taken = taken(&bench.borrow()) - before;
    assert!(
        taken > u64::from(packets) / 4,
        "only {taken} of {packets} were taken"
    );
}
