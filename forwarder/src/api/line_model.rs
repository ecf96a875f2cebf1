//! What callers are told about the m-lines of sessions.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;
use utoipa::ToSchema;

use super::{model::Carried, session_model::Session};
use crate::{
    core::refusal::Refusal,
    media::Kind,
    node::Node,
    sessions::{
        codec::CodecSpec,
        ids::{PublicationId, SessionId, SubscriptionId},
        specs::FeedbackSpec,
        views::{PublicationView, SubscriptionView},
    },
};
use forwarder_common::tables::Traffic;

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

/// Counters as they are told.
pub fn carried(packets: &AtomicU64, bytes: &AtomicU64, last_seen: &AtomicU64) -> Carried {
    Carried::from(Traffic {
        packets: packets.load(Relaxed),
        bytes: bytes.load(Relaxed),
        last_seen: last_seen.load(Relaxed),
    })
}

impl SessionPublication {
    /// Describes it.
    pub fn new(view: &PublicationView<'_>) -> Self {
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
    pub fn new(
        view: &SubscriptionView<'_>,
        (path, why): (Option<&'static str>, Option<String>),
        suite: Option<&'static str>,
    ) -> Self {
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
            path,
            why,
            suite,
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
