//! What callers ask for about endpoints and what is forwarded between them.

use serde::Deserialize;
use utoipa::ToSchema;

use super::error::{INVALID, Problem};
use crate::core::{
    endpoint::{EndpointSpec, Mode},
    publication::PublicationSpec,
    subscription::SubscriptionSpec,
};

const ADDRESS: &str =
    "an IP address of one host and a port, such as \"192.0.2.1:5000\" or \"[2001:db8::1]:5000\"";

/// An address of this host and one of a peer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EndpointRequest)]
pub struct Endpoint {
    /// an IP address of one host and a port, such as "192.0.2.1:5000" or `[2001:db8::1]:5000`
    #[schema(example = "192.0.2.1:5000")]
    local: String,
    /// an IP address of one host and a port, such as "192.0.2.1:5000" or `[2001:db8::1]:5000`
    #[schema(example = "198.51.100.7:6000")]
    remote: String,
    mode: RequestedMode,
    /// a VLAN id from 1 to 4094
    #[schema(minimum = 1, maximum = 4094)]
    vlan: Option<u16>,
    /// a number from 0 to 63
    #[schema(minimum = 0, maximum = 63)]
    dscp: Option<u8>,
}

/// "clear" or "opaque"
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RequestedMode {
    Clear,
    Opaque,
}

/// A stream that a peer sends to an endpoint.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PublicationRequest)]
pub struct Publication {
    /// the id of an endpoint, such as "e1"
    #[schema(example = "e1")]
    endpoint: String,
    /// a list of SSRCs, numbers from 0 to 4294967295
    #[schema(maximum = 4_294_967_295_u64)]
    ssrcs: Vec<u32>,
    /// a number from 0 to 63 or 96 to 127
    #[schema(maximum = 127)]
    payload_type: u8,
    /// ticks per second of the RTP timestamp, from 1 to 4294967295
    #[schema(minimum = 1, maximum = 4_294_967_295_u64)]
    clock_rate: u32,
}

/// A stream that is sent on to an endpoint.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SubscriptionRequest)]
pub struct Subscription {
    /// the id of a publication, such as "p1"
    #[schema(example = "p1")]
    publication: String,
    /// the id of an endpoint, such as "e2"
    #[schema(example = "e2")]
    endpoint: String,
    /// a list of SSRCs, numbers from 0 to 4294967295
    ssrcs: Option<Vec<u32>>,
    /// a number from 0 to 63 or 96 to 127
    #[schema(maximum = 127)]
    payload_type: Option<u8>,
    /// a number from 0 to 65535
    #[schema(maximum = 65535)]
    sequence_offset: Option<u16>,
    /// a number from 0 to 4294967295
    #[schema(maximum = 4_294_967_295_u64)]
    timestamp_offset: Option<u32>,
    /// true or false
    paused: Option<bool>,
}

fn parsed<T: std::str::FromStr>(field: &str, text: &str, allowed: &str) -> Result<T, Problem> {
    text.parse()
        .map_err(|_| Problem::new(&INVALID, field, text, allowed))
}

impl Endpoint {
    /// In the terms of the core.
    pub fn spec(self) -> Result<EndpointSpec, Problem> {
        let mode = match self.mode {
            RequestedMode::Clear => Mode::Clear,
            RequestedMode::Opaque => Mode::Opaque,
        };
        let local = parsed("local", &self.local, ADDRESS)?;
        let remote = parsed("remote", &self.remote, ADDRESS)?;
        Ok(EndpointSpec::new(
            local, remote, mode, self.vlan, self.dscp,
        )?)
    }
}

impl Publication {
    /// In the terms of the core.
    pub fn spec(self) -> Result<PublicationSpec, Problem> {
        let endpoint = parsed(
            "endpoint",
            &self.endpoint,
            "the id of an endpoint, such as \"e1\"",
        )?;
        let (payload_type, clock_rate) = (self.payload_type, self.clock_rate);
        Ok(PublicationSpec::new(
            endpoint,
            self.ssrcs,
            payload_type,
            clock_rate,
        )?)
    }
}

impl Subscription {
    /// In the terms of the core.
    pub fn spec(self) -> Result<SubscriptionSpec, Problem> {
        let publication = "the id of a publication, such as \"p1\"";
        let endpoint = "the id of an endpoint, such as \"e2\"";
        Ok(SubscriptionSpec {
            publication: parsed("publication", &self.publication, publication)?,
            endpoint: parsed("endpoint", &self.endpoint, endpoint)?,
            ssrcs: self.ssrcs,
            payload_type: self.payload_type,
            sequence_offset: self.sequence_offset,
            timestamp_offset: self.timestamp_offset,
            paused: self.paused.unwrap_or(false),
        })
    }
}
