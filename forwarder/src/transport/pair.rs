//! The 5-tuple between a session's peer and us.

use std::{fmt, net::SocketAddr};

/// The transport protocol of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// Datagrams.
    Udp,
    /// ICE-TCP (RFC 6544), framed as RFC 4571 says.
    Tcp,
}

/// A 5-tuple.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pair {
    /// The transport protocol.
    pub protocol: Protocol,
    /// Our address.
    pub local: SocketAddr,
    /// The peer's address as we see it.
    pub remote: SocketAddr,
    /// The number of the TCP connection, which tells a connection from a later one between the same addresses; 0 for UDP.
    pub connection: u32,
}

impl Pair {
    /// A pair of UDP addresses.
    #[must_use]
    pub const fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self {
            protocol: Protocol::Udp,
            local,
            remote,
            connection: 0,
        }
    }

    /// An accepted TCP connection.
    #[must_use]
    pub const fn tcp(local: SocketAddr, remote: SocketAddr, connection: u32) -> Self {
        Self {
            protocol: Protocol::Tcp,
            local,
            remote,
            connection,
        }
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            protocol,
            local,
            remote,
            connection,
        } = self;
        match protocol {
            Protocol::Udp => write!(f, "udp {local} {remote}"),
            Protocol::Tcp => write!(f, "tcp {local} {remote} #{connection}"),
        }
    }
}
