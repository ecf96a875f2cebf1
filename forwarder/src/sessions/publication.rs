//! One m-line that a session sends to us.

use std::sync::Arc;

use super::{
    codec::CodecSpec,
    extensions::Used,
    ids::{PublicationId, SubscriptionId},
    specs::{EncodingSpec, Mid},
};
use crate::{
    media::{Codec, Kind},
    worker::{
        command::{Track, TrackCodec},
        counters::TrackCounters,
    },
};

/// A publication of a session.
pub struct Publication {
    pub id: PublicationId,
    /// Its number in the workers' tables.
    pub track: u32,
    pub kind: Kind,
    pub mid: Option<Mid>,
    pub codecs: Box<[CodecSpec]>,
    /// The stream that was announced.
    pub announced: Option<EncodingSpec>,
    /// The SSRC that it has: announced, or learnt.
    pub ssrc: Option<u32>,
    pub extensions: Used,
    pub counters: Arc<TrackCounters>,
    /// Who is subscribed: number of the session, and the subscription.
    pub subscribers: Vec<(u32, SubscriptionId)>,
    pub keyframes: Keyframes,
    pub source: Source,
}

impl Publication {
    /// Whether the peer sends with this SSRC for it.
    pub fn has_ssrc(&self, ssrc: u32) -> bool {
        self.ssrc == Some(ssrc)
            || self
                .announced
                .is_some_and(|encoding| encoding.ssrc == ssrc || encoding.rtx_ssrc == Some(ssrc))
    }

    /// What the worker is told.
    pub fn track(&self, session: u32) -> Track {
        Track {
            track: self.track,
            session,
            kind: self.kind,
            mid: self.mid.clone(),
            ssrcs: self.announced.iter().map(|encoding| encoding.ssrc).collect(),
            codecs: self
                .codecs
                .iter()
                .map(|codec| TrackCodec {
                    payload_type: codec.payload_type,
                    codec: Codec::from_name(&codec.name),
                    clock_rate: codec.clock_rate,
                })
                .collect(),
            counters: Arc::clone(&self.counters),
        }
    }
}
