//! A worker with a publisher and three subscribers, and the naive reference: what each of them is to open, and in which order.

use std::{
    collections::BTreeMap,
    net::UdpSocket,
    os::fd::OwnedFd,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use arrayvec::ArrayVec;
use forwarder_common::{slots::MAX_WORKERS, tables::Member};
use nix::sys::eventfd::EventFd;

use crate::{
    dataplane::counters::ReasonTable,
    media::{Codec, Extension, ExtensionIds, Kind, Profile, parse},
    srtp::{MasterKey, ReceiveKeys, ReceiveStreams, SendKeys, Suite},
    worker::{
        allocations::allocations,
        command::{Command, Leg, Reach, Receiver, Sender, Track, TrackCodec},
        counters::{LegCounters, TrackCounters},
        far_end::{self, FarEnd},
        outlets::Outlets,
        relay::Relays,
        send_state::SendState,
        state::State,
        tally::Tally,
        tcp::TcpConnections,
        telling::{Notes, telling},
    },
};

pub(super) const PUBLISHER: u32 = 1;
pub(super) const TRACK: u32 = 3;
pub(super) const SSRC: u32 = 0x1234_5678;
pub(super) const OPUS: u8 = 96;
/// The number that sound has where the track is sound.
pub(super) const VP8: u8 = OPUS;
pub(super) const RED: u8 = 63;
/// The number of the only subscriber that takes redundant audio as it is.
pub(super) const TAKES_RED: usize = 1;
/// What redundant audio becomes for it.
pub(super) const RED_THERE: u8 = 120;
pub(super) const SUITES: [Suite; 3] = [
    Suite::AeadAes128Gcm,
    Suite::AeadAes256Gcm,
    Suite::Aes128CmHmacSha1_80,
];

pub(super) fn master(suite: Suite, seed: u8) -> MasterKey {
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

pub(super) fn track(kind: Kind) -> Track {
    let (codecs, clock_rate) = match kind {
        Kind::Audio => (&[(OPUS, Codec::Opus), (RED, Codec::Red)][..], 48_000),
        Kind::Video => (&[(VP8, Codec::Vp8)][..], 90_000),
    };
    Track {
        track: TRACK,
        session: PUBLISHER,
        kind,
        mid: None,
        ssrcs: ArrayVec::from_iter([SSRC]),
        codecs: codecs
            .iter()
            .map(|(payload_type, codec)| TrackCodec {
                payload_type: *payload_type,
                codec: *codec,
                clock_rate,
            })
            .collect(),
        counters: Arc::default(),
    }
}

/// What the track carries, and the way to its subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) suite: Suite,
    pub(super) kind: Kind,
    /// By slots and bells, or by connected sockets.
    pub(super) by_slots: bool,
}

impl Call {
    /// Sound over sockets.
    pub(super) const fn of(suite: Suite) -> Self {
        Self {
            suite,
            kind: Kind::Audio,
            by_slots: false,
        }
    }

    /// Every suite, kind and way.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        SUITES.into_iter().flat_map(|suite| {
            [Kind::Audio, Kind::Video]
                .into_iter()
                .flat_map(move |kind| {
                    [false, true].map(|by_slots| Self {
                        suite,
                        kind,
                        by_slots,
                    })
                })
        })
    }
}

/// Replicas that may be under way: three subscribers of a batch of one packet always find room.
const WINDOW: u32 = 64;
/// A payload that VP8 begins a keyframe with (RFC 7741 §4.3), and one that it does not.
pub(super) const KEYFRAME: [u8; 2] = [0x10, 0];
pub(super) const DELTA: [u8; 2] = [0x10, 1];

/// The hop of a subscriber.
fn hop_of(session: u32) -> u32 {
    session + 100
}

pub(super) fn ids(known: &[(u8, Extension)]) -> ExtensionIds {
    let mut ids = ExtensionIds::new();
    for (id, extension) in known {
        ids.insert(*id, *extension).unwrap();
    }
    ids
}

/// A subscriber and what the reference expects it to get.
pub(super) struct Subscriber {
    pub(super) session: u32,
    pub(super) socket: UdpSocket,
    pub(super) keys: ReceiveKeys,
    pub(super) streams: ReceiveStreams<()>,
    pub(super) leg: Option<u32>,
    pub(super) ids: ExtensionIds,
    pub(super) mid: Vec<u8>,
    pub(super) counters: Arc<LegCounters>,
    /// Outgoing less incoming index, once a packet has left.
    pub(super) offset: Option<i64>,
    pub(super) next: u64,
    pub(super) floor: u64,
    pub(super) paused: bool,
    /// Whether it takes nothing before a keyframe.
    pub(super) waits: bool,
    pub(super) expected: Vec<Expected>,
    pub(super) transport_sequence: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) payload_type: u8,
    pub(super) marker: bool,
    pub(super) payload: Vec<u8>,
    pub(super) audio_level: Vec<u8>,
    pub(super) transport_sequence: u16,
}

impl Subscriber {
    /// What it makes of a packet that came.
    fn open(&mut self, mut packet: Vec<u8>) -> Expected {
        let parsed = parse(&packet, &self.ids).unwrap();
        let opened = self
            .streams
            .open(&self.keys, &mut packet, parsed.header_len, |_| Some(()))
            .expect("every replica is authentic and new");
        let plain = &packet[..opened.len];
        let of = |extension| {
            parsed
                .element(extension, plain)
                .unwrap_or_default()
                .to_vec()
        };
        assert_eq!(of(Extension::Mid), self.mid);
        assert_eq!(of(Extension::AbsSendTime).len(), 3);
        Expected {
            sequence: parsed.sequence,
            timestamp: parsed.timestamp,
            payload_type: parsed.payload_type,
            marker: parsed.marker,
            payload: plain[parsed.header_len..].to_vec(),
            audio_level: of(Extension::AudioLevel),
            transport_sequence: parsed.transport_sequence(plain).unwrap(),
        }
    }
}

/// A worker that opens what the publisher sends.
pub(super) struct Worker {
    state: State,
    notes: Notes,
    /// Where slots and bells end, if it has any.
    far_end: Option<FarEnd>,
    reasons: Arc<ReasonTable>,
}

impl Worker {
    fn new(call: Call, send_state: &Arc<SendState>, counters: &Arc<TrackCounters>) -> Self {
        let (told, notes) = telling(Arc::new(EventFd::new().unwrap()));
        let reasons = Arc::new(ReasonTable::heap(MAX_WORKERS).unwrap());
        let (port, far_end) = call.by_slots.then(|| far_end::slots(WINDOW)).unzip();
        let outlets = Outlets::new(0, port, TcpConnections::default(), Relays::default());
        let tally = Tally::new(Arc::clone(&reasons), 0);
        let mut state = State::new(outlets, told, tally, Arc::clone(send_state));
        let keys = master(call.suite, 1);
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
                counters: Arc::clone(counters),
                ..track(call.kind)
            }),
        ] {
            assert!(state.obey(command).is_none());
        }
        Self {
            state,
            notes,
            far_end,
            reasons,
        }
    }
}

pub(super) struct World {
    pub(super) state: State,
    pub(super) send_state: Arc<SendState>,
    pub(super) call: Call,
    pub(super) far_end: Option<FarEnd>,
    pub(super) reasons: Arc<ReasonTable>,
    pub(super) senders: Vec<Arc<Sender>>,
    pub(super) notes: Notes,
    pub(super) publisher: SendKeys,
    pub(super) subscribers: Vec<Subscriber>,
    pub(super) next_leg: u32,
    pub(super) muted: bool,
    pub(super) counters: Arc<TrackCounters>,
    /// Packets, and how loud and how often voice they said that they are.
    pub(super) heard: (u64, u64, u64),
}

pub(super) fn payload_type_of(leg: u32) -> u8 {
    100 + (leg % 7) as u8
}

pub(super) fn first_sequence_of(leg: u32) -> u16 {
    (leg * 7919 % 0x8000) as u16
}

pub(super) fn timestamp_offset_of(leg: u32) -> u32 {
    leg.wrapping_mul(0x9e37_79b9)
}

pub(super) fn ssrc_of(leg: u32) -> u32 {
    0xabc0_0000 + leg
}

impl World {
    pub(super) fn new(call: Call) -> Self {
        let send_state = Arc::new(SendState::heap(4096, 16).unwrap());
        let counters = Arc::<TrackCounters>::default();
        let Worker {
            mut state,
            notes,
            far_end,
            reasons,
        } = Worker::new(call, &send_state, &counters);
        let mut senders = Vec::new();
        let subscribers = (0..3)
            .map(|number| {
                let session = 10 + number;
                let suite = SUITES[number as usize];
                let keys = master(suite, session as u8);
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                socket.set_nonblocking(true).unwrap();
                let ours = UdpSocket::bind("127.0.0.1:0").unwrap();
                ours.connect(socket.local_addr().unwrap()).unwrap();
                let ours = Arc::new(OwnedFd::from(ours));
                let sender = Arc::new(Sender {
                    session,
                    keys: Arc::new(SendKeys::new(&keys)),
                    reach: if call.by_slots {
                        Reach::Xdp {
                            device: 0,
                            member: Member {
                                hop: hop_of(session),
                                generation: 1,
                            },
                            socket: ours,
                        }
                    } else {
                        Reach::Socket(ours)
                    },
                    send_state: send_state.session(session).unwrap(),
                });
                senders.push(Arc::clone(&sender));
                state.obey(Command::PutSender { session, sender });
                Subscriber {
                    session,
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
                    waits: false,
                    expected: Vec::new(),
                    transport_sequence: 0,
                }
            })
            .collect();
        Self {
            state,
            send_state,
            call,
            far_end,
            reasons,
            senders,
            notes,
            publisher: SendKeys::new(&master(call.suite, 1)),
            subscribers,
            next_leg: 1,
            muted: false,
            counters,
            heard: (0, 0, 0),
        }
    }

    /// Another worker takes the place of this one, which has nothing of it but keys and send state.
    pub(super) fn restart(&mut self) {
        Worker {
            state: self.state,
            notes: self.notes,
            far_end: self.far_end,
            reasons: self.reasons,
        } = Worker::new(self.call, &self.send_state, &self.counters);
        self.state.obey(Command::MuteTrack {
            track: TRACK,
            muted: self.muted,
        });
        for sender in &self.senders {
            let (session, sender) = (sender.session, Arc::clone(sender));
            self.state.obey(Command::PutSender { session, sender });
        }
        for number in 0..self.subscribers.len() {
            if let Some(leg) = self.subscribers[number].leg {
                self.add_leg(number, leg, self.send_state.next_index(leg));
            }
        }
    }

    pub(super) fn toggle(&mut self, number: usize) {
        let subscriber = &mut self.subscribers[number];
        if let Some(leg) = subscriber.leg.take() {
            self.state.obey(Command::RemoveLeg { track: TRACK, leg });
            return;
        }
        let leg = self.next_leg;
        self.next_leg += 1;
        subscriber.leg = Some(leg);
        self.add_leg(number, leg, first_sequence_of(leg).into());
    }

    pub(super) fn add_leg(&mut self, number: usize, leg: u32, first_index: u64) {
        let subscriber = &mut self.subscribers[number];
        subscriber.offset = None;
        subscriber.paused = false;
        subscriber.waits = self.call.kind == Kind::Video;
        subscriber.next = first_index;
        self.state.obey(Command::AddLeg(Leg {
            leg,
            track: TRACK,
            session: 10 + number as u32,
            ssrc: ssrc_of(leg),
            payload_types: [(OPUS, payload_type_of(leg)), (RED, RED_THERE)]
                .into_iter()
                .take(if number == TAKES_RED { 2 } else { 1 })
                .collect(),
            profile: Profile {
                ids: subscriber.ids.clone(),
                mid: Some(ArrayVec::from_iter(subscriber.mid.iter().copied())),
                kind: self.call.kind,
            },
            first_index,
            timestamp_offset: timestamp_offset_of(leg),
            paused: false,
            counters: Arc::clone(&subscriber.counters),
        }));
    }

    pub(super) fn pause(&mut self, number: usize) {
        let subscriber = &mut self.subscribers[number];
        let Some(leg) = subscriber.leg else {
            return;
        };
        subscriber.paused = !subscriber.paused;
        subscriber.waits = self.call.kind == Kind::Video;
        subscriber.offset = None;
        self.state.obey(Command::PauseLeg {
            track: TRACK,
            leg,
            paused: subscriber.paused,
        });
    }

    pub(super) fn mute(&mut self) {
        self.muted = !self.muted;
        for subscriber in &mut self.subscribers {
            subscriber.offset = None;
            subscriber.waits = self.call.kind == Kind::Video;
        }
        self.state.obey(Command::MuteTrack {
            track: TRACK,
            muted: self.muted,
        });
    }

    /// What a publisher sends, and what the reference makes of it.
    pub(super) fn publish(&mut self, packet: &Packet, seen: &mut BTreeMap<u64, ()>) {
        let mut sealed = packet.plain();
        let header_len = sealed.len() - packet.written().len();
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
        let before = allocations();
        self.state
            .forward(PUBLISHER, &mut sealed, 5_000_000_000, 5_000_000_000);
        // Neither does the first packet of the track.
        assert_eq!(allocations(), before, "a packet allocates");
        if fresh && self.call.kind == Kind::Audio {
            self.heard.0 += 1;
            self.heard.1 += u64::from(127 - (packet.level & 0x7f));
            self.heard.2 += u64::from(packet.level >= 0x80);
        }
        if fresh && !self.muted && packet.redundancy != Redundancy::Malformed {
            self.expect(packet);
        }
    }

    pub(super) fn expect(&mut self, packet: &Packet) {
        for (number, subscriber) in self.subscribers.iter_mut().enumerate() {
            let Some(leg) = subscriber.leg.filter(|_| !subscriber.paused) else {
                continue;
            };
            // A decoder begins with a keyframe: what comes before is not for it, and not missing either.
            if subscriber.waits && !packet.payload.starts_with(&KEYFRAME) {
                continue;
            }
            subscriber.waits = false;
            let offset = *subscriber.offset.get_or_insert_with(|| {
                subscriber.floor = subscriber.next;
                subscriber.next as i64 - packet.index as i64
            });
            let outgoing = packet.index as i64 + offset;
            if outgoing < subscriber.floor as i64 {
                continue;
            }
            subscriber.next = subscriber.next.max(outgoing as u64 + 1);
            let is_whole = number == TAKES_RED && packet.redundancy != Redundancy::None;
            subscriber.expected.push(Expected {
                sequence: outgoing as u16,
                timestamp: packet.timestamp.wrapping_add(timestamp_offset_of(leg)),
                payload_type: if is_whole {
                    RED_THERE
                } else {
                    payload_type_of(leg)
                },
                marker: packet.marker,
                payload: if is_whole {
                    packet.written()
                } else {
                    packet.payload.clone()
                },
                // It says nothing of pictures (RFC 6464).
                audio_level: match self.call.kind {
                    Kind::Audio => vec![packet.level],
                    Kind::Video => Vec::new(),
                },
                transport_sequence: subscriber.transport_sequence,
            });
            subscriber.transport_sequence = subscriber.transport_sequence.wrapping_add(1);
        }
    }

    /// What has arrived is what was expected.
    pub(super) fn check(&mut self) {
        let before = allocations();
        self.state.flush();
        assert_eq!(allocations(), before, "the end of a batch allocates");
        self.notes.drain(1000, |_| ());
        let left = self.far_end.as_mut().map(FarEnd::send_all);
        let left = left.unwrap_or_default();
        let counters = &self.counters;
        let heard = (
            counters.levels.load(Relaxed),
            counters.loudness.load(Relaxed),
            counters.voiced.load(Relaxed),
        );
        assert_eq!(heard, self.heard);
        for subscriber in &mut self.subscribers {
            let mut packets = Vec::new();
            let mut buffer = [0; 2048];
            while let Ok(len) = subscriber.socket.recv(&mut buffer) {
                packets.push(buffer[..len].to_vec());
            }
            let to = hop_of(subscriber.session);
            let replicas = left.iter().filter(|replica| replica.hop == to);
            packets.extend(replicas.map(|replica| replica.payload.clone()));
            let arrived: Vec<Expected> = packets
                .into_iter()
                .map(|packet| subscriber.open(packet))
                .collect();
            assert_eq!(arrived, std::mem::take(&mut subscriber.expected));
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) index: u64,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) level: u8,
    pub(super) payload: Vec<u8>,
    pub(super) redundancy: Redundancy,
    pub(super) tampered: Option<usize>,
}

/// How a payload is wrapped (RFC 2198).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Redundancy {
    /// Not at all.
    None,
    /// After so many earlier blocks, each of so many bytes.
    Blocks(usize, usize),
    /// A header that names more than there is.
    Malformed,
}

impl Packet {
    /// The payload as it is written.
    pub(super) fn written(&self) -> Vec<u8> {
        let (blocks, len) = match self.redundancy {
            Redundancy::None => return self.payload.clone(),
            Redundancy::Blocks(blocks, len) => (blocks, len),
            Redundancy::Malformed => return vec![0x80 | OPUS, 0, 3, 0xff, OPUS],
        };
        let header = [0x80 | OPUS, 0, (len >> 8) as u8, len as u8];
        let mut bytes = header.repeat(blocks);
        bytes.push(OPUS);
        bytes.extend(vec![0xa5; blocks * len]);
        bytes.extend(&self.payload);
        bytes
    }

    pub(super) fn plain(&self) -> Vec<u8> {
        let payload_type = match self.redundancy {
            Redundancy::None => OPUS,
            _ => RED,
        };
        let mut bytes = vec![0x92, payload_type | u8::from(self.marker) << 7];
        bytes.extend((self.index as u16).to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(SSRC.to_be_bytes());
        // Two contributing sources, which no leg carries.
        bytes.extend([7; 8]);
        bytes.extend([0xbe, 0xde, 0, 2]);
        // Audio level, a transport-wide sequence number, an extension that nobody negotiated.
        bytes.extend([0x40, self.level, 0x51, 0, self.index as u8, 0xd0, 9, 0]);
        bytes.extend(self.written());
        bytes
    }
}
