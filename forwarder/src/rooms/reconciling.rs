//! Makes what sessions are sent what they wish, as far as they have m-lines for it.

use super::{Rooms, lines::forget, member::Carried};
use crate::{
    core::refusal::RefusalKind,
    media::Kind,
    sessions::{
        Sessions,
        codec::CodecSpec,
        ids::{PublicationId, SessionId},
    },
};

/// A publication that a session wants.
#[derive(Clone, Debug)]
pub struct Wished {
    pub id: PublicationId,
    pub kind: Kind,
    pub codecs: Vec<CodecSpec>,
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
        let room = member.room.as_ref().and_then(|room| self.rooms.get(room));
        for of in room.into_iter().flat_map(|room| &room.members) {
            let publications = sessions.publications(*of);
            let wanted = publications.filter(|it| member.wishes.want(id, *of, it.id, it.kind));
            wished.extend(wanted.map(|it| Wished {
                id: it.id,
                kind: it.kind,
                codecs: it.codecs.to_vec(),
            }));
        }
        wished.sort_by_key(|it| it.id);
        wished
    }

    /// What a session wants, is not sent, and has not declined.
    pub(super) fn missing(&self, sessions: &Sessions, id: SessionId) -> Vec<Wished> {
        let mut wished = self.wished(sessions, id);
        let signalling = self
            .members
            .get(&id)
            .and_then(|it| it.signalling.as_deref());
        wished.retain(|it| {
            signalling.is_some_and(|signalling| {
                !signalling.carries(it.id) && !signalling.declined.contains(&it.id)
            })
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
        self.end_unwished(sessions, now, id);
        self.pause_as_wished(sessions, now, id);
        let Some(signalling) = self
            .members
            .get(&id)
            .and_then(|it| it.signalling.as_deref())
        else {
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

    fn end_unwished(&mut self, sessions: &mut Sessions, now: u64, id: SessionId) {
        let wished = self.wished(sessions, id);
        let Some(signalling) = self
            .members
            .get_mut(&id)
            .and_then(|it| it.signalling.as_mut())
        else {
            return;
        };
        signalling
            .declined
            .retain(|it| sessions.publisher(*it).is_some());
        for line in signalling.lines.values_mut() {
            let gone = |it: &PublicationId| sessions.publisher(*it).is_none();
            line.publication.take_if(|it| gone(it));
            let Some(carried) = line.carries else {
                continue;
            };
            let live = sessions
                .subscriptions(id)
                .any(|it| it.id == carried.subscription);
            if live && wished.iter().any(|it| it.id == carried.publication) {
                continue;
            }
            line.carries = None;
            if live {
                forget(sessions.unsubscribe(now, id, carried.subscription));
            }
        }
    }

    fn pause_as_wished(&self, sessions: &mut Sessions, now: u64, id: SessionId) {
        let Some(member) = self.members.get(&id) else {
            return;
        };
        let carried = member.signalling.iter().flat_map(|it| it.carried());
        for Carried {
            publication,
            subscription,
            ..
        } in carried.copied()
        {
            forget(match member.wishes.paused.contains(&publication) {
                true => sessions.pause(id, subscription),
                false => sessions.resume(now, id, subscription),
            });
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
                line.receiving.is_some() && line.suits(publication.kind, &publication.codecs)
            });
            let Some(at) = free.map(|(at, _)| *at) else {
                continue;
            };
            if let Err(refusal) = self.carry(sessions, now, id, at, publication.id, None) {
                log::debug!(
                    "session {id} is not sent publication {}: {refusal}",
                    publication.id
                );
                if refusal.kind == RefusalKind::Full {
                    return;
                }
            }
        }
    }
}
