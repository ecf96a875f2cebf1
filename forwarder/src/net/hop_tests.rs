//! Table tests of the choice of a next hop from made-up facts.

use super::*;

const SELF: Mac = [2, 0, 0, 0, 0, 1];
const PEER: Mac = [2, 0, 0, 0, 0, 2];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn link(index: u32, kind: LinkKind) -> Link {
    Link {
        index,
        name: format!("if{index}"),
        mac: Some(SELF),
        mtu: 1500,
        kind,
        up: true,
        carrier: true,
    }
}

fn ethernet(index: u32) -> Link {
    link(index, LinkKind::Ethernet(Some("veth".into())))
}

fn vlan(index: u32, id: u16, parent: Option<u32>, service: bool) -> Link {
    Link {
        mac: Some([2, 0, 0, 0, 0, 9]),
        mtu: 1400,
        ..link(
            index,
            LinkKind::Vlan {
                id,
                parent,
                service,
            },
        )
    }
}

fn on(device: u32) -> Route {
    Route {
        target: Target::Unicast,
        device,
        gateway: None,
        mtu: None,
        encapsulated: false,
    }
}

fn pick_v4(
    route: &Route,
    links: &[Link],
    neighbours: &[(u32, &str)],
) -> Result<NextHop, Unreachable> {
    pick(
        &Query::new(ip("10.0.0.1"), ip("10.0.0.2")),
        route,
        |index| links.iter().find(|l| l.index == index),
        |wanted| {
            neighbours
                .iter()
                .any(|(d, a)| *d == wanted.device && ip(a) == wanted.address)
                .then_some(PEER)
        },
    )
}

#[test]
fn on_link_neighbour() {
    let hop = pick_v4(&on(3), &[ethernet(3)], &[(3, "10.0.0.2")]).unwrap();
    assert_eq!(
        hop,
        NextHop {
            device: 3,
            device_name: "if3".into(),
            source_mac: SELF,
            destination_mac: Some(PEER),
            vlan: None,
            mtu: 1500,
            gateway: None,
            neighbour: Some(Neighbour {
                device: 3,
                address: ip("10.0.0.2")
            }),
            socket_only: None,
        }
    );
}

#[test]
fn the_gateway_is_the_neighbour_even_of_the_other_family() {
    for gateway in ["10.0.0.254", "fe80::1"] {
        let route = Route {
            gateway: Some(ip(gateway)),
            ..on(3)
        };
        let hop = pick_v4(&route, &[ethernet(3)], &[(3, gateway)]).unwrap();
        assert_eq!(hop.destination_mac, Some(PEER));
        assert_eq!(hop.gateway, Some(ip(gateway)));
        assert_eq!(hop.neighbour.unwrap().address, ip(gateway));
        let unresolved = pick_v4(&route, &[ethernet(3)], &[(3, "10.0.0.2")]).unwrap();
        assert_eq!(
            unresolved.destination_mac, None,
            "the remote's own entry must not be used behind a gateway"
        );
    }
}

#[test]
fn the_smaller_mtu_counts() {
    for (by_route, expected) in [(None, 1500), (Some(1280), 1280), (Some(9000), 1500)] {
        let hop = pick_v4(
            &Route {
                mtu: by_route,
                ..on(3)
            },
            &[ethernet(3)],
            &[],
        )
        .unwrap();
        assert_eq!(hop.mtu, expected);
    }
}

#[test]
fn a_vlan_device_gives_its_parent_tag_mac_and_mtu() {
    let links = [ethernet(3), vlan(7, 42, Some(3), false)];
    let hop = pick_v4(&on(7), &links, &[(7, "10.0.0.2")]).unwrap();
    assert_eq!((hop.device, hop.vlan, hop.mtu), (3, Some(42), 1400));
    assert_eq!(hop.source_mac, [2, 0, 0, 0, 0, 9]);
    assert_eq!(hop.destination_mac, Some(PEER));
    let on_parent = pick_v4(&on(7), &links, &[(3, "10.0.0.2")]).unwrap();
    assert_eq!(
        on_parent.destination_mac, None,
        "the neighbour is looked up on the VLAN device"
    );
}

#[test]
fn what_only_a_socket_reaches() {
    let cases = [
        (
            on(1),
            vec![link(1, LinkKind::Loopback)],
            SocketOnly::Loopback,
        ),
        (
            Route {
                target: Target::Local,
                ..on(3)
            },
            vec![ethernet(3)],
            SocketOnly::Loopback,
        ),
        (
            on(3),
            vec![link(3, LinkKind::Other("wireguard".into()))],
            SocketOnly::NotEthernet,
        ),
        (
            on(3),
            vec![Link {
                mac: None,
                ..ethernet(3)
            }],
            SocketOnly::NotEthernet,
        ),
        (
            on(7),
            vec![ethernet(3), vlan(7, 5, Some(3), true)],
            SocketOnly::StackedVlan,
        ),
        (
            on(8),
            vec![
                ethernet(3),
                vlan(7, 5, Some(3), false),
                vlan(8, 6, Some(7), false),
            ],
            SocketOnly::StackedVlan,
        ),
        (
            on(7),
            vec![vlan(7, 5, None, false)],
            SocketOnly::HiddenParent,
        ),
        (
            Route {
                encapsulated: true,
                ..on(3)
            },
            vec![ethernet(3)],
            SocketOnly::Encapsulated,
        ),
    ];
    for (route, links, why) in cases {
        let hop = pick_v4(&route, &links, &[(3, "10.0.0.2"), (7, "10.0.0.2")]).unwrap();
        assert_eq!(hop.socket_only, Some(why), "{route:?}");
        assert_eq!(
            (hop.destination_mac, hop.neighbour),
            (None, None),
            "{route:?}"
        );
        assert_eq!(hop.loopback(), why == SocketOnly::Loopback);
    }
}

#[test]
fn local_addresses_are_reached_though_their_device_is_down() {
    let route = Route {
        target: Target::Local,
        ..on(3)
    };
    assert!(
        pick_v4(
            &route,
            &[Link {
                up: false,
                ..ethernet(3)
            }],
            &[]
        )
        .unwrap()
        .loopback()
    );
}

#[test]
fn what_cannot_be_sent() {
    let remote = ip("10.0.0.2");
    let target = |target| Route { target, ..on(3) };
    let cases = [
        (
            target(Target::Blackhole),
            vec![ethernet(3)],
            Unreachable::Blackhole(remote),
        ),
        (
            target(Target::Unreachable),
            vec![ethernet(3)],
            Unreachable::Unreachable(remote),
        ),
        (
            target(Target::Prohibited),
            vec![ethernet(3)],
            Unreachable::Prohibited(remote),
        ),
        (
            target(Target::Many),
            vec![ethernet(3)],
            Unreachable::NotUnicast(remote),
        ),
        (on(4), vec![ethernet(3)], Unreachable::DeviceGone(4)),
        (
            on(3),
            vec![Link {
                up: false,
                ..ethernet(3)
            }],
            Unreachable::Down("if3".into()),
        ),
        (
            on(3),
            vec![Link {
                carrier: false,
                ..ethernet(3)
            }],
            Unreachable::NoCarrier("if3".into()),
        ),
        (
            on(7),
            vec![vlan(7, 5, Some(3), false)],
            Unreachable::DeviceGone(3),
        ),
        (
            on(7),
            vec![
                vlan(7, 5, Some(3), false),
                Link {
                    up: false,
                    ..ethernet(3)
                },
            ],
            Unreachable::Down("if3".into()),
        ),
    ];
    for (route, links, expected) in cases {
        assert_eq!(pick_v4(&route, &links, &[]).unwrap_err(), expected);
        assert!(expected.to_string().len() > 20);
    }
}

#[test]
fn a_scope_names_the_device() {
    let local = "[fe80::1%4]:5000".parse().unwrap();
    let remote = "[fe80::2]:6000".parse().unwrap();
    assert_eq!(Query::between(local, remote).device, Some(4));
    assert_eq!(
        Query::between("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap()).device,
        None
    );
}
