//! What a datagram to a media address is, by its first bytes: RFC 7983 and, for RTP and RTCP on one port, RFC 5761.

use crate::reason::Reason;

/// A datagram that belongs on a media address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// First byte 0-3.
    Stun,
    /// First byte 20-63.
    Dtls,
    /// First byte 128-191 and second byte 192-223.
    Rtcp,
    /// First byte 128-191 otherwise.
    Rtp,
}

/// Tells the kinds apart by the first two bytes of the UDP payload.
///
/// # Errors
/// [`Reason::NotMedia`] for everything that has no place here, ZRTP and TURN channels among it;
/// [`Reason::RefusedPayloadType`] for RTP payload types 64-95, which cannot be told from RTCP when the marker is set
/// (RFC 5761 §4).
#[inline(always)]
pub const fn classify(first: u8, second: u8) -> Result<Kind, Reason> {
    match (first, second) {
        (0..=3, _) => Ok(Kind::Stun),
        (20..=63, _) => Ok(Kind::Dtls),
        (128..=191, 192..=223) => Ok(Kind::Rtcp),
        (128..=191, 64..=95) => Err(Reason::RefusedPayloadType),
        (128..=191, _) => Ok(Kind::Rtp),
        _ => Err(Reason::NotMedia),
    }
}
