//! What rooms tell: everything that changes and that someone may want to know.

use serde::Serialize;

use super::ids::RoomId;
use crate::sessions::ids::{PublicationId, SessionId, SubscriptionId};

/// Something that happened, with whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// What happened; its name is the field `type`.
    #[serde(flatten)]
    pub what: What,
    /// In which room; a session may have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomId>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

impl Event {
    /// Whether only the session itself may see it: an offer holds the password of its ICE.
    #[must_use]
    pub const fn is_private(&self) -> bool {
        matches!(self.what, What::Offer { .. })
    }

    /// Whether it says where a peer is, which is for its session and for who operates the node.
    pub const fn is_personal(&self) -> bool {
        matches!(self.what, What::SessionPath { .. })
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type")]
pub enum What {
    /// A room was made, by who joined or by declaration.
    #[serde(rename = "room.created")]
    RoomCreated,
    /// Its limits, lock or metadata changed.
    #[serde(rename = "room.changed")]
    RoomChanged {
        /// Whether it is locked now.
        locked: bool,
    },
    /// It is gone, and whoever was in it.
    #[serde(rename = "room.closed")]
    RoomClosed,
    /// A session came; it may not be connected yet.
    #[serde(rename = "session.joined")]
    SessionJoined {
        /// What others see of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Its ICE and DTLS are through.
    #[serde(rename = "session.connected")]
    SessionConnected {
        /// What its packets are sealed with.
        suite: &'static str,
    },
    /// Its peer moved its media to another pair, or to its first.
    #[serde(rename = "session.path")]
    SessionPath {
        /// `udp` or `tcp`.
        protocol: &'static str,
        /// Our address.
        local: String,
        /// The peer's.
        remote: String,
    },
    /// Its peer fell silent; it is closed.
    #[serde(rename = "session.consent_lost")]
    ConsentLost,
    /// It ended, with all that it published and was subscribed to.
    #[serde(rename = "session.closed")]
    SessionClosed {
        /// One word.
        reason: &'static str,
    },
    /// It publishes one more m-line.
    #[serde(rename = "track.published")]
    TrackPublished {
        /// Which.
        publication: PublicationId,
        /// `audio` or `video`.
        kind: &'static str,
    },
    /// Its peer offered to send on an m-line and may not.
    #[serde(rename = "track.refused")]
    TrackRefused {
        /// Which m-line.
        #[serde(skip_serializing_if = "Option::is_none")]
        mid: Option<String>,
        /// Why, in words.
        reason: String,
    },
    /// It publishes one less.
    #[serde(rename = "track.ended")]
    TrackEnded {
        /// Which.
        publication: PublicationId,
    },
    /// A publication was silenced by the server, or is no longer.
    #[serde(rename = "track.muted")]
    TrackMuted {
        /// Which.
        publication: PublicationId,
        /// Whether it is silenced now.
        muted: bool,
    },
    /// The publisher was asked for a keyframe.
    #[serde(rename = "track.keyframe")]
    KeyframeRequested {
        /// Of which publication.
        publication: PublicationId,
    },
    /// It is sent one more publication.
    #[serde(rename = "subscription.started")]
    SubscriptionStarted {
        /// Which.
        subscription: SubscriptionId,
        /// Of what.
        publication: PublicationId,
        /// On which m-line.
        #[serde(skip_serializing_if = "Option::is_none")]
        mid: Option<String>,
    },
    /// It is sent nothing on a subscription for now, or is again.
    #[serde(rename = "subscription.paused")]
    SubscriptionPaused {
        /// Which.
        subscription: SubscriptionId,
        /// Whether nothing is sent.
        paused: bool,
    },
    /// It is sent one less.
    #[serde(rename = "subscription.ended")]
    SubscriptionEnded {
        /// Which.
        subscription: SubscriptionId,
        /// Of what.
        publication: PublicationId,
    },
    /// Someone began to speak, or stopped.
    #[serde(rename = "speaking")]
    Speaking {
        /// On which publication.
        publication: PublicationId,
        /// Whether they speak now.
        speaking: bool,
    },
    /// There is an offer of ours for the session's peer.
    #[serde(rename = "offer")]
    Offer {
        /// It.
        sdp: String,
        /// The number that the answer must name.
        version: u64,
    },
}

impl What {
    /// Its name, as listeners filter by it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RoomCreated => "room.created",
            Self::RoomChanged { .. } => "room.changed",
            Self::RoomClosed => "room.closed",
            Self::SessionJoined { .. } => "session.joined",
            Self::SessionConnected { .. } => "session.connected",
            Self::SessionPath { .. } => "session.path",
            Self::ConsentLost => "session.consent_lost",
            Self::SessionClosed { .. } => "session.closed",
            Self::TrackPublished { .. } => "track.published",
            Self::TrackRefused { .. } => "track.refused",
            Self::TrackEnded { .. } => "track.ended",
            Self::TrackMuted { .. } => "track.muted",
            Self::KeyframeRequested { .. } => "track.keyframe",
            Self::SubscriptionStarted { .. } => "subscription.started",
            Self::SubscriptionPaused { .. } => "subscription.paused",
            Self::SubscriptionEnded { .. } => "subscription.ended",
            Self::Speaking { .. } => "speaking",
            Self::Offer { .. } => "offer",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_object() {
        let event = Event {
            what: What::Speaking {
                publication: "12".parse().unwrap(),
                speaking: true,
            },
            room: Some(RoomId::new("r").unwrap()),
            session: Some("3".parse().unwrap()),
        };
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(
            json,
            r#"{"type":"speaking","publication":"12","speaking":true,"room":"r","session":"3"}"#
        );
        assert!(json.contains(event.what.name()) && !event.is_private());
        let what = What::Offer {
            sdp: String::new(),
            version: 1,
        };
        assert!(Event { what, ..event }.is_private());
    }
}
