//! To be replaced.
use super::{ids::RoomId, specs::*, views::*, wishes::Wishes, *};
use crate::sessions::{Sessions, ids::*, output, specs::*};

fn not_yet<T>() -> Result<T, Refusal> {
    Err(Refusal::failed(
        "rooms",
        "not there yet",
        "nothing was changed",
    ))
}

#[allow(missing_docs, clippy::all, unused_variables, dead_code)]
impl Rooms {
    pub fn new(settings: Settings) -> Result<Self, Refusal> {
        settings.check()?;
        Ok(Self { settings })
    }
    pub fn put(
        &mut self,
        sessions: &Sessions,
        id: &RoomId,
        spec: RoomSpec,
        dry_run: bool,
    ) -> Result<PutRoom, Refusal> {
        not_yet()
    }
    pub fn room(&self, sessions: &Sessions, id: &RoomId) -> Result<RoomView, Refusal> {
        not_yet()
    }
    pub fn all(&self, sessions: &Sessions) -> Vec<RoomView> {
        Vec::new()
    }
    pub fn close(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: &RoomId,
        dry_run: bool,
    ) -> Result<Vec<SessionId>, Refusal> {
        not_yet()
    }
    pub fn join(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        spec: JoinSpec,
        dry_run: bool,
    ) -> Result<Option<Joined>, Refusal> {
        not_yet()
    }
    pub fn member(&self, id: SessionId) -> Result<MemberView, Refusal> {
        not_yet()
    }
    pub fn members(&self) -> impl Iterator<Item = SessionId> {
        std::iter::empty()
    }
    pub fn leave(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        not_yet()
    }
    pub fn offer(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        sdp: &str,
        dry_run: bool,
    ) -> Result<Option<String>, Refusal> {
        not_yet()
    }
    pub fn pending_offer(&self, id: SessionId) -> Result<Option<PendingOffer>, Refusal> {
        not_yet()
    }
    pub fn answer(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        version: u64,
        sdp: &str,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        not_yet()
    }
    pub fn rollback(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        not_yet()
    }
    pub fn candidates(&self, id: SessionId, trickle: &Trickle) -> Result<(), Refusal> {
        not_yet()
    }
    pub fn fragment(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        text: &str,
        dry_run: bool,
    ) -> Result<Option<String>, Refusal> {
        not_yet()
    }
    pub fn wishes(&self, sessions: &Sessions, id: SessionId) -> Result<WishesView, Refusal> {
        not_yet()
    }
    pub fn wish(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        wishes: Wishes,
        dry_run: bool,
    ) -> Result<Changes, Refusal> {
        not_yet()
    }
    pub fn publish(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        spec: &PublicationSpec,
    ) -> Result<PublicationId, Refusal> {
        not_yet()
    }
    pub fn unpublish(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        publication: PublicationId,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        not_yet()
    }
    pub fn subscribe(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        spec: &SubscriptionSpec,
    ) -> Result<SubscriptionId, Refusal> {
        not_yet()
    }
    pub fn unsubscribe(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        subscription: SubscriptionId,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        not_yet()
    }
    pub fn pause(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        subscription: SubscriptionId,
        paused: bool,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        not_yet()
    }
    pub fn poll_timeout(&self) -> u64 {
        u64::MAX
    }
    pub fn handle_timeout(&mut self, sessions: &mut Sessions, now: u64) {}
    pub fn handle_event(&mut self, event: &output::Event) {}
    pub fn settle(&mut self, sessions: &mut Sessions, now: u64) -> bool {
        false
    }
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
}
