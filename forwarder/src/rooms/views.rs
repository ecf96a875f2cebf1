//! What callers may look at: rooms and who is in them. Every view has a version that is another after every change that it shows
//! (counters and who speaks aside), and is never the same twice in the life of a node.

use serde_json::Value;

use super::{ids::RoomId, wishes::Wishes};
use crate::{
    media::Kind,
    sessions::ids::{PublicationId, SessionId, SubscriptionId},
};

/// A room as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomView {
    /// Its name.
    pub id: RoomId,
    /// Another after every change of the room, of its sessions and of what they publish.
    pub version: u64,
    /// Whether it was declared: then it stays when nobody is in it.
    pub declared: bool,
    /// Whether nobody joins any more.
    pub locked: bool,
    /// Most sessions.
    pub max_sessions: u32,
    /// Most publications.
    pub max_tracks: u32,
    /// Bits per second above which no more publications are let in.
    pub max_bitrate: Option<u64>,
    /// Bits per second that its publications bring now.
    pub bitrate: u64,
    /// What its owner keeps there.
    pub metadata: Option<Value>,
    /// Who is in it, the longest there first.
    pub sessions: Vec<PersonView>,
}

/// A room in a list of all: how many are in it, and not who.
#[derive(Clone, Debug, PartialEq)]
pub struct RoomSummary {
    /// Its name.
    pub id: RoomId,
    /// Whether it was declared: then it stays when nobody is in it.
    pub declared: bool,
    /// Whether nobody joins any more.
    pub locked: bool,
    /// Most sessions.
    pub max_sessions: u32,
    /// Most publications.
    pub max_tracks: u32,
    /// Bits per second above which no more publications are let in.
    pub max_bitrate: Option<u64>,
    /// Bits per second that its publications bring now.
    pub bitrate: u64,
    /// What its owner keeps there.
    pub metadata: Option<Value>,
    /// Sessions in it.
    pub session_count: usize,
    /// What they publish.
    pub track_count: usize,
}

/// A session as the others in its room see it.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonView {
    /// Its id.
    pub id: SessionId,
    /// What others see of it.
    pub name: Option<String>,
    /// What its owner keeps there.
    pub metadata: Option<Value>,
    /// Whether media can flow.
    pub connected: bool,
    /// What it publishes, the oldest first.
    pub publications: Vec<TrackView>,
}

/// A publication as the others in its room see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackView {
    /// Its id.
    pub id: PublicationId,
    /// Audio or video.
    pub kind: Kind,
    /// Silenced by the server.
    pub muted: bool,
    /// Whether someone speaks on it.
    pub speaking: bool,
}

/// A session as its owner sees it, beside what the session core has of it.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberView {
    /// Its id.
    pub id: SessionId,
    /// Another after every change of the session.
    pub version: u64,
    /// Where it is.
    pub room: Option<RoomId>,
    /// What others see of it.
    pub name: Option<String>,
    /// What its owner keeps there.
    pub metadata: Option<Value>,
    /// Who holds it, as its token said.
    pub holder: Option<String>,
    /// Whether it may send and receive.
    pub may: (bool, bool),
    /// How far its negotiation is; `None` for a session by parameters.
    pub negotiation: Option<NegotiationView>,
    /// Whether the session core has it: not before the first offer of ours is answered.
    pub begun: bool,
}

/// How far a session's negotiation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiationView {
    /// `stable` or `have-local-offer`, as browsers call it.
    pub state: &'static str,
    /// The number of the offer of ours that is outstanding, or was the last.
    pub version: u64,
    /// Whether it is sent offers.
    pub takes_offers: bool,
}

/// What a session wants, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WishesView {
    /// Another after every change.
    pub version: u64,
    /// What it wants.
    pub wishes: Wishes,
    /// What of that it is subscribed to.
    pub subscribed: Vec<(PublicationId, SubscriptionId)>,
    /// What of that waits for an m-line.
    pub waiting: Vec<PublicationId>,
    /// What of that its peer cannot take: no codec in common, or it said so in an answer.
    pub declined: Vec<PublicationId>,
}

/// What an order changes, or would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Publications that the session is to be sent. Those that need an m-line wait for it.
    pub start: Vec<PublicationId>,
    /// Publications that it is sent no longer.
    pub stop: Vec<PublicationId>,
    /// Publications of which nothing is sent for now.
    pub pause: Vec<PublicationId>,
    /// Publications that are sent again.
    pub resume: Vec<PublicationId>,
}

/// An outcome of [`put_room`](crate::node::Node::put_room).
#[derive(Clone, Debug, PartialEq)]
pub struct PutRoom {
    /// Whether it was not there before.
    pub created: bool,
    /// As it is now, or would be.
    pub room: RoomView,
}

/// A session that has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Its id.
    pub id: SessionId,
    /// What its peer is to be told.
    pub description: Description,
}

/// What a peer is told first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Description {
    /// The answer to its offer.
    Answer(String),
    /// Our offer.
    Offer(PendingOffer),
    /// Nothing: its parameters are in its [view](crate::sessions::Sessions::session).
    None,
}

/// An offer of ours that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingOffer {
    /// The number that the answer must name.
    pub version: u64,
    /// The offer.
    pub sdp: String,
}
