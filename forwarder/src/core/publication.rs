//! Publications: streams that an endpoint sends to the node.

use std::collections::BTreeMap;

use super::{
    ids::{EndpointId, SubscriptionId},
    refusal::Refusal,
};

/// SSRCs that one publication can have: an RTX and a FEC stream for each of several layers.
pub const MAX_SSRCS: usize = 16;

/// A publication as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicationSpec {
    endpoint: EndpointId,
    ssrcs: Vec<u32>,
    payload_type: u8,
    clock_rate: u32,
}

impl PublicationSpec {
    /// Checks what is asked for.
    ///
    /// # Errors
    /// A [`Refusal`] that names the field.
    pub fn new(
        endpoint: EndpointId,
        ssrcs: Vec<u32>,
        payload_type: u8,
        clock_rate: u32,
    ) -> Result<Self, Refusal> {
        if ssrcs.is_empty() || ssrcs.len() > MAX_SSRCS {
            return Err(Refusal::invalid(
                "ssrcs",
                format!("{} of them", ssrcs.len()),
                format!("1 to {MAX_SSRCS} SSRCs"),
            ));
        }
        distinct(&ssrcs)?;
        check_payload_type(payload_type)?;
        if clock_rate == 0 {
            return Err(Refusal::invalid(
                "clock_rate",
                0,
                "ticks per second of the RTP timestamp, from 1 to 4294967295",
            ));
        }
        Ok(Self {
            endpoint,
            ssrcs,
            payload_type,
            clock_rate,
        })
    }

    /// Who publishes.
    #[must_use]
    pub const fn endpoint(&self) -> EndpointId {
        self.endpoint
    }

    /// The streams.
    #[must_use]
    pub fn ssrcs(&self) -> &[u32] {
        &self.ssrcs
    }

    /// The payload type that subscriptions may map.
    #[must_use]
    pub const fn payload_type(&self) -> u8 {
        self.payload_type
    }

    /// Ticks per second of the RTP timestamp.
    #[must_use]
    pub const fn clock_rate(&self) -> u32 {
        self.clock_rate
    }
}

/// Refuses an SSRC that stands twice.
pub(super) fn distinct(ssrcs: &[u32]) -> Result<(), Refusal> {
    for (at, ssrc) in ssrcs.iter().enumerate() {
        if ssrcs.iter().take(at).any(|other| other == ssrc) {
            return Err(Refusal::invalid("ssrcs", ssrc, "each SSRC once"));
        }
    }
    Ok(())
}

/// Refuses payload types that no RTP packet of ours can carry: 64 to 95 collide with RTCP (RFC 5761 §4).
pub(super) fn check_payload_type(payload_type: u8) -> Result<(), Refusal> {
    match payload_type {
        0..=63 | 96..=127 => Ok(()),
        _ => Err(Refusal::invalid(
            "payload_type",
            payload_type,
            "0 to 63 or 96 to 127; the others collide with RTCP (RFC 5761)",
        )),
    }
}

/// One SSRC of a publication, and its route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The SSRC.
    pub ssrc: u32,
    /// Number of its route.
    pub route: u32,
}

/// A publication of the node.
#[derive(Clone, Debug)]
pub struct PublicationState {
    /// As asked for.
    pub spec: PublicationSpec,
    /// Its streams, in the order of the SSRCs.
    pub streams: Vec<Stream>,
    /// Who is subscribed.
    pub(super) subscribers: BTreeMap<EndpointId, SubscriptionId>,
}
