//! What the session core tells, and what follows from it in rooms.

use super::{Rooms, What};
use crate::{
    media::Kind,
    sessions::{ids::SessionId, output::Event},
    transport::Protocol,
};

impl Rooms {
    /// Takes in what the session core has told. [`Self::settle`] does what follows.
    pub fn handle_event(&mut self, event: &Event) {
        match event {
            Event::Connected { session, suite } => {
                let suite = suite.label();
                self.happened(*session, What::SessionConnected { suite });
            }
            Event::Selected { session, pair } => {
                let protocol = match pair.protocol {
                    Protocol::Udp => "udp",
                    Protocol::Tcp => "tcp",
                };
                let (local, remote) = (pair.local.to_string(), pair.remote.to_string());
                self.happened(
                    *session,
                    What::SessionPath {
                        protocol,
                        local,
                        remote,
                    },
                );
            }
            Event::Closed { session, reason } => self.remove(*session, reason),
            Event::TrackPublished {
                session,
                publication,
                kind,
            } => {
                let kind = kind_name(*kind);
                let publication = *publication;
                self.happened(*session, What::TrackPublished { publication, kind });
                self.unsettle_room_of(*session);
            }
            Event::TrackEnded {
                session,
                publication,
            } => {
                let publication = *publication;
                self.speakers.remove(&publication);
                self.happened(*session, What::TrackEnded { publication });
                self.unsettle_room_of(*session);
            }
            Event::TrackMuted {
                session,
                publication,
                muted,
            } => {
                let (publication, muted) = (*publication, *muted);
                self.happened(*session, What::TrackMuted { publication, muted });
            }
            Event::KeyframeRequested {
                session,
                publication,
            } => {
                let publication = *publication;
                // It shows in no view, so that no version changes.
                self.tell(*session, What::KeyframeRequested { publication });
            }
            Event::SubscriptionStarted {
                session,
                subscription,
                publication,
                mid,
            } => self.happened(
                *session,
                What::SubscriptionStarted {
                    subscription: *subscription,
                    publication: *publication,
                    mid: mid.clone(),
                },
            ),
            Event::SubscriptionPaused {
                session,
                subscription,
                paused,
            } => {
                let (subscription, paused) = (*subscription, *paused);
                self.happened(
                    *session,
                    What::SubscriptionPaused {
                        subscription,
                        paused,
                    },
                );
            }
            Event::SubscriptionEnded {
                session,
                subscription,
                publication,
            } => {
                self.unsettled.insert(*session);
                self.happened(
                    *session,
                    What::SubscriptionEnded {
                        subscription: *subscription,
                        publication: *publication,
                    },
                );
            }
        }
    }

    fn happened(&mut self, session: SessionId, what: What) {
        self.touch(session);
        self.tell(session, what);
    }

    /// What everyone in a session's room is sent may have to change.
    fn unsettle_room_of(&mut self, session: SessionId) {
        let room = self.members.get(&session).and_then(|it| it.room.as_ref());
        if let Some(room) = room.and_then(|room| self.rooms.get(room)) {
            self.unsettled.extend(&room.members);
        }
    }
}

pub(super) const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Audio => "audio",
        Kind::Video => "video",
    }
}
