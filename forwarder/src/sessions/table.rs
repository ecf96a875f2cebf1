//! The sessions of a node: by the number that packets and workers know them by, and by the id that callers do.

use std::collections::BTreeMap;

use super::{ids::SessionId, session::Session};
use crate::core::refusal::Refusal;

/// All sessions.
#[derive(Default)]
pub struct Table {
    slots: Vec<Option<Box<Session>>>,
    numbers: BTreeMap<SessionId, u32>,
}

impl Table {
    /// The session with this number.
    pub fn at(&self, number: u32) -> Option<&Session> {
        self.slots.get(number as usize)?.as_deref()
    }

    /// The same, to change it.
    pub fn at_mut(&mut self, number: u32) -> Option<&mut Session> {
        self.slots.get_mut(number as usize)?.as_deref_mut()
    }

    /// The session with this id.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none.
    pub fn named(&self, id: SessionId) -> Result<&Session, Refusal> {
        self.numbers
            .get(&id)
            .and_then(|number| self.at(*number))
            .ok_or_else(|| unknown(id))
    }

    /// The same, to change it.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none.
    pub fn named_mut(&mut self, id: SessionId) -> Result<&mut Session, Refusal> {
        let number = self.numbers.get(&id).copied();
        number
            .and_then(|number| self.at_mut(number))
            .ok_or_else(|| unknown(id))
    }

    /// Puts a session at its number.
    pub fn insert(&mut self, session: Box<Session>) {
        let place = session.number as usize;
        if self.slots.len() <= place {
            self.slots.resize_with(place + 1, || None);
        }
        self.numbers.insert(session.id, session.number);
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = Some(session);
        }
    }

    /// Takes a session out.
    pub fn remove(&mut self, number: u32) -> Option<Box<Session>> {
        let session = self.slots.get_mut(number as usize)?.take()?;
        self.numbers.remove(&session.id);
        Some(session)
    }

    /// All sessions, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.numbers.values().filter_map(|number| self.at(*number))
    }
}

fn unknown(id: SessionId) -> Refusal {
    Refusal::unknown("session", id, "the id of a session that is not closed")
}
