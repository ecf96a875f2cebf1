//! What sessions want to receive, as they say it.

use std::collections::BTreeSet;

use super::{
    Rooms,
    ids::RoomId,
    views::{Changes, WishesView},
    wishes::Wishes,
};
use crate::{
    core::refusal::Refusal,
    sessions::{
        Sessions,
        ids::{PublicationId, SessionId},
    },
};

impl Rooms {
    /// What a session wants to receive.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none with this id, or it was made by parameters.
    pub fn wishes(&self, sessions: &Sessions, id: SessionId) -> Result<WishesView, Refusal> {
        let member = self.named(id)?;
        let signalling = member.signalling(id)?;
        let carried = signalling.carried();
        let missing = self.missing(sessions, id);
        let wished = self.wished(sessions, id);
        let declined = |id: &PublicationId| signalling.declined.contains(id);
        Ok(WishesView {
            version: member.wishes_version,
            wishes: member.wishes.clone(),
            subscribed: carried
                .map(|it| (it.publication, it.subscription))
                .collect(),
            waiting: missing.into_iter().map(|it| it.id).collect(),
            declined: wished
                .into_iter()
                .map(|it| it.id)
                .filter(declined)
                .collect(),
        })
    }

    /// Says what a session wants to receive, whole; gives what that changes. [`Self::settle`] does it.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn wish(
        &mut self,
        sessions: &Sessions,
        id: SessionId,
        wishes: Wishes,
        dry_run: bool,
    ) -> Result<Changes, Refusal> {
        wishes.check()?;
        let member = self.named(id)?;
        member.signalling(id)?;
        self.check_named(sessions, &wishes, member.room.as_ref())?;
        let before = std::mem::replace(&mut self.named_mut(id)?.wishes, wishes);
        let changes = self.changes(sessions, id, &before);
        let member = self.named_mut(id)?;
        if dry_run {
            member.wishes = before;
            return Ok(changes);
        }
        if member.wishes != before {
            let signalling = member.signalling_mut(id)?;
            // Whoever wishes something is there, and may have changed its mind.
            signalling.unanswered = 0;
            signalling.declined.clear();
            self.touch(id);
            let version = self.next_version();
            self.named_mut(id)?.wishes_version = version;
        }
        self.unsettled.insert(id);
        Ok(changes)
    }

    /// What the wishes of a session change in what it is sent.
    fn changes(&self, sessions: &Sessions, id: SessionId, before: &Wishes) -> Changes {
        let wished = self.wished(sessions, id);
        let wished: BTreeSet<PublicationId> = wished.into_iter().map(|it| it.id).collect();
        let Some((member, signalling)) = self
            .members
            .get(&id)
            .and_then(|member| Some((member, member.signalling.as_deref()?)))
        else {
            return Changes::default();
        };
        let carried: BTreeSet<_> = signalling.carried().map(|it| it.publication).collect();
        let paused = &member.wishes.paused;
        let kept = || carried.intersection(&wished).copied();
        Changes {
            start: wished.difference(&carried).copied().collect(),
            stop: carried.difference(&wished).copied().collect(),
            pause: kept()
                .filter(|it| paused.contains(it) && !before.paused.contains(it))
                .collect(),
            resume: kept()
                .filter(|it| !paused.contains(it) && before.paused.contains(it))
                .collect(),
        }
    }

    /// Refuses wishes for what never was, or is in another room. What has ended may still be named: whoever wishes cannot know yet.
    pub(super) fn check_named(
        &self,
        sessions: &Sessions,
        wishes: &Wishes,
        room: Option<&RoomId>,
    ) -> Result<(), Refusal> {
        for (field, publication) in wishes.named() {
            let publisher = sessions.publisher(publication);
            let elsewhere = publisher.is_some_and(|publisher| {
                let member = self.members.get(&publisher);
                room.is_none() || member.and_then(|it| it.room.as_ref()) != room
            });
            if elsewhere || !sessions.has_published(publication) {
                return Err(Refusal::unknown(
                    field,
                    publication,
                    "the ids of publications in the room of the session",
                ));
            }
        }
        Ok(())
    }
}
