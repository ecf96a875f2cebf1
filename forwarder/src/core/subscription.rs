//! Subscriptions: a publication sent on to an endpoint, one leg for each of its SSRCs.

use forwarder_common::{
    hop::{Addresses, Leg as HopLeg},
    rewrite::Rewrite,
    tables::{Hop, Traffic},
};
use std::net::IpAddr;

use super::{
    endpoint::{EndpointSpec, EndpointState, Mode, mapped},
    ids::{EndpointId, PublicationId, SubscriptionId},
    placement::Placement,
    publication::{PublicationState, check_payload_type, distinct},
    refusal::Refusal,
    settings::Settings,
};

/// A subscription as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionSpec {
    /// What is sent on.
    pub publication: PublicationId,
    /// To whom.
    pub endpoint: EndpointId,
    /// The SSRCs that the subscriber sees; those of the publication where `None`.
    pub ssrcs: Option<Vec<u32>>,
    /// What the publication's payload type is mapped to.
    pub payload_type: Option<u8>,
    /// Added to sequence numbers.
    pub sequence_offset: Option<u16>,
    /// Added to timestamps.
    pub timestamp_offset: Option<u32>,
    /// Whether nothing is sent for now.
    pub paused: bool,
}

/// One leg: a stream on its way to a subscriber.
#[derive(Clone, Debug)]
pub struct Leg {
    /// SSRC as published.
    pub from: u32,
    /// SSRC towards the subscriber.
    pub to: u32,
    /// Number of the hop.
    pub hop: u32,
    /// Hops that it had before, whose counters are not in `carried` yet.
    pub(super) replaced: Vec<u32>,
    /// What hops that it had before have carried.
    pub(super) carried: Traffic,
}

/// Which leg of which subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegId {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// Place of the leg in it.
    pub leg: usize,
}

/// How the RTP of a subscription is rewritten, beyond its SSRCs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// What the publication's payload type is mapped to.
    pub payload_type: u8,
    /// Added to sequence numbers.
    pub sequence_offset: u16,
    /// Added to timestamps.
    pub timestamp_offset: u32,
}

/// A subscription of the node.
#[derive(Clone, Debug)]
pub struct SubscriptionState {
    /// What is sent on.
    pub publication: PublicationId,
    /// To whom.
    pub endpoint: EndpointId,
    /// How it is rewritten; `None` in mode opaque.
    pub mapping: Option<Mapping>,
    /// Whether nothing is sent for now.
    pub paused: bool,
    /// Its legs, in the order of the publication's SSRCs.
    pub legs: Vec<Leg>,
}

/// What a subscription comes to, once checked against publication and subscriber.
pub(super) struct Plan {
    pub ssrcs: Vec<u32>,
    pub mapping: Option<Mapping>,
}

/// Checks what is asked for against what it refers to.
pub(super) fn plan(
    spec: &SubscriptionSpec,
    publication: &PublicationState,
    publisher: &EndpointState,
    subscriber: &EndpointState,
) -> Result<Plan, Refusal> {
    let mode = publisher.spec.mode();
    if publication.spec.endpoint() == spec.endpoint {
        return Err(Refusal::conflict(
            "endpoint",
            spec.endpoint,
            "another endpoint than the one that publishes, which would get its own SSRCs back",
        ));
    }
    if subscriber.spec.mode() != mode {
        return Err(Refusal::conflict(
            "endpoint",
            spec.endpoint,
            format!("an endpoint of mode {mode}, as that of the publication"),
        ));
    }
    if let Some(id) = publication.subscribers.get(&spec.endpoint) {
        return Err(Refusal::duplicate(
            "endpoint",
            spec.endpoint,
            format!(
                "one subscription per publication and endpoint; {id} is there, delete it first"
            ),
        ));
    }
    let mapping = match mode {
        Mode::Clear => Some(Mapping {
            payload_type: spec.payload_type.unwrap_or(publication.spec.payload_type()),
            sequence_offset: spec.sequence_offset.unwrap_or(0),
            timestamp_offset: spec.timestamp_offset.unwrap_or(0),
        }),
        Mode::Opaque => {
            refuse_rewriting(spec)?;
            None
        }
    };
    if let Some(mapping) = &mapping {
        check_payload_type(mapping.payload_type)?;
    }
    let published = publication.spec.ssrcs();
    let ssrcs = spec.ssrcs.as_deref().unwrap_or(published);
    if ssrcs.len() != published.len() {
        return Err(Refusal::invalid(
            "ssrcs",
            format!("{} of them", ssrcs.len()),
            format!("as many SSRCs as the publication has: {}", published.len()),
        ));
    }
    distinct(ssrcs)?;
    for ssrc in ssrcs {
        if let Some(id) = subscriber.outgoing.get(ssrc) {
            return Err(Refusal::duplicate(
                "ssrcs",
                ssrc,
                format!(
                    "SSRCs that the endpoint does not get yet; {id} sends it this one{}",
                    if mode == Mode::Clear {
                        ", name others in ssrcs"
                    } else {
                        ""
                    }
                ),
            ));
        }
    }
    Ok(Plan {
        ssrcs: ssrcs.to_vec(),
        mapping,
    })
}

/// Mode opaque cannot rewrite RTP: its header is authenticated (RFC 3711 §3.1).
fn refuse_rewriting(spec: &SubscriptionSpec) -> Result<(), Refusal> {
    let asked = [
        (
            "ssrcs",
            spec.ssrcs.as_ref().map(|ssrcs| format!("{ssrcs:?}")),
        ),
        (
            "payload_type",
            spec.payload_type.map(|value| value.to_string()),
        ),
        (
            "sequence_offset",
            spec.sequence_offset.map(|value| value.to_string()),
        ),
        (
            "timestamp_offset",
            spec.timestamp_offset.map(|value| value.to_string()),
        ),
    ];
    for (field, value) in asked {
        if let Some(value) = value {
            return Err(Refusal::conflict(
                field,
                value,
                "nothing in mode opaque, whose RTP header is authenticated; leave it out",
            ));
        }
    }
    Ok(())
}

/// Where the replicas of a leg go.
#[derive(Clone, Copy)]
pub(super) struct Destination<'a> {
    pub spec: &'a EndpointSpec,
    pub placement: &'a Placement,
    pub socket: u32,
}

impl<'a> Destination<'a> {
    pub fn of(endpoint: &'a EndpointState) -> Self {
        Self {
            spec: &endpoint.spec,
            placement: &endpoint.placement,
            socket: endpoint.socket,
        }
    }

    /// The hop of a leg, without a generation. `payload_type` is the publication's.
    pub fn hop(
        self,
        settings: &Settings,
        payload_type: u8,
        mapping: Option<Mapping>,
        ssrc: u32,
    ) -> Hop {
        let placement = self.placement;
        let (local, remote) = (self.spec.local(), self.spec.remote());
        let addresses = match (local.ip(), remote.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Addresses::V4 {
                source: source.octets(),
                destination: destination.octets(),
            },
            (source, destination) => Addresses::V6 {
                source: mapped(source),
                destination: mapped(destination),
            },
        };
        // The socket worker writes no Ethernet header: the kernel resolves, so nothing may wait for a MAC here.
        let destination_mac = if placement.on_socket() {
            Some(placement.destination_mac.unwrap_or_default())
        } else {
            placement.destination_mac
        };
        HopLeg {
            source_mac: placement.source_mac,
            destination_mac,
            vlan: placement.vlan,
            addresses,
            source_port: local.port(),
            destination_port: remote.port(),
            dscp: self.spec.dscp().unwrap_or(settings.dscp),
            ttl: settings.ttl,
            mtu: placement.mtu,
            rewrite: mapping.map(|mapping| Rewrite {
                ssrc,
                timestamp_offset: mapping.timestamp_offset,
                sequence_offset: mapping.sequence_offset,
                payload_type_from: payload_type,
                payload_type_to: mapping.payload_type,
            }),
            lease: 0,
            socket: self.socket,
        }
        .to_hop(0)
    }
}

/// Adds up what several hops of one leg have carried.
pub(super) fn add(total: &mut Traffic, more: Traffic) {
    total.packets = total.packets.saturating_add(more.packets);
    total.bytes = total.bytes.saturating_add(more.bytes);
    total.last_seen = total.last_seen.max(more.last_seen);
}
