//! Netlink messages that cannot be had from this kernel (it may lack VLAN devices), made by hand.

use super::*;

fn link_message(kind: InfoKind, data: Option<InfoData>, more: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = 7;
    message.header.link_layer_type = LinkLayerType::Ether;
    message.header.flags = LinkFlags::Up | LinkFlags::LowerUp;
    let mut info = vec![LinkInfo::Kind(kind)];
    info.extend(data.map(LinkInfo::Data));
    message.attributes = vec![
        LinkAttribute::IfName("if7".into()),
        LinkAttribute::Mtu(1500),
        LinkAttribute::Address(vec![2, 0, 0, 0, 0, 7]),
        LinkAttribute::Link(3),
        LinkAttribute::LinkInfo(info),
    ];
    message.attributes.extend(more);
    message
}

#[test]
fn vlan_devices() {
    let data = |protocol| InfoData::Vlan(vec![InfoVlan::Id(42), InfoVlan::Protocol(protocol)]);
    let customer = link(&link_message(
        InfoKind::Vlan,
        Some(data(VlanProtocol::Ieee8021Q)),
        vec![],
    ))
    .unwrap();
    assert_eq!(
        customer.kind,
        LinkKind::Vlan {
            id: 42,
            parent: Some(3),
            service: false
        }
    );
    assert_eq!(customer.mac, Some([2, 0, 0, 0, 0, 7]));
    let service = link(&link_message(
        InfoKind::Vlan,
        Some(data(VlanProtocol::Ieee8021Ad)),
        vec![],
    ))
    .unwrap();
    assert_eq!(
        service.kind,
        LinkKind::Vlan {
            id: 42,
            parent: Some(3),
            service: true
        }
    );
    let elsewhere = link(&link_message(
        InfoKind::Vlan,
        Some(data(VlanProtocol::Ieee8021Q)),
        vec![LinkAttribute::LinkNetNsId(0)],
    ));
    assert_eq!(
        elsewhere.unwrap().kind,
        LinkKind::Vlan {
            id: 42,
            parent: None,
            service: false
        }
    );
}

#[test]
fn other_devices() {
    assert_eq!(
        link(&link_message(InfoKind::Veth, None, vec![]))
            .unwrap()
            .kind,
        LinkKind::Ethernet(Some("veth".into()))
    );
    let mut tunnel = link_message(InfoKind::Wireguard, None, vec![]);
    tunnel.header.link_layer_type = LinkLayerType::None;
    let tunnel = link(&tunnel).unwrap();
    assert_eq!(
        (tunnel.kind, tunnel.mac),
        (LinkKind::Other("wireguard".into()), None)
    );
}

#[test]
fn bridge_and_wireless_messages_say_nothing_of_a_link() {
    let mut bridge = link_message(InfoKind::Veth, None, vec![]);
    bridge.header.interface_family = AddressFamily::Bridge;
    assert_eq!(link(&bridge), None);
    assert_eq!(fact(&RouteNetlinkMessage::DelLink(bridge)), None);
    let mut wireless = link_message(InfoKind::Veth, None, vec![]);
    wireless
        .attributes
        .retain(|a| !matches!(a, LinkAttribute::Mtu(_)));
    assert_eq!(link(&wireless), None);
}

fn neighbour_message(state: NeighbourState, mac: Option<Mac>) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.ifindex = 3;
    message.header.state = state;
    message.attributes = vec![NeighbourAttribute::Destination(NeighbourAddress::Inet(
        Ipv4Addr::new(10, 0, 0, 2),
    ))];
    message
        .attributes
        .extend(mac.map(|mac| NeighbourAttribute::LinkLayerAddress(mac.to_vec())));
    message
}

#[test]
fn only_states_that_the_kernel_sends_in_count() {
    const MAC: Mac = [2, 0, 0, 0, 0, 2];
    use NeighbourState as S;
    for (state, counts) in [
        (S::Reachable, true),
        (S::Stale, true),
        (S::Delay, true),
        (S::Probe, true),
        (S::Permanent, true),
        (S::Noarp, true),
        (S::Failed, false),
        (S::Incomplete, false),
        (S::None, false),
    ] {
        // A failed entry still shows the address it had.
        let (_, resolved) = neighbour(&neighbour_message(state, Some(MAC))).unwrap();
        assert_eq!(resolved.map(|r| r.mac), counts.then_some(MAC), "{state:?}");
        assert_eq!(
            resolved.is_some_and(|r| r.fixed),
            matches!(state, S::Permanent | S::Noarp),
            "{state:?}"
        );
    }
    assert_eq!(
        neighbour(&neighbour_message(S::Noarp, Some([0; 6])))
            .unwrap()
            .1,
        None,
        "lo has no MAC address"
    );
    assert_eq!(
        neighbour(&neighbour_message(S::Reachable, None)).unwrap().1,
        None
    );
    let gone = RouteNetlinkMessage::DelNeighbour(neighbour_message(S::Stale, Some(MAC)));
    assert!(matches!(fact(&gone), Some(Fact::Neighbour(_, None))));
}

#[test]
fn proxies_and_bridge_entries_are_no_neighbours() {
    let mut proxy = neighbour_message(NeighbourState::Permanent, Some([2, 0, 0, 0, 0, 2]));
    proxy.header.flags = NeighbourFlags::Proxy;
    assert_eq!(neighbour(&proxy), None);
    let mut bridge = neighbour_message(NeighbourState::Permanent, Some([2, 0, 0, 0, 0, 2]));
    bridge.header.family = AddressFamily::Bridge;
    assert_eq!(neighbour(&bridge), None);
}

#[test]
fn routes() {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.kind = RouteType::Unicast;
    message.attributes = vec![
        RouteAttribute::Oif(3),
        RouteAttribute::Via(RouteVia::Inet6("fe80::1".parse().unwrap())),
        RouteAttribute::Metrics(vec![RouteMetric::Hoplimit(64), RouteMetric::Mtu(1280)]),
    ];
    let expected = Route {
        target: Target::Unicast,
        device: 3,
        gateway: Some("fe80::1".parse().unwrap()),
        mtu: Some(1280),
        encapsulated: false,
    };
    assert_eq!(route(&message), Some(expected.clone()));
    message
        .attributes
        .push(RouteAttribute::EncapType(RouteLwEnCapType::Mpls));
    assert_eq!(
        route(&message),
        Some(Route {
            encapsulated: true,
            ..expected
        })
    );

    message.header.destination_prefix_length = 0;
    let any = Prefix::Of {
        address: "0.0.0.0".parse().unwrap(),
        bits: 0,
    };
    assert_eq!(prefix(&message), Some(any));
    message.header.flags = RouteFlags::Cloned;
    assert_eq!(prefix(&message), None);
}
