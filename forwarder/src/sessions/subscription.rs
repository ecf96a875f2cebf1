//! One m-line that we send to a session: a publication's stream on its way to one peer.

use std::sync::Arc;

use super::{
    codec::PayloadTypes,
    extensions::Used,
    ids::{PublicationId, SubscriptionId},
    reports::Sending,
    specs::Mid,
};
use crate::{media::Kind, worker::counters::LegCounters};

/// A subscription of a session.
pub struct Subscription {
    pub id: SubscriptionId,
    pub publication: PublicationId,
    /// Number of the publisher's session.
    pub publisher: u32,
    /// Number of the track that is sent on.
    pub track: u32,
    /// Its own number in the workers' tables.
    pub leg: u32,
    pub kind: Kind,
    pub mid: Option<Mid>,
    /// SSRC towards the subscriber.
    pub ssrc: u32,
    /// Canonical name of the publisher.
    pub cname: Arc<str>,
    pub payload_types: PayloadTypes,
    pub extensions: Used,
    pub paused: bool,
    pub counters: Arc<LegCounters>,
    pub sending: Sending,
}
