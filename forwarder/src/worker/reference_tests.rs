//! Random packets through a worker and through a naive reference: what every subscriber opens is what the reference says, in the same
//! order, and nothing else ever leaves. Over real sockets, with real ciphers.

use std::{
    collections::BTreeMap,
    net::UdpSocket,
    os::fd::OwnedFd,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use arrayvec::ArrayVec;
use forwarder_common::{reason::Reason, slots::MAX_WORKERS};
use nix::sys::eventfd::EventFd;
use proptest::{collection::vec, prelude::*};

use super::{
    command::{Command, Leg, Reach, Receiver, Sender, Track, TrackCodec, TransportSequence},
    counters::{LegCounters, TrackCounters},
    outlets::Outlets,
    relay::Relays,
    send_state::SendState,
    state::State,
    tally::Tally,
    tcp::TcpConnections,
    telling::{Notes, telling},
};
use crate::{
    dataplane::counters::ReasonTable,
    media::{Codec, Extension, ExtensionIds, Kind, Profile, parse},
    srtp::{MasterKey, ReceiveKeys, ReceiveStreams, SendKeys, Suite},
};

const PUBLISHER: u32 = 1;
const TRACK: u32 = 3;
const SSRC: u32 = 0x1234_5678;
const SUITES: [Suite; 3] = [
    Suite::AeadAes128Gcm,
    Suite::AeadAes256Gcm,
    Suite::Aes128CmHmacSha1_80,
];

fn master(suite: Suite, seed: u8) -> MasterKey {
    let bytes: Vec<u8> = (0..64)
        .map(|at| seed.wrapping_mul(31).wrapping_add(at))
        .collect();
    MasterKey::new(
        suite,
        &bytes[..suite.key_len()],
        &bytes[40..40 + suite.salt_len()],
    )
    .unwrap()
}

fn track() -> Track {
    Track {
        track: TRACK,
        session: PUBLISHER,
        kind: Kind::Audio,
        mid: None,
        ssrcs: ArrayVec::from_iter([SSRC]),
        codecs: ArrayVec::from_iter([TrackCodec {
            payload_type: 96,
            codec: Codec::Opus,
            clock_rate: 48_000,
        }]),
        counters: Arc::default(),
    }
}

fn ids(known: &[(u8, Extension)]) -> ExtensionIds {
    let mut ids = ExtensionIds::new();
    for (id, extension) in known {
        ids.insert(*id, *extension).unwrap();
    }
    ids
}

/// A subscriber and what the reference expects it to get.
struct Subscriber {
    socket: UdpSocket,
    keys: ReceiveKeys,
    streams: ReceiveStreams<()>,
    leg: Option<u32>,
    ids: ExtensionIds,
    mid: Vec<u8>,
    counters: Arc<LegCounters>,
    /// Outgoing less incoming index, once a packet has left.
    offset: Option<i64>,
    next: u64,
    floor: u64,
    paused: bool,
    expected: Vec<Expected>,
    transport_sequence: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Expected {
    sequence: u16,
    timestamp: u32,
    payload_type: u8,
    marker: bool,
    payload: Vec<u8>,
    audio_level: Vec<u8>,
    transport_sequence: u16,
}

struct World {
    state: State,
    notes: Notes,
    publisher: SendKeys,
    subscribers: Vec<Subscriber>,
    next_leg: u32,
    muted: bool,
    counters: Arc<TrackCounters>,
    /// Packets, and how loud and how often voice they said that they are.
    heard: (u64, u64, u64),
}

fn payload_type_of(leg: u32) -> u8 {
    100 + (leg % 7) as u8
}

fn first_sequence_of(leg: u32) -> u16 {
    (leg * 7919 % 0x8000) as u16
}

fn timestamp_offset_of(leg: u32) -> u32 {
    leg.wrapping_mul(0x9e37_79b9)
}

fn ssrc_of(leg: u32) -> u32 {
    0xabc0_0000 + leg
}

impl World {
    fn new(suite: Suite) -> Self {
        let (told, notes) = telling(Arc::new(EventFd::new().unwrap()));
        let reasons = Arc::new(ReasonTable::heap(MAX_WORKERS).unwrap());
        let outlets = Outlets::new(0, None, TcpConnections::default(), Relays::default());
        let send_state = Arc::new(SendState::heap(4096).unwrap());
        let mut state = State::new(outlets, told, Tally::new(reasons, 0), send_state);
        let keys = master(suite, 1);
        let counters = Arc::<TrackCounters>::default();
        for command in [
            Command::PutReceiver {
                session: PUBLISHER,
                receiver: Receiver {
                    keys: ReceiveKeys::new(&keys),
                    ids: ids(&[(4, Extension::AudioLevel), (5, Extension::TransportCc)]),
                    transport_cc: true,
                    counters: Arc::default(),
                },
            },
            Command::AddTrack(Track {
                counters: Arc::clone(&counters),
                ..track()
            }),
        ] {
            assert!(state.obey(command).is_none());
        }
        let subscribers = (0..3)
            .map(|number| {
                let session = 10 + number;
                let suite = SUITES[number as usize];
                let keys = master(suite, session as u8);
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                socket.set_nonblocking(true).unwrap();
                let ours = UdpSocket::bind("127.0.0.1:0").unwrap();
                ours.connect(socket.local_addr().unwrap()).unwrap();
                let sender = Arc::new(Sender {
                    session,
                    keys: Arc::new(SendKeys::new(&keys)),
                    reach: Reach::Socket(Arc::new(OwnedFd::from(ours))),
                    transport_sequence: Arc::new(TransportSequence::default()),
                });
                state.obey(Command::PutSender { session, sender });
                Subscriber {
                    socket,
                    keys: ReceiveKeys::new(&keys),
                    streams: ReceiveStreams::new(64),
                    leg: None,
                    ids: ids(&[
                        (1 + number as u8, Extension::Mid),
                        (7, Extension::AudioLevel),
                        // The last one has an identifier that needs the two-byte form (RFC 8285 §4.3).
                        (if number == 2 { 20 } else { 9 }, Extension::TransportCc),
                        (12, Extension::AbsSendTime),
                    ]),
                    mid: vec![b'a' + number as u8; 1 + number as usize],
                    counters: Arc::default(),
                    offset: None,
                    next: 0,
                    floor: 0,
                    paused: false,
                    expected: Vec::new(),
                    transport_sequence: 0,
                }
            })
            .collect();
        Self {
            state,
            notes,
            publisher: SendKeys::new(&keys),
            subscribers,
            next_leg: 1,
            muted: false,
            counters,
            heard: (0, 0, 0),
        }
    }

    fn toggle(&mut self, number: usize) {
        let subscriber = &mut self.subscribers[number];
        if let Some(leg) = subscriber.leg.take() {
            self.state.obey(Command::RemoveLeg { track: TRACK, leg });
            return;
        }
        let leg = self.next_leg;
        self.next_leg += 1;
        subscriber.leg = Some(leg);
        subscriber.offset = None;
        subscriber.paused = false;
        subscriber.next = first_sequence_of(leg).into();
        self.state.obey(Command::AddLeg(Leg {
            leg,
            track: TRACK,
            session: 10 + number as u32,
            ssrc: ssrc_of(leg),
            payload_types: ArrayVec::from_iter([(96, payload_type_of(leg))]),
            profile: Profile {
                ids: subscriber.ids.clone(),
                mid: Some(ArrayVec::from_iter(subscriber.mid.iter().copied())),
                kind: Kind::Audio,
            },
            first_sequence: first_sequence_of(leg),
            timestamp_offset: timestamp_offset_of(leg),
            paused: false,
            counters: Arc::clone(&subscriber.counters),
        }));
    }

    fn pause(&mut self, number: usize) {
        let subscriber = &mut self.subscribers[number];
        let Some(leg) = subscriber.leg else {
            return;
        };
        subscriber.paused = !subscriber.paused;
        subscriber.offset = None;
        self.state.obey(Command::PauseLeg {
            track: TRACK,
            leg,
            paused: subscriber.paused,
        });
    }

    fn mute(&mut self) {
        self.muted = !self.muted;
        for subscriber in &mut self.subscribers {
            subscriber.offset = None;
        }
        self.state.obey(Command::MuteTrack {
            track: TRACK,
            muted: self.muted,
        });
    }

    /// What a publisher sends, and what the reference makes of it.
    fn publish(&mut self, packet: &Packet, seen: &mut BTreeMap<u64, ()>) {
        let mut sealed = packet.plain();
        let header_len = sealed.len() - packet.payload.len();
        let len = sealed.len();
        sealed.resize(len + 32, 0);
        let len = self
            .publisher
            .seal(&mut sealed, header_len, len, packet.index)
            .unwrap();
        sealed.truncate(len);
        if let Some(at) = packet.tampered {
            let at = at % len;
            sealed[at] ^= 1 << (at % 8);
        }
        let fresh = packet.tampered.is_none() && seen.insert(packet.index, ()).is_none();
        self.state
            .forward(PUBLISHER, &mut sealed, 5_000_000_000, 5_000_000_000);
        if fresh {
            self.heard.0 += 1;
            self.heard.1 += u64::from(127 - (packet.level & 0x7f));
            self.heard.2 += u64::from(packet.level >= 0x80);
        }
        if fresh && !self.muted {
            self.expect(packet);
        }
    }

    fn expect(&mut self, packet: &Packet) {
        for subscriber in &mut self.subscribers {
            let Some(leg) = subscriber.leg.filter(|_| !subscriber.paused) else {
                continue;
            };
            let offset = *subscriber.offset.get_or_insert_with(|| {
                subscriber.floor = subscriber.next;
                subscriber.next as i64 - packet.index as i64
            });
            let outgoing = packet.index as i64 + offset;
            if outgoing < subscriber.floor as i64 {
                continue;
            }
            subscriber.next = subscriber.next.max(outgoing as u64 + 1);
            subscriber.expected.push(Expected {
                sequence: outgoing as u16,
                timestamp: packet.timestamp.wrapping_add(timestamp_offset_of(leg)),
                payload_type: payload_type_of(leg),
                marker: packet.marker,
                payload: packet.payload.clone(),
                audio_level: vec![packet.level],
                transport_sequence: subscriber.transport_sequence,
            });
            subscriber.transport_sequence = subscriber.transport_sequence.wrapping_add(1);
        }
    }

    /// What has arrived is what was expected.
    fn check(&mut self) {
        self.state.flush();
        self.notes.drain(1000, |_| ());
        let counters = &self.counters;
        let heard = (
            counters.levels.load(Relaxed),
            counters.loudness.load(Relaxed),
            counters.voiced.load(Relaxed),
        );
        assert_eq!(heard, self.heard);
        for subscriber in &mut self.subscribers {
            let mut arrived = Vec::new();
            let mut buffer = [0; 2048];
            while let Ok(len) = subscriber.socket.recv(&mut buffer) {
                let packet = &mut buffer[..len];
                let parsed = parse(packet, &subscriber.ids).unwrap();
                let opened = subscriber
                    .streams
                    .open(&subscriber.keys, packet, parsed.header_len, |_| Some(()))
                    .expect("every replica is authentic and new");
                let plain = &packet[..opened.len];
                let of = |extension| {
                    parsed
                        .element(extension, plain)
                        .unwrap_or_default()
                        .to_vec()
                };
                assert_eq!(of(Extension::Mid), subscriber.mid);
                assert_eq!(of(Extension::AbsSendTime).len(), 3);
                arrived.push(Expected {
                    sequence: parsed.sequence,
                    timestamp: parsed.timestamp,
                    payload_type: parsed.payload_type,
                    marker: parsed.marker,
                    payload: plain[parsed.header_len..].to_vec(),
                    audio_level: of(Extension::AudioLevel),
                    transport_sequence: parsed.transport_sequence(plain).unwrap(),
                });
            }
            assert_eq!(arrived, std::mem::take(&mut subscriber.expected));
        }
    }
}

#[derive(Clone, Debug)]
struct Packet {
    index: u64,
    timestamp: u32,
    marker: bool,
    level: u8,
    payload: Vec<u8>,
    tampered: Option<usize>,
}

impl Packet {
    fn plain(&self) -> Vec<u8> {
        let mut bytes = vec![0x92, 96 | u8::from(self.marker) << 7];
        bytes.extend((self.index as u16).to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(SSRC.to_be_bytes());
        // Two contributing sources, which no leg carries.
        bytes.extend([7; 8]);
        bytes.extend([0xbe, 0xde, 0, 2]);
        // Audio level, a transport-wide sequence number, an extension that nobody negotiated.
        bytes.extend([0x40, self.level, 0x51, 0, self.index as u8, 0xd0, 9, 0]);
        bytes.extend(&self.payload);
        bytes
    }
}

#[derive(Clone, Debug)]
enum Step {
    Packet {
        /// Added to the highest index so far: mostly 1, sometimes a gap, a late one or a copy.
        ahead: i64,
        payload: Vec<u8>,
        tampered: Option<usize>,
    },
    Toggle(usize),
    Pause(usize),
    Mute,
}

fn step() -> impl Strategy<Value = Step> {
    let ahead = prop_oneof![8 => Just(1_i64), 1 => 2..40_i64, 2 => -20..1_i64];
    let tampered = prop_oneof![9 => Just(None), 1 => any::<usize>().prop_map(Some)];
    prop_oneof![
        12 => (ahead, vec(any::<u8>(), 0..300), tampered)
            .prop_map(|(ahead, payload, tampered)| Step::Packet { ahead, payload, tampered }),
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
            index: start, timestamp: 1, marker: true, level: 0, payload: vec![1], tampered: None,
        };
        world.publish(&first, &mut seen);
        for step in steps {
            match step {
                Step::Toggle(number) => world.toggle(number),
                Step::Pause(number) => world.pause(number),
                Step::Mute => world.mute(),
                Step::Packet { ahead, payload, tampered } => {
                    let index = highest.saturating_add_signed(ahead).max(start);
                    let packet = Packet {
                        index,
                        timestamp: (index as u32).wrapping_mul(960),
                        marker: payload.len() % 2 == 0,
                        level: payload.len() as u8,
                        payload,
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
        tampered: None,
    };
    world.publish(&packet, &mut seen);
    world.subscribers[0].expected.clear();
    world.check();
    let dropped = &world.subscribers[0].counters.dropped;
    assert_eq!(dropped.load(std::sync::atomic::Ordering::Relaxed), 1);
    let _named = Reason::NoPair.label();
}
