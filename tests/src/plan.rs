//! Names and addresses of the lab: which namespace, interface, MAC and IP is whose. All of it follows from the number of the
//! leg, so a failing test prints addresses that can be read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::frame::Mac;
use crate::netns::Netns;

/// The name of every leaf's only interface, inside its own namespace.
pub const LEAF_INTERFACE: &str = "eth0";

/// How many receivers one namespace can stand for.
pub const POOL_SIZE: usize = 4096;

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The unspecified address of the family.
    #[must_use]
    pub fn any(self) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Self::V6 => Ipv6Addr::UNSPECIFIED.into(),
        }
    }
}

/// How the forwarder's kernel knows the leaves' MAC addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Neighbours {
    /// Permanent entries, on both sides.
    #[default]
    Pinned,
    /// Resolved by ARP and neighbour discovery when first needed.
    Dynamic,
}

/// How the forwarder reaches the many addresses behind one receiver namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pool {
    /// Routed through the leaf's own address: one neighbour for all.
    #[default]
    Gateway,
    /// On the link, the first `n` addresses of each family pinned to the leaf's own MAC: `n` neighbours, one MAC.
    OnLink(usize),
    /// On the link, the first `n` addresses of each family pinned to a MAC of their own, [`Leaf::pool_mac`]. Only captures
    /// see such frames: sockets get what is sent to the interface's own MAC.
    Individual(usize),
}

/// A namespace with one interface, and the forwarder's end of that wire.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// `pub0`, `rx1`: also the name of the forwarder's interface towards it.
    pub role: String,
    /// The leaf's namespace; its interface is [`LEAF_INTERFACE`].
    pub netns: Netns,
    /// The leaf's MAC.
    pub mac: Mac,
    /// The MAC of the forwarder's interface on this wire.
    pub fwd_mac: Mac,
    /// Number of the leg, from 0 over publishers, then receivers.
    pub leg: u8,
}

impl Leaf {
    pub(crate) fn new(role: String, netns: Netns, leg: u8) -> Self {
        Self {
            role,
            netns,
            mac: Mac([2, 0, 0, 0, leg, 2]),
            fwd_mac: Mac([2, 0, 0, 0, leg, 1]),
            leg,
        }
    }

    /// The forwarder's interface on this wire, in the forwarder's namespace.
    #[must_use]
    pub fn fwd_interface(&self) -> &str {
        &self.role
    }

    /// The leaf's own address.
    #[must_use]
    pub fn addr(&self, family: Family) -> IpAddr {
        self.wire(family, 2)
    }

    /// The forwarder's address on this wire.
    #[must_use]
    pub fn fwd_addr(&self, family: Family) -> IpAddr {
        self.wire(family, 1)
    }

    /// Address of receiver `n` of those that this namespace stands for, below [`POOL_SIZE`].
    #[must_use]
    pub fn pool_addr(&self, family: Family, n: usize) -> IpAddr {
        // From 1, as host number 0 of a network reads as the network.
        let host = u16::try_from(n + 1).expect("a receiver's number fits its pool");
        let [high, low] = host.to_be_bytes();
        match family {
            Family::V4 => Ipv4Addr::new(10, 64 + self.leg, high, low).into(),
            Family::V6 => Ipv6Addr::new(0xfd00, 0x64, u16::from(self.leg), 0, 0, 0, 0, host).into(),
        }
    }

    /// Which receiver has this address: the inverse of [`Self::pool_addr`].
    #[must_use]
    pub fn pool_index(&self, addr: IpAddr) -> Option<usize> {
        let (family, host) = match addr {
            IpAddr::V4(v4) => (
                Family::V4,
                u16::from_be_bytes([v4.octets()[2], v4.octets()[3]]),
            ),
            IpAddr::V6(v6) => (Family::V6, v6.segments()[7]),
        };
        let n = usize::from(host).checked_sub(1)?;
        (n < POOL_SIZE && self.pool_addr(family, n) == addr).then_some(n)
    }

    /// The MAC of receiver `n` under [`Pool::Individual`].
    #[must_use]
    pub fn pool_mac(&self, n: usize) -> Mac {
        let [high, low] = u16::try_from(n)
            .expect("a receiver's number fits its pool")
            .to_be_bytes();
        Mac([2, 1, 0, self.leg, high, low])
    }

    /// [`Self::addr`] with a port.
    #[must_use]
    pub fn socket(&self, family: Family, port: u16) -> SocketAddr {
        SocketAddr::new(self.addr(family), port)
    }

    /// [`Self::fwd_addr`] with a port.
    #[must_use]
    pub fn fwd_socket(&self, family: Family, port: u16) -> SocketAddr {
        SocketAddr::new(self.fwd_addr(family), port)
    }

    /// [`Self::pool_addr`] with a port.
    #[must_use]
    pub fn pool_socket(&self, family: Family, n: usize, port: u16) -> SocketAddr {
        SocketAddr::new(self.pool_addr(family, n), port)
    }

    fn wire(&self, family: Family, host: u8) -> IpAddr {
        match family {
            Family::V4 => Ipv4Addr::new(10, 200, self.leg, host).into(),
            Family::V6 => Ipv6Addr::new(
                0xfd00,
                0x200,
                u16::from(self.leg),
                0,
                0,
                0,
                0,
                u16::from(host),
            )
            .into(),
        }
    }

    /// Lines of `ip` for the leaf's own namespace.
    pub(crate) fn leaf_lines(&self, neighbours: Neighbours) -> Vec<String> {
        let dev = LEAF_INTERFACE;
        let (own4, own6) = (self.addr(Family::V4), self.addr(Family::V6));
        let (fwd4, fwd6) = (self.fwd_addr(Family::V4), self.fwd_addr(Family::V6));
        let mut lines = vec![
            "link set lo up".to_owned(),
            format!("addr add {own4}/24 dev {dev}"),
            format!("addr add {own6}/64 dev {dev} nodad"),
            format!("link set {dev} up"),
            // AnyIP: every address of the pool is local here, without 1,024 entries.
            format!(
                "route add local {}/16 dev lo",
                Ipv4Addr::new(10, 64 + self.leg, 0, 0)
            ),
            format!("route add local fd00:64:{:x}::/64 dev lo", self.leg),
            format!("route add default via {fwd4}"),
            format!("route add ::/0 via {fwd6}"),
        ];
        if neighbours == Neighbours::Pinned {
            for fwd in [fwd4, fwd6] {
                lines.push(format!(
                    "neigh replace {fwd} lladdr {} dev {dev} nud permanent",
                    self.fwd_mac
                ));
            }
        }
        lines
    }

    /// Lines of `ip` for the forwarder's end of the wire.
    pub(crate) fn fwd_lines(&self, neighbours: Neighbours, pool: Pool) -> Vec<String> {
        let dev = self.fwd_interface();
        let (own4, own6) = (self.addr(Family::V4), self.addr(Family::V6));
        let mut lines = vec![
            format!("addr add {}/24 dev {dev}", self.fwd_addr(Family::V4)),
            format!("addr add {}/64 dev {dev} nodad", self.fwd_addr(Family::V6)),
            format!("link set {dev} up"),
        ];
        if neighbours == Neighbours::Pinned {
            for own in [own4, own6] {
                lines.push(format!(
                    "neigh replace {own} lladdr {} dev {dev} nud permanent",
                    self.mac
                ));
            }
        }
        let (net4, net6) = (
            format!("10.{}.0.0/16", 64 + self.leg),
            format!("fd00:64:{:x}::/64", self.leg),
        );
        let pinned = match pool {
            Pool::Gateway => {
                lines.push(format!("route add {net4} via {own4}"));
                lines.push(format!("route add {net6} via {own6}"));
                return lines;
            }
            Pool::OnLink(n) | Pool::Individual(n) => n,
        };
        lines.push(format!("route add {net4} dev {dev}"));
        lines.push(format!("route add {net6} dev {dev}"));
        for n in 0..pinned {
            let mac = if matches!(pool, Pool::Individual(_)) {
                self.pool_mac(n)
            } else {
                self.mac
            };
            for family in [Family::V4, Family::V6] {
                lines.push(format!(
                    "neigh replace {} lladdr {mac} dev {dev} nud permanent",
                    self.pool_addr(family, n)
                ));
            }
        }
        lines
    }
}
