//! From one opened packet to its replicas.

use std::sync::{
    Arc,
    atomic::Ordering::{Relaxed, Release},
};

use forwarder_common::{reason::Reason, slots::SLOT_PAYLOAD};

use super::{
    command::Sender,
    history::Record,
    inbound::Opened,
    note::Note,
    outlets::Outlets,
    send_state::{SendState, TransportSequence},
    tally::Tally,
    telling::Telling,
    track::{LegState, TrackState, add},
};
use crate::media::{Kind, Primary, Stamp, Template, abs_send_time};
use crate::prefetch::prefetch;

/// Senders by session number.
pub type Senders = [Option<Arc<Sender>>];

/// What replicas are made with.
pub struct Forwarder<'w> {
    /// How packets get to peers.
    pub senders: &'w Senders,
    /// Where they leave.
    pub outlets: &'w mut Outlets,
    /// The next index of every leg.
    pub send_state: &'w SendState,
    /// What is counted.
    pub tally: &'w mut Tally,
    /// What control is told.
    pub telling: &'w mut Telling,
    /// CLOCK_BOOTTIME in nanoseconds.
    pub now: u64,
}

impl Forwarder<'_> {
    /// Sends a packet to every leg of its track that takes it; with a packet that is `joinable`, legs that wait for one begin. Of redundant
    /// audio, legs that do not take it as it is get the `primary` block alone, and are told why if there is none.
    #[inline]
    pub fn fan_out(
        &mut self,
        track: &mut TrackState,
        opened: &Opened,
        plain: &[u8],
        primary: Result<Primary, Reason>,
        joinable: bool,
    ) {
        track.build_templates(&opened.parsed, plain);
        let Some(payload) = plain.get(opened.parsed.payload.clone()) else {
            return;
        };
        let video = track.track.kind == Kind::Video;
        let TrackState {
            legs,
            templates,
            missed,
            ..
        } = track;
        for at in 0..legs.len() {
            self.look_ahead(legs, at);
            let Some(leg) = legs.get_mut(at) else {
                break;
            };
            if leg.paused || leg.waits && !joinable {
                continue;
            }
            let Some(template) = templates.get(leg.profile) else {
                continue;
            };
            let outcome = self.replicate(leg, template, opened, (payload, primary), video);
            // A keyframe that did not leave is none to begin with.
            leg.waits &= outcome.is_err();
            if let Err(reason) = outcome {
                if leg.waits && reason != Reason::UnmappedPayloadType {
                    leg.counters.missed.store(true, Relaxed);
                    *missed = true;
                }
                self.tally.count(reason);
                let counter = match reason {
                    Reason::UnmappedPayloadType => &leg.counters.unmapped,
                    _ => &leg.counters.dropped,
                };
                add(counter, 1);
            }
        }
        if track.missed && track.missed_notes.admits(self.now) {
            track.missed = false;
            let track = track.track.track;
            self.telling.tell(Note::Missed { track });
        }
    }

    /// Asks the CPU for what the next legs need, while this one is served.
    #[inline]
    fn look_ahead(&self, legs: &[LegState], at: usize) {
        let sender = |leg: &LegState| self.senders.get(leg.session as usize)?.as_deref();
        if let Some(sender) = legs.get(at + 2).and_then(sender) {
            prefetch(sender);
        }
        if let Some(leg) = legs.get(at + 1) {
            prefetch(&*leg.counters);
            leg.records.prefetch(leg.sequence.next_index());
            if let Some(sender) = sender(leg) {
                sender.keys.prefetch();
                sender.send_state.prefetch();
            }
        }
    }

    #[inline]
    fn replicate(
        &mut self,
        leg: &mut LegState,
        template: &Template,
        opened: &Opened,
        (payload, primary): (&[u8], Result<Primary, Reason>),
        video: bool,
    ) -> Result<(), Reason> {
        let parsed = &opened.parsed;
        let mapped = leg.payload_type(parsed.payload_type);
        let (payload_type, payload) = match mapped {
            Some(payload_type) => (payload_type, payload),
            None => unpacked(leg, payload, primary?).ok_or(Reason::UnmappedPayloadType)?,
        };
        let sender = self
            .senders
            .get(leg.session as usize)
            .and_then(Option::as_ref)
            .ok_or(Reason::NoPair)?;
        let index = leg
            .sequence
            .outgoing(opened.index)
            .ok_or(Reason::BeforeLeg)?;
        // Before it is used: another process must never use it again (RFC 3711 §9.1).
        self.send_state.store(leg.leg, leg.sequence.next_index());
        let timestamp = parsed.timestamp.wrapping_add(leg.timestamp_offset);
        if template.len() + payload.len() > SLOT_PAYLOAD {
            return Err(Reason::TooBig);
        }
        self.outlets.admit(&sender.reach, video, self.tally)?;
        // Not sooner: a number under which nothing leaves would be a loss to the peer. Nor while it is sealed: a locked addition waits
        // for all that was written before it.
        let taken = match leg.transport_cc {
            true => Some(sender.send_state.next_transport_sequence()),
            false => None,
        };
        let transport_sequence = taken.map_or(0, TransportSequence::number);
        let stamp = Stamp {
            ssrc: leg.ssrc,
            payload_type,
            sequence: index as u16,
            timestamp,
            abs_send_time: abs_send_time(self.now),
            transport_sequence,
            mid: &leg.mid,
        };
        let seal = |room: &mut [u8; SLOT_PAYLOAD]| {
            let header_len = template.write(room, &stamp).ok_or(Reason::SealFailed)?;
            sender
                .keys
                .seal_payload(room, header_len, payload, index)
                // The room has fewer bytes than that.
                .map(|len| len as u16)
                .map_err(|_| Reason::SealFailed)
        };
        let sent = self.outlets.send(&sender.reach, video, self.tally, &seal);
        if sent.is_err()
            && let Some(taken) = taken
        {
            sender.send_state.return_transport_sequence(taken);
        }
        let sent = sent?;
        let counters = &leg.counters;
        add(&counters.packets, 1);
        add(&counters.octets, payload.len() as u64);
        add(&counters.bytes, u64::from(sent));
        counters.last_rtp.store(timestamp, Relaxed);
        // Last: whoever sees it sees the timestamp that belongs to it, or a newer one.
        counters.last_sent.store(self.now, Release);
        // What was unpacked is not what the history has: sealed again from there it would be another packet under the same index.
        if mapped.is_some() {
            leg.records.keep(Record::new(
                opened.index,
                index,
                self.now,
                transport_sequence,
                payload_type,
            ));
        }
        Ok(())
    }
}

/// The primary block of redundant audio under the leg's payload type, if the leg has one for it.
#[cold]
fn unpacked<'p>(leg: &LegState, payload: &'p [u8], primary: Primary) -> Option<(u8, &'p [u8])> {
    let payload_type = leg.payload_type(primary.payload_type)?;
    Some((payload_type, payload.get(primary.start..)?))
}
