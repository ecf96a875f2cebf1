//! What becomes of a datagram that a media socket received: the rules of XDP's ingress, from the UDP payload on. The
//! kernel has checked the headers in front of it.

use forwarder_common::{
    classify::{Kind, classify},
    ingress::rtp_ssrc,
    reason::Reason,
    tables::{RouteKey, address_words, port_words},
};

use super::{batch::Datagram, destination::mapped, sockets::Bound};
use crate::dataplane::lookup::Routes;

/// An RTP packet of a known stream.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'p> {
    /// Number of its route.
    pub route: u32,
    /// The UDP payload.
    pub payload: &'p [u8],
}

/// Judges a datagram that arrived at `at`.
///
/// # Errors
/// Why it is not forwarded.
pub fn judge<'p>(
    datagram: &Datagram<'p>,
    at: &Bound,
    routes: &Routes<'_>,
) -> Result<Taken<'p>, Reason> {
    let payload = datagram.payload.ok_or(Reason::TooBig)?;
    let ssrc = ssrc(payload)?;
    let (source, source_port) = datagram.source.ok_or(Reason::Malformed)?;
    let key = RouteKey {
        source: address_words(mapped(source)),
        destination: at.address,
        ports: port_words(source_port, at.port),
        ssrc,
    };
    match routes.get(&key) {
        None => Err(Reason::UnknownStream),
        Some(&route) => Ok(Taken { route, payload }),
    }
}

/// The SSRC, as it lies in memory, of a payload that is RTP.
fn ssrc(payload: &[u8]) -> Result<u32, Reason> {
    let [first, second, ..] = *payload else {
        return Err(Reason::NotMedia);
    };
    match classify(first, second)? {
        Kind::Stun => return Err(Reason::Stun),
        Kind::Dtls => return Err(Reason::Dtls),
        Kind::Rtcp => return Err(Reason::Rtcp),
        Kind::Rtp => {}
    }
    rtp_ssrc(payload, 0, payload.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_told_apart_as_in_xdp() {
        let rtp = [0x80, 96, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4];
        assert_eq!(ssrc(&rtp), Ok(u32::from_ne_bytes([1, 2, 3, 4])));
        assert_eq!(ssrc(&rtp[..11]), Err(Reason::Malformed));
        assert_eq!(ssrc(&[]), Err(Reason::NotMedia));
        assert_eq!(ssrc(&[0x80]), Err(Reason::NotMedia));
        assert_eq!(ssrc(&[0, 1]), Err(Reason::Stun));
        assert_eq!(ssrc(&[22, 1]), Err(Reason::Dtls));
        assert_eq!(ssrc(&[0x80, 200]), Err(Reason::Rtcp));
        assert_eq!(ssrc(&[0x80, 70]), Err(Reason::RefusedPayloadType));
        assert_eq!(ssrc(&[64, 1]), Err(Reason::NotMedia));
        // One contributing source is announced, and missing.
        let mut contributing = rtp;
        contributing[0] = 0x81;
        assert_eq!(ssrc(&contributing), Err(Reason::Malformed));
    }
}
