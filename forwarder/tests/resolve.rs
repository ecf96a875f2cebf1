//! Next hops in real network namespaces.
//!
//! Needs root; without it the tests say so and pass.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use forwarder::net::{
    Change, Changes, Neighbour, NextHop, Query, Resolver, SocketOnly, Unreachable, keep_fresh,
};
use tokio::time::timeout;

use namespaces::{MAC_A, MAC_B, Pair};

mod namespaces;

/// Runs `body` with a resolver in namespace A.
fn enter<T: Send>(pair: &Pair, body: impl AsyncFnOnce(Resolver, Changes) -> T + Send) -> T {
    pair.enter(async || {
        let (resolver, changes) = Resolver::new().await.unwrap();
        body(resolver, changes).await
    })
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn query(local: &str, remote: &str) -> Query {
    Query::new(ip(local), ip(remote))
}

/// How long anything may take that happens at all.
const LONG: Duration = Duration::from_secs(20);

/// Waits until a batch of changes holds one that `wanted` accepts.
async fn told(changes: &mut Changes, wanted: impl Fn(&Change) -> bool) -> Change {
    let wait = async {
        loop {
            let batch = changes.next().await.expect("the resolver follows");
            if let Some(found) = batch.into_iter().find(&wanted) {
                return found;
            }
        }
    };
    timeout(LONG, wait).await.expect("the change is told")
}

/// Resolves until the answer is as wanted, asking again on each change as the forwarder does.
async fn eventually(
    resolver: &Resolver,
    changes: &mut Changes,
    query: Query,
    wanted: impl Fn(&Result<NextHop, Unreachable>) -> bool,
) -> Result<NextHop, Unreachable> {
    let wait = async {
        loop {
            let answer = resolver.resolve(query).await;
            if wanted(&answer) {
                return answer;
            }
            changes.next().await.expect("the resolver follows");
        }
    };
    timeout(LONG, wait).await.expect("the wanted answer comes")
}

fn has_mac(mac: [u8; 6]) -> impl Fn(&Result<NextHop, Unreachable>) -> bool {
    move |answer| {
        answer
            .as_ref()
            .is_ok_and(|hop| hop.destination_mac == Some(mac))
    }
}

#[test]
fn on_link_neighbours_are_resolved_on_demand() {
    let Some(pair) = Pair::new() else { return };
    enter(&pair, async |resolver, mut changes| {
        for (local, remote) in [("10.9.0.1", "10.9.0.2"), ("fd09::1", "fd09::2")] {
            let first = resolver.resolve(query(local, remote)).await.unwrap();
            assert_eq!(
                first.destination_mac, None,
                "nobody has talked to {remote} yet"
            );
            let hop = eventually(
                &resolver,
                &mut changes,
                query(local, remote),
                has_mac(MAC_B),
            )
            .await
            .unwrap();
            assert_eq!(
                (hop.device_name.as_str(), hop.source_mac, hop.mtu),
                ("f0", MAC_A, 1500)
            );
            assert_eq!((hop.gateway, hop.vlan, hop.socket_only), (None, None, None));
            assert_eq!(
                hop.neighbour,
                Some(Neighbour {
                    device: hop.device,
                    address: ip(remote)
                })
            );
        }
    });
}

#[test]
fn gateways_of_both_families_and_the_mtu_of_the_route() {
    let Some(pair) = Pair::new() else { return };
    pair.in_a("route add 192.0.2.0/25 via 10.9.0.2 mtu 1280");
    pair.in_a("route add 192.0.2.128/25 via inet6 fd09::2 dev f0");
    pair.in_a("route add 2001:db8::/32 via fd09::2");
    enter(&pair, async |resolver, mut changes| {
        for (local, remote, gateway, mtu) in [
            ("10.9.0.1", "192.0.2.1", "10.9.0.2", 1280),
            ("10.9.0.1", "192.0.2.129", "fd09::2", 1500),
            ("fd09::1", "2001:db8::1", "fd09::2", 1500),
        ] {
            let hop = eventually(
                &resolver,
                &mut changes,
                query(local, remote),
                has_mac(MAC_B),
            )
            .await
            .unwrap();
            assert_eq!((hop.gateway, hop.mtu), (Some(ip(gateway)), mtu), "{remote}");
            assert_eq!(hop.neighbour.unwrap().address, ip(gateway));
        }
    });
}

#[test]
fn link_local_addresses() {
    let Some(pair) = Pair::new() else { return };
    pair.in_a("address add fe80::a/64 dev f0 nodad");
    pair.in_b("address add fe80::b/64 dev f0 nodad");
    enter(&pair, async |resolver, mut changes| {
        let by_address = query("fe80::a", "fe80::b");
        let hop = eventually(&resolver, &mut changes, by_address, has_mac(MAC_B))
            .await
            .unwrap();
        assert_eq!(hop.device_name, "f0");
        let from_global = query("fd09::1", "fe80::b");
        assert_eq!(
            resolver.resolve(from_global).await,
            Err(Unreachable::ScopeMissing(ip("fe80::b")))
        );
        let scoped = Query {
            device: Some(hop.device),
            ..from_global
        };
        assert_eq!(
            resolver.resolve(scoped).await.unwrap().destination_mac,
            Some(MAC_B)
        );
    });
}

#[test]
fn addresses_of_this_host_are_for_the_socket_path() {
    let Some(pair) = Pair::new() else { return };
    enter(&pair, async |resolver, _| {
        for (local, remote) in [
            ("10.9.0.1", "10.9.0.1"),
            ("127.0.0.1", "127.0.0.1"),
            ("10.9.0.1", "10.8.0.1"),
            ("fd09::1", "fd09::1"),
        ] {
            let hop = resolver.resolve(query(local, remote)).await.unwrap();
            assert!(hop.loopback(), "{remote}: {hop:?}");
            assert_eq!(hop.socket_only, Some(SocketOnly::Loopback));
        }
        let ours: BTreeSet<IpAddr> = resolver
            .local_addresses()
            .into_iter()
            .map(|(address, _)| address)
            .collect();
        assert!(ours.is_superset(&BTreeSet::from([
            ip("10.9.0.1"),
            ip("10.8.0.1"),
            ip("fd09::1"),
            ip("127.0.0.1")
        ])));
    });
}

#[test]
fn what_cannot_be_reached_says_why() {
    let Some(pair) = Pair::new() else { return };
    for kind in ["blackhole", "unreachable", "prohibit"] {
        pair.in_a(&format!("route add {kind} 198.51.100.{}/32", kind.len()));
        pair.in_a(&format!("route add {kind} 2001:db8::{}/128", kind.len()));
    }
    enter(&pair, async |resolver, _| {
        for (local, number) in [("10.9.0.1", "198.51.100."), ("fd09::1", "2001:db8::")] {
            let to = |kind: &str| ip(&format!("{number}{}", kind.len()));
            let ask = async |kind: &str| {
                resolver
                    .resolve(Query::new(ip(local), to(kind)))
                    .await
                    .unwrap_err()
            };
            assert_eq!(
                ask("blackhole").await,
                Unreachable::Blackhole(to("blackhole"))
            );
            assert_eq!(
                ask("unreachable").await,
                Unreachable::Unreachable(to("unreachable"))
            );
            assert_eq!(
                ask("prohibit").await,
                Unreachable::Prohibited(to("prohibit"))
            );
            let nowhere = ask("nowhere").await;
            assert!(matches!(nowhere, Unreachable::NoRoute(_)), "{nowhere:?}");
        }
        for foreign in [query("10.7.7.7", "10.9.0.2"), query("fd77::7", "fd09::2")] {
            assert_eq!(
                resolver.resolve(foreign).await,
                Err(Unreachable::NotLocal(foreign.local))
            );
        }
        for many in [
            query("10.9.0.1", "10.9.0.255"),
            query("10.9.0.1", "239.1.1.1"),
            query("fd09::1", "ff0e::1"),
        ] {
            assert_eq!(
                resolver.resolve(many).await,
                Err(Unreachable::NotUnicast(many.remote))
            );
        }
        let mixed = query("10.9.0.1", "fd09::2");
        assert_eq!(
            resolver.resolve(mixed).await,
            Err(Unreachable::FamilyMismatch(mixed))
        );
    });
}

#[test]
fn changes_are_told_and_followed() {
    let Some(pair) = Pair::new() else { return };
    enter(&pair, async |resolver, mut changes| {
        let asked = query("10.9.0.1", "10.9.0.2");
        let hop = eventually(&resolver, &mut changes, asked, has_mac(MAC_B))
            .await
            .unwrap();

        // The receiver gets another MAC address.
        pair.in_a("neigh replace 10.9.0.2 dev f0 lladdr 02:00:00:00:00:0c nud reachable");
        let change = told(&mut changes, |c| matches!(c, Change::Neighbour { .. })).await;
        assert_eq!(
            change,
            Change::Neighbour {
                device: hop.device,
                address: ip("10.9.0.2")
            }
        );
        assert_eq!(
            resolver.resolve(asked).await.unwrap().destination_mac,
            Some([2, 0, 0, 0, 0, 0xc])
        );

        // It vanishes: never the old address again, and the kernel is asked at once.
        pair.in_a("neigh del 10.9.0.2 dev f0");
        told(&mut changes, |c| matches!(c, Change::Neighbour { .. })).await;
        assert_eq!(resolver.resolve(asked).await.unwrap().destination_mac, None);
        eventually(&resolver, &mut changes, asked, has_mac(MAC_B))
            .await
            .unwrap();

        // A more specific route leads elsewhere.
        pair.in_a("route add 10.9.0.2/32 via 10.8.0.2");
        told(&mut changes, |c| *c == Change::Routes).await;
        let moved = eventually(
            &resolver,
            &mut changes,
            asked,
            has_mac([2, 0, 0, 0, 1, 0xb]),
        )
        .await
        .unwrap();
        assert_eq!(
            (moved.device_name.as_str(), moved.gateway),
            ("f1", Some(ip("10.8.0.2")))
        );

        // The MTU shrinks, then the peer goes down, then the device itself.
        pair.in_a("link set f1 mtu 1400");
        told(&mut changes, |c| {
            *c == Change::Link {
                device: moved.device,
            }
        })
        .await;
        assert_eq!(resolver.resolve(asked).await.unwrap().mtu, 1400);
        pair.in_b("link set f1 down");
        let without =
            |a: &Result<NextHop, Unreachable>| *a == Err(Unreachable::NoCarrier("f1".into()));
        let _ = eventually(&resolver, &mut changes, asked, without).await;
        pair.in_a("link set f1 down");
        let back =
            |a: &Result<NextHop, Unreachable>| a.as_ref().is_ok_and(|hop| hop.device_name == "f0");
        let _ = eventually(&resolver, &mut changes, asked, back).await;
    });
}

#[test]
fn an_address_that_comes_later_is_noticed() {
    let Some(pair) = Pair::new() else { return };
    enter(&pair, async |resolver, mut changes| {
        let asked = query("10.9.0.77", "10.9.0.2");
        assert_eq!(
            resolver.resolve(asked).await,
            Err(Unreachable::NotLocal(asked.local))
        );
        pair.in_a("address add 10.9.0.77/24 dev f0");
        told(&mut changes, |c| *c == Change::Routes).await;
        assert_eq!(resolver.resolve(asked).await.unwrap().device_name, "f0");
        pair.in_a("address del 10.9.0.77/24 dev f0");
        told(&mut changes, |c| *c == Change::Routes).await;
        assert_eq!(
            resolver.resolve(asked).await,
            Err(Unreachable::NotLocal(asked.local))
        );
    });
}

#[test]
fn lost_notifications_are_made_up_for() {
    let Some(pair) = Pair::new() else { return };
    enter(&pair, async |resolver, mut changes| {
        let asked = query("10.9.0.1", "10.9.0.3");
        eventually(&resolver, &mut changes, asked, has_mac(MAC_B))
            .await
            .unwrap();
        // Far more than a socket buffer holds, while nothing reads: this thread runs the only task.
        let batch: String = (0..30_000)
            .map(|n| format!("neigh replace 10.9.0.3 dev f0 lladdr 02:00:00:00:{:02x}:{:02x} nud reachable\n", n >> 8, n & 255))
            .collect();
        let path = std::env::temp_dir().join(format!("{}.batch", pair.a));
        std::fs::write(&path, batch).unwrap();
        pair.in_a(&format!("-batch {}", path.display()));
        std::fs::remove_file(path).unwrap();
        let last = 29_999_u16.to_be_bytes();
        let mac = [2, 0, 0, 0, last[0], last[1]];
        eventually(&resolver, &mut changes, asked, has_mac(mac))
            .await
            .unwrap();
        // And it stays so: nothing older is applied on top.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(
            resolver.resolve(asked).await.unwrap().destination_mac,
            Some(mac)
        );
        pair.in_a("neigh replace 10.9.0.3 dev f0 lladdr 02:00:00:00:00:0d nud reachable");
        eventually(
            &resolver,
            &mut changes,
            asked,
            has_mac([2, 0, 0, 0, 0, 0xd]),
        )
        .await
        .unwrap();
    });
}

#[test]
fn entries_set_by_hand_survive_probes() {
    let Some(pair) = Pair::new() else { return };
    pair.in_a("neigh replace 10.9.0.9 dev f0 lladdr 02:00:00:00:00:99 nud permanent");
    enter(&pair, async |resolver, _| {
        let asked = query("10.9.0.1", "10.9.0.9");
        let hop = resolver.resolve(asked).await.unwrap();
        assert_eq!(hop.destination_mac, Some([2, 0, 0, 0, 0, 0x99]));
        resolver.probe(hop.neighbour.unwrap()).await.unwrap();
        let fresh = keep_fresh(resolver.clone(), || BTreeSet::from_iter(hop.neighbour));
        let _ = timeout(Duration::from_millis(200), fresh).await;
        assert_eq!(
            resolver.resolve(asked).await.unwrap().destination_mac,
            Some([2, 0, 0, 0, 0, 0x99])
        );
    });
}

#[test]
fn entries_pinned_this_instant_survive_too() {
    let Some(pair) = Pair::new() else { return };
    enter(&pair, async |resolver, mut changes| {
        let device = resolver.link_by_name("f0").unwrap().index;
        for n in 100..150 {
            // No await in between: the copy of the table cannot have heard of it.
            pair.in_a(&format!(
                "neigh replace 10.9.0.{n} dev f0 lladdr 02:00:00:00:01:{:02x} nud permanent",
                n - 100
            ));
            resolver
                .probe(Neighbour {
                    device,
                    address: ip(&format!("10.9.0.{n}")),
                })
                .await
                .unwrap();
            let asked = query("10.9.0.1", &format!("10.9.0.{n}"));
            let known = |a: &Result<NextHop, Unreachable>| {
                a.as_ref().is_ok_and(|hop| hop.destination_mac.is_some())
            };
            eventually(&resolver, &mut changes, asked, known)
                .await
                .unwrap();
        }
    });
}

#[test]
fn keep_fresh_renews_stale_neighbours() {
    let Some(pair) = Pair::new() else { return };
    // By default the kernel waits 5 s before it probes a stale entry.
    pair.enter(async || {
        std::fs::write("/proc/sys/net/ipv4/neigh/f0/delay_first_probe_time", "1").unwrap()
    });
    // An outdated MAC address: only a probe finds out, since nothing is ever sent.
    pair.in_a("neigh replace 10.9.0.2 dev f0 lladdr 02:00:00:00:00:0c nud stale");
    enter(&pair, async |resolver, mut changes| {
        let asked = query("10.9.0.1", "10.9.0.2");
        let hop = resolver.resolve(asked).await.unwrap();
        assert_eq!(hop.destination_mac, Some([2, 0, 0, 0, 0, 0xc]));
        let used = hop.neighbour.unwrap();
        let fresh = keep_fresh(resolver.clone(), move || BTreeSet::from([used]));
        let renewed = async {
            loop {
                changes.next().await.unwrap();
                if resolver.resolve(asked).await.unwrap().destination_mac == Some(MAC_B) {
                    return;
                }
            }
        };
        tokio::select! {
            () = fresh => panic!("keep_fresh ended"),
            done = timeout(Duration::from_secs(25), renewed) => done.expect("the entry is renewed"),
        }
    });
}

#[test]
fn ten_thousand_endpoints() {
    let Some(pair) = Pair::new() else { return };
    pair.in_a("route add 172.16.0.0/12 via 10.9.0.2");
    enter(&pair, async |resolver, mut changes| {
        let queries: Vec<Query> = (0..10_000u32)
            .map(|n| Query::new(ip("10.9.0.1"), IpAddr::V4((0xac10_0000 + n).into())))
            .collect();
        eventually(&resolver, &mut changes, queries[0], has_mac(MAC_B))
            .await
            .unwrap();
        let mut took = Vec::new();
        for _ in 0..2 {
            let start = Instant::now();
            for query in &queries {
                assert_eq!(
                    resolver.resolve(*query).await.unwrap().destination_mac,
                    Some(MAC_B)
                );
            }
            took.push(start.elapsed());
        }
        println!(
            "10,000 endpoints: {:?} asking the kernel, {:?} remembered",
            took[0], took[1]
        );
        assert!(took[1] < took[0]);
        // A change that concerns none of them is not told.
        pair.in_a("route add 203.0.113.0/24 via 10.9.0.3");
        assert!(
            timeout(
                Duration::from_millis(300),
                told(&mut changes, |c| *c == Change::Routes)
            )
            .await
            .is_err()
        );
    });
}
