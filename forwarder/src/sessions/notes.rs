//! What workers tell.

use std::sync::atomic::Ordering::Relaxed;

use super::Sessions;
use crate::worker::note::Note;

impl Sessions {
    /// Takes in a worker's note.
    pub fn handle_note(&mut self, now: u64, note: Note) {
        match note {
            Note::Datagram {
                pair,
                len,
                mut bytes,
                ..
            } => {
                if let Some(bytes) = bytes.get_mut(..usize::from(len)) {
                    self.handle_datagram(now, pair, bytes);
                }
            }
            Note::Arrival {
                session,
                ssrc,
                sequence,
                at,
            } => self.arrived(session, ssrc, sequence, at),
            Note::Keyframe { track, at } => self.keyframe_seen(track, at),
            Note::Missed { track } => self.keyframe_missed(now, track),
            Note::Learnt { track, ssrc } => self.learnt(now, track, ssrc),
            Note::TcpClosed { connection } => {
                let pair = self.connections.remove(&connection);
                let owner = pair.and_then(|pair| Some((pair, self.pairs.remove(&pair)?)));
                if let Some((pair, holder)) = owner {
                    self.lose(now, holder.session, pair);
                }
            }
        }
    }

    /// A keyframe of a track has begun.
    fn keyframe_seen(&mut self, track: u32, at: u64) {
        let Some(number) = self.track_owners.get(&track).copied() else {
            return;
        };
        let session = self.table.at_mut(number);
        if let Some(publication) = session.and_then(|session| session.track_mut(track)) {
            publication.keyframes.keyframe_seen(at);
            self.reschedule(number);
        }
    }

    /// A keyframe could not be sent to somebody who waits for one, as when a worker did not know yet where the subscriber is. Who was
    /// not sent anything since does not ask by itself, and who cannot be sent anything asks once that has changed.
    fn keyframe_missed(&mut self, now: u64, track: u32) {
        let Some(number) = self.track_owners.get(&track).copied() else {
            return;
        };
        let session = self.table.at_mut(number);
        let Some(publication) = session.and_then(|session| session.track_mut(track)) else {
            return;
        };
        for (subscriber, id) in publication.subscribers.clone() {
            if !self.is_sent(subscriber, id) {
                continue;
            }
            let held = self.table.at_mut(subscriber);
            let Some(held) = held.and_then(|session| session.subscription_mut(id).ok()) else {
                continue;
            };
            if !held.counters.missed.swap(false, Relaxed) {
                continue;
            }
            let leg = held.leg;
            let session = self.table.at_mut(number);
            if let Some(publication) = session.and_then(|session| session.track_mut(track)) {
                publication.keyframes.missed(now, leg);
            }
        }
        self.send_keyframe_requests(now, number);
        self.reschedule(number);
    }

    /// The SSRC of a track has become known, or another one.
    fn learnt(&mut self, now: u64, track: u32, ssrc: u32) {
        let Some(number) = self.track_owners.get(&track).copied() else {
            return;
        };
        let session = self.table.at_mut(number);
        if let Some(publication) = session.and_then(|session| session.track_mut(track)) {
            publication.became(ssrc);
            self.send_keyframe_requests(now, number);
            self.reschedule(number);
        }
    }
}
