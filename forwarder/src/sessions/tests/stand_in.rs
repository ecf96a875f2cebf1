//! What a worker does, in the plainest way: open, find the track, rewrite and seal for each leg.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{
    feedback::Jitter,
    media::{
        Extension, LegSequence, Parsed, Stamp, Template, abs_send_time, is_keyframe_start, parse,
    },
    srtp::ReceiveStreams,
    worker::{
        command::{Command, Leg, Reach, Receiver, Sender, Track, TrackCodec},
        note::Note,
    },
};

struct Stream {
    track: Track,
    learnt: Option<u32>,
    muted: bool,
    jitter: Jitter,
    legs: BTreeMap<u32, (Leg, LegSequence)>,
}

impl Stream {
    fn owns(&self, parsed: &Parsed, packet: &[u8]) -> bool {
        let track = &self.track;
        let ssrc = track.ssrcs.contains(&parsed.ssrc) || self.learnt == Some(parsed.ssrc);
        let mid = parsed.element(Extension::Mid, packet);
        let known = |codec: &TrackCodec| codec.payload_type == parsed.payload_type;
        ssrc || (mid.is_some() && mid == track.mid.as_deref() && track.codecs.iter().any(known))
    }
}

/// A worker.
#[derive(Default)]
pub struct StandIn {
    receivers: HashMap<u32, (Receiver, ReceiveStreams<()>)>,
    pub senders: HashMap<u32, Arc<Sender>>,
    streams: BTreeMap<u32, Stream>,
    /// What it sent: the number of the way, and the packet.
    pub sent: Vec<(u32, Vec<u8>)>,
    pub notes: Vec<Note>,
}

impl StandIn {
    /// How many sessions, tracks and legs it knows.
    pub fn holds(&self) -> (usize, usize, usize, usize) {
        let legs = self.streams.values().map(|stream| stream.legs.len()).sum();
        let tracks = self.streams.len();
        (self.receivers.len(), self.senders.len(), tracks, legs)
    }

    pub fn command(&mut self, command: Command) {
        match command {
            Command::PutSender { session, sender } => {
                assert_eq!(session, sender.session);
                self.senders.insert(session, sender);
            }
            Command::DropSender { session } => drop(self.senders.remove(&session)),
            Command::PutReceiver { session, receiver } => {
                let known = self
                    .receivers
                    .insert(session, (receiver, ReceiveStreams::new(64)));
                assert!(known.is_none(), "a receiver is put once");
            }
            Command::PutExtensions {
                session,
                ids,
                transport_cc,
            } => {
                let (receiver, _) = self.receivers.get_mut(&session).unwrap();
                (receiver.ids, receiver.transport_cc) = (ids, transport_cc);
            }
            Command::DropReceiver { session } => {
                assert!(self.receivers.remove(&session).is_some());
            }
            Command::AddTrack(track) => {
                let stream = Stream {
                    learnt: None,
                    muted: false,
                    jitter: Jitter::default(),
                    legs: BTreeMap::new(),
                    track,
                };
                let known = self.streams.insert(stream.track.track, stream);
                assert!(known.is_none(), "a track is added once");
            }
            Command::RemoveTrack { track } => {
                let stream = self.streams.remove(&track).unwrap();
                assert!(stream.legs.is_empty(), "legs go before their track");
            }
            Command::AddLeg(leg) => {
                let stream = self.streams.get_mut(&leg.track).unwrap();
                let sequence = LegSequence::starting_at(leg.first_index);
                let known = stream.legs.insert(leg.leg, (leg, sequence));
                assert!(known.is_none(), "a leg is added once");
            }
            Command::RemoveLeg { track, leg } => {
                let stream = self.streams.get_mut(&track).unwrap();
                assert!(stream.legs.remove(&leg).is_some());
            }
            Command::PauseLeg { track, leg, paused } => {
                let stream = self.streams.get_mut(&track).unwrap();
                stream.legs.get_mut(&leg).unwrap().0.paused = paused;
            }
            Command::MuteTrack { track, muted } => {
                self.streams.get_mut(&track).unwrap().muted = muted;
            }
            other => panic!("not for the core to give: {other:?}"),
        }
    }

    /// An SRTP packet from a session's peer.
    pub fn packet(&mut self, now: u64, session: u32, mut packet: Vec<u8>) {
        let Some((receiver, streams)) = self.receivers.get_mut(&session) else {
            return;
        };
        let Some(header) = parse(&packet, &receiver.ids) else {
            return;
        };
        let opened = streams.open(&receiver.keys, &mut packet, header.header_len, |_| Some(()));
        let Ok(opened) = opened else {
            add(&receiver.counters.unauthentic, 1);
            return;
        };
        let (index, len) = (opened.index, opened.len);
        packet.truncate(len);
        add(&receiver.counters.packets, 1);
        let mut parsed = parse(&packet, &receiver.ids).unwrap();
        parsed.unpad(&packet).unwrap();
        if receiver.transport_cc
            && let Some(sequence) = parsed.transport_sequence(&packet)
        {
            self.notes.push(Note::Arrival {
                session,
                ssrc: parsed.ssrc,
                sequence,
                at: now,
            });
        }
        let mut streams = self.streams.values_mut();
        let of_session = |stream: &&mut Stream| stream.track.session == session;
        let Some(stream) = streams
            .by_ref()
            .filter(of_session)
            .find(|stream| stream.owns(&parsed, &packet))
        else {
            return;
        };
        self.notes
            .extend(stream.count(now, index, &parsed, &packet));
        if stream.muted {
            return;
        }
        for (leg, sequence) in stream.legs.values_mut() {
            let Some(sender) = self.senders.get(&leg.session) else {
                continue;
            };
            if let Some(sealed) = forward(now, index, &parsed, &packet, leg, sequence, sender) {
                let Reach::Tcp { connection, .. } = sender.reach else {
                    panic!("the world numbers its ways");
                };
                self.sent.push((connection, sealed));
            }
        }
    }
}

impl Stream {
    fn count(&mut self, now: u64, index: u64, parsed: &Parsed, packet: &[u8]) -> Vec<Note> {
        let mut notes = Vec::new();
        let counters = Arc::clone(&self.track.counters);
        let mut codecs = self.track.codecs.iter();
        // Retransmissions have no codec, and are not forwarded.
        let Some(codec) = codecs.find(|codec| codec.payload_type == parsed.payload_type) else {
            add(&counters.unexpected, 1);
            return notes;
        };
        if counters.ssrc.load(Relaxed) != parsed.ssrc {
            counters.received.store(0, Relaxed);
            counters.base.store(index, Relaxed);
            counters.ssrc.store(parsed.ssrc, Relaxed);
        }
        if !self.track.ssrcs.contains(&parsed.ssrc)
            && self.learnt.replace(parsed.ssrc) != Some(parsed.ssrc)
        {
            notes.push(Note::Learnt {
                track: self.track.track,
                ssrc: parsed.ssrc,
            });
        }
        add(&counters.packets, 1);
        add(&counters.received, 1);
        counters.highest_extended.fetch_max(index, Relaxed);
        counters.clock_rate.store(codec.clock_rate, Relaxed);
        let jitter = self.jitter.arrived(now, parsed.timestamp, codec.clock_rate);
        counters.jitter.store(jitter, Relaxed);
        if let Some(&[level, ..]) = parsed.element(Extension::AudioLevel, packet) {
            add(&counters.levels, 1);
            add(&counters.loudness, 127 - u64::from(level & 0x7f));
            add(&counters.voiced, u64::from(level >> 7));
        }
        let payload = packet.get(parsed.payload.clone()).unwrap();
        if is_keyframe_start(codec.codec, payload) {
            notes.push(Note::Keyframe {
                track: self.track.track,
                at: now,
            });
        }
        notes
    }
}

fn forward(
    now: u64,
    index: u64,
    parsed: &Parsed,
    packet: &[u8],
    leg: &Leg,
    sequence: &mut LegSequence,
    sender: &Sender,
) -> Option<Vec<u8>> {
    let mut types = leg.payload_types.iter();
    let (_, payload_type) = types.find(|(from, _)| *from == parsed.payload_type)?;
    if leg.paused {
        return None;
    }
    let index = sequence.outgoing(index)?;
    let template = Template::build(parsed, packet, &leg.profile);
    let payload = packet.get(parsed.payload.clone())?;
    let mut sealed = vec![0; template.len() + payload.len() + 16];
    let timestamp = parsed.timestamp.wrapping_add(leg.timestamp_offset);
    let header = template.write(
        &mut sealed,
        &Stamp {
            ssrc: leg.ssrc,
            payload_type: *payload_type,
            sequence: index as u16,
            timestamp,
            abs_send_time: abs_send_time(now),
            transport_sequence: sender.send_state.next_transport_sequence().number(),
            mid: leg.profile.mid(),
        },
    )?;
    let len = header + payload.len();
    sealed.get_mut(header..len)?.copy_from_slice(payload);
    let len = sender.keys.seal(&mut sealed, header, len, index).unwrap();
    sealed.truncate(len);
    add(&leg.counters.packets, 1);
    add(&leg.counters.octets, payload.len() as u64);
    leg.counters.last_rtp.store(timestamp, Relaxed);
    leg.counters.last_sent.store(now, Relaxed);
    Some(sealed)
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Relaxed);
}
