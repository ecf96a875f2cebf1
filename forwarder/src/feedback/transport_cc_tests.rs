//! Transport-wide feedback of any arrivals, read by another implementation.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use proptest::prelude::*;
use str0m::rtp::rtcp as other;

use super::{Rtcp, TransportCc, parse_compound};

const MS: u64 = 1_000_000;
const TICK: u64 = 250_000;

/// A packet of feedback: its count, its first number, and the arrival of each number in ticks.
struct Feedback {
    count: u8,
    base: u16,
    ticks: Vec<Option<u64>>,
}

/// Splits a buffer and reads each packet, here and with str0m. Its version 0.25 misreads runs of long deltas, so a packet
/// with such a run is read here alone.
fn read(bytes: &[u8]) -> Vec<Feedback> {
    let mut rest = bytes;
    let mut all = Vec::new();
    while !rest.is_empty() {
        let len = 4 * (usize::from(u16::from_be_bytes([rest[2], rest[3]])) + 1);
        let (packet, others) = rest.split_at(len);
        rest = others;
        assert!(packet.len() <= 1012 + 8);
        let mut packets = parse_compound(packet);
        let Some(Rtcp::TransportCc {
            sender: 1,
            media: 77,
            control,
        }) = packets.next()
        else {
            panic!("{packet:x?}");
        };
        let (ticks, long_run) = read_control(control);
        let other::Rtcp::Twcc(feedback) = other::Rtcp::try_from(packet).unwrap() else {
            panic!("{packet:x?}");
        };
        let (count, base) = (feedback.feedback_count, feedback.base_seq);
        assert_eq!(ticks.len(), usize::from(feedback.status_count));
        if !long_run {
            let zero = Instant::now();
            let theirs: Vec<_> = feedback
                .into_iter(zero, (1 << 20).into())
                .map(|(_, _, at)| at.map(|at| (at - zero).as_nanos() as u64 / TICK))
                .collect();
            assert_eq!(ticks, theirs);
        }
        all.push(Feedback { count, base, ticks });
    }
    all
}

/// The statuses of the draft's §3.1 as arrivals in ticks, and whether there was a run of long deltas.
fn read_control(control: &[u8]) -> (Vec<Option<u64>>, bool) {
    let count = usize::from(u16::from_be_bytes([control[2], control[3]]));
    let mut at = i64::from(u32::from_be_bytes([0, control[4], control[5], control[6]])) << 8;
    let (mut rest, mut symbols, mut long_run) = (&control[8..], Vec::new(), false);
    while symbols.len() < count {
        let chunk = u16::from_be_bytes([rest[0], rest[1]]);
        rest = &rest[2..];
        match chunk >> 14 {
            0 | 1 => {
                long_run |= chunk >> 13 == 2;
                symbols.extend((0..chunk & 0x1fff).map(|_| chunk >> 13));
            }
            2 => symbols.extend((0..14).rev().map(|bit| chunk >> bit & 1)),
            _ => symbols.extend((0..7).rev().map(|pair| chunk >> (2 * pair) & 3)),
        }
    }
    let (said, beyond) = symbols.split_at(count);
    assert!(beyond.iter().all(|symbol| *symbol == 0));
    let ticks = said.iter().map(|symbol| {
        let (delta, len) = match symbol {
            0 => return None,
            1 => (i64::from(rest[0]), 1),
            2 => (i64::from(i16::from_be_bytes([rest[0], rest[1]])), 2),
            other => panic!("symbol {other}"),
        };
        rest = &rest[len..];
        at += delta;
        Some(at.cast_unsigned())
    });
    let ticks = ticks.collect();
    assert!(
        rest.len() < 4 && rest.iter().all(|byte| *byte == 0),
        "no more than padding"
    );
    (ticks, long_run)
}

fn poll(feedback: &mut TransportCc, now: u64) -> Vec<Feedback> {
    let mut out = Vec::new();
    assert_eq!(feedback.poll(now, &mut out), !out.is_empty());
    read(&out)
}

#[test]
fn losses_reordering_and_a_wrap() {
    let mut feedback = TransportCc::new(1);
    assert_eq!(feedback.poll_timeout(), u64::MAX);
    let start = 1_000_000 * MS;
    for (sequence, at) in [(65_534, 0), (1, 3), (65_535, 4), (2, 40), (1, 41)] {
        feedback.arrived(77, sequence, start + at * MS);
    }
    assert_eq!(feedback.poll_timeout(), start + 100 * MS);
    assert!(poll(&mut feedback, start + 99 * MS).is_empty());
    let said = poll(&mut feedback, start + 100 * MS);
    assert_eq!(said.len(), 1);
    assert_eq!((said[0].base, said[0].count), (65_534, 0));
    let ticks = |at: u64| Some((start + at * MS) / TICK);
    assert_eq!(
        said[0].ticks,
        [ticks(0), ticks(4), None, ticks(3), ticks(40)]
    );
    assert_eq!(feedback.poll_timeout(), u64::MAX);

    // A late packet brings what is behind it again; the next feedback begins where this ends.
    feedback.arrived(77, 0, start + 110 * MS);
    let said = poll(&mut feedback, start + 210 * MS);
    assert_eq!((said[0].base, said[0].count), (0, 1));
    assert_eq!(said[0].ticks, [ticks(110), ticks(3), ticks(40)]);
    feedback.arrived(77, 5, start + 220 * MS);
    let said = poll(&mut feedback, start + 320 * MS);
    assert_eq!((said[0].base, said[0].ticks.len()), (3, 3));

    // Half a second later it is too late.
    feedback.arrived(77, 10, start + 2000 * MS);
    assert_eq!(poll(&mut feedback, start + 2100 * MS)[0].base, 6);
    feedback.arrived(77, 4, start + 2150 * MS);
    assert_eq!(feedback.poll_timeout(), u64::MAX);
}

#[test]
fn many_packets_make_it_sooner_but_not_too_soon() {
    let mut feedback = TransportCc::new(1);
    let start = 5000 * MS;
    for sequence in 0..32 {
        feedback.arrived(77, sequence, start);
    }
    assert_eq!(feedback.poll_timeout(), start);
    assert_eq!(poll(&mut feedback, start)[0].ticks.len(), 32);
    for sequence in 32..100 {
        feedback.arrived(77, sequence, start + 10 * MS);
    }
    assert_eq!(feedback.poll_timeout(), start + 50 * MS);
}

/// At 1 Mbit/s of 1,200-byte packets and above feedback stays under 3 % of the media, protected and with UDP/IPv4.
#[test]
fn feedback_is_a_small_part() {
    for rate in [104, 300, 1000, 5000_u64] {
        let mut feedback = TransportCc::new(1);
        let mut bytes = 0;
        for packet in 0..rate * 4 {
            let at = packet * 1_000 * MS / rate;
            while feedback.poll_timeout() <= at {
                let mut out = Vec::new();
                feedback.poll(at, &mut out);
                bytes += out.len() + 28 + 20;
            }
            feedback.arrived(77, packet as u16, at);
        }
        let share = bytes as f64 / (rate * 4 * 1240) as f64;
        assert!(share < 0.03, "{share} at {rate} packets per second");
    }
}

#[test]
fn leaps_cost_no_memory() {
    let mut feedback = TransportCc::new(1);
    for step in 0..50_u64 {
        feedback.arrived(77, (step * 30_000) as u16, step * MS);
    }
    let said = poll(&mut feedback, 1000 * MS);
    assert_eq!(said.iter().map(|said| said.ticks.len()).sum::<usize>(), 1);
    // All that fits is said, in several packets.
    for sequence in 0..8192 {
        feedback.arrived(77, 50_000_u16.wrapping_add(sequence), 2000 * MS);
    }
    let said = poll(&mut feedback, 2100 * MS);
    assert!(said.len() > 5);
    let arrived = said.iter().flat_map(|said| &said.ticks).flatten().count();
    assert_eq!(arrived, 8192);
}

/// The reference time has 24 bits of 64 ms, 12.4 days; arrivals go on over its end.
#[test]
fn reference_time_comes_round() {
    let end = (1_u64 << 32) * TICK;
    let mut feedback = TransportCc::new(1);
    feedback.arrived(77, 1, end - 2 * MS);
    feedback.arrived(77, 2, end - TICK);
    feedback.arrived(77, 3, end + 3 * MS);
    let mut out = Vec::new();
    feedback.poll(end + 98 * MS, &mut out);
    let Some(Rtcp::TransportCc { control, .. }) = parse_compound(&out).next() else {
        panic!();
    };
    let ticks: Vec<_> = read_control(control).0.into_iter().flatten().collect();
    // The very last tick is told one early: its number says that nothing came.
    let last = (1 << 32) - 1;
    assert_eq!(ticks, [last - 7, last - 1, last + 13]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Arrivals with losses, repetitions, delays and pauses from any number on: what is said is what happened, all of
    /// it, once per poll and in time.
    #[test]
    fn what_is_said_is_what_happened(
        first: u16,
        start in 0_u64..1_000_000_000,
        packets in prop::collection::vec((0_u64..40, 0_u64..300, 0_u8..10), 1..400),
        pause in prop::option::of(0_u64..40_000),
    ) {
        let mut arrivals = Vec::new();
        let mut sent = start * 1000;
        for (number, (gap, delay, fate)) in packets.iter().enumerate() {
            // Microseconds; mostly in bursts, one in ten lost, one in ten doubled, one in three late.
            sent += if number == 200 { pause.unwrap_or(0) * 1000 } else { gap * gap * 10 };
            let late = if delay % 3 == 0 { delay * 1000 } else { 0 };
            if *fate != 0 {
                arrivals.push((sent + late, number as u64));
            }
            if *fate == 1 {
                arrivals.push((sent + late + 5_000, number as u64));
            }
        }
        arrivals.sort_unstable();
        let mut feedback = TransportCc::new(1);
        let mut truth = BTreeMap::new();
        let mut open = BTreeSet::new();
        let mut count = 0_u8;
        arrivals.push((u64::MAX / 1000 / 2, u64::MAX));
        for (at, number) in arrivals {
            let at = at * 1000;
            while feedback.poll_timeout() <= at && feedback.poll_timeout() != u64::MAX {
                let now = feedback.poll_timeout();
                for said in poll(&mut feedback, now) {
                    prop_assert_eq!(said.count, count);
                    count = count.wrapping_add(1);
                    let base = u64::from(said.base.wrapping_sub(first));
                    for (number, ticks) in (base..).zip(said.ticks) {
                        prop_assert_eq!(ticks, truth.get(&number).copied(), "{}", number);
                        open.remove(&number);
                    }
                }
                prop_assert!(open.is_empty(), "{:?}", open);
            }
            if number != u64::MAX {
                feedback.arrived(77, first.wrapping_add(number as u16), at);
                // Of one that came twice the first arrival counts.
                truth.entry(number).or_insert_with(|| {
                    open.insert(number);
                    at / TICK
                });
                prop_assert!(open.is_empty() || feedback.poll_timeout() <= at + 100 * MS);
            }
        }
    }
}
