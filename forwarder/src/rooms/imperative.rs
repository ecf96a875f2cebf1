//! Publications and subscriptions one by one. Of a session that negotiates, what it is sent follows from its wishes: what is asked
//! here becomes one.

use super::{Rooms, wishes::Wanted};
use crate::{
    core::refusal::Refusal,
    media::Kind,
    sessions::{
        Sessions,
        ids::{PublicationId, SessionId, SubscriptionId},
        specs::{PublicationSpec, SubscriptionSpec},
    },
    transport::Credentials,
};

impl Rooms {
    /// Adds a publication to a session that was made by parameters. `None` in a dry run.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn publish(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        spec: &PublicationSpec,
        dry_run: bool,
    ) -> Result<Option<PublicationId>, Refusal> {
        self.check_by_parameters(id)?;
        self.check_publishing(sessions, id)?;
        if dry_run {
            sessions.can_publish(now, id, spec)?;
            return Ok(None);
        }
        let publication = sessions.publish(now, id, spec)?;
        self.keep_silenced(sessions, now, id, publication, spec.kind)?;
        Ok(Some(publication))
    }

    /// Silences a publication, or no longer. What the session publishes anew of that kind is silenced too, so that nobody is heard again by
    /// taking a track away and adding it. Gives whether that changes something.
    ///
    /// # Errors
    /// A [`Refusal`] where there is no such publication.
    pub fn mute(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        publication: PublicationId,
        muted: bool,
        dry_run: bool,
    ) -> Result<bool, Refusal> {
        if dry_run {
            return sessions.can_mute(id, publication, muted);
        }
        let changed = sessions.mute(now, id, publication, muted)?;
        let mut publications = sessions.publications(id);
        let kind = publications
            .find(|it| it.id == publication)
            .map(|it| it.kind);
        if let (Some(kind), Some(member)) = (kind, self.members.get_mut(&id)) {
            match muted {
                true => member.silenced.insert(kind),
                false => member.silenced.remove(&kind),
            };
        }
        Ok(changed)
    }

    /// Silences a new publication where its session was.
    pub(super) fn keep_silenced(
        &self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        publication: PublicationId,
        kind: Kind,
    ) -> Result<(), Refusal> {
        if self.named(id)?.silenced.contains(&kind) {
            sessions.mute(now, id, publication, true)?;
        }
        Ok(())
    }

    /// Ends a publication and all subscriptions to it.
    ///
    /// # Errors
    /// A [`Refusal`] where the session has none with this id.
    pub fn unpublish(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        publication: PublicationId,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        sessions.can_mute(id, publication, true)?;
        if dry_run {
            return Ok(());
        }
        sessions.unpublish(now, id, publication)
    }

    /// Adds a subscription to a session that was made by parameters; with `anywhere` also to what another room publishes, or none.
    /// That is for who asks now to have, not for who made the session: its key is in other hands. `None` in a dry run.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn subscribe(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        spec: &SubscriptionSpec,
        anywhere: bool,
        dry_run: bool,
    ) -> Result<Option<SubscriptionId>, Refusal> {
        self.check_by_parameters(id)?;
        let member = self.named(id)?;
        if !member.grants.subscribe {
            return Err(Refusal::forbidden(
                "subscribe",
                "false",
                "a token that grants to subscribe",
            ));
        }
        let publisher = sessions.publisher(spec.publication);
        let publisher = publisher.and_then(|publisher| self.members.get(&publisher));
        let room = publisher.and_then(|publisher| publisher.room.as_ref());
        let shared = member.room.is_some() && member.room.as_ref() == room;
        if !(shared || anywhere) {
            return Err(Refusal::unknown(
                "publication",
                spec.publication,
                "the id of a publication in the room of the session",
            ));
        }
        if dry_run {
            sessions.can_subscribe(now, id, spec)?;
            return Ok(None);
        }
        sessions.subscribe(now, id, spec).map(Some)
    }

    /// Restarts ICE of a session that was made by parameters; gives our credentials, and none in a dry run.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn restart_ice(
        &mut self,
        sessions: &mut Sessions,
        id: SessionId,
        remote: Credentials,
        dry_run: bool,
    ) -> Result<Option<Credentials>, Refusal> {
        self.check_by_parameters(id)?;
        if dry_run {
            return Ok(None);
        }
        sessions.restart_ice(id, remote).map(Some)
    }

    /// Ends a subscription. Of a session that negotiates, its wishes say so from then on.
    ///
    /// # Errors
    /// A [`Refusal`] where the session has none with this id.
    pub fn unsubscribe(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        subscription: SubscriptionId,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        let publication = publication_of(sessions, id, subscription)?;
        let member = self.named(id)?;
        if member.signalling.is_none() {
            if dry_run {
                return Ok(());
            }
            return sessions.unsubscribe(now, id, subscription);
        }
        let mut wishes = member.wishes.clone();
        match &mut wishes.publications {
            Wanted::These(these) => {
                these.remove(&publication);
            }
            Wanted::All | Wanted::None | Wanted::Session(_) => {
                wishes.except.insert(publication);
            }
        }
        self.wish(sessions, id, wishes, dry_run).map(drop)
    }

    /// Stops sending to a subscription, or sends to it again. Of a session that negotiates, its wishes say so from then on.
    ///
    /// # Errors
    /// A [`Refusal`] where the session has none with this id.
    pub fn pause(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        subscription: SubscriptionId,
        paused: bool,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        let publication = publication_of(sessions, id, subscription)?;
        let member = self.named(id)?;
        if member.signalling.is_some() {
            let mut wishes = member.wishes.clone();
            match paused {
                true => wishes.paused.insert(publication),
                false => wishes.paused.remove(&publication),
            };
            return self.wish(sessions, id, wishes, dry_run).map(drop);
        }
        match (dry_run, paused) {
            (true, _) => Ok(()),
            (false, true) => sessions.pause(id, subscription),
            (false, false) => sessions.resume(now, id, subscription),
        }
    }

    fn check_by_parameters(&self, id: SessionId) -> Result<(), Refusal> {
        if self.named(id)?.signalling.is_none() {
            return Ok(());
        }
        Err(Refusal::conflict(
            "session",
            id,
            "a session that was made by parameters; this one negotiates its m-lines by offers and wishes",
        ))
    }
}

fn publication_of(
    sessions: &Sessions,
    id: SessionId,
    subscription: SubscriptionId,
) -> Result<PublicationId, Refusal> {
    sessions.session(id)?;
    let mut subscriptions = sessions.subscriptions(id);
    let found = subscriptions.find(|it| it.id == subscription);
    found.map(|it| it.publication).ok_or_else(|| {
        Refusal::unknown(
            "subscription",
            subscription,
            "the id of a subscription of the session",
        )
    })
}
