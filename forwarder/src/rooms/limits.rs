//! What rooms and tokens have room for. Limits refuse what is new; they end nothing.

use super::{
    Rooms,
    ids::RoomId,
    member::Member,
    specs::{Grants, RoomSpec},
};
use crate::{
    core::refusal::Refusal,
    sessions::{Sessions, ids::SessionId},
};

/// The limits of a room: its own, or those of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub max_sessions: u32,
    pub max_tracks: u32,
    pub max_bitrate: Option<u64>,
}

impl Rooms {
    /// What holds for a room.
    pub(super) fn limits(&self, spec: &RoomSpec) -> Limits {
        Limits {
            max_sessions: spec.max_sessions.unwrap_or(self.settings.max_sessions),
            max_tracks: spec.max_tracks.unwrap_or(self.settings.max_tracks),
            max_bitrate: spec.max_bitrate.or(self.settings.max_bitrate),
        }
    }

    /// Refuses one session more where there is no room for it.
    pub(super) fn check_entry(
        &self,
        sessions: &Sessions,
        room: Option<&RoomId>,
        grants: &Grants,
    ) -> Result<(), Refusal> {
        // Those whose first offer is not answered yet are none of the session core's.
        let most = sessions.settings().max_sessions as usize;
        if self.members.len() >= most {
            return Err(Refusal::full(
                "session",
                "one more",
                format!("at most {most} on this node; close one first"),
            ));
        }
        if let Some(most) = grants.max_sessions {
            let held = self.held_by(grants).count();
            if held >= most as usize {
                return Err(limited("token.max_sessions", held, "sessions"));
            }
        }
        let Some(id) = room else { return Ok(()) };
        let Some(room) = self.rooms.get(id) else {
            if !self.settings.made_by_joining {
                return Err(Refusal::unknown(
                    "room",
                    id,
                    "a room that was declared by PUT; this node makes none by joining",
                ));
            }
            return self.check_rooms();
        };
        if room.spec.locked && !grants.admin {
            return Err(Refusal::forbidden(
                "room",
                id,
                "a room that is not locked; ask a moderator to unlock it",
            ));
        }
        if room.members.len() >= self.limits(&room.spec).max_sessions as usize {
            return Err(limited("room.max_sessions", room.members.len(), "sessions"));
        }
        Ok(())
    }

    /// Refuses one room more.
    pub(super) fn check_rooms(&self) -> Result<(), Refusal> {
        let most = self.settings.max_rooms;
        if self.rooms.len() < most as usize {
            return Ok(());
        }
        Err(Refusal::full(
            "room",
            "one more",
            format!("at most {most} on this node; close one first"),
        ))
    }

    /// Refuses one publication more of a session.
    pub(super) fn check_publishing(
        &self,
        sessions: &Sessions,
        id: SessionId,
    ) -> Result<(), Refusal> {
        let member = self.named(id)?;
        self.check_publisher(sessions, member.room.as_ref(), &member.grants)
    }

    /// The same, of whoever is or would be in a room with these grants.
    pub(super) fn check_publisher(
        &self,
        sessions: &Sessions,
        room: Option<&RoomId>,
        grants: &Grants,
    ) -> Result<(), Refusal> {
        if !grants.publish {
            return Err(Refusal::forbidden(
                "publish",
                "false",
                "a token that grants to publish",
            ));
        }
        let tracks = |ids: &mut dyn Iterator<Item = SessionId>| -> usize {
            ids.map(|id| sessions.publications(id).count()).sum()
        };
        if let Some(most) = grants.max_tracks {
            let held = tracks(&mut self.held_by(grants).map(|(id, _)| id));
            if held >= most as usize {
                return Err(limited("token.max_tracks", held, "publications"));
            }
        }
        if let Some(most) = grants.max_bitrate {
            let rate: u64 = self.held_by(grants).map(|(_, it)| it.meter.rate()).sum();
            if rate >= most {
                return Err(limited("token.max_bitrate", rate, "bit/s"));
            }
        }
        let Some(room) = room.and_then(|room| self.rooms.get(room)) else {
            return Ok(());
        };
        let limits = self.limits(&room.spec);
        let held = tracks(&mut room.members.iter().copied());
        if held >= limits.max_tracks as usize {
            return Err(limited("room.max_tracks", held, "publications"));
        }
        if limits.max_bitrate.is_some_and(|most| room.bitrate >= most) {
            return Err(limited("room.max_bitrate", room.bitrate, "bit/s"));
        }
        Ok(())
    }

    /// The sessions that share the limits of a token.
    fn held_by<'a>(&'a self, grants: &'a Grants) -> impl Iterator<Item = (SessionId, &'a Member)> {
        let members = self.members.iter().map(|(id, member)| (*id, member));
        members
            .filter(|(_, member)| grants.holder.is_some() && member.grants.holder == grants.holder)
    }
}

fn limited(field: &'static str, held: impl ToString, what: &str) -> Refusal {
    let held = held.to_string();
    Refusal::limited(
        field,
        &held,
        format!("fewer {what} than the limit, which {held} reach; end some first"),
    )
}
