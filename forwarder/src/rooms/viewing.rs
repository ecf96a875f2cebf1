//! Views of rooms and sessions.

use super::{
    Rooms,
    ids::RoomId,
    room::Room,
    unknown_room,
    views::{MemberView, NegotiationView, PersonView, RoomSummary, RoomView, TrackView},
};
use crate::{
    core::refusal::Refusal,
    jsep::State,
    sessions::{Sessions, ids::SessionId},
};

impl Rooms {
    /// A room.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none with this name.
    pub fn room(&self, sessions: &Sessions, id: &RoomId) -> Result<RoomView, Refusal> {
        let room = self.rooms.get(id).ok_or_else(|| unknown_room(id))?;
        Ok(self.view(sessions, id, room))
    }

    /// All rooms, by name.
    pub fn ids(&self) -> impl Iterator<Item = &RoomId> {
        self.rooms.keys()
    }

    /// How many are in a room. What that takes grows with its sessions by a look at each.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none with this name.
    pub fn summary(&self, sessions: &Sessions, id: &RoomId) -> Result<RoomSummary, Refusal> {
        let room = self.rooms.get(id).ok_or_else(|| unknown_room(id))?;
        let limits = self.limits(&room.spec);
        let tracks = room
            .members
            .iter()
            .map(|id| sessions.publications(*id).count());
        Ok(RoomSummary {
            id: id.clone(),
            declared: room.declared,
            locked: room.spec.locked,
            max_sessions: limits.max_sessions,
            max_tracks: limits.max_tracks,
            max_bitrate: limits.max_bitrate,
            bitrate: room.bitrate,
            metadata: room.spec.metadata.clone(),
            session_count: room.members.len(),
            track_count: tracks.sum(),
        })
    }

    /// The ids of all sessions, the oldest first.
    pub fn members(&self) -> impl Iterator<Item = SessionId> {
        self.members.keys().copied()
    }

    /// A session, as rooms have it.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none with this id.
    pub fn member(&self, id: SessionId) -> Result<MemberView, Refusal> {
        let member = self.named(id)?;
        let signalling = member.signalling.as_deref();
        Ok(MemberView {
            id,
            version: member.version,
            room: member.room.clone(),
            name: member.name.clone(),
            metadata: member.metadata.clone(),
            holder: member.grants.holder.clone(),
            may: (member.grants.publish, member.grants.subscribe),
            negotiation: signalling.map(|signalling| NegotiationView {
                state: match signalling.jsep.state() {
                    State::Stable => "stable",
                    State::HaveLocalOffer => "have-local-offer",
                    State::HaveRemoteOffer => "have-remote-offer",
                },
                version: signalling.jsep.version(),
                takes_offers: signalling.takes_offers,
            }),
            begun: signalling.is_none_or(|signalling| signalling.promise.is_none()),
        })
    }

    pub(super) fn view(&self, sessions: &Sessions, id: &RoomId, room: &Room) -> RoomView {
        let limits = self.limits(&room.spec);
        let members = room.members.iter();
        RoomView {
            id: id.clone(),
            version: room.version,
            declared: room.declared,
            locked: room.spec.locked,
            max_sessions: limits.max_sessions,
            max_tracks: limits.max_tracks,
            max_bitrate: limits.max_bitrate,
            bitrate: room.bitrate,
            metadata: room.spec.metadata.clone(),
            sessions: members.map(|id| self.person(sessions, *id)).collect(),
        }
    }

    fn person(&self, sessions: &Sessions, id: SessionId) -> PersonView {
        let member = self.members.get(&id);
        let publications = sessions.publications(id).map(|publication| TrackView {
            id: publication.id,
            kind: publication.kind,
            muted: publication.muted,
            speaking: self
                .speakers
                .get(&publication.id)
                .is_some_and(|speaker| speaker.is_speaking() && !publication.muted),
        });
        PersonView {
            id,
            name: member.and_then(|member| member.name.clone()),
            metadata: member.and_then(|member| member.metadata.clone()),
            connected: sessions.is_connected(id),
            publications: publications.collect(),
        }
    }
}
