//! Pairs of sessions, one case at a time.

use std::net::SocketAddr;

use forwarder_common::{
    hop::Shape,
    tables::{DEVICE_SOCKET, HOP_RESOLVED, MAX_PAIRS_PER_SESSION, Steer},
};

use super::{
    endpoint::Mode,
    ids::PairId,
    refusal::RefusalKind,
    test_node::{Node, SECOND, endpoint, placement, refused},
    *,
};

fn pair(session: u32, port: u16) -> PairSpec {
    let local = "10.0.0.1:7700".parse().unwrap();
    let remote = SocketAddr::from(([10, 0, 0, 2], port));
    let steer = Steer {
        worker: 1,
        session,
        ..Steer::default()
    };
    PairSpec::new(local, remote, steer, 40 * SECOND).unwrap()
}

impl Node {
    fn open(&mut self, spec: PairSpec, placement: Placement) -> PairId {
        match self.handle(Input::OpenPair(spec, placement)) {
            Ok(Output::Pair(id)) => id,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_pair_gets_a_hop_a_lease_and_a_steering_entry_and_gives_them_back() {
    let mut node = Node::new();
    let spec = pair(3, 6000);
    let id = node.open(spec, placement(1, 7));
    let state = node.core.pair(id).unwrap().clone();
    let hop = node.tables.hop(state.member.unwrap().hop);
    assert_eq!(Shape::from_number(hop.shape), Shape::V4);
    assert_eq!((hop.lease, hop.flags), (state.lease, HOP_RESOLVED));
    assert_eq!(hop.template[..6], [2, 0, 0, 0, 1, 7]);
    assert_eq!(
        hop.template[34..38],
        [0x1e, 0x14, 0x17, 0x70],
        "7700 to 6000"
    );
    assert_eq!(node.tables.leases[&state.lease], 40 * SECOND);
    assert_eq!(node.tables.steers[&spec.key()], spec.steer());

    node.handle(Input::RenewPair(id, 50 * SECOND)).unwrap();
    node.handle(Input::RenewPair(id, 45 * SECOND)).unwrap();
    assert_eq!(node.tables.leases[&state.lease], 50 * SECOND);

    node.handle(Input::ClosePair(id)).unwrap();
    assert_eq!((node.tables.steers.len(), node.tables.valid_hops()), (0, 0));
    assert_eq!(node.tables.leases[&state.lease], 0);
    let gone = refused(node.handle(Input::ClosePair(id)));
    assert_eq!(gone, (RefusalKind::Unknown, "pair", "pair1".into()));
}

#[test]
fn sockets_send_for_pairs_that_xdp_does_not_reach_or_not_yet() {
    let mut node = Node::new();
    let unresolved = Placement {
        destination_mac: None,
        ..placement(0, 1)
    };
    for placement in [placement(DEVICE_SOCKET, 1), unresolved] {
        let spec = pair(1, 6000);
        let id = node.open(spec, placement);
        assert_eq!(node.core.pair(id).unwrap().member, None);
        assert_eq!(
            node.tables.steers.len(),
            1,
            "XDP may still take what comes in"
        );
        node.handle(Input::ClosePair(id)).unwrap();
    }
    assert_eq!(node.tables.valid_hops(), 0);
}

#[test]
fn a_hop_that_was_replaced_lives_through_the_grace_period_or_until_its_pair_closes() {
    let mut node = Node::new();
    let id = node.open(pair(1, 6000), placement(0, 1));
    let old = node.core.pair(id).unwrap().member.unwrap();
    node.handle(Input::PlacePair(id, placement(1, 1))).unwrap();
    assert_eq!(
        node.core.pair(id).unwrap().member,
        Some(old),
        "the device is not the hop's"
    );
    node.handle(Input::PlacePair(id, placement(1, 2))).unwrap();
    let new = node.core.pair(id).unwrap().member.unwrap();
    assert_ne!(old.hop, new.hop);
    assert_eq!(node.tables.valid_hops(), 2);
    node.wait(GRACE);
    assert_eq!(node.tables.valid_hops(), 1);

    let socket = Input::PlacePair(id, placement(DEVICE_SOCKET, 2));
    node.handle(socket).unwrap();
    assert_eq!(
        (node.core.pair(id).unwrap().member, node.tables.valid_hops()),
        (None, 1)
    );
    node.handle(Input::ClosePair(id)).unwrap();
    assert_eq!(node.tables.valid_hops(), 0);
}

#[test]
fn a_five_tuple_steers_to_the_session_that_came_last() {
    let mut node = Node::new();
    let (first, second) = (pair(1, 6000), pair(2, 6000));
    let old = node.open(first, placement(0, 1));
    let new = node.open(second, placement(0, 1));
    let key = first.key();
    assert_eq!(node.tables.steers[&key].session, 2);
    let steer = first.steer().with_audio(111);
    node.handle(Input::SteerPair(old, steer)).unwrap();
    assert_eq!(node.tables.steers[&key].session, 2);
    node.handle(Input::ClosePair(old)).unwrap();
    assert_eq!(
        (node.core.steered(&key), node.tables.steers.len()),
        (Some(new), 1)
    );
    let steer = second.steer().with_audio(111);
    node.handle(Input::SteerPair(new, steer)).unwrap();
    assert!(node.tables.steers[&key].is_audio(111));
    let other = Input::SteerPair(new, first.steer());
    assert_eq!(
        refused(node.handle(other)),
        (RefusalKind::Conflict, "session", "1".into())
    );
}

#[test]
fn pairs_of_one_session_share_its_consent() {
    let mut node = Node::new();
    let wifi = node.open(pair(1, 6000), placement(0, 1));
    let mobile = node.open(pair(1, 6001), placement(0, 2));
    let lease = node.core.pair(wifi).unwrap().lease;
    assert_eq!(node.core.pair(mobile).unwrap().lease, lease);
    node.handle(Input::ClosePair(wifi)).unwrap();
    assert_eq!(node.tables.leases[&lease], 40 * SECOND);
    let stranger = node.open(pair(2, 6000), placement(0, 1));
    assert_ne!(node.core.pair(stranger).unwrap().lease, lease);
}

#[test]
fn pairs_and_sessions_are_bounded_and_none_is_open_twice() {
    let mut node = Node::new();
    for port in 0..MAX_PAIRS_PER_SESSION as u16 {
        node.open(pair(1, 6000 + port), placement(0, 1));
    }
    let again = Input::OpenPair(pair(1, 6000), placement(0, 1));
    assert_eq!(
        refused(node.handle(again)),
        (RefusalKind::Duplicate, "pair", "10.0.0.2:6000".into())
    );
    let more = Input::OpenPair(pair(1, 7000), placement(0, 1));
    assert_eq!(
        refused(node.handle(more)),
        (RefusalKind::Full, "pairs", "5".into())
    );
    for session in 2..=8 {
        node.open(pair(session, 7000), placement(0, 1));
    }
    let more = Input::OpenPair(pair(9, 7000), placement(0, 1));
    assert_eq!(
        refused(node.handle(more)),
        (RefusalKind::Full, "sessions", "9".into())
    );
}

#[test]
fn pairs_name_two_hosts_of_one_family() {
    let new = |local: &str, remote: &str| {
        PairSpec::new(
            local.parse().unwrap(),
            remote.parse().unwrap(),
            Steer::default(),
            0,
        )
        .map_err(|refusal| refusal.field)
    };
    assert_eq!(new("0.0.0.0:1", "10.0.0.2:2"), Err("local"));
    assert_eq!(new("10.0.0.1:1", "10.0.0.2:0"), Err("remote"));
    assert_eq!(new("10.0.0.1:1", "224.0.0.1:2"), Err("remote"));
    assert_eq!(new("10.0.0.1:1", "[fd00::2]:2"), Err("remote"));
    assert_eq!(new("[fd00::1]:1", "[::ffff:10.0.0.2]:2"), Err("remote"));
    assert!(new("[fd00::1]:1", "[fd00::2]:2").is_ok());
}

#[test]
fn the_media_port_is_an_endpoint_of_its_own_kind_that_no_endpoint_may_use() {
    let mut node = Node::new();
    let local = endpoint(6000, Mode::Clear).local();
    node.handle(Input::OpenPort(local, [2; 6])).unwrap();
    node.handle(Input::OpenPort(local, [4; 6])).unwrap();
    let held: Vec<_> = node.tables.endpoints.values().copied().collect();
    assert_eq!(held, [Endpoint::sealed([4; 6])]);
    let create = Input::CreateEndpoint(endpoint(6000, Mode::Clear), placement(0, 1));
    let wanted = (RefusalKind::Duplicate, "local", "10.0.0.1:5000".to_owned());
    assert_eq!(refused(node.handle(create)), wanted);
    assert_eq!(
        refused(node.core.socket_for(&endpoint(6000, Mode::Clear))),
        wanted
    );
    node.handle(Input::ClosePort(local)).unwrap();
    node.endpoint(6000);
    let taken = refused(node.handle(Input::OpenPort(local, [2; 6])));
    assert_eq!(taken.0, RefusalKind::Duplicate);
}

#[test]
fn ufrags_are_admitted_once_and_bounded() {
    let mut node = Node::new();
    for ufrag in [0, 1, 1, 2] {
        node.handle(Input::AdmitUfrag(ufrag)).unwrap();
    }
    node.handle(Input::ForgetUfrag(1)).unwrap();
    node.handle(Input::ForgetUfrag(1)).unwrap();
    assert!(node.core.is_admitted(0) && !node.core.is_admitted(1));
    assert_eq!(node.tables.ufrags.len(), 2);
    for ufrag in 3..=16 {
        node.handle(Input::AdmitUfrag(ufrag)).unwrap();
    }
    let full = refused(node.handle(Input::AdmitUfrag(17)));
    assert_eq!((full.0, full.1), (RefusalKind::Full, "ufrags"));
}
