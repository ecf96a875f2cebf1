//! Rooms: who is in them, what each session wants to receive and therefore is sent, and how that is negotiated with its peer.
//! Sans-IO.
//!
//! The law:
//! - No socket, no clock, no tokio in here. Time is an argument: CLOCK_BOOTTIME in nanoseconds, never going back.
//! - Rooms command the session core and own nothing of it. Whatever it tells goes to [`Rooms::handle_event`]; after that, and
//!   after every command, [`Rooms::settle`] makes subscriptions what the wishes say, until it has nothing more to do.
//! - A command is carried out as a whole or refused as a whole; a refusal names field, value and what is allowed. In a dry run it
//!   is only checked. An m-line of a description that cannot be had is answered so; it never fails the description.
//! - Every table is bounded: rooms and sessions by the settings, m-lines and wishes by constants.

mod declaring;
mod events;
mod following;
pub mod ids;
mod imperative;
mod joining;
mod limits;
mod lines;
mod member;
mod negotiating;
mod offering;
mod reconciling;
mod room;
mod sampling;
pub mod settings;
mod speaking;
pub mod specs;
mod viewing;
pub mod views;
pub mod wishes;
mod wishing;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

pub use self::{
    events::{Event, What},
    settings::Settings,
};
use self::{ids::RoomId, member::Member, room::Room, speaking::Speaker};
use crate::{
    core::refusal::Refusal,
    sessions::ids::{PublicationId, SessionId},
};

/// The rooms of a node, and its sessions as far as rooms are concerned.
pub struct Rooms {
    settings: Settings,
    rooms: BTreeMap<RoomId, Room>,
    members: BTreeMap<SessionId, Member>,
    /// Sessions whose subscriptions may not be what they wish.
    unsettled: BTreeSet<SessionId>,
    /// When an offer of ours is given up.
    deadlines: BTreeSet<(u64, SessionId)>,
    speakers: HashMap<PublicationId, Speaker>,
    /// When sound levels are looked at next, while somebody is there.
    sample_due: Option<u64>,
    events: VecDeque<Event>,
    /// The last version that was given to anything.
    version: u64,
}

impl Rooms {
    /// No rooms.
    ///
    /// # Errors
    /// A [`Refusal`] that names the setting that cannot be.
    pub fn new(settings: Settings) -> Result<Self, Refusal> {
        settings.check()?;
        Ok(Self {
            settings,
            rooms: BTreeMap::new(),
            members: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            speakers: HashMap::new(),
            sample_due: None,
            events: VecDeque::new(),
            version: 0,
        })
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// A session has changed: it and its room have another version.
    fn touch(&mut self, id: SessionId) {
        let version = self.next_version();
        if let Some(member) = self.members.get_mut(&id) {
            member.version = version;
            if let Some(room) = member
                .room
                .as_ref()
                .and_then(|room| self.rooms.get_mut(room))
            {
                room.version = version;
            }
        }
    }

    /// Tells something of a session.
    fn tell(&mut self, session: SessionId, what: What) {
        let member = self.members.get(&session);
        self.events.push_back(Event {
            what,
            room: member.and_then(|member| member.room.clone()),
            session: Some(session),
        });
    }

    /// Tells something of a room.
    fn tell_room(&mut self, room: &RoomId, what: What) {
        self.events.push_back(Event {
            what,
            room: Some(room.clone()),
            session: None,
        });
    }

    fn named(&self, id: SessionId) -> Result<&Member, Refusal> {
        self.members.get(&id).ok_or_else(|| unknown_session(id))
    }

    fn named_mut(&mut self, id: SessionId) -> Result<&mut Member, Refusal> {
        self.members.get_mut(&id).ok_or_else(|| unknown_session(id))
    }
}

fn unknown_session(id: SessionId) -> Refusal {
    Refusal::unknown("session", id, "the id of a session that is not closed")
}

fn unknown_room(id: &RoomId) -> Refusal {
    Refusal::unknown("room", id, "the name of a room that is there")
}
