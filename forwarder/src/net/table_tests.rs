//! What facts change, and that no outdated answer stays.

use super::super::facts::{LinkKind, Prefix, Target};
use super::*;

const MAC: Resolved = Resolved {
    mac: [2, 0, 0, 0, 0, 2],
    fixed: false,
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn veth(index: u32) -> Link {
    let kind = LinkKind::Ethernet(Some("veth".into()));
    Link {
        index,
        name: format!("if{index}"),
        mac: Some([2; 6]),
        mtu: 1500,
        kind,
        up: true,
        carrier: true,
    }
}

fn via(device: u32) -> Answer {
    Ok(Route {
        target: Target::Unicast,
        device,
        gateway: None,
        mtu: None,
        encapsulated: false,
    })
}

fn query(remote: &str) -> Query {
    Query::new(ip("10.0.0.1"), ip(remote))
}

fn apply(table: &mut Table, fact: Fact) -> Vec<Change> {
    let mut changes = BTreeSet::new();
    table.apply(fact, &mut changes);
    changes.into_iter().collect()
}

fn learn(table: &mut Table, query: Query, answer: Answer) {
    let ticket = table.begin(query, &mut BTreeSet::new());
    table.finish(query, ticket, answer);
}

fn routes(address: &str, bits: u8) -> Fact {
    Fact::Routes(Prefix::Of {
        address: ip(address),
        bits,
    })
}

#[test]
fn a_neighbour_is_news_only_when_its_mac_changes() {
    let mut table = Table::default();
    let key = Neighbour {
        device: 3,
        address: ip("10.0.0.2"),
    };
    let change = Change::Neighbour {
        device: 3,
        address: ip("10.0.0.2"),
    };
    assert_eq!(apply(&mut table, Fact::Neighbour(key, Some(MAC))), [change]);
    assert_eq!(apply(&mut table, Fact::Neighbour(key, Some(MAC))), []);
    assert_eq!(
        apply(
            &mut table,
            Fact::Neighbour(key, Some(Resolved { fixed: true, ..MAC }))
        ),
        []
    );
    assert_eq!(
        apply(
            &mut table,
            Fact::Neighbour(
                key,
                Some(Resolved {
                    mac: [4; 6],
                    fixed: false
                })
            )
        ),
        [change]
    );
    assert_eq!(apply(&mut table, Fact::Neighbour(key, None)), [change]);
    assert_eq!(apply(&mut table, Fact::Neighbour(key, None)), []);
}

#[test]
fn only_covered_answers_are_forgotten() {
    let mut table = Table::default();
    learn(&mut table, query("10.1.0.2"), via(3));
    learn(
        &mut table,
        query("10.2.0.2"),
        Err(Unreachable::NoRoute(query("10.2.0.2"))),
    );
    assert_eq!(apply(&mut table, routes("192.0.2.0", 24)), []);
    assert_eq!(
        apply(&mut table, routes("10.2.0.0", 16)),
        [Change::Routes],
        "a new route may end an error"
    );
    assert!(table.remembered(&query("10.1.0.2")).is_some());
    assert!(table.remembered(&query("10.2.0.2")).is_none());
}

#[test]
fn an_answer_overtaken_by_a_notification_is_not_kept() {
    let mut table = Table::default();
    let ticket = table.begin(query("10.1.0.2"), &mut BTreeSet::new());
    assert_eq!(table.remembered(&query("10.1.0.2")), None);
    assert_eq!(
        apply(&mut table, routes("10.1.0.0", 16)),
        [Change::Routes],
        "whoever asked must be told"
    );
    table.finish(query("10.1.0.2"), ticket, via(3));
    assert_eq!(table.remembered(&query("10.1.0.2")), None);
}

#[test]
fn of_two_lookups_at_once_the_later_is_kept() {
    let mut table = Table::default();
    let first = table.begin(query("10.1.0.2"), &mut BTreeSet::new());
    let second = table.begin(query("10.1.0.2"), &mut BTreeSet::new());
    table.finish(query("10.1.0.2"), second, via(4));
    table.finish(query("10.1.0.2"), first, via(3));
    assert_eq!(table.remembered(&query("10.1.0.2")), Some(via(4)));
}

#[test]
fn a_link_that_stops_takes_its_routes_along() {
    for down in [
        Link {
            up: false,
            ..veth(3)
        },
        Link {
            carrier: false,
            ..veth(3)
        },
    ] {
        let mut table = Table::default();
        apply(&mut table, Fact::Link(veth(3)));
        learn(&mut table, query("10.1.0.2"), via(3));
        learn(&mut table, query("10.1.0.3"), via(4));
        assert_eq!(apply(&mut table, Fact::Link(veth(3))), [], "nothing new");
        assert_eq!(
            apply(&mut table, Fact::Link(down)),
            [Change::Routes, Change::Link { device: 3 }]
        );
        assert!(table.remembered(&query("10.1.0.2")).is_none());
        assert!(table.remembered(&query("10.1.0.3")).is_some());
        assert_eq!(
            apply(&mut table, Fact::Link(veth(3))),
            [Change::Routes, Change::Link { device: 3 }]
        );
        assert!(
            table.remembered(&query("10.1.0.3")).is_none(),
            "a link that comes up may be the better way"
        );
    }
}

#[test]
fn a_new_mtu_is_news_but_keeps_answers() {
    let mut table = Table::default();
    apply(&mut table, Fact::Link(veth(3)));
    learn(&mut table, query("10.1.0.2"), via(3));
    assert_eq!(
        apply(
            &mut table,
            Fact::Link(Link {
                mtu: 1400,
                ..veth(3)
            })
        ),
        [Change::Link { device: 3 }]
    );
    let route = table.remembered(&query("10.1.0.2")).unwrap().unwrap();
    assert_eq!(table.hop(&query("10.1.0.2"), &route).unwrap().mtu, 1400);
}

#[test]
fn a_removed_link_leaves_nothing_behind() {
    let mut table = Table::default();
    apply(&mut table, Fact::Link(veth(3)));
    apply(
        &mut table,
        Fact::Address {
            device: 3,
            address: ip("10.0.0.1"),
            present: true,
        },
    );
    apply(
        &mut table,
        Fact::Neighbour(
            Neighbour {
                device: 3,
                address: ip("10.0.0.2"),
            },
            Some(MAC),
        ),
    );
    learn(&mut table, query("10.0.0.2"), via(3));
    assert_eq!(
        apply(&mut table, Fact::LinkGone(3)),
        [Change::Routes, Change::Link { device: 3 }]
    );
    assert!(table.links().is_empty() && table.addresses().is_empty());
    assert_eq!(
        table.neighbour(&Neighbour {
            device: 3,
            address: ip("10.0.0.2")
        }),
        None
    );
    assert_eq!(apply(&mut table, Fact::LinkGone(3)), []);
}

#[test]
fn addresses_come_and_go() {
    let mut table = Table::default();
    let address = |present| Fact::Address {
        device: 3,
        address: ip("10.0.0.1"),
        present,
    };
    learn(
        &mut table,
        query("10.0.0.2"),
        Err(Unreachable::NotLocal(ip("10.0.0.1"))),
    );
    assert_eq!(apply(&mut table, address(true)), [Change::Routes]);
    learn(&mut table, query("10.0.0.2"), via(3));
    assert_eq!(
        apply(&mut table, address(true)),
        [],
        "lifetimes are refreshed all the time"
    );
    assert_eq!(apply(&mut table, address(false)), [Change::Routes]);
    assert!(table.addresses().is_empty());
}

#[test]
fn memory_is_bounded() {
    let mut table = Table::default();
    let mut changes = BTreeSet::new();
    for n in 0..u32::try_from(ANSWERS).unwrap() {
        let _ = table.begin(
            Query::new(ip("10.0.0.1"), IpAddr::V4(n.into())),
            &mut changes,
        );
    }
    assert!(changes.is_empty());
    let _ = table.begin(query("10.0.0.2"), &mut changes);
    assert_eq!(table.routes.len(), 1);
    assert!(
        changes.contains(&Change::Routes),
        "those who still need their answer must ask again"
    );
}

#[test]
fn a_fresh_dump_replaces_all() {
    let mut table = Table::default();
    apply(&mut table, Fact::Link(veth(3)));
    apply(
        &mut table,
        Fact::Neighbour(
            Neighbour {
                device: 3,
                address: ip("10.0.0.2"),
            },
            Some(MAC),
        ),
    );
    learn(&mut table, query("10.0.0.2"), via(3));
    let mut changes = BTreeSet::new();
    table.replace(vec![Fact::Link(veth(4))], &mut changes);
    assert_eq!(changes.into_iter().collect::<Vec<_>>(), [Change::Routes]);
    assert_eq!(table.links().keys().collect::<Vec<_>>(), [&4]);
    assert_eq!(
        table.neighbour(&Neighbour {
            device: 3,
            address: ip("10.0.0.2")
        }),
        None
    );
    assert!(table.remembered(&query("10.0.0.2")).is_none());
}
