//! What arrives on the media port: STUN, DTLS and SRTCP, told apart by their first bytes (RFC 7983). Nothing is kept of what
//! has not proved authentic, and DTLS and SRTCP are read only from 5-tuples that ICE has validated.

use std::sync::Arc;

use forwarder_common::classify::{Kind, classify};

use super::{
    Sessions,
    output::{Event, Output},
    pairs::{Step, Steps},
};
use crate::{
    feedback::Reason,
    transport::{CONSENT, IceEvent, Pair, Protocol, ufrag_of},
    worker::command::{Command, Reach},
};

/// How long a 5-tuple stays its session's without anything authentic from there, in nanoseconds. Source addresses can be forged,
/// so that another session's check from there may be an attempt on it; but a peer that began anew without a word comes from
/// where its former session was, and its first checks are repeated for many seconds (RFC 8489 §6.2.1). Live peers check every 5 s on
/// average (RFC 7675 §5.1), and their reports count too.
pub(super) const HOLD: u64 = 5_000_000_000;

/// Whose DTLS and SRTCP comes from a 5-tuple.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    /// Number of the session.
    pub session: u32,
    /// When something authentic came from there last.
    heard: u64,
}

impl Sessions {
    /// A datagram of a pair, which may be anybody's.
    pub fn handle_datagram(&mut self, now: u64, pair: Pair, bytes: &mut [u8]) {
        let kind = match *bytes {
            [first, second, ..] => classify(first, second).ok(),
            _ => None,
        };
        match kind {
            Some(Kind::Stun) => self.handle_stun(now, pair, bytes),
            Some(Kind::Dtls) => self.handle_dtls(now, pair, bytes),
            Some(Kind::Rtcp) => self.handle_srtcp(now, pair, bytes),
            // Media is the workers' business: what of it comes here was under way before its pair was open.
            Some(Kind::Rtp) | None => self.strangers += 1,
        }
    }

    /// Whether a session's peer has proved that it is there: DTLS from there is heard.
    #[must_use]
    pub fn is_claimed(&self, pair: &Pair) -> bool {
        self.pairs.contains_key(pair)
    }

    fn handle_stun(&mut self, now: u64, pair: Pair, bytes: &[u8]) {
        let owner = ufrag_of(bytes).and_then(|ufrag| self.ufrags.get(&ufrag).copied());
        let held = owner.is_some_and(|number| self.is_held_from(now, number, pair));
        let Some((number, session)) =
            owner.and_then(|number| Some((number, self.table.at_mut(number)?)))
        else {
            self.strangers += 1;
            return;
        };
        if held {
            // Without an answer the peer goes on checking (RFC 8445 §7.2.5), if it is one.
            session.control.refused_checks += 1;
            return;
        }
        let mut answer = Vec::new();
        let event = match session.ice.handle_request(now, pair, bytes, &mut answer) {
            Ok(event) => event,
            Err(_) => {
                session.control.refused_checks += 1;
                return;
            }
        };
        session.control.checks += 1;
        let bytes = answer;
        self.outputs.push_back(Output::Transmit { pair, bytes });
        match event {
            IceEvent::RoleConflict => return,
            IceEvent::Answered { new_pair } => {
                if new_pair {
                    self.claim(now, number, pair);
                }
                self.try_out(now, number, pair, new_pair);
            }
            IceEvent::Selected(pair) => {
                self.claim(now, number, pair);
                self.select(now, number, pair);
            }
        }
        self.heard_from(now, number, pair);
        self.forget_retired(number);
        self.renew(now, number, pair);
        if let Some(session) = self.table.at_mut(number) {
            session.dtls_pair.get_or_insert(pair);
            session.dtls.start(now);
        }
        self.run_dtls(now, number);
    }

    /// Whether a 5-tuple is kept from this session: by another one that is heard there, or by a younger one, which is not taken
    /// from again.
    fn is_held_from(&self, now: u64, number: u32, pair: Pair) -> bool {
        let id = |number| self.table.at(number).map(|session| session.id);
        self.pairs.get(&pair).is_some_and(|holder| {
            holder.session != number
                && (id(holder.session) > id(number) || now < holder.heard.saturating_add(HOLD))
        })
    }

    /// Something authentic came from a session's peer.
    pub(super) fn heard_from(&mut self, now: u64, number: u32, pair: Pair) {
        let holder = self.pairs.get_mut(&pair);
        if let Some(holder) = holder.filter(|holder| holder.session == number) {
            holder.heard = now;
        }
    }

    /// A session has proved that it is its peer that sends from there. From now on DTLS and SRTCP from there is its, and no longer
    /// that of an older one, whose peer began anew or is gone.
    fn claim(&mut self, now: u64, number: u32, pair: Pair) {
        let holder = Holder {
            session: number,
            heard: now,
        };
        let former = self.pairs.insert(pair, holder);
        if let Some(former) = former.filter(|former| former.session != number) {
            self.lose(now, former.session, pair);
        }
        if pair.protocol == Protocol::Tcp {
            self.connections.insert(pair.connection, pair);
        }
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        if session.claimed.contains(&pair) {
            return;
        }
        if session.claimed.is_full() {
            let (ice, pairs) = (&session.ice, &session.pairs);
            let forgotten = |held: &Pair| !ice.is_valid(*held) && !pairs.contains(*held);
            let mut over: Vec<Pair> = session.claimed.iter().copied().filter(forgotten).collect();
            // ICE remembers 8 and 4 can be open: some of the 16 are neither.
            if over.is_empty() {
                over.extend(session.claimed.first());
            }
            session.claimed.retain(|held| !over.contains(held));
            session.claimed.push(pair);
            for pair in over {
                self.disown(number, pair);
            }
        } else {
            session.claimed.push(pair);
        }
    }

    /// A 5-tuple is no session's any more, if it was this one's.
    pub(super) fn disown(&mut self, number: u32, pair: Pair) {
        let holder = self.pairs.get(&pair);
        if holder.is_some_and(|holder| holder.session == number) {
            self.pairs.remove(&pair);
            if pair.protocol == Protocol::Tcp {
                self.connections.remove(&pair.connection);
            }
        }
    }

    /// A session cannot be reached over a pair any more.
    pub(super) fn lose(&mut self, now: u64, number: u32, pair: Pair) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        session.claimed.retain(|held| *held != pair);
        // Without a pair there is no consent whose end would end the session.
        if session.ice.forget(pair) {
            session.found_by = Some(now.saturating_add(CONSENT));
        }
        session.dtls_pair.take_if(|held| *held == pair);
        let steps = session.pairs.lose(pair);
        self.carry_out(now, number, steps);
        self.reschedule(number);
    }

    /// A pair is opened as soon as it is valid: a peer sends DTLS on any whose check has been answered, before it nominates
    /// (RFC 8445 §12.1), and only what comes from open pairs is let in. Until DTLS is through it stays as long as it is checked;
    /// after that a new one has its time. Media follows the nomination.
    fn try_out(&mut self, now: u64, number: u32, pair: Pair, new_pair: bool) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        if new_pair || session.keys.is_none() {
            let steps = session.pairs.try_out(now, pair);
            self.carry_out(now, number, steps);
        }
    }

    fn select(&mut self, now: u64, number: u32, pair: Pair) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        session.found_by = None;
        let steps = session.pairs.select(now, pair);
        let session = session.id;
        self.outputs
            .push_back(Output::Event(Event::Selected { session, pair }));
        self.carry_out(now, number, steps);
    }

    /// The lease of a pair is the peer's consent.
    fn renew(&mut self, now: u64, number: u32, pair: Pair) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        if session.ice.selected() != Some(pair) {
            return;
        }
        if let Some(until) = session.ice.consent_until()
            && session.pairs.take_renewal(now, pair)
        {
            self.outputs.push_back(Output::RenewPair {
                session: number,
                pair,
                until,
            });
        }
        if let Some(session) = self.table.at_mut(number) {
            let steps = session.pairs.insist(now);
            self.carry_out(now, number, steps);
        }
    }

    /// The data plane serves a pair that [`Output::OpenPair`] asked for, or serves it another way from now on.
    pub fn pair_ready(&mut self, now: u64, number: u32, pair: Pair, reach: Reach) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        let steps = session.pairs.ready(now, pair, reach);
        self.carry_out(now, number, steps);
        self.reschedule(number);
    }

    /// Does what the session's pairs want done.
    pub(super) fn carry_out(&mut self, now: u64, number: u32, steps: Steps) {
        for step in steps {
            let Some(session) = self.table.at(number) else {
                return;
            };
            match step {
                Step::Open(pair) => self.outputs.push_back(Output::OpenPair {
                    session: number,
                    pair,
                    worker: session.worker,
                    audio: session.audio(),
                }),
                Step::Close(pair) => self.outputs.push_back(Output::ClosePair {
                    session: number,
                    pair,
                }),
                Step::Send(reach) => self.send_over(now, number, reach),
                Step::Silence => self.silence(number),
            }
        }
    }

    /// Tells all workers the way to a session's peer, if its keys are there.
    pub(super) fn send_over(&mut self, now: u64, number: u32, reach: Reach) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        let Some(sender) = session.sender(reach) else {
            return;
        };
        let first = !std::mem::replace(&mut session.heard, true);
        for worker in 0..self.settings.workers {
            let command = Command::PutSender {
                session: number,
                sender: Arc::clone(&sender),
            };
            self.outputs.push_back(Output::Command(worker, command));
        }
        if first {
            // Whatever was subscribed to before can be decoded from the next keyframe on.
            let subscriptions = session.subscriptions.iter();
            for id in subscriptions.map(|it| it.id).collect::<Vec<_>>() {
                self.ask_keyframe(now, number, id, Reason::NewDecoder);
            }
        }
    }
}
