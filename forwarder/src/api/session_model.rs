//! What callers are told about sessions.

use std::{net::SocketAddr, sync::atomic::Ordering::Relaxed};

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    line_model::{SessionPublication, SessionSubscription, carried},
    model::Carried,
    whole::Listed,
};
use crate::{
    core::refusal::Refusal,
    node::{Node, clock::boottime},
    rooms::views::{Description, Joined, PendingOffer},
    sessions::{
        candidate,
        ids::SessionId,
        views::{SessionView, SubscriptionView},
    },
    transport::{Credentials, Protocol, Role, Version},
};

/// What a peer has to be told to reach its session. The only answer that holds secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedSession {
    id: String,
    /// Good as `Authorization: Bearer` for this session alone.
    key: String,
    /// Of a session by parameters, as is the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    ice: Option<Ice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dtls: Option<Dtls>,
    /// The SDP answer to the peer's offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    /// The SDP offer of the forwarder.
    #[serde(skip_serializing_if = "Option::is_none")]
    offer: Option<String>,
    /// The number that the answer to the offer must name.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
}

/// Our ICE parameters.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ice {
    ufrag: String,
    pwd: String,
    lite: bool,
    candidates: Vec<Candidate>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Candidate {
    foundation: String,
    component: u8,
    protocol: &'static str,
    priority: u32,
    address: String,
    port: u16,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp_type: Option<&'static str>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Dtls {
    role: &'static str,
    fingerprints: Vec<Fingerprint>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Fingerprint {
    algorithm: String,
    value: String,
}

/// A session.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Session {
    id: String,
    room: Option<String>,
    /// What others see of it.
    name: Option<String>,
    metadata: Option<Value>,
    /// `null` for a session by parameters.
    negotiation: Option<Negotiation>,
    /// `offered` until the forwarder's first offer is answered, then `new`, `checked`, `connected`.
    state: &'static str,
    /// `null` while it is offered, as are the next two.
    worker: Option<u32>,
    ufrag: Option<String>,
    role: Option<&'static str>,
    age_ms: u64,
    /// `null` until DTLS is through, as is the next.
    suite: Option<&'static str>,
    dtls: Option<&'static str>,
    /// Where the peer is; `null` until ICE has selected a pair.
    pair: Option<Pair>,
    path: Option<&'static str>,
    why: Option<String>,
    /// Milliseconds until consent ends, unless the peer renews it.
    consent_ms: Option<u64>,
    /// What came from the peer, authentic and once.
    #[serde(flatten)]
    received: Carried,
    replayed: u64,
    unauthentic: u64,
    unknown: u64,
    checks: u64,
    refused_checks: u64,
    rtcp_received: u64,
    rtcp_refused: u64,
    rtcp_sent: u64,
    publications: Vec<SessionPublication>,
    /// What it is sent.
    pub subscriptions: Vec<SessionSubscription>,
}

/// How far a session's negotiation is.
#[derive(Debug, Serialize, ToSchema)]
struct Negotiation {
    /// `stable` or `have-local-offer`.
    state: &'static str,
    /// The number of the offer of the forwarder that is outstanding, or was the last.
    version: u64,
    /// Whether it is sent offers.
    takes_offers: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct Pair {
    protocol: &'static str,
    #[schema(value_type = String, example = "192.0.2.1:5000")]
    local: SocketAddr,
    #[schema(value_type = String, example = "192.0.2.1:5000")]
    remote: SocketAddr,
}

const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Udp => "udp",
        Protocol::Tcp => "tcp",
    }
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Active => "active",
        Role::Passive => "passive",
    }
}

impl Ice {
    /// Credentials of a session, and where it is reached.
    pub fn new(node: &Node, local: &Credentials) -> Self {
        let candidates = &node.sessions().settings().candidates;
        Self {
            ufrag: local.ufrag().to_owned(),
            pwd: local.pwd().to_owned(),
            lite: true,
            candidates: candidates.iter().map(Candidate::new).collect(),
        }
    }
}

impl Candidate {
    fn new(candidate: &candidate::Candidate) -> Self {
        Self {
            foundation: candidate.foundation.clone(),
            component: 1,
            protocol: protocol(candidate.protocol),
            priority: candidate.priority,
            address: candidate.address.ip().to_string(),
            port: candidate.address.port(),
            r#type: "host",
            tcp_type: (candidate.protocol == Protocol::Tcp).then_some("passive"),
        }
    }
}

impl CreatedSession {
    /// Describes a session to its peer.
    pub fn new(node: &Node, joined: Joined, key: String) -> Result<Self, Refusal> {
        let mut created = Self {
            id: joined.id.to_string(),
            key,
            ice: None,
            dtls: None,
            answer: None,
            offer: None,
            version: None,
        };
        match joined.description {
            Description::Answer(sdp) => created.answer = Some(sdp),
            Description::Offer(PendingOffer { version, sdp }) => {
                created.offer = Some(sdp);
                created.version = Some(version);
            }
            Description::None => {
                let session = node.sessions().session(joined.id)?;
                let fingerprint = node.sessions().certificate().fingerprint();
                created.ice = Some(Ice::new(node, session.ice));
                created.dtls = Some(Dtls {
                    role: role(session.role),
                    fingerprints: vec![Fingerprint {
                        algorithm: fingerprint.function().name().to_owned(),
                        value: fingerprint.to_string(),
                    }],
                });
            }
        }
        Ok(created)
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Session {
    fn new(node: &Node, view: &SessionView<'_>) -> Self {
        let now = boottime();
        let milliseconds = |from: u64, to: u64| to.saturating_sub(from) / 1_000_000;
        let way = view.pair.map(|pair| node.pair_path(view.number, pair));
        let (path, why) = way.map_or((None, None), |(path, why)| (Some(path), why));
        let suite = view.keys.map(|(suite, _)| suite.label());
        let counters = view.counters;
        let control = view.control;
        let subscription = |held: &SubscriptionView<'_>| {
            SessionSubscription::new(held, (path, why.clone()), suite)
        };
        Self {
            id: view.id.to_string(),
            state: view.state.label(),
            worker: Some(view.worker),
            ufrag: Some(view.ice.ufrag().to_owned()),
            role: Some(role(view.role)),
            age_ms: milliseconds(view.created, now),
            suite,
            dtls: view.keys.map(|(_, version): (_, Version)| version.label()),
            pair: view.pair.map(|pair| Pair {
                protocol: protocol(pair.protocol),
                local: pair.local,
                remote: pair.remote,
            }),
            consent_ms: view.consent_until.map(|until| milliseconds(now, until)),
            received: carried(&counters.packets, &counters.bytes, &counters.last_arrival),
            replayed: counters.replayed.load(Relaxed),
            unauthentic: counters.unauthentic.load(Relaxed),
            unknown: counters.unknown.load(Relaxed),
            checks: control.checks,
            refused_checks: control.refused_checks,
            rtcp_received: control.rtcp_received,
            rtcp_refused: control.rtcp_refused,
            rtcp_sent: control.rtcp_sent,
            publications: view
                .publications
                .iter()
                .map(SessionPublication::new)
                .collect(),
            subscriptions: view.subscriptions.iter().map(subscription).collect(),
            path,
            why,
            ..Self::default()
        }
    }

    /// Describes the session with this id.
    pub fn find(node: &Node, id: SessionId) -> Result<Self, Refusal> {
        let member = node.member(id)?;
        let own = match member.begun {
            true => Self::new(node, &node.sessions().session(id)?),
            false => Self {
                id: id.to_string(),
                state: "offered",
                ..Self::default()
            },
        };
        Ok(Self {
            room: member.room.map(|room| room.to_string()),
            name: member.name,
            metadata: member.metadata,
            negotiation: member.negotiation.map(|held| Negotiation {
                state: held.state,
                version: held.version,
                takes_offers: held.takes_offers,
            }),
            ..own
        })
    }
}

impl Listed for Session {
    type Id = SessionId;

    fn ids(node: &Node) -> Vec<Self::Id> {
        node.members().collect()
    }

    fn find(node: &Node, id: &Self::Id) -> Result<Self, Refusal> {
        Self::find(node, *id)
    }
}
