//! Random packets through a worker and through a naive reference: what every subscriber opens is what the reference says, in the same
//! order, and nothing else ever leaves. Over real sockets, with real ciphers.

mod call;
mod keyframes;
mod packet;
mod subscriber;
mod world;

use std::{
    collections::BTreeMap,
    fs::File,
    os::fd::OwnedFd,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use forwarder_common::{reason::Reason, slots::SLOT_PAYLOAD};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::{
    media::{Kind, Profile},
    srtp::Suite,
    transport::Pair,
    worker::{
        command::{Command, Leg, Reach, Track},
        counters::LegCounters,
        slot_tests::clock,
        state::Origin,
    },
};

use call::*;
use packet::{Packet, Redundancy};
use world::*;

/// A payload that any codec may begin with.
fn keyframe(len: usize) -> Vec<u8> {
    let mut payload = vec![9; len];
    payload[..KEYFRAME.len()].copy_from_slice(&KEYFRAME);
    payload
}

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
    let start = prop_oneof![2 => Just(KEYFRAME), 5 => Just(DELTA)];
    let payload =
        (start, vec(any::<u8>(), 0..300)).prop_map(|(start, rest)| [&start[..], &rest].concat());
    let redundancy = prop_oneof![
        4 => Just(Redundancy::None),
        4 => (0..4_usize, 0..100_usize).prop_map(|(blocks, len)| Redundancy::Blocks(blocks, len)),
        1 => Just(Redundancy::Malformed),
    ];
    prop_oneof![
        12 => (ahead, payload, redundancy, tampered).prop_map(
            |(ahead, payload, redundancy, tampered)| Step::Packet { ahead, payload, redundancy, tampered },
        ),
        2 => (0..3_usize).prop_map(Step::Toggle),
        1 => (0..3_usize).prop_map(Step::Pause),
        1 => Just(Step::Mute),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_worker_does_what_the_reference_does(
        call in select(Call::all().collect::<Vec<_>>()),
        start in prop_oneof![0..0x8000_u64, Just(65_500), Just(65_535)],
        steps in vec(step(), 1..120),
    ) {
        let mut world = World::new(call);
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
                        // Only sound comes wrapped.
                        redundancy: if call.kind == Kind::Audio { redundancy } else { Redundancy::None },
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
    for call in Call::all() {
        let mut world = World::new(call);
        let mut seen = BTreeMap::new();
        world.toggle(0);
        let mut packet = Packet::opening(100);
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
    let mut world = World::new(Call::of(Suite::AeadAes256Gcm));
    let mut seen = BTreeMap::new();
    let packet = Packet::opening;
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
        ..track(world.call.kind)
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
    for call in Call::all() {
        let mut world = World::new(call);
        let mut seen = BTreeMap::new();
        (0..3).for_each(|number| world.toggle(number));
        for index in 100..200 {
            let packet = Packet::opening(index);
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
            assert_eq!(sender.send_state.next_transport_sequence().number(), 100);
        }
    }
}

/// Half of an index is in no packet: who did not know the rollover counters could open nothing.
#[test]
fn another_worker_goes_on_opening_across_rollovers() {
    for suite in SUITES {
        let mut world = World::new(Call::of(suite));
        let mut seen = BTreeMap::new();
        world.toggle(0);
        let packet = |index| Packet {
            index,
            timestamp: 5,
            marker: false,
            level: 3,
            payload: vec![9; 40],
            redundancy: Redundancy::None,
            tampered: None,
        };
        // The first ones are of turn 0; from there it goes over two rollovers, in steps that a receiver can follow.
        let steps = (0..12).map(|step| 65_530 + step * 11_000);
        for index in steps.flat_map(|first| first..first + 3) {
            world.publish(&packet(index), &mut seen);
            world.check();
            world.restart();
            // What was there is not taken again.
            world.publish(&packet(index), &mut seen);
            world.check();
        }
        let arrived = world.send_state.receive_session(PUBLISHER).unwrap();
        let highest = 65_530 + 11 * 11_000 + 2;
        assert_eq!(arrived.streams().collect::<Vec<_>>(), [(SSRC, highest)]);
    }
}

#[test]
fn what_has_no_way_is_dropped_and_counted() {
    let mut world = World::new(Call::of(Suite::AeadAes128Gcm));
    let mut seen = BTreeMap::new();
    world.toggle(0);
    world.state.obey(Command::DropSender { session: 10 });
    let packet = Packet::opening(100);
    world.publish(&packet, &mut seen);
    world.subscribers[0].nothing_comes();
    world.check();
    let _named = Reason::NoPair.label();
}

/// A number under which nothing left would be a loss to the congestion control of the peer.
#[test]
fn what_does_not_leave_takes_no_transport_wide_number() {
    let mut world = World::new(Call::of(Suite::AeadAes128Gcm));
    let mut seen = BTreeMap::new();
    world.toggle(0);
    let of = |index, payload| Packet {
        index,
        timestamp: 5,
        marker: false,
        level: 3,
        payload,
        redundancy: Redundancy::None,
        tampered: None,
    };
    let no_socket = Arc::new(OwnedFd::from(File::open("/dev/null").unwrap()));
    let no_connection = |worker| Reach::Tcp {
        connection: 77,
        worker,
    };
    let too_big = world.senders[0].reach.clone();
    let mut index = 100;
    for (reach, len, reason, total) in [
        (too_big, SLOT_PAYLOAD - 20, Reason::TooBig, 3),
        (Reach::Socket(no_socket), 20, Reason::SendFailed, 3),
        (no_connection(0), 20, Reason::TcpFull, 3),
        (no_connection(1), 20, Reason::TcpFull, 6),
    ] {
        world.put_reach(0, reach);
        for _ in 0..3 {
            index += 1;
            world.publish(&of(index, vec![9; len]), &mut seen);
            world.subscribers[0].nothing_comes();
        }
        world.put_reach(0, world.senders[0].reach.clone());
        index += 1;
        world.publish(&of(index, vec![9; 20]), &mut seen);
        world.check();
        assert_eq!(world.reasons.sum(reason), total, "{reason:?}");
    }
}

/// The numbers of those that leave have no gap, and no leg says that it has sent more than that.
#[test]
fn what_finds_no_room_takes_no_transport_wide_number() {
    for kind in [Kind::Audio, Kind::Video] {
        let mut world = World::new(Call {
            kind,
            by_slots: true,
            ..Call::of(Suite::AeadAes128Gcm)
        });
        let mut seen = BTreeMap::new();
        (0..3).for_each(|number| world.toggle(number));
        let (_, sender) = world.state.outlets.xdp.as_mut().unwrap();
        sender.clock = clock;
        let packets = 30;
        for index in 100..100 + packets {
            let packet = Packet::opening(index);
            world.publish(&packet, &mut seen);
            world.state.flush();
        }
        let left = world.far_end.as_mut().unwrap().send_all();
        assert_eq!(left.len(), WINDOW as usize);
        for subscriber in &mut world.subscribers {
            let to = hop_of(subscriber.session);
            let replicas = left.iter().filter(|replica| replica.hop == to);
            let numbers: Vec<_> = replicas
                .map(|replica| subscriber.open(replica.payload.clone()).transport_sequence)
                .collect();
            let came = numbers.len() as u64;
            assert!(numbers.into_iter().map(u64::from).eq(0..came), "{kind:?}");
            let counters = &subscriber.counters;
            assert_eq!(counters.packets.load(Relaxed), came);
            assert_eq!(counters.dropped.load(Relaxed), packets - came);
        }
    }
}

/// Who negotiated redundant audio is the judge of it; who did not has nothing of what cannot be unpacked (RFC 2198 §3).
#[test]
fn malformed_redundant_audio_reaches_those_who_take_it_unchanged() {
    let mut world = World::new(Call::of(Suite::AeadAes128Gcm));
    let mut seen = BTreeMap::new();
    (0..3).for_each(|number| world.toggle(number));
    for (index, redundancy) in (100..).zip([
        Redundancy::Blocks(2, 30),
        Redundancy::Malformed,
        Redundancy::Blocks(1, 30),
    ]) {
        let packet = Packet {
            index,
            timestamp: 5,
            marker: false,
            level: 3,
            payload: vec![7; 20],
            redundancy,
            tampered: None,
        };
        world.publish(&packet, &mut seen);
        let left = world.subscribers.iter().map(|one| one.expected.len());
        let all = if redundancy == Redundancy::Malformed {
            [0, 1, 0]
        } else {
            [1; 3]
        };
        assert!(left.eq(all));
        world.check();
    }
    assert_eq!(world.reasons.sum(Reason::Malformed), 2);
}

/// A leg of video begins with the first keyframe, whatever came before it; one of sound begins at once.
#[test]
fn a_leg_of_video_begins_with_a_keyframe() {
    for call in Call::all() {
        let mut world = World::new(call);
        let mut seen = BTreeMap::new();
        world.toggle(0);
        let mut left = 0;
        for (index, start) in (100..).zip([DELTA, DELTA, KEYFRAME, DELTA]) {
            let packet = Packet {
                index,
                timestamp: 5,
                marker: false,
                level: 3,
                payload: [&start[..], &[7; 20]].concat(),
                redundancy: Redundancy::None,
                tampered: None,
            };
            world.publish(&packet, &mut seen);
            left += world.subscribers[0].expected.len();
            world.check();
        }
        let expected = if call.kind == Kind::Video { 2 } else { 4 };
        assert_eq!(left, expected, "{call:?}");
    }
}

/// Of a socket whose worker does not keep up, video is dropped unopened and counted; sound is forwarded.
#[test]
fn a_socket_that_sheds_loses_video_and_no_audio() {
    const VOICE: u8 = 111;
    const VOICE_SSRC: u32 = 0x0a0d_1000;
    let call = Call {
        kind: Kind::Video,
        ..Call::of(Suite::AeadAes128Gcm)
    };
    let mut world = World::new(call);
    world.toggle(0);
    let counters = Arc::<LegCounters>::default();
    let mut voice = Track {
        track: TRACK + 1,
        ssrcs: [VOICE_SSRC].into_iter().collect(),
        ..track(Kind::Audio)
    };
    voice.codecs[0].payload_type = VOICE;
    world.state.obey(Command::AddTrack(voice));
    world.state.obey(Command::AddLeg(Leg {
        leg: 99,
        track: TRACK + 1,
        session: 10,
        ssrc: ssrc_of(99),
        payload_types: [(VOICE, VOICE)].into_iter().collect(),
        profile: Profile {
            ids: ids(&[]),
            mid: None,
            kind: Kind::Audio,
        },
        first_index: 0,
        timestamp_offset: 0,
        paused: false,
        counters: Arc::clone(&counters),
    }));
    let pair = Pair::udp(
        "10.0.0.1:7700".parse().unwrap(),
        "10.0.0.2:6000".parse().unwrap(),
    );
    let mut origin = Origin {
        pair,
        session: PUBLISHER,
        until: 0,
        sheds: true,
    };
    let now = 5_000_000_000;
    let send = |world: &mut World, origin: &mut Origin, payload_type, ssrc: u32, index: u64| {
        let mut packet = vec![0x80, payload_type, 0, index as u8, 0, 0, 0, 9];
        packet.extend(ssrc.to_be_bytes());
        packet.extend(keyframe(40));
        let len = packet.len();
        packet.resize(len + 32, 0);
        let len = world.publisher.seal(&mut packet, 12, len, index).unwrap();
        world.state.receive(origin, &mut packet[..len], now);
        world.state.flush();
    };
    let video = Arc::clone(&world.subscribers[0].counters);
    let left = |counters: &LegCounters| counters.packets.load(Relaxed);
    for index in 0..5 {
        send(&mut world, &mut origin, 96, SSRC, index);
        send(&mut world, &mut origin, VOICE, VOICE_SSRC, index);
    }
    assert_eq!((left(&video), left(&counters)), (0, 5));
    let counted = |world: &World, reason| world.reasons.sum(reason);
    assert_eq!(counted(&world, Reason::VideoShed), 5);
    assert_eq!(
        counted(&world, Reason::Opened),
        5,
        "video is not even opened"
    );
    origin.sheds = false;
    send(&mut world, &mut origin, 96, SSRC, 5);
    assert_eq!((left(&video), left(&counters)), (1, 5));
    assert_eq!(counted(&world, Reason::VideoShed), 5);
    // Without its track the number is no sound's any more.
    world.state.obey(Command::RemoveTrack { track: TRACK + 1 });
    origin.sheds = true;
    send(&mut world, &mut origin, VOICE, VOICE_SSRC, 6);
    assert_eq!(counted(&world, Reason::VideoShed), 6);
}
