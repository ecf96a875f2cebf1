//! Random packets through a worker and through a naive reference: what every subscriber opens is what the reference says, in the same
//! order, and nothing else ever leaves. Over real sockets, with real ciphers.

mod world;

use std::{collections::BTreeMap, sync::Arc};

use forwarder_common::reason::Reason;
use proptest::{collection::vec, prelude::*};

use crate::{
    srtp::Suite,
    worker::command::{Command, Track},
};

use world::*;

#[derive(Clone, Debug)]
enum Step {
    Packet {
        /// Added to the highest index so far: mostly 1, sometimes a gap, a late one or a copy.
        ahead: i64,
        payload: Vec<u8>,
        redundancy: Redundancy,
        tampered: Option<usize>,
    },
    Toggle(usize),
    Pause(usize),
    Mute,
}

fn step() -> impl Strategy<Value = Step> {
    let ahead = prop_oneof![8 => Just(1_i64), 1 => 2..40_i64, 2 => -20..1_i64];
    let tampered = prop_oneof![9 => Just(None), 1 => any::<usize>().prop_map(Some)];
    let redundancy = prop_oneof![
        4 => Just(Redundancy::None),
        4 => (0..4_usize, 0..100_usize).prop_map(|(blocks, len)| Redundancy::Blocks(blocks, len)),
        1 => Just(Redundancy::Malformed),
    ];
    prop_oneof![
        12 => (ahead, vec(any::<u8>(), 0..300), redundancy, tampered).prop_map(
            |(ahead, payload, redundancy, tampered)| Step::Packet { ahead, payload, redundancy, tampered },
        ),
        2 => (0..3_usize).prop_map(Step::Toggle),
        1 => (0..3_usize).prop_map(Step::Pause),
        1 => Just(Step::Mute),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_worker_does_what_the_reference_does(
        suite in 0..3_usize,
        start in prop_oneof![0..0x8000_u64, Just(65_500), Just(65_535)],
        steps in vec(step(), 1..120),
    ) {
        let mut world = World::new(SUITES[suite]);
        let mut seen = BTreeMap::new();
        let mut highest = start;
        // The first packet of a stream tells its receiver where it starts, so it is neither late nor tampered with.
        let first = Packet {
            index: start, timestamp: 1, marker: true, level: 0, payload: vec![1], redundancy: Redundancy::None, tampered: None,
        };
        world.publish(&first, &mut seen);
        for step in steps {
            match step {
                Step::Toggle(number) => world.toggle(number),
                Step::Pause(number) => world.pause(number),
                Step::Mute => world.mute(),
                Step::Packet { ahead, payload, redundancy, tampered } => {
                    let index = highest.saturating_add_signed(ahead).max(start);
                    let packet = Packet {
                        index,
                        timestamp: (index as u32).wrapping_mul(960),
                        marker: payload.len() % 2 == 0,
                        level: payload.len() as u8,
                        payload,
                        redundancy,
                        tampered,
                    };
                    if packet.tampered.is_none() {
                        highest = highest.max(index);
                    }
                    world.publish(&packet, &mut seen);
                }
            }
            world.check();
        }
    }
}

#[test]
fn every_byte_is_authenticated() {
    for suite in SUITES {
        let mut world = World::new(suite);
        let mut seen = BTreeMap::new();
        world.toggle(0);
        let mut packet = Packet {
            index: 100,
            timestamp: 5,
            marker: false,
            level: 3,
            payload: vec![9; 40],
            redundancy: Redundancy::None,
            tampered: None,
        };
        world.publish(&packet, &mut seen);
        world.check();
        let len = packet.plain().len() + 16;
        for at in 0..len {
            packet.index += 1;
            packet.tampered = Some(at);
            world.publish(&packet, &mut seen);
            world.check();
        }
        packet.index += 1;
        packet.tampered = None;
        world.publish(&packet, &mut seen);
        world.check();
    }
}

/// Under the same keys the index of an SSRC goes on, rollovers included, and what was seen stays seen.
#[test]
fn a_stream_goes_on_when_its_track_comes_again() {
    let mut world = World::new(Suite::AeadAes256Gcm);
    let mut seen = BTreeMap::new();
    let packet = |index| Packet {
        index,
        timestamp: 5,
        marker: false,
        level: 3,
        payload: vec![9; 40],
        redundancy: Redundancy::None,
        tampered: None,
    };
    world.toggle(0);
    for index in 65_530..65_540 {
        world.publish(&packet(index), &mut seen);
    }
    world.check();
    world.state.obey(Command::RemoveTrack { track: TRACK });
    world.subscribers[0].leg = None;
    world.publish(&packet(65_540), &mut seen);
    // It counts for no track, and the next one begins at 0.
    (world.counters, world.heard) = (Arc::default(), (0, 0, 0));
    world.check();
    world.state.obey(Command::AddTrack(Track {
        counters: Arc::clone(&world.counters),
        ..track()
    }));
    world.toggle(0);
    for index in [65_541, 65_542, 65_535, 65_541, 65_543] {
        world.publish(&packet(index), &mut seen);
    }
    world.check();
}

/// No index of a leg is used twice, and no number of its session: the receivers would refuse the first and see the second.
#[test]
fn another_worker_goes_on_where_the_send_state_says() {
    for suite in SUITES {
        let mut world = World::new(suite);
        let mut seen = BTreeMap::new();
        (0..3).for_each(|number| world.toggle(number));
        for index in 100..200 {
            let packet = Packet {
                index,
                timestamp: 5,
                marker: false,
                level: 3,
                payload: vec![9; 40],
                redundancy: Redundancy::None,
                tampered: None,
            };
            if index % 9 == 0 {
                world.restart();
            }
            world.publish(&packet, &mut seen);
            world.check();
        }
        for (sender, subscriber) in world.senders.iter().zip(&world.subscribers) {
            let leg = subscriber.leg.unwrap();
            assert_eq!(
                world.send_state.next_index(leg),
                u64::from(first_sequence_of(leg)) + 100
            );
            assert_eq!(sender.send_state.next_transport_sequence(), 100);
        }
    }
}

#[test]
fn what_has_no_way_is_dropped_and_counted() {
    let mut world = World::new(Suite::AeadAes128Gcm);
    let mut seen = BTreeMap::new();
    world.toggle(0);
    world.state.obey(Command::DropSender { session: 10 });
    let packet = Packet {
        index: 100,
        timestamp: 5,
        marker: false,
        level: 3,
        payload: vec![9; 40],
        redundancy: Redundancy::None,
        tampered: None,
    };
    world.publish(&packet, &mut seen);
    world.subscribers[0].expected.clear();
    world.check();
    let dropped = &world.subscribers[0].counters.dropped;
    assert_eq!(dropped.load(std::sync::atomic::Ordering::Relaxed), 1);
    let _named = Reason::NoPair.label();
}
