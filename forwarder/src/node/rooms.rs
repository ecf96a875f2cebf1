//! Rooms in the node: one method for each thing that callers can ask for. Each is carried out as a whole or refused as a whole, and
//! what follows from it is done when it returns. With `dry_run` it is only checked, and told what it would do.

use super::{Node, clock::boottime};
use crate::{
    core::refusal::Refusal,
    rooms::{
        Rooms,
        ids::RoomId,
        specs::{JoinSpec, RoomSpec, Trickle},
        views::{
            Changes, Joined, MemberView, PendingOffer, PutRoom, RoomSummary, RoomView, WishesView,
        },
        wishes::Wishes,
    },
    sessions::{
        Sessions,
        ids::{PublicationId, SessionId, SubscriptionId},
        specs::{PublicationSpec, SubscriptionSpec},
    },
    transport::Credentials,
};

impl Node {
    /// Creates a room or changes one, which stays then when nobody is in it.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn put_room(
        &mut self,
        id: &RoomId,
        spec: RoomSpec,
        dry_run: bool,
    ) -> Result<PutRoom, Refusal> {
        self.in_rooms(|rooms, sessions, _| rooms.put(sessions, id, spec, dry_run))
    }

    /// A room.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none with this name.
    pub fn room(&self, id: &RoomId) -> Result<RoomView, Refusal> {
        self.rooms.room(&self.media.sessions, id)
    }

    /// All rooms, by name.
    pub fn rooms(&self) -> impl Iterator<Item = &RoomId> {
        self.rooms.ids()
    }

    /// How many are in a room.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none with this name.
    pub fn room_summary(&self, id: &RoomId) -> Result<RoomSummary, Refusal> {
        self.rooms.summary(&self.media.sessions, id)
    }

    /// Ends a room and the sessions in it, which it tells.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none with this name.
    pub fn close_room(&mut self, id: &RoomId, dry_run: bool) -> Result<Vec<SessionId>, Refusal> {
        self.in_rooms(|rooms, sessions, now| rooms.close(sessions, now, id, dry_run))
    }

    /// Adds a session. `None` in a dry run.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn join(&mut self, spec: JoinSpec, dry_run: bool) -> Result<Option<Joined>, Refusal> {
        self.in_rooms(|rooms, sessions, now| rooms.join(sessions, now, spec, dry_run))
    }

    /// A session, as rooms have it; also one whose first offer is not answered yet, of which the session core knows nothing.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none with this id.
    pub fn member(&self, id: SessionId) -> Result<MemberView, Refusal> {
        self.rooms.member(id)
    }

    /// The ids of all sessions, the oldest first.
    pub fn members(&self) -> impl Iterator<Item = SessionId> {
        self.rooms.members()
    }

    /// Ends a session.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none with this id.
    pub fn leave(&mut self, id: SessionId, dry_run: bool) -> Result<(), Refusal> {
        self.in_rooms(|rooms, sessions, now| rooms.leave(sessions, now, id, dry_run))
    }

    /// The peer of a session offers; gives the answer, which is none in a dry run. An offer of ours that is outstanding is rolled
    /// back.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn offer(
        &mut self,
        id: SessionId,
        sdp: &str,
        dry_run: bool,
    ) -> Result<Option<String>, Refusal> {
        self.in_rooms(|rooms, sessions, now| rooms.offer(sessions, now, id, sdp, dry_run))
    }

    /// The outstanding offer of ours.
    ///
    /// # Errors
    /// A [`Refusal`] where there is no such session, or it does not negotiate.
    pub fn pending_offer(&self, id: SessionId) -> Result<Option<PendingOffer>, Refusal> {
        self.rooms.pending_offer(id)
    }

    /// The peer of a session answers the offer of ours with this number.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed. [`Stale`](crate::core::refusal::RefusalKind::Stale) where that offer is not outstanding
    /// any more.
    pub fn answer(
        &mut self,
        id: SessionId,
        version: u64,
        sdp: &str,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        self.in_rooms(|rooms, sessions, now| rooms.answer(sessions, now, id, version, sdp, dry_run))
    }

    /// The peer of a session rolls our offer back.
    ///
    /// # Errors
    /// A [`Refusal`] where none is outstanding.
    pub fn rollback(&mut self, id: SessionId, dry_run: bool) -> Result<(), Refusal> {
        self.in_rooms(|rooms, sessions, now| rooms.rollback(sessions, now, id, dry_run))
    }

    /// Candidates of a session's peer. They are checked, and not needed: its checks tell where it is.
    ///
    /// # Errors
    /// A [`Refusal`] that names what is no candidate.
    pub fn candidates(&self, id: SessionId, trickle: &Trickle) -> Result<(), Refusal> {
        self.rooms.candidates(id, trickle)
    }

    /// A piece of a description that carries candidates (RFC 8840). With other credentials than before it asks for an ICE restart
    /// (RFC 9725 §4.3.2), and what comes back is our side of that.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn fragment(
        &mut self,
        id: SessionId,
        text: &str,
        dry_run: bool,
    ) -> Result<Option<String>, Refusal> {
        self.in_rooms(|rooms, sessions, _| rooms.fragment(sessions, id, text, dry_run))
    }

    /// What a session wants to receive.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none with this id.
    pub fn wishes(&self, id: SessionId) -> Result<WishesView, Refusal> {
        self.rooms.wishes(&self.media.sessions, id)
    }

    /// Says what a session wants to receive, whole; gives what that changes.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn wish(
        &mut self,
        id: SessionId,
        wishes: Wishes,
        dry_run: bool,
    ) -> Result<Changes, Refusal> {
        self.in_rooms(|rooms, sessions, _| rooms.wish(sessions, id, wishes, dry_run))
    }

    /// Silences a publication, or no longer. Gives whether that changes something.
    ///
    /// # Errors
    /// A [`Refusal`] where there is no such publication.
    pub fn mute(
        &mut self,
        session: SessionId,
        publication: PublicationId,
        muted: bool,
        dry_run: bool,
    ) -> Result<bool, Refusal> {
        self.in_rooms(|rooms, sessions, now| {
            rooms.mute(sessions, now, session, publication, muted, dry_run)
        })
    }

    /// Adds a publication to a session that was made by parameters. `None` in a dry run.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn publish(
        &mut self,
        id: SessionId,
        spec: &PublicationSpec,
        dry_run: bool,
    ) -> Result<Option<PublicationId>, Refusal> {
        self.in_rooms(|rooms, sessions, now| rooms.publish(sessions, now, id, spec, dry_run))
    }

    /// Ends a publication and all subscriptions to it.
    ///
    /// # Errors
    /// A [`Refusal`] where the session has none with this id.
    pub fn unpublish(
        &mut self,
        id: SessionId,
        publication: PublicationId,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        self.in_rooms(|rooms, sessions, now| {
            rooms.unpublish(sessions, now, id, publication, dry_run)
        })
    }

    /// Restarts ICE of a session that was made by parameters; gives our credentials, and none in a dry run.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn restart_ice(
        &mut self,
        id: SessionId,
        remote: Credentials,
        dry_run: bool,
    ) -> Result<Option<Credentials>, Refusal> {
        self.in_rooms(|rooms, sessions, _| rooms.restart_ice(sessions, id, remote, dry_run))
    }

    /// Adds a subscription to a session that was made by parameters. `None` in a dry run.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn subscribe(
        &mut self,
        id: SessionId,
        spec: &SubscriptionSpec,
        anywhere: bool,
        dry_run: bool,
    ) -> Result<Option<SubscriptionId>, Refusal> {
        self.in_rooms(|rooms, sessions, now| {
            rooms.subscribe(sessions, now, id, spec, anywhere, dry_run)
        })
    }

    /// Ends a subscription. Of a session that negotiates, its wishes say so from then on.
    ///
    /// # Errors
    /// A [`Refusal`] where the session has none with this id.
    pub fn unsubscribe(
        &mut self,
        id: SessionId,
        subscription: SubscriptionId,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        self.in_rooms(|rooms, sessions, now| {
            rooms.unsubscribe(sessions, now, id, subscription, dry_run)
        })
    }

    /// Stops sending to a subscription, or sends to it again. Of a session that negotiates, its wishes say so from then on.
    ///
    /// # Errors
    /// A [`Refusal`] where the session has none with this id.
    pub fn pause(
        &mut self,
        id: SessionId,
        subscription: SubscriptionId,
        paused: bool,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        self.in_rooms(|rooms, sessions, now| {
            rooms.pause(sessions, now, id, subscription, paused, dry_run)
        })
    }

    /// Commands rooms; what follows from it is done when this returns.
    fn in_rooms<T>(
        &mut self,
        command: impl FnOnce(&mut Rooms, &mut Sessions, u64) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let outcome = command(&mut self.rooms, &mut self.media.sessions, boottime());
        self.carry_out();
        outcome
    }
}
