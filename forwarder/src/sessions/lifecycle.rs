//! Sessions from their creation to their end.

use std::sync::Arc;

use arrayvec::ArrayVec;

use super::{
    Sessions,
    extensions::ExtensionTable,
    ids::SessionId,
    output::{CloseReason, Event, Output},
    pairs::OpenPairs,
    reports::Reporting,
    session::{ControlCounters, Session},
    specs::{PeerRole, Promise, SessionSpec},
    ssrcs::Ssrcs,
};
use crate::{
    core::refusal::Refusal,
    transport::{Credentials, Dtls, IceLite, Role},
    worker::{command::Command, counters::SessionCounters},
};

impl Sessions {
    /// Adds a session. What its peer is to be told is in its [view](Self::session).
    ///
    /// # Errors
    /// A [`Refusal`] where there is no room; nothing was changed.
    pub fn create(&mut self, now: u64, spec: SessionSpec) -> Result<SessionId, Refusal> {
        let promise = match spec.promised {
            Some(promise) => promise,
            None => self.promise()?,
        };
        let Some(number) = self.numbers.take(now) else {
            return Err(Refusal::full(
                "session",
                "one more",
                format!(
                    "at most {} on this node; close one first",
                    self.settings.max_sessions
                ),
            ));
        };
        let role = match spec.role {
            PeerRole::Auto | PeerRole::Active => Role::Passive,
            PeerRole::Passive => Role::Active,
        };
        let Promise {
            id,
            local,
            mut ssrcs,
            reserved,
        } = promise;
        let report_ssrc = ssrcs.take(|_| false);
        let cname = self.random_name();
        let worker = self.least_loaded();
        self.table.insert(Box::new(Session {
            id,
            number,
            worker,
            created: now,
            set_up_by: Some(now.saturating_add(self.settings.set_up)),
            found_by: None,
            cname,
            ice: IceLite::new(local, Some(spec.ice)),
            ufrags: Vec::new(),
            claimed: ArrayVec::new(),
            pairs: OpenPairs::default(),
            dtls: Dtls::new(&self.dtls, role, spec.fingerprints),
            dtls_pair: None,
            keys: None,
            counters: Arc::new(SessionCounters::default()),
            control: ControlCounters::default(),
            extensions: ExtensionTable::default(),
            told: None,
            steered: [0; 4],
            heard: false,
            publications: Vec::new(),
            subscriptions: Vec::new(),
            ssrcs,
            reserved,
            report_ssrc,
            reporting: Reporting::default(),
            not_before: 0,
            scheduled: None,
        }));
        self.admit(number);
        self.reschedule(number);
        Ok(id)
    }

    /// What an offer of ours can say of a session before its peer has answered. Nothing is held for it: credentials, id and SSRCs are
    /// only not given out again.
    ///
    /// # Errors
    /// A [`Refusal`] where the random generator is broken.
    pub fn promise(&mut self) -> Result<Promise, Refusal> {
        let local = self.fresh_credentials()?;
        let ssrcs = Ssrcs::new(self.random_u32(), self.random_u32());
        self.last_session += 1;
        Ok(Promise {
            id: SessionId(self.last_session),
            local,
            ssrcs,
            reserved: Vec::new(),
        })
    }

    /// Reserves an SSRC for a subscription to come, which a description tells the peer of.
    ///
    /// # Errors
    /// A [`Refusal`] where there is no such session.
    pub fn reserve_ssrc(&mut self, id: SessionId) -> Result<u32, Refusal> {
        let session = self.table.named_mut(id)?;
        let ssrc = session.take_ssrc();
        session.reserved.push(ssrc);
        Ok(ssrc)
    }

    /// Nobody will use a reserved SSRC any more. It is never given out again.
    pub fn release_ssrc(&mut self, id: SessionId, ssrc: u32) {
        if let Ok(session) = self.table.named_mut(id) {
            session.reserved.retain(|reserved| *reserved != ssrc);
        }
    }

    /// Ends a session with all that it publishes and is subscribed to, and tells the peer (BYE, and DTLS's close_notify).
    ///
    /// # Errors
    /// A [`Refusal`] where there is no such session.
    pub fn close(&mut self, now: u64, id: SessionId) -> Result<(), Refusal> {
        let number = self.table.named(id)?.number;
        self.end(now, number, CloseReason::Asked);
        Ok(())
    }

    /// Gives a session new ICE credentials (RFC 8445 §9), and answers with ours. Media goes on over the present pair until
    /// the peer nominates one under the new credentials.
    ///
    /// # Errors
    /// A [`Refusal`] where there is no such session.
    pub fn restart_ice(
        &mut self,
        id: SessionId,
        remote: Credentials,
    ) -> Result<Credentials, Refusal> {
        let number = self.table.named(id)?.number;
        let local = self.fresh_credentials()?;
        if let Some(session) = self.table.at_mut(number) {
            session.ice.restart(local.clone(), Some(remote));
        }
        self.forget_retired(number);
        self.admit(number);
        self.reschedule(number);
        Ok(local)
    }

    /// Ends a session, for whatever reason.
    pub(super) fn end(&mut self, now: u64, number: u32, reason: CloseReason) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        // After consent is lost, or the peer is gone, nothing may be sent any more (RFC 7675 §5.1).
        let bye = matches!(reason, CloseReason::Asked | CloseReason::SetUpTimedOut);
        if bye {
            let legs = session.subscriptions.iter().map(|it| it.ssrc);
            let ssrcs: Vec<u32> = std::iter::once(session.report_ssrc).chain(legs).collect();
            session.send_bye(&ssrcs, &self.settings.cname, &mut self.outputs);
            session.dtls.close(now);
            session.send_dtls(&mut self.outputs);
        }
        let subscriptions: Vec<_> = session.subscriptions.iter().map(|it| it.id).collect();
        let publications: Vec<_> = session.publications.iter().map(|it| it.id).collect();
        for id in subscriptions {
            // Its BYE has been sent with the others'.
            self.end_subscription(now, number, id, false);
        }
        for id in publications {
            self.end_publication(now, number, id);
        }
        let Some(session) = self.table.remove(number) else {
            return;
        };
        self.schedule.set(number, session.scheduled, None);
        self.listen(now, number, false);
        if session.keys.is_some() {
            let command = Command::DropReceiver { session: number };
            self.outputs
                .push_back(Output::Command(session.worker, command));
            self.silence(number);
        }
        for pair in session.pairs.iter() {
            self.outputs.push_back(Output::ClosePair {
                session: number,
                pair,
            });
        }
        for pair in &session.claimed {
            self.disown(number, *pair);
        }
        for ufrag in session.ufrags {
            self.ufrags.remove(&ufrag);
            self.outputs.push_back(Output::ForgetUfrag(ufrag));
        }
        if let Some(load) = self.load.get_mut(session.worker as usize) {
            *load = load.saturating_sub(1);
        }
        self.numbers.give_back(now, number);
        self.outputs.push_back(Output::Event(Event::Closed {
            session: session.id,
            reason,
        }));
    }

    /// Tells all workers that nothing reaches a session any more.
    pub(super) fn silence(&mut self, number: u32) {
        for worker in 0..self.settings.workers {
            let command = Command::DropSender { session: number };
            self.outputs.push_back(Output::Command(worker, command));
        }
    }

    /// Lets strangers' checks through that name the session's present username fragment.
    fn admit(&mut self, number: u32) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        if let Some(ufrag) = session.ice.local().ufrag_key() {
            session.ufrags.push(ufrag);
            self.ufrags.insert(ufrag, number);
            self.outputs.push_back(Output::AdmitUfrag(ufrag));
        }
    }

    /// Forgets the username fragments that are no longer answered.
    pub(super) fn forget_retired(&mut self, number: u32) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        while let Some(ufrag) = session.ice.take_retired() {
            session.ufrags.retain(|held| *held != ufrag);
            self.ufrags.remove(&ufrag);
            self.outputs.push_back(Output::ForgetUfrag(ufrag));
        }
    }

    /// Credentials with a username fragment that no session has.
    fn fresh_credentials(&mut self) -> Result<Credentials, Refusal> {
        // One in 2^48 is taken by each session; a generator that gives the same thrice is broken.
        for _ in 0..3 {
            let local = Credentials::generate(&mut self.entropy);
            if local
                .ufrag_key()
                .is_some_and(|ufrag| !self.ufrags.contains_key(&ufrag))
            {
                return Ok(local);
            }
        }
        Err(Refusal::failed(
            "ice.ufrag",
            "the random generator repeats itself",
            "nothing was changed; restart the node",
        ))
    }

    /// The worker with the fewest sessions, which gets one more.
    fn least_loaded(&mut self) -> u32 {
        let Some((worker, load)) = (0_u32..).zip(&mut self.load).min_by_key(|(_, load)| **load)
        else {
            return 0;
        };
        *load += 1;
        worker
    }

    pub(super) fn random_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        (self.entropy)(&mut bytes);
        u32::from_ne_bytes(bytes)
    }

    /// A canonical name: 96 random bits (RFC 7022 §4.2).
    fn random_name(&mut self) -> Arc<str> {
        let mut bytes = [0; 12];
        (self.entropy)(&mut bytes);
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        text.into()
    }
}
