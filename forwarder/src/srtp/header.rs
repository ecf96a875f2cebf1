//! What SRTP needs of a packet's header: sequence number and SSRC, at their fixed places (RFC 3550 §5.1).

use forwarder_common::wire::rtp;

/// The fixed header of a packet, if it is whole.
#[inline]
pub(super) fn fixed(packet: &[u8]) -> Option<rtp::Header> {
    packet.first_chunk().copied().map(rtp::Header::from_bytes)
}
