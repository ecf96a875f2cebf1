//! What is known about links, routes and neighbours, freed of netlink's encoding.

use std::net::IpAddr;

/// An Ethernet address.
pub type Mac = [u8; 6];

/// A network interface, as far as sending through it is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Interface index, unique in its network namespace.
    pub index: u32,
    /// Interface name.
    pub name: String,
    /// Its Ethernet address; `None` for links that have none (tun, WireGuard, IP tunnels).
    pub mac: Option<Mac>,
    /// Largest IP packet in bytes.
    pub mtu: u32,
    /// What kind of device it is.
    pub kind: LinkKind,
    /// Set up by the administrator (`ip link set up`).
    pub up: bool,
    /// The layer below works: cable plugged, peer of a veth up.
    pub carrier: bool,
}

/// What kind of device a link is, as far as it decides how a frame leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkKind {
    /// `lo`: packets come back to this host and never pass an XDP program.
    Loopback,
    /// An Ethernet device. Holds the kernel's name of the link type, such as `veth`, `bond` or `bridge`; `None` for hardware.
    Ethernet(Option<String>),
    /// A VLAN device on top of another one.
    Vlan {
        /// VLAN id, 1 to 4094.
        id: u16,
        /// Index of the device that the tagged frames leave by; `None` when it lives in another namespace.
        parent: Option<u32>,
        /// An 802.1ad service tag (0x88a8) instead of an 802.1Q tag (0x8100).
        service: bool,
    },
    /// Anything that carries no Ethernet frames.
    Other(String),
}

/// An address on a link, which a neighbour entry maps to a MAC address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Neighbour {
    /// Index of the interface on which the neighbour is looked up; for a VLAN this is the VLAN device.
    pub device: u32,
    /// The receiver on the link: the gateway, or the remote address itself when it is on-link.
    pub address: IpAddr,
}

/// A usable neighbour entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// The MAC address to send to.
    pub mac: Mac,
    /// Set by hand (`PERMANENT`) or not subject to resolution (`NOARP`): never expires and must not be probed.
    pub fixed: bool,
}

/// The kernel's answer to a route lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Whether the packet leaves this host at all.
    pub target: Target,
    /// Interface index of the outgoing device.
    pub device: u32,
    /// The gateway, which may be of the other address family (RFC 5549, `RTA_VIA`).
    pub gateway: Option<IpAddr>,
    /// MTU by route or path MTU discovery, in bytes of the IP packet; `None` when the device decides.
    pub mtu: Option<u32>,
    /// The route encapsulates (MPLS, SRv6, a tunnel key): a plain frame would be wrong.
    pub encapsulated: bool,
}

/// Where a route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// To another host.
    Unicast,
    /// To an address of this host.
    Local,
    /// To many hosts.
    Many,
    /// Nowhere, silently.
    Blackhole,
    /// Nowhere, with an ICMP "unreachable".
    Unreachable,
    /// Nowhere, with an ICMP "prohibited".
    Prohibited,
}

/// A range of addresses that a route covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// Everything, of both families: a policy rule changed, or there is no telling.
    All,
    /// Addresses that share the first `bits` bits with `address`.
    Of {
        /// Any address of the range.
        address: IpAddr,
        /// Prefix length in bits.
        bits: u8,
    },
}

impl Prefix {
    /// Whether `address` lies in the range.
    #[must_use]
    pub fn covers(&self, address: IpAddr) -> bool {
        fn same(bits: u8, width: u32, difference: u128) -> bool {
            // A shift by the full width is not defined, and a prefix of no bits covers everything.
            bits == 0
                || difference
                    .checked_shr(width.saturating_sub(u32::from(bits)))
                    .unwrap_or(0)
                    == 0
        }
        match self {
            Self::All => true,
            Self::Of {
                address: base,
                bits,
            } => match (base, address) {
                (IpAddr::V4(a), IpAddr::V4(b)) => {
                    same(*bits, 32, u128::from(a.to_bits() ^ b.to_bits()))
                }
                (IpAddr::V6(a), IpAddr::V6(b)) => same(*bits, 128, a.to_bits() ^ b.to_bits()),
                _ => false,
            },
        }
    }
}

/// One thing that a notification or a dump says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A link exists with these properties.
    Link(Link),
    /// A link is gone.
    LinkGone(u32),
    /// A local address was added to or taken from a device.
    Address {
        /// Interface index.
        device: u32,
        /// The address.
        address: IpAddr,
        /// Whether it is there now.
        present: bool,
    },
    /// A neighbour has this MAC address, or none that can be used.
    Neighbour(Neighbour, Option<Resolved>),
    /// Routes to these addresses may lead elsewhere now.
    Routes(Prefix),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(base: &str, bits: u8, address: &str) -> bool {
        Prefix::Of {
            address: base.parse().unwrap(),
            bits,
        }
        .covers(address.parse().unwrap())
    }

    #[test]
    fn prefixes_cover_what_they_should() {
        assert!(covers("10.1.0.0", 16, "10.1.255.255"));
        assert!(!covers("10.1.0.0", 16, "10.2.0.0"));
        assert!(covers("10.1.0.1", 32, "10.1.0.1"));
        assert!(!covers("10.1.0.1", 32, "10.1.0.0"));
        assert!(covers("0.0.0.0", 0, "203.0.113.9"));
        assert!(covers("::", 0, "fd00::1"));
        assert!(covers("fd00::", 8, "fdff::1"));
        assert!(!covers("fd00::1", 128, "fd00::2"));
        assert!(
            !covers("0.0.0.0", 0, "fd00::1"),
            "a default route of one family says nothing about the other"
        );
        assert!(Prefix::All.covers("fd00::1".parse().unwrap()));
    }
}
