//! Our candidates: the addresses that a peer is told (RFC 8445 §5.1, RFC 6544 §4). They are the same for all sessions.

use std::net::SocketAddr;

use crate::transport::Protocol;

/// A host candidate of component 1, which carries RTP and RTCP (RFC 8834 §4.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Equal for candidates of one base address and protocol.
    pub foundation: String,
    /// UDP, or TCP where the peer opens the connection.
    pub protocol: Protocol,
    /// The higher, the sooner a peer should try it.
    pub priority: u32,
    /// Where the peer finds us.
    pub address: SocketAddr,
}

/// Type preferences: host candidates over UDP get the highest (RFC 8445 §5.1.2.2); those over TCP come after everything
/// else over UDP (RFC 6544 §4.2).
const UDP: u32 = 126;
const TCP: u32 = 90;
/// Direction preference of passive host candidates over TCP (RFC 6544 §4.2).
const PASSIVE: u32 = 4;

impl Candidate {
    /// The candidate of an address, which is the `rank`-th of ours, beginning with 0 for the one to be preferred.
    #[must_use]
    pub fn host(protocol: Protocol, address: SocketAddr, rank: u16) -> Self {
        let (kind, local, letter) = match protocol {
            Protocol::Udp => (UDP, u32::from(u16::MAX - rank), 'u'),
            Protocol::Tcp => {
                // 13 bits are left beside the direction.
                let other = 0x1fff_u32.saturating_sub(u32::from(rank));
                (TCP, PASSIVE << 13 | other, 't')
            }
        };
        Self {
            foundation: format!("{letter}{rank}"),
            protocol,
            priority: kind << 24 | local << 8 | 255,
            address,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_follow_protocol_and_rank() {
        let address = "192.0.2.1:7700".parse().unwrap();
        let priority = |protocol, rank| Candidate::host(protocol, address, rank).priority;
        // RFC 8445 §5.1.2.1: 2^24 * type + 2^8 * local + 256 - component.
        assert_eq!(priority(Protocol::Udp, 0), 126 << 24 | 65_535 << 8 | 255);
        assert!(priority(Protocol::Udp, 0) > priority(Protocol::Udp, 1));
        assert!(priority(Protocol::Udp, u16::MAX) > priority(Protocol::Tcp, 0));
        assert!(priority(Protocol::Tcp, 0) > priority(Protocol::Tcp, 1));
        assert_ne!(
            Candidate::host(Protocol::Udp, address, 0).foundation,
            Candidate::host(Protocol::Tcp, address, 0).foundation
        );
    }
}
