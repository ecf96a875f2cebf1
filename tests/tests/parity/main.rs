//! Kernel parity: the rules as the host runs them and as the verifier let them in give the same verdict, the same counts
//! and the same bytes.
//!
//! The host's side is [`host`], the kernel's [`rig`], and [`bench::Bench`] runs both. The programs are run one frame at a
//! time by BPF_PROG_TEST_RUN, which stops at the verdict; what redirects do is the business of the suites with live frames.

mod bench;
mod host;
mod random;
mod rig;
mod slots;
mod world;

use forwarder_common::{pacer::Pacer, reason::Reason};
use forwarder_tests::{
    Family,
    cases::{BOTH, CHAIN, MIXED, SINGLE, cases, frame, rtp},
    needs_root,
};

use bench::Bench;

/// BPF_PROG_TEST_RUN takes nothing shorter than an Ethernet header.
const SHORTEST: usize = 14;

#[test]
fn the_case_table() {
    needs_root!();
    let mut bench = Bench::take();
    for case in cases() {
        bench.fresh();
        bench.through(&case.name, &case.frame);
    }
}

#[test]
fn truncated_at_every_byte() {
    needs_root!();
    let mut bench = Bench::take();
    for case in cases() {
        // Longer payloads are all alike.
        for len in SHORTEST..case.frame.len().min(200) {
            bench.fresh();
            bench.ingress(&format!("{} cut to {len}", case.name), &case.frame[..len]);
        }
    }
}

#[test]
fn payloads_of_every_length() {
    needs_root!();
    let mut bench = Bench::take();
    for family in [Family::V4, Family::V6] {
        for len in 12..=1472 {
            bench.fresh();
            let bytes = frame(family, &rtp(SINGLE, len as u16, 1, len)).build();
            bench.through(&format!("{len} bytes"), &bytes);
        }
    }
}

/// Every sequence number wraps for some member, and every timestamp.
#[test]
fn wraps() {
    needs_root!();
    let mut bench = Bench::take();
    for sequence in [0, 1, 0x7fff, 0x8000, 0xfffe, 0xffff] {
        for timestamp in [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff] {
            bench.fresh();
            let payload = rtp(MIXED, sequence, timestamp, 30);
            let name = format!("sequence {sequence}, timestamp {timestamp}");
            bench.through(&name, &frame(Family::V4, &payload).build());
        }
    }
}

/// Members that must not be sent to are counted, each under its reason, and nothing of them leaves.
#[test]
fn every_refusal_occurs() {
    needs_root!();
    let mut bench = Bench::take();
    let (before, replicas) = (bench.reasons(), bench.replicas);
    let packet = frame(Family::V4, &rtp(MIXED, 1, 1, 200)).build();
    bench.through("one packet", &packet);
    assert_eq!(bench.replicas - replicas, 32);
    let counts = bench.reasons();
    for (reason, expected) in [
        (Reason::Taken, 1),
        (Reason::TooBig, 1),
        (Reason::LeaseExpired, 2),
        (Reason::Unresolved, 1),
        (Reason::StaleHop, 2),
        (Reason::Removed, 2),
        (Reason::Surplus, 1),
    ] {
        let counted = counts[reason as usize] - before[reason as usize];
        assert_eq!(counted, expected, "{}", reason.label());
    }
}

/// Bursts on all streams, with the loop turning meanwhile: pacer, tickets and queue stay the same on both sides.
#[test]
fn the_loop() {
    needs_root!();
    let mut bench = Bench::take();
    for (number, burst) in [1, 3, 64, 2, 200, 1, 300].into_iter().enumerate() {
        for packet in 0..burst {
            let stream = [CHAIN, MIXED, SINGLE, BOTH][(packet + number) % 4];
            let len = 12 + (packet * 37 + number) % 1400;
            let family = [Family::V4, Family::V6][packet % 2];
            let bytes = frame(family, &rtp(stream, packet as u16, 9, len)).build();
            bench.stop_the_clock();
            bench.through(&format!("packet {packet} of burst {number}"), &bytes);
            if packet % 16 == 15 {
                bench.turn_around();
            }
        }
        bench.turn_until_empty();
    }
    let counts = bench.reasons();
    for reason in [Reason::Queued, Reason::QueueFull] {
        assert_ne!(
            counts[reason as usize],
            0,
            "{} never occurred",
            reason.label()
        );
    }
}

/// What waits on a loop that does not turn is given up, and counted.
#[test]
fn a_stalled_loop_starts_over() {
    needs_root!();
    let mut bench = Bench::take();
    let packet = frame(Family::V4, &rtp(CHAIN, 1, 1, 100)).build();
    for (jobs, waiting, epoch) in [(1, 0, 0), (2, 5, 63), (0, 0, 7)] {
        bench.fresh_with(Pacer {
            waiting_since: 1,
            watched: 1,
            outstanding: 128,
            frames: 3,
            jobs,
            head: u32::MAX,
            tail: u32::MAX.wrapping_add(waiting),
            epoch,
            ..Pacer::default()
        });
        let before = bench.reasons();
        bench.through("a packet after the stall", &packet);
        let stalled = bench.reasons()[Reason::Stalled as usize] - before[Reason::Stalled as usize];
        assert_eq!(stalled, u64::from(jobs + waiting));
        bench.turn_until_empty();
    }
}

/// What was on the loop for too long is not sent any more, and counted.
#[test]
fn what_comes_around_too_late_is_given_up() {
    needs_root!();
    let mut bench = Bench::take();
    let packet = frame(Family::V4, &rtp(CHAIN, 1, 1, 100)).build();
    bench.through("a packet of several chunks", &packet);
    bench.through("one that waits for it", &packet);
    let before = bench.reasons();
    let replicas = bench.replicas;
    bench.turn_too_late();
    let stalled = bench.reasons()[Reason::Stalled as usize] - before[Reason::Stalled as usize];
    assert!(stalled > 0);
    assert_eq!(bench.replicas, replicas);
    bench.turn_until_empty();
}

/// Frames of an earlier epoch, and frames that nobody of ours put there, end on the loop.
#[test]
fn foreign_frames_on_the_loop() {
    needs_root!();
    let mut bench = Bench::take();
    for frames in [0, 1] {
        bench.fresh_with(Pacer {
            epoch: 5,
            frames,
            ..Pacer::default()
        });
        bench.turn_with("noise", &[0x5a; 100]);
        bench.turn_with("zeroes", &[0; 32]);
    }
}

#[test]
fn ten_thousand_random_packets() {
    needs_root!();
    random::run(10_000);
}
