//! What callers are told about sessions.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{model::Carried, whole::Listed};
use crate::{
    core::refusal::Refusal,
    media::Kind,
    node::{Node, clock::boottime},
    rooms::views::{Description, Joined, PendingOffer},
    sessions::{
        candidate,
        codec::CodecSpec,
        ids::{PublicationId, SessionId, SubscriptionId},
        specs::FeedbackSpec,
        views::{PublicationView, SessionView, SubscriptionView},
    },
    transport::{Credentials, Protocol, Role, Version},
};
use forwarder_common::tables::Traffic;

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
    subscriptions: Vec<SessionSubscription>,
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

/// One m-line that a session sends.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionPublication {
    id: String,
    track: u32,
    kind: &'static str,
    /// Whether the server silences it.
    muted: bool,
    mid: Option<String>,
    /// `null` until it is announced or learnt.
    ssrc: Option<u32>,
    codecs: Vec<Codec>,
    feedback: Feedback,
    subscribers: usize,
    keyframe_requests: u64,
    keyframes: u64,
    unexpected: u64,
    #[serde(flatten)]
    carried: Carried,
}

/// What the publisher reads.
#[derive(Debug, Serialize, ToSchema)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a line of its own in SDP"
)]
struct Feedback {
    nack: bool,
    pli: bool,
    fir: bool,
    transport_cc: bool,
    remb: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct Codec {
    payload_type: u8,
    name: String,
    clock_rate: u32,
    channels: Option<u8>,
    parameters: Option<String>,
    rtx_payload_type: Option<u8>,
}

/// One m-line that is sent to a session.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionSubscription {
    id: String,
    publication: String,
    leg: u32,
    mid: Option<String>,
    ssrc: u32,
    cname: String,
    payload_types: Vec<PayloadType>,
    paused: bool,
    path: Option<&'static str>,
    why: Option<String>,
    suite: Option<&'static str>,
    /// Round trip to the subscriber, in microseconds.
    rtt_us: Option<u64>,
    /// Packets that the subscriber has lost, as it last said.
    lost: Option<i64>,
    dropped: u64,
    unmapped: u64,
    #[serde(flatten)]
    carried: Carried,
}

/// A payload type as published and as sent.
#[derive(Debug, Serialize, ToSchema)]
struct PayloadType {
    published: u8,
    sent: u8,
}

/// As it is called in SDP.
pub const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Audio => "audio",
        Kind::Video => "video",
    }
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

fn carried(packets: &AtomicU64, bytes: &AtomicU64, last_seen: &AtomicU64) -> Carried {
    Carried::from(Traffic {
        packets: packets.load(Relaxed),
        bytes: bytes.load(Relaxed),
        last_seen: last_seen.load(Relaxed),
    })
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
        let subscription = |held: &SubscriptionView<'_>| SessionSubscription {
            path,
            why: why.clone(),
            suite,
            ..SessionSubscription::new(held)
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

    fn find(node: &Node, id: Self::Id) -> Result<Self, Refusal> {
        Self::find(node, id)
    }
}

impl SessionPublication {
    fn new(view: &PublicationView<'_>) -> Self {
        let counters = view.counters;
        Self {
            id: view.id.to_string(),
            track: view.track,
            kind: kind(view.kind),
            muted: view.muted,
            mid: view.mid.map(str::to_owned),
            ssrc: view.ssrc,
            codecs: view.codecs.iter().map(Codec::new).collect(),
            feedback: Feedback::new(view.feedback),
            subscribers: view.subscribers,
            keyframe_requests: view.keyframe_requests,
            keyframes: counters.keyframes.load(Relaxed),
            unexpected: counters.unexpected.load(Relaxed),
            carried: carried(&counters.packets, &counters.bytes, &counters.last_arrival),
        }
    }

    /// Describes a publication of a session.
    pub fn find(node: &Node, session: SessionId, id: PublicationId) -> Result<Self, Refusal> {
        let session = node.sessions().session(session)?;
        let mut publications = session.publications.iter();
        let found = publications.find(|publication| publication.id == id);
        found.map(Self::new).ok_or_else(|| {
            Refusal::unknown("publication", id, "the id of a publication of the session")
        })
    }
}

impl Feedback {
    const fn new(spec: FeedbackSpec) -> Self {
        Self {
            nack: spec.nack,
            pli: spec.pli,
            fir: spec.fir,
            transport_cc: spec.transport_cc,
            remb: spec.remb,
        }
    }
}

impl Codec {
    fn new(spec: &CodecSpec) -> Self {
        Self {
            payload_type: spec.payload_type,
            name: spec.name.clone(),
            clock_rate: spec.clock_rate,
            channels: spec.channels,
            parameters: spec.parameters.clone(),
            rtx_payload_type: spec.rtx_payload_type,
        }
    }
}

impl SessionSubscription {
    /// Path and suite are the session's.
    fn new(view: &SubscriptionView<'_>) -> Self {
        let counters = view.counters;
        let types = view.payload_types.iter();
        Self {
            id: view.id.to_string(),
            publication: view.publication.to_string(),
            leg: view.leg,
            mid: view.mid.map(str::to_owned),
            ssrc: view.ssrc,
            cname: view.cname.to_owned(),
            payload_types: types
                .map(|(published, sent)| PayloadType {
                    published: *published,
                    sent: *sent,
                })
                .collect(),
            paused: view.paused,
            path: None,
            why: None,
            suite: None,
            rtt_us: view.rtt.map(|rtt| rtt / 1000),
            lost: view.lost.map(i64::from),
            dropped: counters.dropped.load(Relaxed),
            unmapped: counters.unmapped.load(Relaxed),
            carried: carried(&counters.packets, &counters.bytes, &counters.last_sent),
        }
    }

    /// Describes a subscription of a session.
    pub fn find(node: &Node, session: SessionId, id: SubscriptionId) -> Result<Self, Refusal> {
        let session = Session::find(node, session)?;
        let mut subscriptions = session.subscriptions.into_iter();
        let found = subscriptions.find(|subscription| subscription.id == id.to_string());
        found.ok_or_else(|| {
            Refusal::unknown(
                "subscription",
                id,
                "the id of a subscription of the session",
            )
        })
    }
}
