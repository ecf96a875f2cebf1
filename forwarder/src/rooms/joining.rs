//! Sessions that join: by their own offer, by one of ours, or by parameters.

use std::collections::BTreeSet;

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
    jsep::{Change, LineChange},
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
        if let Entry::Offered { receive } = &spec.entry
            && !receive.is_empty()
            && !spec.grants.publish
        {
            return Err(Refusal::forbidden(
                "receive",
                format!("{} m-lines", receive.len()),
                "nothing, without a token that grants to publish",
            ));
        }
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
                let starts = |change: &LineChange| matches!(change.sends, Change::Start(_));
                let takes = |change: &LineChange| matches!(change.receives, Change::Start(_));
                // Of an offer of nothing but what may not be sent, nothing would be left but closed lines.
                if incoming.changes.iter().any(starts) && !incoming.changes.iter().any(takes) {
                    self.check_publisher(sessions, spec.room.as_ref(), &spec.grants)?;
                }
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
            Entry::Offered { ref receive }
                if receive.is_empty() && self.nothing_for(sessions, &spec) =>
            {
                Err(Refusal::invalid(
                    "receive",
                    "nothing",
                    "audio or video, where nothing that is wished is there yet: an offer has one m-line at least",
                ))
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

    /// Whether there is nothing to send to who joins.
    fn nothing_for(&self, sessions: &Sessions, spec: &JoinSpec) -> bool {
        // It has no id yet, and publishes nothing.
        let nobody = SessionId::default();
        let room = spec.room.as_ref().and_then(|room| self.rooms.get(room));
        let others = room.into_iter().flat_map(|room| &room.members);
        let mut wanted = others.flat_map(|of| {
            let publications = sessions.publications(*of);
            publications.filter(|it| spec.wishes.want(nobody, *of, it.id, it.kind))
        });
        !spec.grants.subscribe || wanted.next().is_none()
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
                silenced: BTreeSet::new(),
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
