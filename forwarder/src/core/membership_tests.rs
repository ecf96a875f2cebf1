//! Who hears whom after joining, leaving, pausing, moving and deleting.

use forwarder_common::tables::{DEVICE_SOCKET, Endpoint, EndpointKey};

use super::{
    endpoint::Mode,
    refusal::RefusalKind,
    test_node::{Node, endpoint, placement, refused, settings, subscription},
    *,
};

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
    assert_eq!(
        node.tables.endpoints[&key],
        Endpoint::new([2, 0, 0, 0, 0, 9])
    );
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
