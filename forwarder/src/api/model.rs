//! What callers are told.

use std::{collections::BTreeMap, net::SocketAddr};

use axum::response::Response;
use forwarder_common::{reason::Reason, tables::Traffic};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answer::call,
    error::Problem,
    process_model::Process,
    session_model::Session,
    whole::{Listed, Written},
};
use crate::{
    core::{
        endpoint::EndpointState,
        ids::{EndpointId, PublicationId, SubscriptionId},
        publication::PublicationState,
        refusal::Refusal,
        subscription::SubscriptionState,
    },
    node::{Node, NodeHandle, clock::boottime},
};

/// What something has carried.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Carried {
    packets: u64,
    bytes: u64,
    /// Milliseconds since the last packet; `null` if there was none.
    last_seen_ms: Option<u64>,
}

impl From<Traffic> for Carried {
    fn from(traffic: Traffic) -> Self {
        let age = boottime().saturating_sub(traffic.last_seen) / 1_000_000;
        Self {
            packets: traffic.packets,
            bytes: traffic.bytes,
            last_seen_ms: (traffic.last_seen != 0).then_some(age),
        }
    }
}

/// An endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct Endpoint {
    id: String,
    #[schema(value_type = String, example = "192.0.2.1:5000")]
    local: SocketAddr,
    #[schema(value_type = String, example = "192.0.2.1:5000")]
    remote: SocketAddr,
    mode: String,
    /// The tag that frames to it carry, by request or by route.
    vlan: Option<u16>,
    dscp: u8,
    mtu: u16,
    path: &'static str,
    why: Option<String>,
    resolved: bool,
}

/// A publication.
#[derive(Debug, Serialize, ToSchema)]
pub struct Publication {
    id: String,
    endpoint: String,
    ssrcs: Vec<u32>,
    payload_type: u8,
    clock_rate: u32,
    #[serde(flatten)]
    carried: Carried,
    streams: Vec<Stream>,
}

/// One SSRC of a publication.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stream {
    ssrc: u32,
    route: u32,
    #[serde(flatten)]
    carried: Carried,
}

/// A subscription.
#[derive(Debug, Serialize, ToSchema)]
pub struct Subscription {
    id: String,
    publication: String,
    endpoint: String,
    ssrcs: Vec<u32>,
    /// `null` in mode opaque, as are the next two.
    payload_type: Option<u8>,
    sequence_offset: Option<u16>,
    timestamp_offset: Option<u32>,
    paused: bool,
    legs: Vec<Leg>,
}

/// One SSRC of a subscription.
#[derive(Debug, Serialize, ToSchema)]
pub struct Leg {
    ssrc: u32,
    published_ssrc: u32,
    hop: u32,
    path: &'static str,
    why: Option<String>,
    resolved: bool,
    #[serde(flatten)]
    carried: Carried,
}

/// An interface that the node sends by.
#[derive(Debug, Serialize, ToSchema)]
pub struct Device {
    name: String,
    ifindex: u32,
    driver: String,
    device: u32,
    xmit_sent: u64,
    /// Frames that the driver did not take.
    xmit_drops: u64,
    xmit_errors: u64,
    /// Frames that egress dropped itself, each under a reason of its own.
    egress_drops: u64,
}

/// A thread that opens and seals.
#[derive(Debug, Serialize, ToSchema)]
pub struct Worker {
    worker: usize,
    sessions: u32,
}

/// The node.
#[derive(Debug, Serialize, ToSchema)]
pub struct NodeInfo {
    version: &'static str,
    pid: u32,
    path: String,
    why: Option<String>,
    interfaces: Vec<String>,
    uptime_ms: u64,
}

/// Everything. What there are many of is written apart ([`State::write`]).
#[derive(Debug, Serialize, ToSchema)]
pub struct State {
    node: NodeInfo,
    devices: Vec<Device>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = true)]
    endpoints: Vec<Endpoint>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = true)]
    publications: Vec<Publication>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = true)]
    subscriptions: Vec<Subscription>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = true)]
    sessions: Vec<Session>,
    workers: Vec<Worker>,
    process: Process,
    /// Datagrams and news of workers that found no room on their way to control.
    lost_notes: u64,
    /// Datagrams to the media port that belonged to no session.
    stray_datagrams: u64,
    #[schema(value_type = BTreeMap<String, u64>)]
    reasons: BTreeMap<&'static str, u64>,
}

fn path_of(endpoint: &EndpointState) -> &'static str {
    if endpoint.placement.on_socket() {
        "socket"
    } else {
        "kernel"
    }
}

impl Endpoint {
    /// Describes an endpoint.
    pub fn new(node: &Node, id: EndpointId, state: &EndpointState) -> Self {
        let spec = &state.spec;
        Self {
            id: id.to_string(),
            local: spec.local(),
            remote: spec.remote(),
            mode: spec.mode().to_string(),
            vlan: state.placement.vlan,
            dscp: spec.dscp().unwrap_or(node.core().settings().dscp),
            mtu: state.placement.mtu,
            path: path_of(state),
            why: state.placement.why.clone(),
            resolved: state.placement.resolved(),
        }
    }

    /// Describes the endpoint with this id.
    pub fn find(node: &Node, id: EndpointId) -> Result<Self, Refusal> {
        Ok(Self::new(node, id, node.core().endpoint(id)?))
    }
}

impl Listed for Endpoint {
    type Id = EndpointId;

    fn ids(node: &Node) -> Vec<Self::Id> {
        node.core().endpoints().map(|(id, _)| id).collect()
    }

    fn find(node: &Node, id: &Self::Id) -> Result<Self, Refusal> {
        Self::find(node, *id)
    }
}

impl Publication {
    /// Describes a publication.
    pub fn new(node: &Node, id: PublicationId, state: &PublicationState) -> Self {
        let mut total = Traffic::default();
        let mut stream = |stream: &crate::core::publication::Stream| {
            let traffic = node.tables().route_traffic(stream.route);
            total.packets = total.packets.saturating_add(traffic.packets);
            total.bytes = total.bytes.saturating_add(traffic.bytes);
            total.last_seen = total.last_seen.max(traffic.last_seen);
            Stream {
                ssrc: stream.ssrc,
                route: stream.route,
                carried: traffic.into(),
            }
        };
        let streams = state.streams.iter().map(&mut stream).collect();
        Self {
            id: id.to_string(),
            endpoint: state.spec.endpoint().to_string(),
            ssrcs: state.spec.ssrcs().to_vec(),
            payload_type: state.spec.payload_type(),
            clock_rate: state.spec.clock_rate(),
            carried: total.into(),
            streams,
        }
    }

    /// Describes the publication with this id.
    pub fn find(node: &Node, id: PublicationId) -> Result<Self, Refusal> {
        Ok(Self::new(node, id, node.core().publication(id)?))
    }
}

impl Listed for Publication {
    type Id = PublicationId;

    fn ids(node: &Node) -> Vec<Self::Id> {
        node.core().publications().map(|(id, _)| id).collect()
    }

    fn find(node: &Node, id: &Self::Id) -> Result<Self, Refusal> {
        Self::find(node, *id)
    }
}

impl Subscription {
    /// Describes a subscription.
    pub fn new(
        node: &Node,
        id: SubscriptionId,
        state: &SubscriptionState,
    ) -> Result<Self, Refusal> {
        let endpoint = node.core().endpoint(state.endpoint)?;
        let leg = |leg: &crate::core::subscription::Leg| Leg {
            ssrc: leg.to,
            published_ssrc: leg.from,
            hop: leg.hop,
            path: path_of(endpoint),
            why: endpoint.placement.why.clone(),
            resolved: endpoint.placement.resolved(),
            carried: leg.traffic(node.tables()).into(),
        };
        Ok(Self {
            id: id.to_string(),
            publication: state.publication.to_string(),
            endpoint: state.endpoint.to_string(),
            ssrcs: state.legs.iter().map(|leg| leg.to).collect(),
            payload_type: state.mapping.map(|mapping| mapping.payload_type),
            sequence_offset: state.mapping.map(|mapping| mapping.sequence_offset),
            timestamp_offset: state.mapping.map(|mapping| mapping.timestamp_offset),
            paused: state.paused,
            legs: state.legs.iter().map(leg).collect(),
        })
    }

    /// Describes the subscription with this id.
    pub fn find(node: &Node, id: SubscriptionId) -> Result<Self, Refusal> {
        Self::new(node, id, node.core().subscription(id)?)
    }
}

impl Listed for Subscription {
    type Id = SubscriptionId;

    fn ids(node: &Node) -> Vec<Self::Id> {
        node.core().subscriptions().map(|(id, _)| id).collect()
    }

    fn find(node: &Node, id: &Self::Id) -> Result<Self, Refusal> {
        Self::find(node, *id)
    }
}

impl NodeInfo {
    /// Describes the node.
    pub fn new(node: &Node) -> Self {
        let facts = node.facts();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            path: facts.path.to_string(),
            why: facts.why.clone(),
            interfaces: facts
                .interfaces
                .iter()
                .map(|interface| interface.name.clone())
                .collect(),
            uptime_ms: u64::try_from(node.uptime().as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl State {
    /// Describes everything but what there are many of; the process as it was just before.
    fn new(node: &Node, process: Process) -> Self {
        let traffic = node.tables().devices();
        let device = |interface: &crate::node::parts::Interface| {
            let at = usize::try_from(interface.device).unwrap_or(usize::MAX);
            let traffic = traffic.get(at).copied().unwrap_or_default();
            Device {
                name: interface.name.clone(),
                ifindex: interface.index,
                driver: interface.driver.clone(),
                device: interface.device,
                xmit_sent: traffic.sent,
                xmit_drops: traffic.drops.saturating_sub(traffic.egress_drops),
                xmit_errors: traffic.errors,
                egress_drops: traffic.egress_drops,
            }
        };
        let reasons = Reason::ALL.iter().zip(node.reasons());
        Self {
            node: NodeInfo::new(node),
            devices: node.facts().interfaces.iter().map(device).collect(),
            endpoints: Vec::new(),
            publications: Vec::new(),
            subscriptions: Vec::new(),
            sessions: Vec::new(),
            workers: Worker::all(node),
            process,
            lost_notes: node.lost_notes(),
            stray_datagrams: node.sessions().strangers(),
            reasons: reasons
                .map(|(reason, count)| (reason.label(), count))
                .collect(),
        }
    }

    /// Describes everything.
    ///
    /// # Errors
    /// Where the node is being stopped.
    pub async fn write(node: &NodeHandle, process: Process) -> Result<Response, Problem> {
        let state = call(node, |node| Ok(Self::new(node, process))).await?;
        let mut written = Written::object(&state)?;
        written.member::<Endpoint>("endpoints", node).await?;
        written.member::<Publication>("publications", node).await?;
        written
            .member::<Subscription>("subscriptions", node)
            .await?;
        written.member::<Session>("sessions", node).await?;
        Ok(written.end())
    }
}

impl Worker {
    /// Describes all workers.
    pub fn all(node: &Node) -> Vec<Self> {
        let load = node.sessions().load().iter().enumerate();
        load.map(|(worker, sessions)| Self {
            worker,
            sessions: *sessions,
        })
        .collect()
    }
}
