//! Sessions of peers with ICE, DTLS and SRTP, sans-IO: what connects transport, SRTCP, feedback and the workers.
//!
//! The law:
//! - No socket, no clock, no tokio in here. Time is an argument: CLOCK_BOOTTIME in nanoseconds, never going back.
//! - After every call, take what [`Sessions::poll_output`] gives until there is nothing, carry it out in that order, and
//!   call [`Sessions::handle_timeout`] no later than [`Sessions::poll_timeout`], after the notes of the workers.
//! - A command is carried out as a whole or refused as a whole; a refusal names field, value and what is allowed.
//! - Whatever comes from the network is hostile until ICE, DTLS or SRTCP has authenticated it. Nothing is kept of what is
//!   not, and every table is bounded by the settings.
//! - SRTP keys go to the workers and are not kept where they do not need to be; SRTCP, DTLS and ICE stay here.

mod arrivals;
pub mod candidate;
pub mod codec;
mod datagrams;
pub mod extensions;
pub mod formats;
pub mod ids;
mod keyframes;
mod keying;
mod lifecycle;
mod m_line_checks;
mod m_lines;
mod notes;
mod numbers;
pub mod output;
mod pairs;
mod publication;
mod reports;
mod rtcp;
mod schedule;
mod session;
pub mod settings;
pub mod specs;
mod ssrcs;
mod subscription;
mod table;
pub mod views;

#[cfg(test)]
pub(crate) mod tests;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use self::{
    datagrams::Holder,
    ids::PublicationId,
    numbers::RestingNumbers,
    output::{CloseReason, Output},
    schedule::Schedule,
    settings::Settings,
    table::Table,
};
use crate::{
    core::refusal::Refusal,
    transport::{DtlsContext, Pair},
    worker::send_state::SendState,
};

/// Fills bytes at random. Credentials come from it, so it must be a cryptographic generator.
pub type Entropy = Box<dyn FnMut(&mut [u8]) + Send>;

/// A session is woken once in so many nanoseconds at most, whatever its parts may want.
const TICK: u64 = 1_000_000;

/// The sessions of a node.
pub struct Sessions {
    settings: Settings,
    dtls: DtlsContext,
    entropy: Entropy,
    send_state: Arc<SendState>,
    table: Table,
    schedule: Schedule,
    outputs: VecDeque<Output>,
    numbers: RestingNumbers,
    tracks: RestingNumbers,
    legs: RestingNumbers,
    /// Who answers to a username fragment of ours.
    ufrags: HashMap<[u8; 8], u32>,
    /// Whose DTLS and SRTCP comes from a 5-tuple.
    pairs: HashMap<Pair, Holder>,
    /// The TCP connections among them.
    connections: HashMap<u32, Pair>,
    /// Whose a publication is.
    publishers: HashMap<PublicationId, u32>,
    /// Whose a track is.
    track_owners: HashMap<u32, u32>,
    /// Sessions whose arrivals workers tell.
    listening: HashSet<u32>,
    /// When the next round of arrivals is due, if any are told.
    arrivals_due: Option<u64>,
    /// Sessions per worker.
    load: Vec<u32>,
    last_session: u64,
    last_publication: u64,
    last_subscription: u64,
    /// Datagrams that belong to no session.
    strangers: u64,
}

impl Sessions {
    /// A node without sessions. `dtls` holds the node's certificate, and `send_state` has room for as many
    /// sessions as the settings allow; their numbers begin with 1.
    ///
    /// # Errors
    /// A [`Refusal`] that names the setting that cannot be.
    pub fn new(
        settings: Settings,
        dtls: DtlsContext,
        entropy: Entropy,
        send_state: Arc<SendState>,
    ) -> Result<Self, Refusal> {
        settings.check()?;
        if send_state.session(settings.max_sessions).is_none() {
            return Err(Refusal::invalid(
                "max_sessions",
                settings.max_sessions,
                "as many as there is send state for",
            ));
        }
        Ok(Self {
            dtls,
            entropy,
            send_state,
            table: Table::default(),
            schedule: Schedule::default(),
            outputs: VecDeque::new(),
            numbers: RestingNumbers::new(settings.max_sessions),
            tracks: RestingNumbers::new(settings.max_publications),
            legs: RestingNumbers::new(settings.max_subscriptions),
            ufrags: HashMap::new(),
            pairs: HashMap::new(),
            connections: HashMap::new(),
            publishers: HashMap::new(),
            track_owners: HashMap::new(),
            listening: HashSet::new(),
            arrivals_due: None,
            load: vec![0; settings.workers as usize],
            last_session: 0,
            last_publication: 0,
            last_subscription: 0,
            strangers: 0,
            settings,
        })
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] has something to do; `u64::MAX` if never.
    #[must_use]
    pub fn poll_timeout(&self) -> u64 {
        let sessions = self.schedule.first().into_iter();
        sessions.chain(self.arrivals_due).min().unwrap_or(u64::MAX)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: u64) {
        self.look_for_arrivals(now);
        while let Some(number) = self.schedule.take_due(now) {
            if let Some(session) = self.table.at_mut(number) {
                session.scheduled = None;
                session.not_before = now.saturating_add(TICK);
                self.wake(now, number);
            }
        }
    }

    /// Does what is due in one session.
    fn wake(&mut self, now: u64, number: u32) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        if session.set_up_by.is_some_and(|at| at <= now) {
            return self.end(now, number, CloseReason::SetUpTimedOut);
        }
        if session.found_by.is_some_and(|at| at <= now) {
            return self.end(now, number, CloseReason::ConsentLost);
        }
        let lost = session.ice.handle_timeout(now);
        // A session that is not connected yet may still find another pair, until its time is over.
        if lost.is_some() && session.keys.is_some() {
            return self.end(now, number, CloseReason::ConsentLost);
        }
        if let Some(lost) = lost {
            self.disown(number, lost.pair);
            self.lose(now, number, lost.pair);
        }
        self.forget_retired(number);
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        session.dtls.handle_timeout(now);
        let steps = session.pairs.handle_timeout(now);
        self.carry_out(now, number, steps);
        self.run_dtls(now, number);
        self.send_reports(now, number);
        self.send_arrivals(now, number);
        self.send_keyframe_requests(now, number);
        self.reschedule(number);
    }

    /// Brings a session's place in the schedule up to date.
    fn reschedule(&mut self, number: u32) {
        if let Some(session) = self.table.at_mut(number) {
            let due = session
                .poll_timeout()
                .map(|due| due.max(session.not_before));
            self.schedule.set(number, session.scheduled, due);
            session.scheduled = due;
        }
    }
}
