//! The control API from outside, over HTTP.

mod access;
mod calls;
mod connections;
mod document;
mod dry_runs;
mod events;
mod examples;
mod guesses;
mod happenings;
mod origins;
mod peer;
mod refusals;
mod repeats;
mod rig;
mod rooms;
mod sessions;
mod tls;
mod tokens;
mod webhooks;
mod whip;

use std::{
    net::TcpStream,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use forwarder::{config::Config, core::ops::TableOp, node::parts::Change};
use serde_json::{Value, json};

use rig::Rig;

#[test]
fn a_stream_is_set_up_shown_and_taken_down() {
    let rig = Rig::start();
    let publisher = json!({"local": "10.0.0.1:5000", "remote": "10.0.0.2:6000", "mode": "clear"});
    let (status, alice) = rig.call("POST", "/v0/endpoints", &publisher.to_string());
    assert_eq!(status, 201);
    let wanted = json!({
        "id": "e1", "local": "10.0.0.1:5000", "remote": "10.0.0.2:6000", "mode": "clear", "vlan": null, "dscp": 0,
        "mtu": 1500, "path": "kernel", "why": null, "resolved": true,
    });
    assert_eq!(alice, wanted);
    assert_eq!(rig.get("/v0/endpoints/e1"), wanted);
    let local = json!({"local": "[::1]:5001", "remote": "[fd00::2]:6000", "mode": "opaque", "vlan": 7, "dscp": 46});
    assert_eq!(rig.create("/v0/endpoints", local), "e2");
    assert_eq!(rig.endpoint("127.0.0.1:7000"), "e3");
    assert_eq!(rig.get("/v0/endpoints").as_array().map(Vec::len), Some(3));
    assert_eq!(rig.world.bound.lock().unwrap().len(), 2);

    let body = json!({"endpoint": "e1", "ssrcs": [305_419_896_u32, 2], "payload_type": 96, "clock_rate": 90_000});
    assert_eq!(rig.create("/v0/publications", body), "p1");
    let publication = rig.get("/v0/publications/p1");
    assert_eq!(publication["ssrcs"], json!([305_419_896_u32, 2]));
    assert_eq!(
        (&publication["packets"], &publication["last_seen_ms"]),
        (&json!(3), &Value::Null)
    );

    let body = json!({
        "publication": "p1", "endpoint": "e3", "ssrcs": [8, 9], "payload_type": 100, "sequence_offset": 7,
        "timestamp_offset": 9, "paused": true,
    });
    let (status, subscription) = rig.call("POST", "/v0/subscriptions", &body.to_string());
    assert_eq!((status, &subscription["id"]), (201, &json!("s1")));
    assert_eq!(subscription["paused"], true);
    assert_eq!(subscription["payload_type"], 100);
    let leg = &subscription["legs"][0];
    assert_eq!(
        [
            &leg["ssrc"],
            &leg["published_ssrc"],
            &leg["hop"],
            &leg["path"],
            &leg["why"],
            &leg["resolved"]
        ],
        [
            &json!(8),
            &json!(305_419_896_u32),
            &json!(1),
            &json!("socket"),
            &json!("on this host"),
            &json!(true)
        ]
    );
    assert!(leg["last_seen_ms"].is_number());

    assert_eq!(
        rig.call("POST", "/v0/subscriptions/s1/resume", "").1["paused"],
        false
    );
    let last = *rig.world.ops.lock().unwrap().last().unwrap();
    assert!(
        matches!(last, TableOp::SetMask { mask: 1, .. }),
        "acknowledged before the tables: {last:?}"
    );
    assert_eq!(
        rig.call("POST", "/v0/subscriptions/s1/pause", "").1["paused"],
        true
    );

    let state = rig.get("/v0/state");
    assert_eq!(state["reasons"]["sent"], 42);
    let device = &state["devices"][0];
    assert_eq!(
        (&device["name"], &device["ifindex"], &device["xmit_drops"]),
        (&json!("veth0"), &json!(2), &json!(2))
    );
    for (list, count) in [("endpoints", 3), ("publications", 1), ("subscriptions", 1)] {
        assert_eq!(state[list].as_array().map(Vec::len), Some(count), "{list}");
    }
    let node = rig.get("/v0/node");
    assert_eq!(
        (&node["path"], &node["interfaces"]),
        (&json!("kernel"), &json!(["veth0"]))
    );
    assert_eq!(node["pid"], std::process::id());

    assert_eq!(
        rig.call("DELETE", "/v0/subscriptions/s1", ""),
        (204, Value::Null)
    );
    rig.refused("GET", "/v0/subscriptions/s1", "", 404, "subscription");
    assert_eq!(rig.call("DELETE", "/v0/endpoints/e1", "").0, 204);
    rig.refused("DELETE", "/v0/publications/p1", "", 404, "publication");
    assert_eq!(rig.call("DELETE", "/v0/endpoints/e2", "").0, 204);
    assert_eq!(
        rig.world.bound.lock().unwrap().len(),
        1,
        "e3 still uses 10.0.0.1:5000"
    );
    assert_eq!(rig.call("DELETE", "/v0/endpoints/e3", "").0, 204);
    assert_eq!(rig.world.bound.lock().unwrap().len(), 0);
}

#[test]
fn errors_name_field_value_and_what_is_allowed() {
    let rig = Rig::start();
    rig.endpoint("10.0.0.2:6000");
    rig.endpoint("10.0.0.3:6000");
    rig.create(
        "/v0/publications",
        json!({"endpoint": "e1", "ssrcs": [1], "payload_type": 96, "clock_rate": 90_000}),
    );
    rig.create(
        "/v0/subscriptions",
        json!({"publication": "p1", "endpoint": "e2"}),
    );
    let count = rig.world.ops.lock().unwrap().len();

    let endpoint = |change: Value| {
        let mut body =
            json!({"local": "10.0.0.1:5000", "remote": "10.0.0.4:6000", "mode": "clear"});
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        body.to_string()
    };
    for (change, status, field) in [
        (json!({"local": "10.0.0.1"}), 400, "local"),
        (json!({"local": 5}), 400, "local"),
        (json!({"local": "0.0.0.0:5000"}), 400, "local"),
        (json!({"local": "203.0.113.1:5000"}), 400, "local"),
        (json!({"local": "10.0.0.1:5999"}), 409, "local"),
        (json!({"remote": null}), 400, "remote"),
        (json!({"remote": "10.0.0.4:0"}), 400, "remote"),
        (json!({"remote": "192.0.2.1:6000"}), 400, "remote"),
        (json!({"remote": "10.0.0.2:6000"}), 409, "remote"),
        (json!({"mode": "secret"}), 400, "mode"),
        (json!({"vlan": 4095}), 400, "vlan"),
        (json!({"vlan": 70_000}), 400, "vlan"),
        (json!({"dscp": 64}), 400, "dscp"),
        (json!({"colour": "red"}), 400, "colour"),
    ] {
        rig.refused("POST", "/v0/endpoints", &endpoint(change), status, field);
    }
    let problem = rig.refused(
        "POST",
        "/v0/endpoints",
        &endpoint(json!({"dscp": 64})),
        400,
        "dscp",
    );
    assert_eq!(
        (&problem["value"], &problem["allowed"]),
        (&json!(64), &json!("a number from 0 to 63"))
    );

    for (body, status, field) in [
        (
            json!({"endpoint": "e9", "ssrcs": [5], "payload_type": 96, "clock_rate": 1}),
            404,
            "endpoint",
        ),
        (
            json!({"endpoint": "x", "ssrcs": [5], "payload_type": 96, "clock_rate": 1}),
            400,
            "endpoint",
        ),
        (
            json!({"endpoint": "e1", "ssrcs": [1], "payload_type": 96, "clock_rate": 1}),
            409,
            "ssrcs",
        ),
        (
            json!({"endpoint": "e1", "ssrcs": [-1], "payload_type": 96, "clock_rate": 1}),
            400,
            "ssrcs",
        ),
        (
            json!({"endpoint": "e1", "ssrcs": [5, 5], "payload_type": 96, "clock_rate": 1}),
            400,
            "ssrcs",
        ),
        (
            json!({"endpoint": "e1", "ssrcs": [5], "payload_type": 72, "clock_rate": 1}),
            400,
            "payload_type",
        ),
        (
            json!({"endpoint": "e1", "ssrcs": [5], "payload_type": 96, "clock_rate": 0}),
            400,
            "clock_rate",
        ),
        (
            json!({"endpoint": "e1", "ssrcs": [5], "payload_type": 96}),
            400,
            "clock_rate",
        ),
    ] {
        rig.refused("POST", "/v0/publications", &body.to_string(), status, field);
    }
    for (body, status, field) in [
        (
            json!({"publication": "p9", "endpoint": "e2"}),
            404,
            "publication",
        ),
        (
            json!({"publication": "p1", "endpoint": "e9"}),
            404,
            "endpoint",
        ),
        (
            json!({"publication": "p1", "endpoint": "e2"}),
            409,
            "endpoint",
        ),
        (
            json!({"publication": "p1", "endpoint": "e1"}),
            422,
            "endpoint",
        ),
        (json!({"publication": "p1"}), 400, "endpoint"),
        (
            json!({"publication": "p1", "endpoint": "e2", "paused": "yes"}),
            400,
            "paused",
        ),
        (
            json!({"publication": "p1", "endpoint": "e2", "sequence_offset": 65_536}),
            400,
            "sequence_offset",
        ),
    ] {
        rig.refused(
            "POST",
            "/v0/subscriptions",
            &body.to_string(),
            status,
            field,
        );
    }
    assert_eq!(
        rig.world.ops.lock().unwrap().len(),
        count,
        "something refused left a trace"
    );
    assert_eq!(rig.world.bound.lock().unwrap().len(), 1);
}

#[test]
fn what_is_no_request_of_ours_gets_a_problem_document_too() {
    let rig = Rig::start();
    for body in ["", "{", "[]", "{\"local\": 5 5}", "\u{0}"] {
        rig.refused("POST", "/v0/endpoints", body, 400, "body");
    }
    let large = format!("{{\"local\": \"{}\"}}", "x".repeat(577 * 1024));
    rig.refused("POST", "/v0/endpoints", &large, 413, "body");
    for path in [
        "/v0",
        "/v0/nothing",
        "/v0/endpoints/e1/pause",
        "/v0/endpoints/",
    ] {
        rig.refused("GET", path, "", 404, "path");
    }
    for (method, path, allowed) in [
        ("DELETE", "/v0/endpoints", "GET, HEAD, POST"),
        ("POST", "/v0/endpoints/e1", "GET, HEAD, DELETE"),
        ("POST", "/v0/state", "GET, HEAD"),
        ("GET", "/v0/stop", "POST"),
        ("GET", "/v0/subscriptions/s1/pause", "POST"),
    ] {
        let problem = rig.refused(method, path, "", 405, "method");
        assert_eq!(problem["allowed"], allowed);
    }
    for path in ["/v0/endpoints/1", "/v0/endpoints/e01", "/v0/endpoints/p1"] {
        rig.refused("GET", path, "", 404, "endpoint");
    }
    rig.refused("GET", "/v0/endpoints/%ff", "", 404, "path");
    let kind = [("content-type", "text/plain")];
    let reply = rig.exchange("POST", "/v0/endpoints", &kind, "{}");
    assert_eq!(
        (reply.status, &reply.json()["field"]),
        (415, &json!("Content-Type"))
    );
    rig.refused("GET", "/v0/state?dry_run=true", "", 400, "query");
    rig.refused("DELETE", "/v0/sessions/1?dryrun=true", "", 400, "query");
    rig.refused("DELETE", "/v0/sessions/1?dry_run=1", "", 400, "dry_run");
}

#[test]
fn full_tables_are_507_and_leave_nothing() {
    let rig = Rig::with(Config {
        max_publications: 1,
        max_subscriptions: 1,
        ..Config::default()
    });
    rig.endpoint("10.0.0.2:6000");
    let body = json!({"endpoint": "e1", "ssrcs": [1], "payload_type": 96, "clock_rate": 90_000})
        .to_string();
    rig.world.fail_next.store(true, Ordering::SeqCst);
    let problem = rig.refused("POST", "/v0/publications", &body, 507, "routes");
    assert!(problem["allowed"].as_str().unwrap().contains("at most 3"));
    assert_eq!(rig.get("/v0/publications"), json!([]));
    assert_eq!(rig.call("POST", "/v0/publications", &body).0, 201);
    let body = json!({"endpoint": "e1", "ssrcs": [2], "payload_type": 96, "clock_rate": 90_000})
        .to_string();
    let problem = rig.refused("POST", "/v0/publications", &body, 507, "publications");
    assert_eq!(problem["value"], 2);
    // The socket of an endpoint that is refused is closed again.
    rig.world.fail_next.store(true, Ordering::SeqCst);
    let body =
        json!({"local": "10.0.0.1:5001", "remote": "10.0.0.2:6000", "mode": "clear"}).to_string();
    rig.refused("POST", "/v0/endpoints", &body, 507, "routes");
    assert_eq!(rig.world.bound.lock().unwrap().len(), 1);
}

#[test]
fn endpoints_follow_their_next_hops() {
    let rig = Rig::start();
    let id = rig.endpoint("10.0.0.9:6000");
    let path = format!("/v0/endpoints/{id}");
    assert_eq!(rig.get(&path)["resolved"], false);
    let until = |wanted: bool| {
        let end = Instant::now() + Duration::from_secs(20);
        while rig.get(&path)["resolved"] != wanted {
            assert!(Instant::now() < end, "it did not follow");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let address = "10.0.0.9".parse().unwrap();
    rig.world.neighbour.store(7, Ordering::SeqCst);
    rig.changes
        .blocking_send(Change::Neighbour {
            interface: 2,
            address,
        })
        .unwrap();
    until(true);
    rig.world.neighbour.store(0, Ordering::SeqCst);
    rig.changes.blocking_send(Change::Interface(2)).unwrap();
    until(false);
    rig.world.neighbour.store(7, Ordering::SeqCst);
    rig.changes.blocking_send(Change::All).unwrap();
    until(true);
}

#[test]
fn stop_ends_the_node() {
    let mut rig = Rig::start();
    assert_eq!(rig.call("POST", "/v0/stop", ""), (204, Value::Null));
    rig.join();
    assert!(TcpStream::connect(rig.address).is_err());
}

#[test]
fn ten_thousand_subscriptions_are_taken_quickly() {
    let rig = Rig::start();
    rig.endpoint("10.0.0.2:6000");
    rig.create(
        "/v0/publications",
        json!({"endpoint": "e1", "ssrcs": [1], "payload_type": 96, "clock_rate": 90_000}),
    );
    let mut times = Vec::new();
    for at in 0..10_000_u32 {
        let remote = format!("10.1.{}.{}:7000", at / 256, at % 256);
        let id = rig.endpoint(&remote);
        let body = json!({"publication": "p1", "endpoint": id}).to_string();
        let start = Instant::now();
        assert_eq!(rig.call("POST", "/v0/subscriptions", &body).0, 201);
        times.push(start.elapsed());
    }
    let slowest = times[9000..].iter().max().copied();
    let median = |times: &mut [Duration]| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    // The last thousand, when the node is full, and the first.
    let (last, first) = (median(&mut times[9000..]), median(&mut times[..1000]));
    println!(
        "median subscribe call at 10,000 subscriptions: {last:?}, slowest {slowest:?}; at first {first:?}"
    );
    // Unoptimised, on a machine that does other things too: far from what an O(n) call would take.
    assert!(
        last < (4 * first).max(Duration::from_millis(5)),
        "{last:?}, at first {first:?}"
    );
    let start = Instant::now();
    assert_eq!(
        rig.get("/v0/state")["subscriptions"]
            .as_array()
            .map(Vec::len),
        Some(10_000)
    );
    println!("state of 10,000 subscriptions: {:?}", start.elapsed());
    let start = Instant::now();
    assert_eq!(rig.call("DELETE", "/v0/publications/p1", "").0, 204);
    println!("deleting them all: {:?}", start.elapsed());
}
