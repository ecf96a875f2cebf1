//! What a clear leg changes in the fixed RTP header (RFC 3550 §7.1: a translator may map SSRC, payload type, sequence
//! and timestamp, as long as it does so for every packet).

use crate::wire::rtp::Header;

/// The mapping of one stream to one subscriber. All arithmetic wraps, as RTP's does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// SSRC towards the subscriber.
    pub ssrc: u32,
    /// Added to the timestamp, modulo 2^32, in units of the clock rate.
    pub timestamp_offset: u32,
    /// Added to the sequence number, modulo 2^16.
    pub sequence_offset: u16,
    /// The payload type that is mapped; others of the same SSRC are left as they are.
    pub payload_type_from: u8,
    /// What it is mapped to.
    pub payload_type_to: u8,
}

impl Rewrite {
    /// The header as the subscriber gets it; the marker bit and everything not named above stay.
    #[inline(always)]
    #[must_use]
    pub const fn apply(&self, header: Header) -> Header {
        let payload_type = if header.payload_type() == self.payload_type_from {
            self.payload_type_to
        } else {
            header.payload_type()
        };
        header.with(
            payload_type,
            header.sequence().wrapping_add(self.sequence_offset),
            header.timestamp().wrapping_add(self.timestamp_offset),
            self.ssrc,
        )
    }
}
