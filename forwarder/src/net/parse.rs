//! Netlink messages to [`Fact`]s and [`Route`]s. Whatever is not understood is left out, never guessed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
    VlanProtocol,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteLwEnCapType, RouteMessage, RouteMetric,
    RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::facts::{Fact, Link, LinkKind, Mac, Neighbour, Prefix, Resolved, Route, Target};

/// What a notification or one message of a dump says, if it concerns us.
pub fn fact(message: &RouteNetlinkMessage) -> Option<Fact> {
    match message {
        RouteNetlinkMessage::NewLink(m) => link(m).map(Fact::Link),
        // A port that leaves a bridge is announced as a deleted link of the bridge family; the link stays.
        RouteNetlinkMessage::DelLink(m) => (m.header.interface_family == AddressFamily::Unspec)
            .then_some(Fact::LinkGone(m.header.index)),
        RouteNetlinkMessage::NewAddress(m) => address(m, true),
        RouteNetlinkMessage::DelAddress(m) => address(m, false),
        RouteNetlinkMessage::NewNeighbour(m) => {
            neighbour(m).map(|(key, resolved)| Fact::Neighbour(key, resolved))
        }
        RouteNetlinkMessage::DelNeighbour(m) => {
            neighbour(m).map(|(key, _)| Fact::Neighbour(key, None))
        }
        RouteNetlinkMessage::NewRoute(m) | RouteNetlinkMessage::DelRoute(m) => {
            prefix(m).map(Fact::Routes)
        }
        RouteNetlinkMessage::NewRule(_) | RouteNetlinkMessage::DelRule(_) => {
            Some(Fact::Routes(Prefix::All))
        }
        _ => None,
    }
}

/// The facts of a link; `None` for messages of other families and for partial ones (wireless events carry neither MTU nor MAC).
pub fn link(message: &LinkMessage) -> Option<Link> {
    if message.header.interface_family != AddressFamily::Unspec {
        return None;
    }
    let flags = message.header.flags;
    let (mut name, mut mtu, mut mac, mut parent, mut elsewhere) = (None, None, None, None, false);
    let mut info: &[LinkInfo] = &[];
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(value) => name = Some(value.clone()),
            LinkAttribute::Mtu(value) => mtu = Some(*value),
            LinkAttribute::Address(bytes) => mac = Mac::try_from(bytes.as_slice()).ok(),
            LinkAttribute::Link(index) => parent = Some(*index).filter(|index| *index != 0),
            // The index in IFLA_LINK is then one of another namespace.
            LinkAttribute::LinkNetNsId(_) => elsewhere = true,
            LinkAttribute::LinkInfo(value) => info = value,
            _ => {}
        }
    }
    let kind = link_kind(
        message.header.link_layer_type,
        flags,
        info,
        parent.filter(|_| !elsewhere),
    );
    Some(Link {
        index: message.header.index,
        name: name?,
        mac: mac.filter(|_| matches!(kind, LinkKind::Ethernet(_) | LinkKind::Vlan { .. })),
        mtu: mtu?,
        kind,
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::LowerUp),
    })
}

fn link_kind(
    layer: LinkLayerType,
    flags: LinkFlags,
    info: &[LinkInfo],
    parent: Option<u32>,
) -> LinkKind {
    let named = info.iter().find_map(|i| match i {
        LinkInfo::Kind(kind) => Some(kind),
        _ => None,
    });
    if flags.contains(LinkFlags::Loopback) {
        return LinkKind::Loopback;
    }
    if layer != LinkLayerType::Ether {
        return LinkKind::Other(
            named.map_or_else(|| format!("{layer:?}").to_lowercase(), ToString::to_string),
        );
    }
    if named == Some(&InfoKind::Vlan) {
        let data = info.iter().find_map(|i| match i {
            LinkInfo::Data(InfoData::Vlan(data)) => Some(data),
            _ => None,
        });
        let id = data.and_then(|data| {
            data.iter().find_map(|d| match d {
                InfoVlan::Id(id) => Some(*id),
                _ => None,
            })
        });
        let service =
            data.is_some_and(|data| data.contains(&InfoVlan::Protocol(VlanProtocol::Ieee8021Ad)));
        if let Some(id) = id {
            return LinkKind::Vlan {
                id,
                parent,
                service,
            };
        }
    }
    LinkKind::Ethernet(named.map(ToString::to_string))
}

fn address(message: &AddressMessage, present: bool) -> Option<Fact> {
    // On a point-to-point link IFA_ADDRESS is the other end, and IFA_LOCAL ours.
    let local = message.attributes.iter().find_map(|a| match a {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let address = local.or_else(|| {
        message.attributes.iter().find_map(|a| match a {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    })?;
    Some(Fact::Address {
        device: message.header.index,
        address,
        present,
    })
}

/// The neighbour that a message is about, and its MAC address if it can be used.
fn neighbour(message: &NeighbourMessage) -> Option<(Neighbour, Option<Resolved>)> {
    // Bridge forwarding entries share the notification group, and proxy entries are addresses that we answer for.
    let ours = matches!(
        message.header.family,
        AddressFamily::Inet | AddressFamily::Inet6
    );
    if !ours || message.header.flags.contains(NeighbourFlags::Proxy) {
        return None;
    }
    let address = message.attributes.iter().find_map(|a| match a {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => Some(IpAddr::V4(*v4)),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => Some(IpAddr::V6(*v6)),
        _ => None,
    })?;
    let mac = message.attributes.iter().find_map(|a| match a {
        NeighbourAttribute::LinkLayerAddress(bytes) => Mac::try_from(bytes.as_slice()).ok(),
        _ => None,
    });
    let key = Neighbour {
        device: message.header.ifindex,
        address,
    };
    let state = message.header.state;
    let fixed = matches!(state, NeighbourState::Permanent | NeighbourState::Noarp);
    Some((
        key,
        mac.filter(|mac| usable(state) && *mac != [0; 6])
            .map(|mac| Resolved { mac, fixed }),
    ))
}

/// The states in which the kernel itself would send to the entry's MAC address (`NUD_VALID` in its include/net/neighbour.h).
fn usable(state: NeighbourState) -> bool {
    matches!(
        state,
        NeighbourState::Reachable
            | NeighbourState::Stale
            | NeighbourState::Delay
            | NeighbourState::Probe
            | NeighbourState::Permanent
            | NeighbourState::Noarp
    )
}

fn prefix(message: &RouteMessage) -> Option<Prefix> {
    // Clones are the kernel's own cache entries and change nothing.
    if message.header.flags.contains(RouteFlags::Cloned) {
        return None;
    }
    let base = match message.header.address_family {
        AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let address = message.attributes.iter().find_map(|a| match a {
        RouteAttribute::Destination(destination) => ip(destination),
        _ => None,
    });
    Some(Prefix::Of {
        address: address.unwrap_or(base),
        bits: message.header.destination_prefix_length,
    })
}

/// The answer to a route lookup.
pub fn route(message: &RouteMessage) -> Option<Route> {
    let target = match message.header.kind {
        RouteType::Unicast => Target::Unicast,
        RouteType::Local | RouteType::Anycast => Target::Local,
        RouteType::Broadcast | RouteType::Multicast => Target::Many,
        RouteType::BlackHole => Target::Blackhole,
        RouteType::Unreachable => Target::Unreachable,
        RouteType::Prohibit => Target::Prohibited,
        _ => return None,
    };
    let mut route = Route {
        target,
        device: 0,
        gateway: None,
        mtu: None,
        encapsulated: false,
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(index) => route.device = *index,
            RouteAttribute::Gateway(address) => route.gateway = ip(address),
            RouteAttribute::Via(RouteVia::Inet(v4)) => route.gateway = Some(IpAddr::V4(*v4)),
            RouteAttribute::Via(RouteVia::Inet6(v6)) => route.gateway = Some(IpAddr::V6(*v6)),
            RouteAttribute::Metrics(metrics) => {
                route.mtu = metrics.iter().find_map(|m| match m {
                    RouteMetric::Mtu(mtu) => Some(*mtu).filter(|mtu| *mtu != 0),
                    _ => None,
                });
            }
            RouteAttribute::EncapType(kind) => route.encapsulated = *kind != RouteLwEnCapType::None,
            _ => {}
        }
    }
    Some(route)
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some(IpAddr::V4(*v4)),
        RouteAddress::Inet6(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
