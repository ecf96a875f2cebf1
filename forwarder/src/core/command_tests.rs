//! What commands refuse, and that nothing of a refused one remains.

use super::{
    endpoint::Mode,
    refusal::RefusalKind,
    settings::Sizes,
    test_node::{Node, SECOND, endpoint, placement, refused, settings, subscription},
    *,
};

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
fn the_lease_is_renewed_three_times_before_it_ends() {
    let mut node = Node::new();
    assert_eq!(node.core.poll_timeout(), 0);
    node.wait(SECOND);
    assert_eq!(node.tables.lease, 31 * SECOND);
    assert_eq!(node.core.poll_timeout(), 11 * SECOND);
    node.wait(10 * SECOND);
    assert_eq!(node.tables.lease, 41 * SECOND);
}
