//! Makes what sessions are sent what they wish, as far as they have m-lines for it.

use std::collections::{BTreeSet, HashMap};

use super::{Rooms, lines::forget, wishes::Wanted};
use crate::{
    core::refusal::RefusalKind,
    media::Kind,
    sessions::{
        Sessions,
        ids::{PublicationId, SessionId, SubscriptionId},
    },
};

/// A publication that a session wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wished {
    pub id: PublicationId,
    pub kind: Kind,
}

impl Rooms {
    /// Does what follows from commands and events. Gives whether there was something; what the session core wants done then is to be
    /// carried out, and this called again.
    pub fn settle(&mut self, sessions: &mut Sessions, now: u64) -> bool {
        let some = !self.unsettled.is_empty();
        while let Some(id) = self.unsettled.pop_first() {
            self.reconcile(sessions, now, id);
        }
        some
    }

    /// What a session wants of what is there, the oldest first.
    pub(super) fn wished(&self, sessions: &Sessions, id: SessionId) -> Vec<Wished> {
        let mut wished = Vec::new();
        let Some(member) = self.members.get(&id).filter(|it| it.grants.subscribe) else {
            return wished;
        };
        if member.wishes.publications == Wanted::None {
            return wished;
        }
        let room = member.room.as_ref().and_then(|room| self.rooms.get(room));
        for of in room.into_iter().flat_map(|room| &room.members) {
            let publications = sessions.publications(*of);
            let wanted = publications.filter(|it| member.wishes.want(id, *of, it.id, it.kind));
            wished.extend(wanted.map(|it| Wished {
                id: it.id,
                kind: it.kind,
            }));
        }
        wished.sort_unstable_by_key(|it| it.id);
        wished
    }

    /// What a session wants, is not sent, and has not declined.
    pub(super) fn missing(&self, sessions: &Sessions, id: SessionId) -> Vec<Wished> {
        let mut wished = self.wished(sessions, id);
        let signalling = self
            .members
            .get(&id)
            .and_then(|it| it.signalling.as_deref());
        let carried: BTreeSet<PublicationId> = signalling
            .into_iter()
            .flat_map(|it| it.carried())
            .map(|it| it.publication)
            .collect();
        wished.retain(|it| {
            !carried.contains(&it.id)
                && signalling.is_some_and(|signalling| !signalling.declined.contains(&it.id))
        });
        wished
    }

    fn reconcile(&mut self, sessions: &mut Sessions, now: u64, id: SessionId) {
        let signalling = self
            .members
            .get(&id)
            .and_then(|it| it.signalling.as_deref());
        // Until the first offer of ours is answered, there is no session to subscribe.
        if signalling.is_none_or(|signalling| signalling.promise.is_some()) {
            return;
        }
        self.trim(sessions, now, id);
        let signalling = self
            .members
            .get(&id)
            .and_then(|it| it.signalling.as_deref());
        let Some(signalling) = signalling else {
            return;
        };
        if !signalling.takes_offers {
            self.fill_lines(sessions, now, id);
        } else if signalling.can_offer()
            && let Err(refusal) = self.make_offer(sessions, now, id, &[])
        {
            log::warn!("session {id} cannot be offered what it wishes: {refusal}");
        }
    }

    /// Ends what a session does not want any more, and pauses what it wants paused.
    fn trim(&mut self, sessions: &mut Sessions, now: u64, id: SessionId) {
        let wished = self.wished(sessions, id);
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let Some(signalling) = member.signalling.as_deref_mut() else {
            return;
        };
        let subscriptions = sessions.subscriptions(id);
        let paused: HashMap<SubscriptionId, bool> =
            subscriptions.map(|it| (it.id, it.paused)).collect();
        signalling
            .declined
            .retain(|it| sessions.publisher(*it).is_some());
        for line in signalling.lines.values_mut() {
            line.publication
                .take_if(|it| sessions.publisher(*it).is_none());
            let Some(carried) = line.carries else {
                continue;
            };
            let (publication, subscription) = (carried.publication, carried.subscription);
            let Some(paused) = paused.get(&subscription).copied() else {
                line.carries = None;
                continue;
            };
            let wanted = wished.binary_search_by_key(&publication, |it| it.id);
            let pause = member.wishes.paused.contains(&publication);
            if wanted.is_err() {
                line.carries = None;
                forget(sessions.unsubscribe(now, id, subscription));
            } else if pause && !paused {
                forget(sessions.pause(id, subscription));
            } else if paused && !pause {
                forget(sessions.resume(now, id, subscription));
            }
        }
    }

    /// Sends what a session wants on m-lines that carry nothing, the oldest first.
    pub(super) fn fill_lines(&mut self, sessions: &mut Sessions, now: u64, id: SessionId) {
        for publication in self.missing(sessions, id) {
            let Some(signalling) = self
                .members
                .get(&id)
                .and_then(|it| it.signalling.as_deref())
            else {
                return;
            };
            let mut lines = signalling.lines.iter();
            let free = lines.find(|(_, line)| {
                line.receiving.is_some()
                    && line.suits(publication.kind, sessions.codecs(publication.id))
            });
            let Some(at) = free.map(|(at, _)| *at) else {
                continue;
            };
            let carried = self.carry(sessions, now, id, at, publication.id, None);
            // Where there is no room for one, there is none for the next.
            if carried.is_err_and(|refusal| refusal.kind == RefusalKind::Full) {
                return;
            }
        }
    }
}
