//! The bodies of the control API as a client sees them. Written from its description, not from the product's types. Fields that
//! a node leaves out are empty, and those it adds are kept in `more`, so that a suite fails on what it asserts and not on the rest.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How RTP of an endpoint is treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// RTP in the clear: its header is rewritten per subscription.
    #[default]
    Clear,
    /// SRTP whose keys the receivers share: not a byte of it changes.
    Opaque,
}

/// Body of `POST /v0/endpoints`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct NewEndpoint {
    /// Address of the forwarder.
    pub local: SocketAddr,
    /// Address of the other side.
    pub remote: SocketAddr,
    /// Clear or opaque.
    pub mode: Mode,
    /// VLAN of what is sent there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// DSCP of what is sent there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dscp: Option<u8>,
}

impl NewEndpoint {
    /// An endpoint without VLAN and with the node's DSCP.
    #[must_use]
    pub fn new(local: SocketAddr, remote: SocketAddr, mode: Mode) -> Self {
        Self {
            local,
            remote,
            mode,
            vlan: None,
            dscp: None,
        }
    }

    /// The same with a VLAN.
    #[must_use]
    pub fn vlan(mut self, id: u16) -> Self {
        self.vlan = Some(id);
        self
    }

    /// The same with a DSCP.
    #[must_use]
    pub fn dscp(mut self, dscp: u8) -> Self {
        self.dscp = Some(dscp);
        self
    }
}

/// An endpoint as the node shows it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Endpoint {
    /// `e1`, `e2`, ...
    pub id: String,
    /// Address of the forwarder.
    pub local: SocketAddr,
    /// Address of the other side.
    pub remote: SocketAddr,
    /// Clear or opaque.
    pub mode: Mode,
    /// VLAN, where one was given.
    #[serde(default)]
    pub vlan: Option<u16>,
    /// DSCP, where one was given.
    #[serde(default)]
    pub dscp: Option<u8>,
    /// Whatever else there is.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

/// Body of `POST /v0/publications`.
#[derive(Clone, Debug, Serialize)]
pub struct NewPublication {
    /// The endpoint that it comes from.
    pub endpoint: String,
    /// Its SSRCs.
    pub ssrcs: Vec<u32>,
    /// RTP payload type.
    pub payload_type: u8,
    /// RTP clock, Hz.
    pub clock_rate: u32,
}

/// A publication as the node shows it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Publication {
    /// `p1`, `p2`, ...
    pub id: String,
    /// The endpoint that it comes from.
    pub endpoint: String,
    /// Its SSRCs.
    pub ssrcs: Vec<u32>,
    /// Packets that came in (in the whole state only).
    #[serde(default)]
    pub packets: u64,
    /// Bytes that came in (in the whole state only).
    #[serde(default)]
    pub bytes: u64,
    /// Whatever else there is.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

/// Body of `POST /v0/subscriptions`. All but the first two may stay empty.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewSubscription {
    /// What is subscribed to.
    pub publication: String,
    /// Who gets it.
    pub endpoint: String,
    /// SSRCs that the subscriber sees, as many as the publication has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssrcs: Option<Vec<u32>>,
    /// Payload type that the subscriber sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_type: Option<u8>,
    /// Added to sequence numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence_offset: Option<u16>,
    /// Added to timestamps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_offset: Option<u32>,
    /// Whether it starts paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// A subscription as the node shows it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Subscription {
    /// `s1`, `s2`, ...
    pub id: String,
    /// What is subscribed to.
    pub publication: String,
    /// Who gets it.
    pub endpoint: String,
    /// Whether it is paused.
    #[serde(default)]
    pub paused: bool,
    /// One leg per SSRC.
    #[serde(default)]
    pub legs: Vec<Leg>,
    /// Whatever else there is.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

/// What one SSRC of a subscription goes through.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Leg {
    /// SSRC of the leg.
    pub ssrc: u32,
    /// `kernel` or `socket`.
    #[serde(default)]
    pub path: String,
    /// Why it is not a faster one.
    #[serde(default)]
    pub why: Option<String>,
    /// Whether the next hop's MAC is known.
    #[serde(default)]
    pub resolved: bool,
    /// Packets sent.
    #[serde(default)]
    pub packets: u64,
    /// Bytes sent.
    #[serde(default)]
    pub bytes: u64,
    /// Whatever else there is.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

/// Answer of `GET /v0/node`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct NodeInfo {
    /// Version of the forwarder.
    #[serde(default)]
    pub version: String,
    /// Process id.
    #[serde(default)]
    pub pid: u32,
    /// `kernel` or `socket`.
    #[serde(default)]
    pub path: String,
    /// Why it is not a faster one.
    #[serde(default)]
    pub why: Option<String>,
    /// Whatever else there is.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

/// Answer of `GET /v0/state`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct State {
    /// The node.
    #[serde(default)]
    pub node: Value,
    /// Devices with their counters.
    #[serde(default)]
    pub devices: Vec<Value>,
    /// All endpoints.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    /// All publications, with counters.
    #[serde(default)]
    pub publications: Vec<Publication>,
    /// All subscriptions, with counters.
    #[serde(default)]
    pub subscriptions: Vec<Subscription>,
    /// Packets per reason.
    #[serde(default)]
    pub reasons: BTreeMap<String, u64>,
    /// Whatever else there is.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

impl State {
    /// Packets counted under a reason.
    #[must_use]
    pub fn reason(&self, name: &str) -> u64 {
        self.reasons.get(name).copied().unwrap_or(0)
    }
}

/// A problem document, RFC 9457, with the members that the API adds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Problem {
    /// HTTP status.
    #[serde(default)]
    pub status: u16,
    /// What kind of problem.
    #[serde(default)]
    pub title: String,
    /// What happened, in a sentence.
    #[serde(default)]
    pub detail: String,
    /// The field that it is about.
    #[serde(default)]
    pub field: Option<String>,
    /// The value that was given.
    #[serde(default)]
    pub value: Option<Value>,
    /// What is allowed there.
    #[serde(default)]
    pub allowed: Option<Value>,
}
