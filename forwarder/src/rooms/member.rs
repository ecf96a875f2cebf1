//! A session as rooms have it: what it may do, what it wants, and the m-lines that it negotiated.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{ids::RoomId, sampling::Meter, specs::Grants, wishes::Wishes};
use crate::{
    core::refusal::Refusal,
    jsep::{Negotiation, Receiving, Sent},
    media::Kind,
    sessions::{
        codec::{self, CodecSpec},
        ids::{PublicationId, SessionId, SubscriptionId},
        specs::Promise,
    },
};

/// A session.
#[derive(Debug)]
pub struct Member {
    pub room: Option<RoomId>,
    pub name: Option<String>,
    pub metadata: Option<Value>,
    pub grants: Grants,
    pub wishes: Wishes,
    pub wishes_version: u64,
    pub version: u64,
    /// `None` for a session by parameters: its m-lines are its caller's business.
    pub signalling: Option<Box<Signalling>>,
    pub meter: Meter,
    /// Of what a moderator silenced a publication of it.
    pub silenced: BTreeSet<Kind>,
}

impl Member {
    /// What it negotiated.
    ///
    /// # Errors
    /// A [`Refusal`] where it was made by parameters.
    pub fn signalling(&self, id: SessionId) -> Result<&Signalling, Refusal> {
        self.signalling.as_deref().ok_or_else(|| by_parameters(id))
    }

    /// The same, to change it.
    ///
    /// # Errors
    /// A [`Refusal`] where it was made by parameters.
    pub fn signalling_mut(&mut self, id: SessionId) -> Result<&mut Signalling, Refusal> {
        self.signalling
            .as_deref_mut()
            .ok_or_else(|| by_parameters(id))
    }
}

fn by_parameters(id: SessionId) -> Refusal {
    Refusal::conflict(
        "session",
        id,
        "a session that was made by an offer; this one was made by parameters and has no descriptions",
    )
}

/// What a session negotiates and has negotiated.
#[derive(Debug)]
pub struct Signalling {
    pub jsep: Negotiation,
    /// Whether its peer can be sent offers.
    pub takes_offers: bool,
    /// Its m-lines by index, as far as they are negotiated.
    pub lines: BTreeMap<usize, Line>,
    /// The offer of ours that waits for its answer.
    pub offer: Option<Offer>,
    /// What the first offer of ours promised; until it is answered, the session core has no such session.
    pub promise: Option<Promise>,
    /// Offers of ours on end that nobody answered.
    pub unanswered: u32,
    /// What its peer cannot take, as an answer said.
    pub declined: BTreeSet<PublicationId>,
}

impl Signalling {
    pub fn new(takes_offers: bool) -> Self {
        Self {
            jsep: Negotiation::new(),
            takes_offers,
            lines: BTreeMap::new(),
            offer: None,
            promise: None,
            unanswered: 0,
            declined: BTreeSet::new(),
        }
    }

    /// Forgets m-lines that are closed: they carry nothing, and their place is for another.
    pub fn forget_closed(&mut self) {
        let open: BTreeSet<usize> = self.jsep.lines().map(|line| line.line).collect();
        self.lines.retain(|at, _| open.contains(at));
    }

    /// What its m-lines carry.
    pub fn carried(&self) -> impl Iterator<Item = &Carried> {
        self.lines.values().filter_map(|line| line.carries.as_ref())
    }
}

/// An m-line.
#[derive(Debug)]
pub struct Line {
    pub kind: Kind,
    /// What the peer sends on it.
    pub publication: Option<PublicationId>,
    /// How the peer takes a stream on it; `None` while it takes none.
    pub receiving: Option<Receiving>,
    /// The codecs that it can carry to the peer, as they were negotiated last.
    pub codecs: Vec<CodecSpec>,
    /// What the peer is sent on it.
    pub carries: Option<Carried>,
    /// What our last description said that we send on it.
    pub told: Option<Told>,
}

impl Line {
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            publication: None,
            receiving: None,
            codecs: Vec::new(),
            carries: None,
            told: None,
        }
    }

    /// Whether it has room for a publication in these codecs.
    pub fn suits(&self, kind: Kind, codecs: &[CodecSpec]) -> bool {
        self.carries.is_none() && self.kind == kind && codec::map(codecs, &self.codecs).is_ok()
    }
}

/// A publication on an m-line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    pub publication: PublicationId,
    pub subscription: SubscriptionId,
    pub ssrc: u32,
}

/// What the peer was told of a stream of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// That there may be one.
    Any,
    /// That it is this publication with this SSRC.
    This(PublicationId, u32),
}

/// An offer of ours that waits for its answer.
#[derive(Debug)]
pub struct Offer {
    pub sdp: String,
    pub version: u64,
    /// When it is given up.
    pub due: u64,
    /// What it does to m-lines.
    pub plans: Vec<Plan>,
}

/// What an offer of ours does to an m-line.
#[derive(Debug)]
pub struct Plan {
    pub line: usize,
    pub kind: Kind,
    /// What it is to carry: an SSRC is reserved for it, unless it is there already.
    pub carry: Option<(PublicationId, u32)>,
}

/// How a stream of ours is named in descriptions.
pub fn sent(told: Told, publisher: Option<(SessionId, &str)>, line: &str) -> Sent {
    match (told, publisher) {
        (Told::This(publication, ssrc), Some((session, cname))) => Sent {
            source: Some((ssrc, cname.to_owned())),
            stream: session.to_string(),
            track: publication.to_string(),
        },
        // The same whatever comes on it, so that it needs no other description.
        _ => Sent {
            source: None,
            stream: "room".to_owned(),
            track: line.to_owned(),
        },
    }
}
