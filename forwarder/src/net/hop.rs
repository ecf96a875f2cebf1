//! The question, the answer, and the pure choice between them: route, link and neighbour facts in, next hop out.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::facts::{Link, LinkKind, Mac, Neighbour, Route, Target};

/// Asks how packets from `local` reach `remote`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Query {
    /// Where packets go.
    pub remote: IpAddr,
    /// Where they come from: an address of this host, or the unspecified address to leave the choice to the kernel.
    pub local: IpAddr,
    /// Interface index that the packets must leave by. Needed for link-local IPv6 when the local address does not settle it.
    pub device: Option<u32>,
}

impl Query {
    /// A query that leaves the device to the routing tables.
    #[must_use]
    pub fn new(local: IpAddr, remote: IpAddr) -> Self {
        Self {
            remote,
            local,
            device: None,
        }
    }

    /// A query for two socket addresses; the scope of a link-local IPv6 address names the device.
    #[must_use]
    pub fn between(local: SocketAddr, remote: SocketAddr) -> Self {
        let scope = |address: SocketAddr| match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => Some(v6.scope_id()),
            _ => None,
        };
        Self {
            remote: remote.ip(),
            local: local.ip(),
            device: scope(remote).or_else(|| scope(local)),
        }
    }
}

/// Where and how a packet to a remote address leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextHop {
    /// Interface index of the real device: the parent, where the route leads over a VLAN device.
    pub device: u32,
    /// Name of that device.
    pub device_name: String,
    /// Source MAC address: that of the device on the route.
    pub source_mac: Mac,
    /// Destination MAC address. `None` while the kernel has not resolved it: do not send.
    pub destination_mac: Option<Mac>,
    /// VLAN id to tag frames with, where the route leads over a VLAN device.
    pub vlan: Option<u16>,
    /// Largest IP packet in bytes, by device or route, whichever is smaller.
    pub mtu: u16,
    /// The gateway, if the remote address is not on-link.
    pub gateway: Option<IpAddr>,
    /// The neighbour entry that `destination_mac` comes from: what to look for in [`Change::Neighbour`](super::Change) and
    /// what to [keep fresh](super::keep_fresh). `None` where no neighbour is involved.
    pub neighbour: Option<Neighbour>,
    /// Why XDP cannot send there and only a socket can; `None` when XDP can.
    pub socket_only: Option<SocketOnly>,
}

impl NextHop {
    /// Whether packets stay on this host, where XDP never sees them.
    #[must_use]
    pub fn loopback(&self) -> bool {
        self.socket_only == Some(SocketOnly::Loopback)
    }
}

/// Why a destination is for the socket path only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SocketOnly {
    /// The remote address belongs to this host.
    Loopback,
    /// The device carries no Ethernet frames.
    NotEthernet,
    /// The route leads over a VLAN inside a VLAN, or an 802.1ad tag; a hop has room for one 802.1Q tag.
    StackedVlan,
    /// The device below the VLAN device is in another network namespace.
    HiddenParent,
    /// The route encapsulates packets.
    Encapsulated,
}

impl fmt::Display for SocketOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "the remote address is on this host, and XDP never sees loopback traffic",
            Self::NotEthernet => "the route leaves by a device without Ethernet frames (a tunnel), which XDP cannot write to",
            Self::StackedVlan => "the route leaves by a VLAN inside a VLAN or with an 802.1ad tag; XDP hops carry one 802.1Q tag",
            Self::HiddenParent => "the device below the VLAN device is in another network namespace",
            Self::Encapsulated => "the route encapsulates packets (MPLS, SRv6 or a tunnel), which XDP hops do not",
        })
    }
}

/// Why no packet can be sent. The texts tell the operator what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreachable {
    /// Local and remote address are of different families.
    FamilyMismatch(Query),
    /// The remote address is the unspecified, a multicast or a broadcast address.
    NotUnicast(IpAddr),
    /// The local address is not one of this host.
    NotLocal(IpAddr),
    /// A link-local IPv6 address needs a device.
    ScopeMissing(IpAddr),
    /// No route.
    NoRoute(Query),
    /// A blackhole route.
    Blackhole(IpAddr),
    /// An unreachable route.
    Unreachable(IpAddr),
    /// A prohibit route.
    Prohibited(IpAddr),
    /// The device on the route is down.
    Down(String),
    /// The device on the route is up but has no carrier.
    NoCarrier(String),
    /// The device on the route is gone; it vanished during the look-up.
    DeviceGone(u32),
    /// The kernel did not answer, or with an error of another kind.
    Kernel(String),
}

impl std::error::Error for Unreachable {}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FamilyMismatch(Query { local, remote, .. }) => {
                write!(
                    f,
                    "local address {local} and remote address {remote} must both be IPv4 or both be IPv6"
                )
            }
            Self::NotUnicast(remote) => {
                write!(
                    f,
                    "remote address {remote} is not the address of one host; give a unicast address"
                )
            }
            Self::NotLocal(local) => {
                write!(
                    f,
                    "local address {local} is not configured on this host; add it (ip address add {local} dev IFACE) or use one that `ip address` shows"
                )
            }
            Self::ScopeMissing(remote) => {
                write!(
                    f,
                    "link-local address {remote} does not say which device it is on; write it as [{remote}%IFACE-INDEX] or give a link-local local address that only one device has"
                )
            }
            Self::NoRoute(Query { local, remote, .. }) => {
                write!(
                    f,
                    "no route to {remote}; add one and check with: ip route get {remote} from {local}"
                )
            }
            Self::Blackhole(remote) => write!(
                f,
                "the route to {remote} is a blackhole; remove it (ip route show type blackhole)"
            ),
            Self::Unreachable(remote) => {
                write!(
                    f,
                    "the route to {remote} is of type unreachable; remove it (ip route show type unreachable)"
                )
            }
            Self::Prohibited(remote) => {
                write!(
                    f,
                    "the route to {remote} is of type prohibit; remove it (ip route show type prohibit)"
                )
            }
            Self::Down(device) => write!(
                f,
                "device {device} is down; set it up: ip link set dev {device} up"
            ),
            Self::NoCarrier(device) => {
                write!(
                    f,
                    "device {device} has no carrier; check the cable, the switch port or the other end of the veth"
                )
            }
            Self::DeviceGone(index) => write!(
                f,
                "device with index {index} is gone; it was removed during the look-up"
            ),
            Self::Kernel(error) => write!(f, "the kernel's route look-up failed: {error}"),
        }
    }
}

/// Puts a next hop together from facts: the `route` that the kernel chose, `link` giving links by index, `mac` giving the usable
/// MAC address of a neighbour.
///
/// # Errors
/// When the route leads nowhere or its device cannot send.
pub fn pick<'a>(
    query: &Query,
    route: &Route,
    link: impl Fn(u32) -> Option<&'a Link>,
    mac: impl Fn(&Neighbour) -> Option<Mac>,
) -> Result<NextHop, Unreachable> {
    match route.target {
        Target::Unicast | Target::Local => {}
        Target::Many => return Err(Unreachable::NotUnicast(query.remote)),
        Target::Blackhole => return Err(Unreachable::Blackhole(query.remote)),
        Target::Unreachable => return Err(Unreachable::Unreachable(query.remote)),
        Target::Prohibited => return Err(Unreachable::Prohibited(query.remote)),
    }
    let on_route = link(route.device).ok_or(Unreachable::DeviceGone(route.device))?;
    let local = route.target == Target::Local || on_route.kind == LinkKind::Loopback;
    if !local {
        can_send(on_route)?;
    }
    let (real, vlan, socket_only) = if local {
        (on_route, None, Some(SocketOnly::Loopback))
    } else {
        below(on_route, &link)?
    };
    let socket_only = socket_only.or(route.encapsulated.then_some(SocketOnly::Encapsulated));
    let neighbour = socket_only.is_none().then(|| Neighbour {
        device: on_route.index,
        address: route.gateway.unwrap_or(query.remote),
    });
    let mtu = route
        .mtu
        .map_or(on_route.mtu, |by_route| by_route.min(on_route.mtu));
    Ok(NextHop {
        device: real.index,
        device_name: real.name.clone(),
        source_mac: on_route.mac.unwrap_or_default(),
        destination_mac: neighbour.as_ref().and_then(mac),
        vlan,
        // The loopback device has 65,536 bytes, one more than a packet can.
        mtu: u16::try_from(mtu).unwrap_or(u16::MAX),
        gateway: route.gateway,
        neighbour,
        socket_only,
    })
}

/// The device below a VLAN device (or the device itself), the tag, and why XDP cannot send by it.
#[allow(clippy::type_complexity)]
fn below<'a>(
    on_route: &'a Link,
    link: &impl Fn(u32) -> Option<&'a Link>,
) -> Result<(&'a Link, Option<u16>, Option<SocketOnly>), Unreachable> {
    match &on_route.kind {
        LinkKind::Loopback => Ok((on_route, None, Some(SocketOnly::Loopback))),
        LinkKind::Other(_) => Ok((on_route, None, Some(SocketOnly::NotEthernet))),
        LinkKind::Ethernet(_) if on_route.mac.is_none() => {
            Ok((on_route, None, Some(SocketOnly::NotEthernet)))
        }
        LinkKind::Ethernet(_) => Ok((on_route, None, None)),
        LinkKind::Vlan { parent: None, .. } => Ok((on_route, None, Some(SocketOnly::HiddenParent))),
        LinkKind::Vlan {
            id,
            parent: Some(parent),
            service,
        } => {
            let real = link(*parent).ok_or(Unreachable::DeviceGone(*parent))?;
            can_send(real)?;
            match real.kind {
                LinkKind::Ethernet(_) if !service => Ok((real, Some(*id), None)),
                LinkKind::Ethernet(_) | LinkKind::Vlan { .. } => {
                    Ok((on_route, None, Some(SocketOnly::StackedVlan)))
                }
                LinkKind::Loopback | LinkKind::Other(_) => {
                    Ok((on_route, None, Some(SocketOnly::NotEthernet)))
                }
            }
        }
    }
}

fn can_send(link: &Link) -> Result<(), Unreachable> {
    match (link.up, link.carrier) {
        (true, true) => Ok(()),
        (false, _) => Err(Unreachable::Down(link.name.clone())),
        (true, false) => Err(Unreachable::NoCarrier(link.name.clone())),
    }
}

#[cfg(test)]
#[path = "hop_tests.rs"]
mod tests;
