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

use super::{
    call::*,
    packet::{Packet, Redundancy},
    subscriber::{Expected, Subscriber},
};
use crate::{
    dataplane::counters::ReasonTable,
    media::{Extension, Kind, Profile},
    srtp::{ReceiveKeys, ReceiveStreams, SendKeys},
    worker::{
        allocations::allocations,
        command::{Command, Leg, Reach, Receiver, Sender, Track},
        counters::TrackCounters,
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
                    dropped: 0,
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

    /// Another way to a subscriber, with the same keys.
    pub(super) fn put_reach(&mut self, number: usize, reach: Reach) {
        let known = &self.senders[number];
        let session = known.session;
        let sender = Arc::new(Sender {
            session,
            keys: Arc::clone(&known.keys),
            reach,
            send_state: known.send_state.clone(),
        });
        self.state.obey(Command::PutSender { session, sender });
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
        if fresh && !self.muted {
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
            // Without a block that could be taken out it is for nobody else.
            if packet.redundancy == Redundancy::Malformed && number != TAKES_RED {
                subscriber.dropped += 1;
                continue;
            }
            let offset = *subscriber.offset.get_or_insert_with(|| {
                subscriber.floor = subscriber.next;
                subscriber.next as i64 - packet.index as i64
            });
            let outgoing = packet.index as i64 + offset;
            if outgoing < subscriber.floor as i64 {
                subscriber.dropped += 1;
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
            let dropped = subscriber.counters.dropped.load(Relaxed);
            assert_eq!(dropped, subscriber.dropped);
        }
    }
}
