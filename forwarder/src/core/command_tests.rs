//! The commands one by one: what they refuse, and what the tables hold after them.

use forwarder_common::tables::{DEVICE_SOCKET, EndpointKey};

use super::{
    checked_tables::CheckedTables,
    endpoint::Mode,
    refusal::RefusalKind,
    settings::{Limits, Sizes},
    *,
};

const SECOND: u64 = 1_000_000_000;

pub(super) fn settings(publications: u32, subscriptions: u32) -> Settings {
    let limits = Limits::new(publications, subscriptions);
    Settings {
        limits,
        sizes: Sizes::of(&limits),
        lease: 30 * SECOND,
        dscp: 0,
        ttl: 64,
    }
}

pub(super) fn placement(device: u32, mac: u8) -> Placement {
    Placement {
        device,
        local_mac: [2, 0, 0, 0, 0, 1],
        source_mac: [2, 0, 0, 0, 0, 1],
        destination_mac: Some([2, 0, 0, 0, 1, mac]),
        vlan: None,
        mtu: 1500,
        why: None,
        neighbour: None,
        interface: 1,
    }
}

pub(super) fn endpoint(port: u16, mode: Mode) -> EndpointSpec {
    let remote = format!("10.0.0.2:{port}").parse().unwrap();
    EndpointSpec::new("10.0.0.1:5000".parse().unwrap(), remote, mode, None, None).unwrap()
}

struct Node {
    core: Core,
    tables: CheckedTables,
}

impl Node {
    fn new() -> Self {
        Self::with(settings(100, 1000))
    }

    fn with(settings: Settings) -> Self {
        Self {
            core: Core::new(settings),
            tables: CheckedTables::default(),
        }
    }

    fn handle(&mut self, input: Input) -> Result<Output, Refusal> {
        self.core.handle(self.tables.now, input, &mut self.tables)
    }

    fn wait(&mut self, nanoseconds: u64) {
        self.tables.now += nanoseconds;
        self.core.handle_timeout(self.tables.now, &mut self.tables);
    }

    fn endpoint(&mut self, port: u16) -> EndpointId {
        match self.handle(Input::CreateEndpoint(
            endpoint(port, Mode::Clear),
            placement(0, port as u8),
        )) {
            Ok(Output::Endpoint(id)) => id,
            other => panic!("{other:?}"),
        }
    }

    fn publication(&mut self, endpoint: EndpointId, ssrcs: &[u32]) -> PublicationId {
        let spec = PublicationSpec::new(endpoint, ssrcs.to_vec(), 96, 90_000).unwrap();
        match self.handle(Input::CreatePublication(spec)) {
            Ok(Output::Publication(id)) => id,
            other => panic!("{other:?}"),
        }
    }

    fn subscribe(&mut self, spec: SubscriptionSpec) -> Result<SubscriptionId, Refusal> {
        self.handle(Input::CreateSubscription(spec))
            .map(|output| match output {
                Output::Subscription(id) => id,
                other => panic!("{other:?}"),
            })
    }
}

fn subscription(publication: PublicationId, endpoint: EndpointId) -> SubscriptionSpec {
    SubscriptionSpec {
        publication,
        endpoint,
        ssrcs: None,
        payload_type: None,
        sequence_offset: None,
        timestamp_offset: None,
        paused: false,
    }
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> (RefusalKind, &'static str, String) {
    let refusal = outcome.unwrap_err();
    (refusal.kind, refusal.field, refusal.value)
}

#[test]
fn a_packet_of_a_publication_reaches_its_subscriber_until_paused_or_deleted() {
    let mut node = Node::new();
    let (alice, bob) = (node.endpoint(6000), node.endpoint(6001));
    let stream = node.publication(alice, &[7]);
    let key = endpoint(6000, Mode::Clear).route_key(7);
    assert_eq!(node.tables.hear(&key), []);

    let spec = SubscriptionSpec {
        ssrcs: Some(vec![70]),
        payload_type: Some(100),
        ..subscription(stream, bob)
    };
    let id = node.subscribe(spec).unwrap();
    let heard = node.tables.hear(&key);
    assert_eq!(heard.len(), 1);
    assert_eq!(
        (
            heard[0].destination_port,
            heard[0].ssrc,
            heard[0].payload_type
        ),
        (6001, 70, 100)
    );

    node.handle(Input::Pause(id)).unwrap();
    node.handle(Input::Pause(id)).unwrap();
    assert_eq!(node.tables.hear(&key), []);
    node.handle(Input::Resume(id)).unwrap();
    assert_eq!(node.tables.hear(&key), heard);
    node.handle(Input::DeleteSubscription(id)).unwrap();
    assert_eq!(node.tables.hear(&key), []);
    assert_eq!(node.tables.reachable(), (0, 0));
    assert_eq!(
        refused(node.handle(Input::Pause(id))),
        (RefusalKind::Unknown, "subscription", "s1".into())
    );
}

#[test]
fn duplicates_name_the_field_and_change_nothing() {
    let mut node = Node::new();
    let (alice, bob, carol) = (
        node.endpoint(6000),
        node.endpoint(6001),
        node.endpoint(6002),
    );
    let stream = node.publication(alice, &[7, 8]);
    let other = node.publication(carol, &[7]);
    node.subscribe(subscription(stream, bob)).unwrap();
    let before = (node.tables.visible(), node.tables.count);

    let twice = Input::CreateEndpoint(endpoint(6001, Mode::Opaque), placement(0, 1));
    assert_eq!(
        refused(node.handle(twice)),
        (RefusalKind::Duplicate, "remote", "10.0.0.2:6001".into())
    );
    let again = PublicationSpec::new(alice, vec![9, 8], 96, 90_000).unwrap();
    assert_eq!(
        refused(node.handle(Input::CreatePublication(again))),
        (RefusalKind::Duplicate, "ssrcs", "8".into())
    );
    let same = node.subscribe(subscription(stream, bob));
    assert_eq!(
        refused(same),
        (RefusalKind::Duplicate, "endpoint", "e2".into())
    );
    let clash = node.subscribe(subscription(other, bob));
    assert_eq!(
        refused(clash),
        (RefusalKind::Duplicate, "ssrcs", "7".into())
    );
    let back = node.subscribe(subscription(stream, alice));
    assert_eq!(
        refused(back),
        (RefusalKind::Conflict, "endpoint", "e1".into())
    );

    assert_eq!((node.tables.visible(), node.tables.count), before);
    node.subscribe(SubscriptionSpec {
        ssrcs: Some(vec![9]),
        ..subscription(other, bob)
    })
    .unwrap();
}

#[test]
fn opaque_and_clear_do_not_mix_and_opaque_is_not_rewritten() {
    let mut node = Node::new();
    let alice = node.endpoint(6000);
    let stream = node.publication(alice, &[7]);
    let create = Input::CreateEndpoint(endpoint(6001, Mode::Opaque), placement(0, 1));
    let Ok(Output::Endpoint(bob)) = node.handle(create) else {
        panic!()
    };
    let create = Input::CreateEndpoint(endpoint(6002, Mode::Opaque), placement(0, 1));
    let Ok(Output::Endpoint(carol)) = node.handle(create) else {
        panic!()
    };
    let mixed = node.subscribe(subscription(stream, bob));
    assert_eq!(
        refused(mixed),
        (RefusalKind::Conflict, "endpoint", "e2".into())
    );

    let sealed = node.publication(bob, &[8]);
    let plain = subscription(sealed, carol);
    for (field, spec) in [
        (
            "ssrcs",
            SubscriptionSpec {
                ssrcs: Some(vec![8]),
                ..plain.clone()
            },
        ),
        (
            "payload_type",
            SubscriptionSpec {
                payload_type: Some(100),
                ..plain.clone()
            },
        ),
        (
            "sequence_offset",
            SubscriptionSpec {
                sequence_offset: Some(0),
                ..plain.clone()
            },
        ),
        (
            "timestamp_offset",
            SubscriptionSpec {
                timestamp_offset: Some(0),
                ..plain.clone()
            },
        ),
    ] {
        let (kind, at, _) = refused(node.subscribe(spec));
        assert_eq!((kind, at), (RefusalKind::Conflict, field));
    }
    node.subscribe(plain).unwrap();
}

#[test]
fn bad_values_are_refused_by_field() {
    let address = |text: &str| text.parse::<std::net::SocketAddr>().unwrap();
    for (local, remote, vlan, dscp, field) in [
        ("0.0.0.0:5000", "10.0.0.2:6000", None, None, "local"),
        ("10.0.0.1:0", "10.0.0.2:6000", None, None, "local"),
        ("224.0.0.1:5000", "10.0.0.2:6000", None, None, "local"),
        (
            "[::ffff:10.0.0.1]:5000",
            "[fd00::2]:6000",
            None,
            None,
            "local",
        ),
        (
            "10.0.0.1:5000",
            "255.255.255.255:6000",
            None,
            None,
            "remote",
        ),
        ("10.0.0.1:5000", "10.0.0.2:0", None, None, "remote"),
        ("10.0.0.1:5000", "[fd00::2]:6000", None, None, "remote"),
        ("10.0.0.1:5000", "10.0.0.1:5000", None, None, "remote"),
        ("[fd00::1]:5000", "[ff02::1]:6000", None, None, "remote"),
        ("10.0.0.1:5000", "10.0.0.2:6000", Some(0), None, "vlan"),
        ("10.0.0.1:5000", "10.0.0.2:6000", Some(4095), None, "vlan"),
        ("10.0.0.1:5000", "10.0.0.2:6000", None, Some(64), "dscp"),
    ] {
        let spec = EndpointSpec::new(address(local), address(remote), Mode::Clear, vlan, dscp);
        let (kind, at, _) = refused(spec);
        assert_eq!(
            (kind, at),
            (RefusalKind::Invalid, field),
            "{local} {remote}"
        );
    }
    for (ssrcs, payload_type, clock_rate, field) in [
        (vec![], 96, 90_000, "ssrcs"),
        (vec![1; 17], 96, 90_000, "ssrcs"),
        (vec![1, 2, 1], 96, 90_000, "ssrcs"),
        (vec![1], 64, 90_000, "payload_type"),
        (vec![1], 128, 90_000, "payload_type"),
        (vec![1], 96, 0, "clock_rate"),
    ] {
        let spec = PublicationSpec::new(EndpointId(1), ssrcs, payload_type, clock_rate);
        assert_eq!(refused(spec).1, field);
    }
}

#[test]
fn full_tables_are_named_and_leave_nothing() {
    let mut node = Node::with(Settings {
        sizes: Sizes {
            hops: 4,
            chunks: 3,
            routes: 3,
            sockets: 3,
        },
        ..settings(2, 8)
    });
    let (alice, bob, carol) = (
        node.endpoint(6000),
        node.endpoint(6001),
        node.endpoint(6002),
    );
    let stream = node.publication(alice, &[1, 2]);
    let (kind, field, _) = refused({
        let spec = PublicationSpec::new(alice, vec![3], 96, 90_000).unwrap();
        node.handle(Input::CreatePublication(spec))
    });
    assert_eq!((kind, field), (RefusalKind::Full, "routes"));
    node.subscribe(subscription(stream, bob)).unwrap();
    let before = node.tables.visible();
    // The first leg finds the last hop, the second none: both are undone.
    let (kind, field, _) = refused(node.subscribe(subscription(stream, carol)));
    assert_eq!((kind, field), (RefusalKind::Full, "hops"));
    assert_eq!(node.tables.visible(), before);
    assert_eq!(node.core.subscriptions().count(), 1);
    assert_eq!(node.tables.valid_hops(), 2);

    let mut node = Node::with(settings(1, 1));
    let (alice, bob) = (node.endpoint(6000), node.endpoint(6001));
    let (kind, field, value) = refused({
        node.handle(Input::CreateEndpoint(
            endpoint(6002, Mode::Clear),
            placement(0, 1),
        ))
    });
    assert_eq!(
        (kind, field, value.as_str()),
        (RefusalKind::Full, "endpoints", "3")
    );
    let stream = node.publication(alice, &[1]);
    node.subscribe(subscription(stream, bob)).unwrap();
    assert_eq!(
        refused(node.subscribe(subscription(stream, bob))).1,
        "subscriptions"
    );
    let spec = PublicationSpec::new(alice, vec![3], 96, 90_000).unwrap();
    assert_eq!(
        refused(node.handle(Input::CreatePublication(spec))).1,
        "publications"
    );
}

#[test]
fn a_new_mac_is_one_store_and_keeps_the_totals() {
    let mut node = Node::new();
    let (alice, bob) = (node.endpoint(6000), node.endpoint(6001));
    let stream = node.publication(alice, &[7]);
    let key = endpoint(6000, Mode::Clear).route_key(7);
    let id = node.subscribe(subscription(stream, bob)).unwrap();
    let hop = |node: &Node| node.core.subscription(id).unwrap().legs[0].hop;
    let packets = |node: &Node| {
        node.core.subscription(id).unwrap().legs[0]
            .traffic(&node.tables)
            .packets
    };
    let first = hop(&node);
    node.tables.count_packet(first);

    node.handle(Input::Placed(bob, placement(0, 99))).unwrap();
    let second = hop(&node);
    assert_ne!(first, second);
    assert_eq!(
        node.tables.hear(&key)[0].destination_mac,
        [2, 0, 0, 0, 1, 99]
    );
    // A packet that had read the slot before still finds the old hop, and is counted.
    assert_eq!(node.tables.valid_hops(), 2);
    node.tables.count_packet(first);
    node.tables.count_packet(second);
    assert_eq!(packets(&node), 3);
    node.wait(GRACE);
    assert_eq!((packets(&node), node.tables.valid_hops()), (3, 1));

    // To another device: it leaves one chunk and joins another.
    node.handle(Input::Placed(bob, placement(DEVICE_SOCKET, 99)))
        .unwrap();
    assert_eq!(node.tables.hear(&key)[0].device, DEVICE_SOCKET);
    assert_eq!((packets(&node), node.tables.valid_hops()), (3, 1));
    // Nothing but the reason differs: no operation.
    let count = node.tables.count;
    let why = Some("because".to_owned());
    node.handle(Input::Placed(
        bob,
        Placement {
            why,
            ..placement(DEVICE_SOCKET, 99)
        },
    ))
    .unwrap();
    assert_eq!(node.tables.count, count);
    // Leaving ends the hops that it had before, too.
    node.handle(Input::Placed(bob, placement(DEVICE_SOCKET, 98)))
        .unwrap();
    node.handle(Input::DeleteSubscription(id)).unwrap();
    assert_eq!(node.tables.valid_hops(), 0);
}

#[test]
fn a_local_address_is_shared_and_its_socket_outlives_all_but_the_last_endpoint() {
    let mut node = Node::new();
    let spec = endpoint(6000, Mode::Clear);
    let key: EndpointKey = spec.local_key();
    assert_eq!(node.core.socket_for(&spec), Ok(SocketUse::Fresh(1)));
    let (alice, bob) = (node.endpoint(6000), node.endpoint(6001));
    assert_eq!(node.core.socket_for(&spec), Ok(SocketUse::Bound(1)));
    let moved = Placement {
        local_mac: [2, 0, 0, 0, 0, 9],
        ..placement(0, 1)
    };
    node.handle(Input::Placed(alice, moved)).unwrap();
    assert_eq!(node.tables.endpoints[&key].mac, [2, 0, 0, 0, 0, 9]);
    node.handle(Input::DeleteEndpoint(alice)).unwrap();
    assert_eq!(
        (node.core.poll_closed(), node.tables.endpoints.len()),
        (None, 1)
    );
    node.handle(Input::DeleteEndpoint(bob)).unwrap();
    assert_eq!(
        (node.core.poll_closed(), node.tables.endpoints.len()),
        (Some(1), 0)
    );
    assert_eq!(
        node.core.socket_for(&spec),
        Ok(SocketUse::Fresh(2)),
        "1 still rests"
    );
}

#[test]
fn deleting_an_endpoint_takes_what_depends_on_it() {
    let mut node = Node::new();
    let ids: Vec<_> = (6000..6004).map(|port| node.endpoint(port)).collect();
    let streams: Vec<_> = (0..4)
        .map(|at| node.publication(ids[at], &[10 + at as u32]))
        .collect();
    for (at, stream) in streams.iter().enumerate() {
        for (_, other) in ids.iter().enumerate().filter(|(other, _)| *other != at) {
            node.subscribe(subscription(*stream, *other)).unwrap();
        }
    }
    assert_eq!(node.tables.reachable(), (12, 4));
    node.handle(Input::DeleteEndpoint(ids[0])).unwrap();
    assert_eq!(
        (
            node.core.publications().count(),
            node.core.subscriptions().count()
        ),
        (3, 6)
    );
    assert_eq!(node.tables.valid_hops(), 6);
    node.handle(Input::DeletePublication(streams[1])).unwrap();
    assert_eq!(
        (node.core.subscriptions().count(), node.tables.streams.len()),
        (4, 2)
    );
    for id in &ids[1..] {
        node.handle(Input::DeleteEndpoint(*id)).unwrap();
    }
    assert_eq!(
        (node.tables.valid_hops(), node.tables.streams.len()),
        (0, 0)
    );
    assert_eq!(node.core.pairs.len() + node.core.locals.len(), 0);
}

#[test]
fn a_thinned_out_chain_is_built_anew() {
    let mut node = Node::new();
    let alice = node.endpoint(6000);
    let stream = node.publication(alice, &[7]);
    let key = endpoint(6000, Mode::Clear).route_key(7);
    let ids: Vec<_> = (0..640)
        .map(|at| {
            let bob = node.endpoint(7000 + at);
            node.subscribe(subscription(stream, bob)).unwrap()
        })
        .collect();
    assert_eq!(node.tables.extent(&key), (10, 640));
    // One of each chunk stays.
    for (at, id) in ids.iter().enumerate().filter(|(at, _)| at % 64 != 0) {
        node.handle(Input::DeleteSubscription(*id)).unwrap();
        let (chunks, members) = node.tables.extent(&key);
        assert!(
            chunks <= 2 * members.div_ceil(64) + 1,
            "{chunks} chunks for {members} members after {at}"
        );
    }
    assert_eq!(node.tables.hear(&key).len(), 10);
}

#[test]
fn the_lease_is_renewed_three_times_before_it_ends() {
    let mut node = Node::new();
    assert_eq!(node.core.poll_timeout(), 0);
    node.wait(SECOND);
    assert_eq!(node.tables.lease, 31 * SECOND);
    assert_eq!(node.core.poll_timeout(), 11 * SECOND);
    node.wait(10 * SECOND);
    assert_eq!(node.tables.lease, 41 * SECOND);
}

#[test]
fn joining_and_leaving_all_the_time_runs_out_of_numbers_only_within_a_second() {
    let mut node = Node::with(settings(2, 4));
    let (alice, bob) = (node.endpoint(6000), node.endpoint(6001));
    let stream = node.publication(alice, &[7]);
    let mut full = 0;
    for _ in 0..100 {
        match node.subscribe(subscription(stream, bob)) {
            Ok(id) => assert!(node.handle(Input::DeleteSubscription(id)).is_ok()),
            Err(refusal) => {
                assert_eq!(refusal.kind, RefusalKind::Full);
                full += 1;
                node.wait(GRACE);
            }
        }
    }
    assert!(full > 0 && full < 10, "{full}");
}
