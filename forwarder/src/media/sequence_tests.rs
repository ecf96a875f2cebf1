//! Sequence numbers that come round, and packet indices that are used once.

use std::collections::HashSet;

use proptest::prelude::*;

use super::{LegSequence, Unwrapper};

const MAX_INDEX: u64 = (1 << 48) - 1;

#[test]
fn unwraps_both_ways() {
    let mut unwrapper = Unwrapper::starting_at(65_535);
    let first = unwrapper.highest();
    for (sequence, distance) in [
        (0, 1),
        (65_534, -1),
        (1, 2),
        (0, 1),
        (32_768, 32_769),
        (0, 1),
        (65_535, 65_536),
    ] {
        let extended = unwrapper.extend(sequence);
        assert_eq!(
            extended.cast_signed() - first.cast_signed(),
            distance,
            "{sequence}"
        );
    }
    assert_eq!(unwrapper.highest(), first + 65_536);
    // What is late from before the first has a place as well.
    assert_eq!(Unwrapper::starting_at(0).extend(65_535), 65_535);
    assert_eq!(Unwrapper::starting_at(0).extend(0), 65_536);
}

#[test]
fn gaps_stay_and_late_packets_fill_them() {
    let mut leg = LegSequence::starting_at(7);
    for (incoming, outgoing) in [
        (1000, Some(7)),
        // From before the leg joined.
        (999, None),
        (1001, Some(8)),
        (1005, Some(12)),
        (1003, Some(10)),
        (1003, None),
        (1005, None),
        (1006, Some(13)),
    ] {
        assert_eq!(leg.outgoing(incoming), outgoing, "{incoming}");
    }
    assert_eq!(leg.next_index(), 14);
}

#[test]
fn a_splice_leaves_no_gap_and_ends_what_was_before() {
    let mut leg = LegSequence::starting_at(0);
    assert_eq!(leg.outgoing(50), Some(0));
    assert_eq!(leg.outgoing(52), Some(2));
    leg.splice();
    assert_eq!(leg.outgoing(9000), Some(3));
    assert_eq!(leg.outgoing(9002), Some(5));
    assert_eq!(leg.outgoing(8999), None);
    assert_eq!(leg.outgoing(9001), Some(4));
    // The new numbers may be below the old.
    leg.splice();
    assert_eq!(leg.outgoing(10), Some(6));
    assert_eq!(leg.outgoing(9), None);
}

/// Over a leap the receiver's guess of the rollover counter (RFC 3711 §3.3.1) stays right.
#[test]
fn a_leap_is_cut_short() {
    let mut leg = LegSequence::starting_at(100);
    assert_eq!(leg.outgoing(0), Some(100));
    assert_eq!(leg.outgoing(1 << 20), Some(101 + (1 << 14)));
    assert_eq!(leg.outgoing((1 << 20) + 1), Some(102 + (1 << 14)));
    assert_eq!(leg.outgoing((1 << 20) - 1), None);
    assert_eq!(leg.outgoing(u64::MAX), None);
}

#[test]
fn a_packet_too_late_is_refused() {
    let mut leg = LegSequence::starting_at(0);
    for incoming in [0, 2000] {
        assert_eq!(leg.outgoing(incoming), Some(incoming));
    }
    assert_eq!(leg.outgoing(2001 - 1024), Some(2001 - 1024));
    assert_eq!(leg.outgoing(2000 - 1024), None);
}

#[test]
fn indices_end() {
    let mut leg = LegSequence::starting_at(MAX_INDEX);
    assert_eq!(leg.outgoing(5), Some(MAX_INDEX));
    assert_eq!(leg.outgoing(6), None);
    leg.splice();
    assert_eq!(leg.outgoing(7), None);
}

#[test]
fn another_process_continues() {
    let mut old = LegSequence::starting_at(65_530);
    let used: HashSet<_> = (0..20)
        .filter_map(|incoming| old.outgoing(incoming))
        .collect();
    assert!(used.contains(&65_549), "the rollover counter rolls over");
    let mut new = LegSequence::starting_at(old.next_index());
    for incoming in [20, 19, 22, 21] {
        if let Some(index) = new.outgoing(incoming) {
            assert!(!used.contains(&index), "{index}");
        }
    }
    assert_eq!(new.next_index(), old.next_index() + 3);
}

/// What may happen to a leg.
#[derive(Clone, Debug)]
enum Event {
    Packet(u64),
    Splice,
    Continue(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    // Around a moving place, so that most packets are near each other, and all orders and repetitions occur.
    let event = prop_oneof![
        20 => (0_u64..40).prop_map(|ahead| (ahead, 0)),
        4 => (0_u64..3000).prop_map(|ahead| (ahead, 0)),
        1 => any::<u64>().prop_map(|any| (any >> 10, 0)),
        1 => Just((0, 1)),
        1 => (0_u64..100_000).prop_map(|next| (next, 2)),
    ];
    (
        0_u64..1 << 47,
        prop::collection::vec((event, 0_u64..8), 1..400),
    )
        .prop_map(|(mut at, events)| {
            let events = events.into_iter().map(|((value, what), step)| {
                at += step;
                match what {
                    0 => Event::Packet(at + value),
                    1 => Event::Splice,
                    _ => Event::Continue(value),
                }
            });
            events.collect()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// Whatever comes in, in whatever order and however often: an index leaves once. Between splices, and unless the
    /// gap was cut, the distance of incoming and outgoing index stays.
    #[test]
    fn no_index_twice(first: u16, events in events()) {
        let mut leg = LegSequence::starting_at(first.into());
        let mut used = HashSet::new();
        for event in events {
            let next = leg.next_index();
            match event {
                Event::Packet(incoming) => {
                    if let Some(index) = leg.outgoing(incoming) {
                        prop_assert!(used.insert(index), "{index} twice");
                        prop_assert!(index <= MAX_INDEX && index + 1024 >= leg.next_index());
                        prop_assert!(index <= next + (1 << 14), "a gap of {}", index - next);
                        prop_assert_eq!(leg.next_index(), next.max(index + 1));
                    } else {
                        prop_assert_eq!(leg.next_index(), next);
                    }
                }
                Event::Splice => leg.splice(),
                Event::Continue(at) => {
                    leg = LegSequence::starting_at(next.max(at));
                    prop_assert_eq!(leg.next_index(), next.max(at));
                }
            }
        }
    }

    /// A stream that is lossy, reordered by less than the window and doubled, around a wrap of the sequence number: all
    /// that arrives after the first leaves once, at its own distance from it.
    #[test]
    fn distances_stay(
        first in 0_u16..1 << 15,
        start in (1_u64 << 16) - 200..(1 << 16) + 200,
        delays in prop::collection::vec((0_u64..500, 0_u8..8), 2..600),
    ) {
        let mut arrivals = Vec::new();
        for (number, (delay, fate)) in delays.into_iter().enumerate() {
            let number = number as u64;
            // One in eight is lost, one in eight comes twice.
            if fate != 0 || number == 0 {
                arrivals.push((number + if number == 0 { 0 } else { 1 + delay }, number));
            }
            if fate == 1 {
                arrivals.push((number + 1 + delay / 2, number));
            }
        }
        arrivals.sort_by_key(|&(at, number)| (at, number != 0));
        let mut leg = LegSequence::starting_at(first.into());
        let mut seen = HashSet::new();
        for (_, number) in arrivals {
            let index = leg.outgoing(start + number);
            let first_time = seen.insert(number);
            prop_assert_eq!(index, first_time.then_some(u64::from(first) + number));
        }
    }

    /// Any walk whose steps are below 2^15 is followed.
    #[test]
    fn unwraps_any_walk(first: u16, steps in prop::collection::vec(-32_767_i64..32_768, 0..100)) {
        let mut unwrapper = Unwrapper::starting_at(first);
        let mut highest = unwrapper.highest();
        for step in steps {
            let truth = highest.saturating_add_signed(step);
            prop_assert_eq!(unwrapper.peek(truth as u16), truth);
            prop_assert_eq!(unwrapper.extend(truth as u16), truth);
            highest = highest.max(truth);
            prop_assert_eq!(unwrapper.highest(), highest);
        }
    }
}
