//! A subscriber: what it is to open, and what it opens.

use std::{net::UdpSocket, sync::Arc};

use crate::{
    media::{Extension, ExtensionIds, parse},
    srtp::{ReceiveKeys, ReceiveStreams},
    worker::counters::LegCounters,
};

/// A subscriber and what the reference expects it to get.
pub(super) struct Subscriber {
    pub(super) session: u32,
    pub(super) socket: UdpSocket,
    pub(super) keys: ReceiveKeys,
    pub(super) streams: ReceiveStreams<()>,
    pub(super) leg: Option<u32>,
    pub(super) ids: ExtensionIds,
    pub(super) mid: Vec<u8>,
    pub(super) counters: Arc<LegCounters>,
    /// Outgoing less incoming index, once a packet has left.
    pub(super) offset: Option<i64>,
    pub(super) next: u64,
    pub(super) floor: u64,
    pub(super) paused: bool,
    /// Whether it takes nothing before a keyframe.
    pub(super) waits: bool,
    pub(super) expected: Vec<Expected>,
    pub(super) transport_sequence: u16,
    /// Packets of its track that it could not be given.
    pub(super) dropped: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) payload_type: u8,
    pub(super) marker: bool,
    pub(super) payload: Vec<u8>,
    pub(super) audio_level: Vec<u8>,
    pub(super) transport_sequence: u16,
}

impl Subscriber {
    /// What was expected is dropped instead, and takes no number of its transport.
    pub(super) fn nothing_comes(&mut self) {
        let dropped = std::mem::take(&mut self.expected).len();
        self.dropped += dropped as u64;
        self.transport_sequence = self.transport_sequence.wrapping_sub(dropped as u16);
    }

    /// What it makes of a packet that came.
    pub(super) fn open(&mut self, mut packet: Vec<u8>) -> Expected {
        let parsed = parse(&packet, &self.ids).unwrap();
        let opened = self
            .streams
            .open(&self.keys, &mut packet, parsed.header_len, |_| Some(()))
            .expect("every replica is authentic and new");
        let plain = &packet[..opened.len];
        let of = |extension| {
            parsed
                .element(extension, plain)
                .unwrap_or_default()
                .to_vec()
        };
        assert_eq!(of(Extension::Mid), self.mid);
        assert_eq!(of(Extension::AbsSendTime).len(), 3);
        Expected {
            sequence: parsed.sequence,
            timestamp: parsed.timestamp,
            payload_type: parsed.payload_type,
            marker: parsed.marker,
            payload: plain[parsed.header_len..].to_vec(),
            audio_level: of(Extension::AudioLevel),
            transport_sequence: parsed.transport_sequence(plain).unwrap(),
        }
    }
}
