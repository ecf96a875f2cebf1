//! What a peer's description changes on m-lines.

use std::collections::BTreeSet;

use super::{
    Rooms, What,
    member::{Carried, Line, Told, sent},
};
use crate::{
    core::refusal::Refusal,
    jsep::{Change, LineChange, Outcome, Receiving},
    sessions::{
        Sessions,
        ids::{PublicationId, SessionId},
        specs::{PublicationSpec, SubscriptionSpec},
    },
};

impl Rooms {
    /// Makes m-lines what a description says of them: first what ends, so that what begins finds its ids and SSRCs free. Gives the
    /// lines on which the peer may not send though it would.
    pub(super) fn change_lines(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        changes: Vec<LineChange>,
    ) -> BTreeSet<usize> {
        for change in &changes {
            self.end_on_line(sessions, now, id, change);
        }
        let mut refused = BTreeSet::new();
        for change in changes {
            let at = change.line;
            if let Change::Start(receiving) = change.receives
                && let Some(line) = self.line_mut(id, at)
            {
                line.codecs.clone_from(&receiving.codecs);
                line.receiving = Some(receiving);
            }
            if let Change::Start(spec) = change.sends {
                match self.publish_on_line(sessions, now, id, at, &spec) {
                    Ok(()) => {}
                    Err(refusal) => {
                        let reason = refusal.to_string();
                        let mid = spec.mid;
                        self.tell(id, What::TrackRefused { mid, reason });
                        refused.insert(at);
                    }
                }
            }
        }
        refused
    }

    fn end_on_line(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        change: &LineChange,
    ) {
        let Some(signalling) = self
            .members
            .get_mut(&id)
            .and_then(|it| it.signalling.as_mut())
        else {
            return;
        };
        let new = || Line::new(change.kind);
        let line = signalling.lines.entry(change.line).or_insert_with(new);
        // Another line in the place of one that was closed (RFC 9429 §5.2.2).
        let other = line.kind != change.kind;
        if (other || change.sends != Change::Keep)
            && let Some(publication) = line.publication.take()
        {
            forget(sessions.unpublish(now, id, publication));
        }
        if other || change.receives != Change::Keep {
            line.receiving = None;
            if let Some(carried) = line.carries.take() {
                forget(sessions.unsubscribe(now, id, carried.subscription));
            }
        }
        if other {
            *line = new();
        }
    }

    fn publish_on_line(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        at: usize,
        spec: &PublicationSpec,
    ) -> Result<(), Refusal> {
        self.check_publishing(sessions, id)?;
        let publication = sessions.publish(now, id, spec)?;
        self.keep_silenced(sessions, now, id, publication, spec.kind)?;
        if let Some(line) = self.line_mut(id, at) {
            line.publication = Some(publication);
        }
        Ok(())
    }

    /// Subscribes a session to a publication on a line. The SSRC was reserved, or is any.
    pub(super) fn carry(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        at: usize,
        publication: PublicationId,
        ssrc: Option<u32>,
    ) -> Result<(), Refusal> {
        let member = self.named_mut(id)?;
        let paused = member.wishes.paused.contains(&publication);
        let line = member.signalling_mut(id)?.lines.get_mut(&at);
        let Some((line, receiving)) =
            line.and_then(|line| line.receiving.clone().map(|receiving| (line, receiving)))
        else {
            return Err(Refusal::conflict(
                "publication",
                publication,
                "an m-line on which the peer takes it",
            ));
        };
        let Receiving {
            mid,
            codecs,
            header_extensions,
        } = receiving;
        let spec = SubscriptionSpec {
            publication,
            mid,
            codecs,
            header_extensions,
            paused,
            ssrc,
        };
        let subscription = sessions.subscribe(now, id, &spec)?;
        let mut subscriptions = sessions.subscriptions(id);
        let ssrc = subscriptions
            .find(|it| it.id == subscription)
            .map_or(0, |it| it.ssrc);
        line.carries = Some(Carried {
            publication,
            subscription,
            ssrc,
        });
        Ok(())
    }

    /// What the answer to an offer says of the lines that it changed, and of those that carry something else since.
    pub(super) fn outcomes(
        &mut self,
        sessions: &Sessions,
        id: SessionId,
        changed: &BTreeSet<usize>,
        refused: &BTreeSet<usize>,
    ) -> Vec<(usize, Outcome)> {
        let mut outcomes = Vec::new();
        let Some(signalling) = self
            .members
            .get_mut(&id)
            .and_then(|it| it.signalling.as_mut())
        else {
            return outcomes;
        };
        let takes_offers = signalling.takes_offers;
        signalling.lines.retain(|at, line| {
            let told = told(line, takes_offers);
            if !changed.contains(at) && line.told == told {
                return true;
            }
            line.told = told;
            let nothing = line.publication.is_none() && line.receiving.is_none();
            if nothing && refused.contains(at) {
                outcomes.push((*at, Outcome::Rejected));
                return false;
            }
            let sending = told.map(|told| {
                let publisher = publisher(sessions, told);
                sent(told, publisher, &format!("{}", at))
            });
            outcomes.push((
                *at,
                Outcome::Accepted {
                    receiving: line.publication.is_some(),
                    sending,
                },
            ));
            true
        });
        outcomes
    }

    pub(super) fn line_mut(&mut self, id: SessionId, at: usize) -> Option<&mut Line> {
        let signalling = self.members.get_mut(&id)?.signalling.as_mut()?;
        signalling.lines.get_mut(&at)
    }
}

/// What a description of ours is to say that we send on a line. A peer that can be sent no other description is told only that
/// something may come, and tells it by its MID.
pub fn told(line: &Line, takes_offers: bool) -> Option<Told> {
    let carried = line.carries.map(|it| Told::This(it.publication, it.ssrc));
    if takes_offers {
        return carried;
    }
    line.receiving.as_ref().map(|_| Told::Any)
}

/// Who publishes what was told, with its canonical name.
pub fn publisher(sessions: &Sessions, told: Told) -> Option<(SessionId, &str)> {
    let Told::This(publication, _) = told else {
        return None;
    };
    let session = sessions.publisher(publication)?;
    Some((session, sessions.cname(session)?))
}

/// Something that was to end, and may have ended by itself.
pub fn forget(ended: Result<(), Refusal>) {
    drop(ended);
}
