//! All that a worker knows, and what it does with a packet; without the thread, so that tests can drive it.

use std::sync::Arc;

use forwarder_common::{
    classify::{Kind as Datagram, classify},
    meter,
    reason::Reason,
};

use super::{
    command::{Command, Sender},
    forward::Forwarder,
    inbound::{Inbound, Opened},
    note::Note,
    outlets::Outlets,
    send_state::SendState,
    tally::Tally,
    telling::Telling,
    track::{Seen, TrackState, add},
};
use crate::{
    media::{Codec, Primary, is_keyframe_start},
    transport::Pair,
};

/// The state of a worker.
pub struct State {
    senders: Vec<Option<Arc<Sender>>>,
    inbounds: Vec<Option<Box<Inbound>>>,
    tracks: Vec<Option<Box<TrackState>>>,
    send_state: Arc<SendState>,
    /// Ways out.
    pub outlets: Outlets,
    /// What is told to control.
    pub telling: Telling,
    /// What is counted.
    pub tally: Tally,
}

/// Where datagrams come from.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The 5-tuple.
    pub pair: Pair,
    /// Number of the session.
    pub session: u32,
    /// Until when it has used up what it may tell control, see [`meter`].
    pub until: u64,
    /// Whether its video is dropped unopened.
    pub sheds: bool,
}

/// Puts `value` at a place of a table that grows as far as it must. Numbers come from control, which bounds them.
fn put<T>(table: &mut Vec<Option<T>>, number: u32, value: Option<T>) -> Option<T> {
    let number = number as usize;
    if number >= table.len() {
        value.as_ref()?;
        table.resize_with(number + 1, || None);
    }
    std::mem::replace(table.get_mut(number)?, value)
}

fn at<T>(table: &mut [Option<T>], number: u32) -> Option<&mut T> {
    table.get_mut(number as usize)?.as_mut()
}

impl State {
    /// A worker that knows nothing yet.
    #[must_use]
    pub fn new(
        outlets: Outlets,
        telling: Telling,
        tally: Tally,
        send_state: Arc<SendState>,
    ) -> Self {
        Self {
            senders: Vec::new(),
            inbounds: Vec::new(),
            tracks: Vec::new(),
            send_state,
            outlets,
            telling,
            tally,
        }
    }

    /// Carries a command out, but for those about sockets and connections, which are given back.
    pub fn obey(&mut self, command: Command) -> Option<Command> {
        match command {
            Command::PutSender { session, sender } => {
                put(&mut self.senders, session, Some(sender));
            }
            Command::DropSender { session } => {
                put(&mut self.senders, session, None);
            }
            Command::PutReceiver { session, receiver } => {
                // Tracks may have been told before the keys were there, and outlive a change of keys.
                let mut inbound = Box::new(Inbound::new(
                    receiver,
                    self.send_state.receive_session(session),
                ));
                for track in self.tracks.iter().flatten() {
                    if track.track.session == session {
                        inbound.add_track(&track.track);
                    }
                }
                put(&mut self.inbounds, session, Some(inbound));
            }
            Command::PutExtensions {
                session,
                ids,
                transport_cc,
            } => {
                if let Some(inbound) = at(&mut self.inbounds, session) {
                    inbound.negotiate(ids, transport_cc);
                }
            }
            Command::DropReceiver { session } => {
                put(&mut self.inbounds, session, None);
            }
            Command::AddTrack(track) => {
                if let Some(inbound) = at(&mut self.inbounds, track.session) {
                    inbound.add_track(&track);
                }
                let number = track.track;
                put(
                    &mut self.tracks,
                    number,
                    Some(Box::new(TrackState::new(track))),
                );
            }
            Command::RemoveTrack { track } => {
                if let Some(removed) = put(&mut self.tracks, track, None)
                    && let Some(inbound) = at(&mut self.inbounds, removed.track.session)
                {
                    inbound.remove_track(track);
                }
            }
            Command::AddLeg(leg) => {
                if let Some(track) = at(&mut self.tracks, leg.track) {
                    self.send_state.store(leg.leg, leg.first_index);
                    track.add(leg);
                }
            }
            Command::RemoveLeg { track, leg } => {
                if let Some(track) = at(&mut self.tracks, track) {
                    track.remove(leg);
                }
            }
            Command::PauseLeg { track, leg, paused } => {
                if let Some(track) = at(&mut self.tracks, track) {
                    track.pause(leg, paused);
                }
            }
            Command::MuteTrack { track, muted } => {
                if let Some(track) = at(&mut self.tracks, track) {
                    track.mute(muted);
                }
            }
            other => return Some(other),
        }
        None
    }

    /// What came from a session's pair by a socket or a connection.
    pub fn receive(&mut self, from: &mut Origin, datagram: &mut [u8], now: u64) {
        let session = from.session;
        let [first, second, ..] = *datagram else {
            self.tally.count(Reason::NotMedia);
            return;
        };
        match classify(first, second) {
            Err(reason) => self.tally.count(reason),
            Ok(Datagram::Rtp) => {
                if from.sheds && !self.is_audio(session, second & 0x7f) {
                    self.tally.count(Reason::VideoShed);
                    return;
                }
                self.forward(session, datagram, now, now);
            }
            Ok(kind) => {
                self.tally.count(match kind {
                    Datagram::Stun => Reason::Stun,
                    Datagram::Dtls => Reason::Dtls,
                    Datagram::Rtcp | Datagram::Rtp => Reason::Rtcp,
                });
                // One peer must not keep control from hearing the others.
                match meter::PAIR.admit(from.until, now) {
                    Some(until) => {
                        from.until = until;
                        self.telling.datagram(from.pair, session, datagram);
                    }
                    None => self.tally.count(Reason::Metered),
                }
            }
        }
    }

    fn is_audio(&self, session: u32, payload_type: u8) -> bool {
        let inbound = self.inbounds.get(session as usize);
        inbound
            .and_then(Option::as_ref)
            .is_some_and(|inbound| inbound.is_audio(payload_type))
    }

    /// Opens an SRTP packet of a session that arrived at `at`, and sends it on.
    #[inline]
    pub fn forward(&mut self, session: u32, packet: &mut [u8], at: u64, now: u64) {
        let inbound = self.inbounds.get_mut(session as usize);
        let Some(inbound) = inbound.and_then(Option::as_mut) else {
            self.tally.count(Reason::UnknownPair);
            return;
        };
        let bytes = packet.len();
        let opened = match inbound.open(packet, at) {
            Ok(opened) => opened,
            Err(reason) => {
                self.tally.count(reason);
                return;
            }
        };
        self.tally.count(Reason::Opened);
        if let Some(sequence) = opened.transport_sequence {
            let ssrc = opened.parsed.ssrc;
            self.telling.arrival(session, ssrc, sequence, at);
        }
        if let Some(plain) = packet.get(..opened.len) {
            let seen = Seen {
                index: opened.index,
                at,
                bytes,
            };
            self.forward_opened(&opened, plain, seen, now);
        }
    }

    #[inline]
    fn forward_opened(&mut self, opened: &Opened, plain: &[u8], seen: Seen, now: u64) {
        let number = opened.track.unwrap_or(u32::MAX);
        let track = self.tracks.get_mut(number as usize);
        let Some(track) = track.and_then(Option::as_mut) else {
            self.tally.count(Reason::UnknownSsrc);
            return;
        };
        let parsed = &opened.parsed;
        let Some((codec, clock_rate)) = track.codec(parsed.payload_type) else {
            self.tally.count(Reason::UnmappedPayloadType);
            add(&track.track.counters.unexpected, 1);
            return;
        };
        if !track.observe(parsed, clock_rate, seen) {
            self.tally.count(Reason::UnknownSsrc);
            return;
        }
        track.hear(parsed, plain);
        if opened.learnt {
            self.telling.tell(Note::Learnt {
                track: number,
                ssrc: parsed.ssrc,
            });
        }
        let payload = plain.get(parsed.payload.clone()).unwrap_or_default();
        let primary = match codec {
            Codec::Red => Primary::find(payload).ok_or(Reason::Malformed),
            _ => Err(Reason::UnmappedPayloadType),
        };
        let keyframe = codec.has_keyframes() && is_keyframe_start(codec, payload);
        // A codec without keyframes is joined anywhere.
        let joinable = keyframe || !(codec.has_keyframes() || codec == Codec::Rtx);
        if keyframe {
            add(&track.track.counters.keyframes, 1);
            if track.keyframe_notes.admits(seen.at) {
                self.telling.tell(Note::Keyframe {
                    track: number,
                    at: seen.at,
                });
            }
        }
        if track.muted {
            return;
        }
        track.history.keep(opened.index, plain, parsed.header_len);
        let mut forwarder = Forwarder {
            senders: &self.senders,
            outlets: &mut self.outlets,
            send_state: &self.send_state,
            tally: &mut self.tally,
            telling: &mut self.telling,
            now,
        };
        forwarder.fan_out(track, opened, plain, primary, joinable);
    }

    /// Ends a batch: what waits leaves, control is woken, counts are shown.
    #[inline]
    pub fn flush(&mut self) {
        self.outlets.flush(&mut self.tally);
        self.telling.flush();
        self.tally.publish();
    }
}
