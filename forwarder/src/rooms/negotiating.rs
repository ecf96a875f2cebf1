//! Descriptions of a live session: the peer's offers and our answers, its answers, rollback, and candidates on their own.

use std::collections::BTreeSet;

use super::{
    Rooms,
    lines::forget,
    member::{Line, Offer, Plan, Signalling, Told},
    offering::release,
    specs::{MAX_CANDIDATES, Trickle},
    views::PendingOffer,
};
use crate::{
    core::refusal::Refusal,
    jsep::{LineChange, Local, fragment},
    sdp::RemoteCandidate,
    sessions::{Sessions, ids::SessionId, output::CloseReason, specs::SessionSpec},
    transport::Credentials,
};

impl Rooms {
    /// The peer of a session offers; gives the answer, which is none in a dry run. An offer of ours that is outstanding is rolled
    /// back: we are the one that gives way.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn offer(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        sdp: &str,
        dry_run: bool,
    ) -> Result<Option<String>, Refusal> {
        let signalling = self.named(id)?.signalling(id)?;
        let mut jsep = signalling.jsep.clone();
        let incoming = jsep.handle_offer(sdp)?;
        if dry_run {
            return Ok(None);
        }
        if signalling.promise.is_some() {
            let promise = signalling.promise.clone();
            sessions.create(now, SessionSpec::of(&incoming.remote, promise))?;
        } else if incoming.remote.restarted {
            sessions.restart_ice(id, incoming.remote.ice)?;
        }
        self.withdraw(sessions, id);
        let signalling = self.named_mut(id)?.signalling_mut(id)?;
        signalling.jsep = jsep;
        signalling.promise = None;
        signalling.unanswered = 0;
        signalling.declined.clear();
        let answer = self.carry_out_offer(sessions, now, id, incoming.changes)?;
        Ok(Some(answer))
    }

    /// Does what an offer asks, as far as that can be, and answers it.
    pub(super) fn carry_out_offer(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        changes: Vec<LineChange>,
    ) -> Result<String, Refusal> {
        let changed: BTreeSet<usize> = changes.iter().map(|change| change.line).collect();
        let refused = self.change_lines(sessions, now, id, changes);
        self.fill_lines(sessions, now, id);
        let outcomes = self.outcomes(sessions, id, &changed, &refused);
        self.unsettled.insert(id);
        self.touch(id);
        let signalling = self.named_mut(id)?.signalling_mut(id)?;
        let answer = with_local(sessions, id, None, |local| {
            signalling.jsep.answer(local, &outcomes)
        });
        signalling.forget_closed();
        answer
    }

    /// The outstanding offer of ours.
    ///
    /// # Errors
    /// A [`Refusal`] where there is no such session, or it does not negotiate.
    pub fn pending_offer(&self, id: SessionId) -> Result<Option<PendingOffer>, Refusal> {
        let signalling = self.named(id)?.signalling(id)?;
        Ok(signalling.offer.as_ref().map(|offer| PendingOffer {
            version: offer.version,
            sdp: offer.sdp.clone(),
        }))
    }

    /// The peer of a session answers the offer of ours with this number.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed, and the offer is still outstanding if it was.
    pub fn answer(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        version: u64,
        sdp: &str,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        let signalling = self.named(id)?.signalling(id)?;
        check_outstanding(signalling, Some(version))?;
        let mut jsep = signalling.jsep.clone();
        let incoming = jsep.handle_answer(sdp)?;
        // We asked for no restart, so that an answer cannot begin one (RFC 8839 §4.4.1.1.1).
        if signalling.promise.is_none() && incoming.remote.restarted {
            return Err(Refusal::conflict(
                "sdp",
                "other ICE credentials than before",
                "those of before; an offer of the peer may restart ICE",
            ));
        }
        if dry_run {
            return Ok(());
        }
        if signalling.promise.is_some() {
            let promise = signalling.promise.clone();
            sessions.create(now, SessionSpec::of(&incoming.remote, promise))?;
        }
        let signalling = self.named_mut(id)?.signalling_mut(id)?;
        signalling.jsep = jsep;
        signalling.promise = None;
        signalling.unanswered = 0;
        let offer = signalling.offer.take();
        let due = offer.as_ref().map(|offer| offer.due);
        let plans = offer.map(|offer| offer.plans).unwrap_or_default();
        for plan in &plans {
            let new = || Line::new(plan.kind);
            signalling.lines.entry(plan.line).or_insert_with(new);
        }
        self.deadlines.remove(&(due.unwrap_or_default(), id));
        self.change_lines(sessions, now, id, incoming.changes);
        for plan in plans {
            self.carry_out_plan(sessions, now, id, &plan);
        }
        self.named_mut(id)?.signalling_mut(id)?.forget_closed();
        self.unsettled.insert(id);
        self.touch(id);
        Ok(())
    }

    /// Lets a line carry what the answered offer said.
    fn carry_out_plan(&mut self, sessions: &mut Sessions, now: u64, id: SessionId, plan: &Plan) {
        let told = plan
            .carry
            .map(|(publication, ssrc)| Told::This(publication, ssrc));
        let Some(line) = self.line_mut(id, plan.line) else {
            return;
        };
        // What it does not take, it need not be told to take no longer.
        line.told = told.filter(|_| line.receiving.is_some());
        let Some((publication, ssrc)) = plan.carry else {
            return;
        };
        if line.carries.is_some_and(|carried| carried.ssrc == ssrc) {
            return;
        }
        if self
            .carry(sessions, now, id, plan.line, publication, Some(ssrc))
            .is_err()
        {
            sessions.release_ssrc(id, ssrc);
            if let Some(signalling) = self
                .members
                .get_mut(&id)
                .and_then(|it| it.signalling.as_mut())
            {
                signalling.declined.insert(publication);
            }
        }
    }

    /// The peer of a session rolls our offer back.
    ///
    /// # Errors
    /// A [`Refusal`] where none is outstanding.
    pub fn rollback(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        let signalling = self.named(id)?.signalling(id)?;
        check_outstanding(signalling, None)?;
        if !dry_run {
            self.give_up(sessions, now, id);
        }
        Ok(())
    }

    /// Gives offers up that nobody has answered in time.
    pub(super) fn give_offers_up(&mut self, sessions: &mut Sessions, now: u64) {
        while let Some((due, id)) = self.deadlines.first().copied().filter(|it| it.0 <= now) {
            self.deadlines.remove(&(due, id));
            self.give_up(sessions, now, id);
        }
    }

    /// An offer of ours is not to be answered. It is made again, a bounded number of times.
    fn give_up(&mut self, sessions: &mut Sessions, now: u64, id: SessionId) {
        self.withdraw(sessions, id);
        let Some(signalling) = self
            .members
            .get_mut(&id)
            .and_then(|it| it.signalling.as_mut())
        else {
            return;
        };
        // It may be that none is outstanding any more.
        forget(signalling.jsep.rollback());
        signalling.unanswered += 1;
        if signalling.promise.is_some() {
            // There never was a session to close.
            if sessions.close(now, id).is_err() {
                self.remove(id, &CloseReason::SetUpTimedOut);
            }
            return;
        }
        self.unsettled.insert(id);
        self.touch(id);
    }

    /// Forgets an offer of ours, with what was reserved for it.
    fn withdraw(&mut self, sessions: &mut Sessions, id: SessionId) {
        let signalling = self
            .members
            .get_mut(&id)
            .and_then(|it| it.signalling.as_mut());
        let Some(Offer { due, plans, .. }) = signalling.and_then(|it| it.offer.take()) else {
            return;
        };
        self.deadlines.remove(&(due, id));
        release(sessions, id, &plans);
    }

    /// Candidates of a session's peer. A lite agent needs none (RFC 8445 §2.5): the peer's checks tell where it is.
    ///
    /// # Errors
    /// A [`Refusal`] that names what is no candidate.
    pub fn candidates(&self, id: SessionId, trickle: &Trickle) -> Result<(), Refusal> {
        self.named(id)?;
        if trickle.candidates.len() > MAX_CANDIDATES {
            return Err(Refusal::invalid(
                "candidates",
                format!("{} of them", trickle.candidates.len()),
                format!("at most {MAX_CANDIDATES} in one call"),
            ));
        }
        for line in &trickle.candidates {
            let line = line.strip_prefix("a=").unwrap_or(line);
            // The empty one ends them, as browsers tell it.
            if !line.is_empty() {
                RemoteCandidate::parse(line)?;
            }
        }
        Ok(())
    }

    /// A piece of a description that carries candidates (RFC 8840). With other credentials than before it asks for an ICE restart
    /// (RFC 9725 §4.3.2), and what comes back is our side of that.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn fragment(
        &mut self,
        sessions: &mut Sessions,
        id: SessionId,
        text: &str,
        dry_run: bool,
    ) -> Result<Option<String>, Refusal> {
        let fragment = fragment::parse(text)?;
        let mut jsep = self.named(id)?.signalling(id)?.jsep.clone();
        let restarted = jsep.handle_fragment(&fragment)?;
        if dry_run {
            return Ok(None);
        }
        let ours = match restarted {
            Some(remote) => Some(sessions.restart_ice(id, remote.ice)?),
            None => None,
        };
        let answer = ours
            .map(|ours| with_local(sessions, id, Some(&ours), |local| Ok(jsep.fragment(local))));
        let answer = answer.transpose()?;
        self.named_mut(id)?.signalling_mut(id)?.jsep = jsep;
        if answer.is_some() {
            self.touch(id);
        }
        Ok(answer)
    }
}

/// Refuses what is not about the offer that is outstanding.
fn check_outstanding(signalling: &Signalling, version: Option<u64>) -> Result<(), Refusal> {
    match (&signalling.offer, version) {
        (Some(offer), Some(version)) if offer.version != version => Err(Refusal::stale(
            "version",
            version,
            format!("{}, that of the offer that is outstanding", offer.version),
        )),
        (Some(_), _) => Ok(()),
        (None, version) => Err(Refusal::stale(
            "version",
            version.map_or_else(|| "none".to_owned(), |version| version.to_string()),
            "nothing: no offer of the forwarder is outstanding",
        )),
    }
}

/// What our descriptions tell of us, with these credentials or with those that the session has.
pub fn with_local<T>(
    sessions: &Sessions,
    id: SessionId,
    ice: Option<&Credentials>,
    describe: impl FnOnce(&Local<'_>) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let ice = match ice {
        Some(ice) => ice,
        None => sessions.session(id)?.ice,
    };
    describe(&Local {
        ice,
        candidates: &sessions.settings().candidates,
        fingerprint: sessions.certificate().fingerprint(),
        session: id.number(),
    })
}
