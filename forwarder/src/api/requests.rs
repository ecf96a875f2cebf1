//! What callers ask for.

use crate::core::{
    endpoint::{EndpointSpec, Mode},
    publication::PublicationSpec,
    subscription::SubscriptionSpec,
};

use super::{
    error::Problem,
    fields::{Fields, number, numbers, text},
};

const ADDRESS: &str =
    "an IP address of one host and a port, such as \"192.0.2.1:5000\" or \"[2001:db8::1]:5000\"";
const SSRCS: &str = "a list of SSRCs, numbers from 0 to 4294967295";
const PAYLOAD_TYPE: &str = "a number from 0 to 63 or 96 to 127";

/// Reads the body of `POST /v0/endpoints`.
pub fn endpoint(body: &[u8]) -> Result<EndpointSpec, Problem> {
    let mut fields = Fields::parse(body)?;
    let local = fields.required("local", ADDRESS, text)?;
    let remote = fields.required("remote", ADDRESS, text)?;
    let mode = fields.required("mode", "\"clear\" or \"opaque\"", |value| {
        match value.as_str()? {
            "clear" => Some(Mode::Clear),
            "opaque" => Some(Mode::Opaque),
            _ => None,
        }
    })?;
    let vlan = fields.optional("vlan", "a VLAN id from 1 to 4094", number)?;
    let dscp = fields.optional("dscp", "a number from 0 to 63", number)?;
    fields.finish()?;
    Ok(EndpointSpec::new(local, remote, mode, vlan, dscp)?)
}

/// Reads the body of `POST /v0/publications`.
pub fn publication(body: &[u8]) -> Result<PublicationSpec, Problem> {
    let mut fields = Fields::parse(body)?;
    let endpoint = fields.required("endpoint", "the id of an endpoint, such as \"e1\"", text)?;
    let ssrcs = fields.required("ssrcs", SSRCS, numbers)?;
    let payload_type = fields.required("payload_type", PAYLOAD_TYPE, number)?;
    let clock_rate = fields.required(
        "clock_rate",
        "ticks per second of the RTP timestamp, from 1 to 4294967295",
        number,
    )?;
    fields.finish()?;
    Ok(PublicationSpec::new(
        endpoint,
        ssrcs,
        payload_type,
        clock_rate,
    )?)
}

/// Reads the body of `POST /v0/subscriptions`.
pub fn subscription(body: &[u8]) -> Result<SubscriptionSpec, Problem> {
    let mut fields = Fields::parse(body)?;
    let spec = SubscriptionSpec {
        publication: fields.required(
            "publication",
            "the id of a publication, such as \"p1\"",
            text,
        )?,
        endpoint: fields.required("endpoint", "the id of an endpoint, such as \"e2\"", text)?,
        ssrcs: fields.optional("ssrcs", SSRCS, numbers)?,
        payload_type: fields.optional("payload_type", PAYLOAD_TYPE, number)?,
        sequence_offset: fields.optional("sequence_offset", "a number from 0 to 65535", number)?,
        timestamp_offset: fields.optional(
            "timestamp_offset",
            "a number from 0 to 4294967295",
            number,
        )?,
        paused: fields
            .optional("paused", "true or false", serde_json::Value::as_bool)?
            .unwrap_or(false),
    };
    fields.finish()?;
    Ok(spec)
}
