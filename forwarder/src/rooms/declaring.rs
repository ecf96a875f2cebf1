//! Rooms by declaration: made, changed, locked and closed by an operator or a signalling service.

use super::{Rooms, What, ids::RoomId, room::Room, specs::RoomSpec, unknown_room, views::PutRoom};
use crate::{
    core::refusal::Refusal,
    sessions::{Sessions, ids::SessionId, output::CloseReason},
};

impl Rooms {
    /// Creates a room or changes one, which stays then when nobody is in it.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn put(
        &mut self,
        sessions: &Sessions,
        id: &RoomId,
        spec: RoomSpec,
        dry_run: bool,
    ) -> Result<PutRoom, Refusal> {
        spec.check()?;
        let created = !self.rooms.contains_key(id);
        if created {
            self.check_rooms()?;
        }
        if dry_run {
            let would = Room::new(
                true,
                spec,
                self.rooms.get(id).map_or(0, |room| room.version),
            );
            let mut room = self.view(sessions, id, &would);
            if let Some(present) = self.rooms.get(id) {
                let present = self.view(sessions, id, present);
                (room.sessions, room.bitrate) = (present.sessions, present.bitrate);
            }
            return Ok(PutRoom { created, room });
        }
        let version = self.next_version();
        let locked = spec.locked;
        match self.rooms.get_mut(id) {
            Some(room) if room.declared && room.spec == spec => {}
            Some(room) => {
                (room.declared, room.spec, room.version) = (true, spec, version);
                self.tell_room(id, What::RoomChanged { locked });
            }
            None => {
                self.rooms
                    .insert(id.clone(), Room::new(true, spec, version));
                self.tell_room(id, What::RoomCreated);
            }
        }
        let room = self.room(sessions, id)?;
        Ok(PutRoom { created, room })
    }

    /// Ends a room and the sessions in it, which it tells.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none with this name.
    pub fn close(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: &RoomId,
        dry_run: bool,
    ) -> Result<Vec<SessionId>, Refusal> {
        let room = self.rooms.get_mut(id).ok_or_else(|| unknown_room(id))?;
        let members: Vec<SessionId> = room.members.iter().copied().collect();
        if dry_run {
            return Ok(members);
        }
        room.closing = true;
        for member in &members {
            self.end(sessions, now, *member);
        }
        self.forget_if_empty(id);
        Ok(members)
    }

    /// Ends a session. The session core tells when it has, if it has it.
    fn end(&mut self, sessions: &mut Sessions, now: u64, id: SessionId) {
        if sessions.close(now, id).is_err() {
            self.remove(id, &CloseReason::Asked);
        }
    }

    /// Ends a session.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none with this id.
    pub fn leave(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        dry_run: bool,
    ) -> Result<(), Refusal> {
        self.named(id)?;
        if !dry_run {
            self.end(sessions, now, id);
        }
        Ok(())
    }

    /// A session is no more.
    pub(super) fn remove(&mut self, id: SessionId, reason: &CloseReason) {
        let reason_word = reason.label();
        if *reason == CloseReason::ConsentLost {
            self.tell(id, What::ConsentLost);
        }
        self.touch(id);
        self.tell(
            id,
            What::SessionClosed {
                reason: reason_word,
            },
        );
        self.unsettled.remove(&id);
        let Some(member) = self.members.remove(&id) else {
            return;
        };
        if let Some(offer) = member.signalling.and_then(|signalling| signalling.offer) {
            self.deadlines.remove(&(offer.due, id));
        }
        if self.members.is_empty() {
            self.sample_due = None;
        }
        if let Some(room) = member.room {
            if let Some(room) = self.rooms.get_mut(&room) {
                room.members.remove(&id);
            }
            self.forget_if_empty(&room);
        }
    }

    fn forget_if_empty(&mut self, id: &RoomId) {
        let Some(room) = self.rooms.get(id) else {
            return;
        };
        if room.members.is_empty() && (room.closing || !room.declared) {
            self.rooms.remove(id);
            self.tell_room(id, What::RoomClosed);
        }
    }
}
