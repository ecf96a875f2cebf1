//! Sessions that join: by their own offer, by one of ours, or by parameters.

use super::{
    Rooms, What,
    ids::RoomId,
    member::{Member, Signalling},
    room::Room,
    sampling::Meter,
    specs::{Entry, JoinSpec, RoomSpec},
    views::{Description, Joined},
};
use crate::{
    core::refusal::Refusal,
    media::Kind,
    sessions::{Sessions, ids::SessionId, output::CloseReason, specs::SessionSpec},
};

impl Rooms {
    /// Adds a session. `None` in a dry run.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn join(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        spec: JoinSpec,
        dry_run: bool,
    ) -> Result<Option<Joined>, Refusal> {
        spec.check()?;
        self.check_entry(sessions, spec.room.as_ref(), &spec.grants)?;
        self.check_named(sessions, &spec.wishes, spec.room.as_ref())?;
        match spec.entry {
            Entry::Parameters(ref parameters) if !dry_run => {
                let id = sessions.create(now, SessionSpec::clone(parameters))?;
                self.admit(now, id, spec, None);
                Ok(Some(Joined {
                    id,
                    description: Description::None,
                }))
            }
            Entry::Offer {
                ref sdp,
                takes_offers,
            } => {
                let mut signalling = Signalling::new(takes_offers);
                let incoming = signalling.jsep.handle_offer(sdp)?;
                if dry_run {
                    return Ok(None);
                }
                let peer = SessionSpec::of(&incoming.remote, None);
                let id = sessions.create(now, peer)?;
                self.admit(now, id, spec, Some(signalling));
                let answer = self.carry_out_offer(sessions, now, id, incoming.changes);
                let sdp = answer.inspect_err(|_| self.undo(sessions, now, id))?;
                Ok(Some(Joined {
                    id,
                    description: Description::Answer(sdp),
                }))
            }
            Entry::Offered { ref receive } if !dry_run => {
                let receive: Vec<Kind> = receive.clone();
                let mut signalling = Signalling::new(true);
                let promise = sessions.promise()?;
                let id = promise.id();
                signalling.promise = Some(promise);
                self.admit(now, id, spec, Some(signalling));
                let offer = self.make_offer(sessions, now, id, &receive);
                offer.inspect_err(|_| self.undo(sessions, now, id))?;
                let offer = self.pending_offer(id)?;
                let description = offer.map_or(Description::None, Description::Offer);
                Ok(Some(Joined { id, description }))
            }
            Entry::Parameters(_) | Entry::Offered { .. } => Ok(None),
        }
    }

    /// A session that cannot be told anything is none. Only a bug leads here: whatever could be refused was checked before.
    fn undo(&mut self, sessions: &mut Sessions, now: u64, id: SessionId) {
        if sessions.close(now, id).is_err() {
            self.remove(id, &CloseReason::Asked);
        }
    }

    fn admit(&mut self, now: u64, id: SessionId, spec: JoinSpec, signalling: Option<Signalling>) {
        if let Some(room) = &spec.room {
            self.enter(room, id);
        }
        let version = self.next_version();
        let name = spec.name.clone();
        self.members.insert(
            id,
            Member {
                room: spec.room,
                name: spec.name,
                metadata: spec.metadata,
                grants: spec.grants,
                wishes: spec.wishes,
                wishes_version: version,
                version,
                signalling: signalling.map(Box::new),
                meter: Meter::default(),
            },
        );
        self.tell(id, What::SessionJoined { name });
        self.touch(id);
        self.begin_sampling(now);
        self.unsettled.insert(id);
    }

    fn enter(&mut self, id: &RoomId, session: SessionId) {
        if !self.rooms.contains_key(id) {
            let version = self.next_version();
            let room = Room::new(false, RoomSpec::default(), version);
            self.rooms.insert(id.clone(), room);
            self.tell_room(id, What::RoomCreated);
        }
        if let Some(room) = self.rooms.get_mut(id) {
            room.members.insert(session);
        }
    }
}
