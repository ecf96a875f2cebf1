//! How an endpoint is reached, as the shell has found out from links, routes and neighbours.

use std::net::IpAddr;

use forwarder_common::tables::DEVICE_SOCKET;

/// What part of the kernel's tables a placement was read from: tells which endpoints a change concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NeighbourKey {
    /// Interface index.
    pub interface: u32,
    /// The receiver on the link: the gateway, or the remote address itself.
    pub address: IpAddr,
}

/// How packets leave for an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Egress device below [`forwarder_common::tables::MAX_DEVICES`], or [`DEVICE_SOCKET`].
    pub device: u32,
    /// MAC of the interface that owns the local address: frames to it must carry it.
    pub local_mac: [u8; 6],
    /// MAC that frames leave with.
    pub source_mac: [u8; 6],
    /// MAC of the next hop; `None` while it is not resolved: nothing is sent.
    pub destination_mac: Option<[u8; 6]>,
    /// VLAN id, 1-4094.
    pub vlan: Option<u16>,
    /// Largest IP packet, in bytes.
    pub mtu: u16,
    /// Why it is not on a faster path, or why it is not resolved.
    pub why: Option<String>,
    /// Where this was read from.
    pub neighbour: Option<NeighbourKey>,
    /// Index of the interface that packets leave by.
    pub interface: u32,
}

impl Placement {
    /// Whether the socket worker serves it.
    #[must_use]
    pub const fn on_socket(&self) -> bool {
        self.device == DEVICE_SOCKET
    }

    /// Whether something can be sent: the socket path leaves resolving to the kernel.
    #[must_use]
    pub const fn resolved(&self) -> bool {
        self.on_socket() || self.destination_mac.is_some()
    }
}
