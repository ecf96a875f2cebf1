//! What a session wants to receive, said as a whole. What it is sent follows from it.

use std::collections::BTreeSet;

use crate::{
    core::refusal::Refusal,
    media::Kind,
    sessions::ids::{PublicationId, SessionId},
};

/// Publications that one document can name in each of its lists.
pub const MAX_NAMED: usize = 1024;

/// Which publications a session wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// All of its room but its own, those that come later included.
    #[default]
    All,
    /// None.
    None,
    /// All of one session of the room, those that come later included.
    Session(SessionId),
    /// These; a publication of its own may be among them.
    These(BTreeSet<PublicationId>),
}

/// What a session wants to receive, whole. Publications that have ended may stay in it, and mean nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// Which publications.
    pub publications: Wanted,
    /// But not these.
    pub except: BTreeSet<PublicationId>,
    /// Whether audio is wanted.
    pub audio: bool,
    /// Whether video is wanted.
    pub video: bool,
    /// Subscribed to, with nothing sent for now.
    pub paused: BTreeSet<PublicationId>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self::all()
    }
}

impl Wishes {
    /// Everything.
    #[must_use]
    pub const fn all() -> Self {
        Self::of(Wanted::All)
    }

    /// Nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self::of(Wanted::None)
    }

    const fn of(publications: Wanted) -> Self {
        Self {
            publications,
            except: BTreeSet::new(),
            audio: true,
            video: true,
            paused: BTreeSet::new(),
        }
    }

    /// Whether session `by` wants a publication of session `of`.
    #[must_use]
    pub fn want(
        &self,
        by: SessionId,
        of: SessionId,
        publication: PublicationId,
        kind: Kind,
    ) -> bool {
        let named = match &self.publications {
            Wanted::All => by != of,
            Wanted::None => false,
            Wanted::Session(session) => *session == of,
            Wanted::These(these) => these.contains(&publication),
        };
        let kind = match kind {
            Kind::Audio => self.audio,
            Kind::Video => self.video,
        };
        named && kind && !self.except.contains(&publication)
    }

    /// All publications that it names, with the field that does.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, PublicationId)> {
        let these = match &self.publications {
            Wanted::These(these) => Some(these),
            Wanted::All | Wanted::None | Wanted::Session(_) => None,
        };
        let these = these.into_iter().flatten().map(|id| ("publications", *id));
        let except = self.except.iter().map(|id| ("except", *id));
        let paused = self.paused.iter().map(|id| ("paused", *id));
        these.chain(except).chain(paused)
    }

    /// Refuses what is too long.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let these = match &self.publications {
            Wanted::These(these) => these.len(),
            Wanted::All | Wanted::None | Wanted::Session(_) => 0,
        };
        let lists = [
            ("publications", these),
            ("except", self.except.len()),
            ("paused", self.paused.len()),
        ];
        for (field, len) in lists {
            if len > MAX_NAMED {
                return Err(Refusal::invalid(
                    field,
                    format!("{len} of them"),
                    format!("at most {MAX_NAMED}"),
                ));
            }
        }
        Ok(())
    }
}
