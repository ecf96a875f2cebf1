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
        let Header([first, second, ..]) = header;
        let second = if header.payload_type() == self.payload_type_from {
            (second & 0x80) | (self.payload_type_to & 0x7f)
        } else {
            second
        };
        let [s0, s1] = header
            .sequence()
            .wrapping_add(self.sequence_offset)
            .to_be_bytes();
        let [t0, t1, t2, t3] = header
            .timestamp()
            .wrapping_add(self.timestamp_offset)
            .to_be_bytes();
        let [c0, c1, c2, c3] = self.ssrc.to_be_bytes();
        Header([first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3])
    }
}
