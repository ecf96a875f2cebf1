//! Dry runs: every operation of the document that changes something has one, and it changes nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    access::session,
    peer::{Direction, Peer},
    rig::Rig,
};

const CHANGES: [&str; 4] = ["post", "put", "patch", "delete"];
/// What goes on by itself.
const MOVING: [&str; 12] = [
    "age_ms",
    "bitrate",
    "bytes",
    "checks",
    "consent_ms",
    "cpu_us",
    "idle_ms",
    "last_seen_ms",
    "packets",
    "process",
    "rtcp_received",
    "uptime_ms",
];

/// Takes what goes on by itself out of a state.
fn still(state: &mut Value) {
    match state {
        Value::Object(fields) => {
            fields.retain(|name, _| !MOVING.contains(&name.as_str()));
            fields.values_mut().for_each(still);
        }
        Value::Array(entries) => entries.iter_mut().for_each(still),
        _ => {}
    }
}

/// Everything that callers can see and change.
pub fn seen(rig: &Rig, sessions: &[&str]) -> (Vec<Value>, Vec<Option<String>>) {
    let of_sessions = sessions.iter().map(|id| format!("/v0/sessions/{id}"));
    let more = ["/v0/state", "/v0/rooms", "/v0/sessions", "/v0/webhooks"];
    let paths = more.into_iter().map(str::to_owned).chain(of_sessions);
    let mut states: Vec<Value> = paths.map(|path| rig.get(&path)).collect();
    states.iter_mut().for_each(still);
    // Its entity tag is another after every change.
    let room = rig.exchange("GET", "/v0/rooms/r", &[], "");
    let wishes = sessions.iter().map(|id| {
        let path = format!("/v0/sessions/{id}/wishes");
        rig.exchange("GET", &path, &[], "")
            .header("etag")
            .map(str::to_owned)
    });
    let tags = wishes.chain([room.header("etag").map(str::to_owned)]);
    (states, tags.collect())
}

pub fn codecs() -> Value {
    json!([{"payload_type": 111, "name": "opus", "clock_rate": 48_000, "channels": 2}])
}

#[test]
fn every_operation_that_changes_something_can_be_tried() {
    let rig = Rig::start();
    // One of everything, so that every path leads somewhere.
    let publisher = rig.endpoint("10.0.0.2:6000");
    let subscriber = rig.endpoint("10.0.0.3:6000");
    let body =
        json!({"endpoint": publisher, "ssrcs": [1], "payload_type": 96, "clock_rate": 90_000});
    let publication = rig.create("/v0/publications", body);
    let body = json!({"publication": publication, "endpoint": subscriber, "paused": true});
    let subscription = rig.create("/v0/subscriptions", body);
    let hook =
        json!({"url": "http://127.0.0.1:9/", "secret": "0123456789abcdef", "events": ["none"]});
    let webhook = rig.create("/v0/webhooks", hook.clone());
    let ann = rig.create("/v0/sessions", session("r"));
    let line = json!({"kind": "audio", "codecs": codecs(), "encodings": [{"ssrc": 5}]});
    let track = rig.create(&format!("/v0/sessions/{ann}/publications"), line);
    let bob = rig.create("/v0/sessions", session("r"));
    let wanted = json!({"publication": track, "codecs": codecs(), "paused": true});
    let leg = rig.create(&format!("/v0/sessions/{bob}/subscriptions"), wanted);
    let offered = rig.create("/v0/sessions", json!({"room": "r", "receive": ["video"]}));
    let offer = rig.get(&format!("/v0/sessions/{offered}/offer"));
    let answer = Peer::new_answer(offer["sdp"].as_str().unwrap());
    let sdp = ("content-type", "application/sdp");
    let (mut whip, told) = Peer::offer(&rig, "/whip/r", &[sdp]);
    let tag = told.header("etag").unwrap().to_owned();
    let own = whip.credentials();
    let credentials = format!("a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", own.ufrag, own.pass);
    let restart = "a=ice-ufrag:efgh\r\na=ice-pwd:0123456789012345678901\r\n";
    let (whep, _) = Peer::offer(&rig, "/whep/r", &[sdp]);

    let ice = json!({"ufrag": "efgh", "pwd": "0123456789012345678901"});
    let text = |value: Value| value.to_string();
    let endpoint = json!({"local": "10.0.0.1:5001", "remote": "10.0.0.4:6000", "mode": "clear"});
    let stream =
        json!({"endpoint": publisher, "ssrcs": [2], "payload_type": 96, "clock_rate": 90_000});
    let more = rig.create(
        "/v0/publications",
        json!({"endpoint": publisher, "ssrcs": [3], "payload_type": 96, "clock_rate": 90_000}),
    );
    let sent = json!({"publication": more, "endpoint": subscriber});
    let new_line = json!({"kind": "audio", "codecs": codecs(), "encodings": [{"ssrc": 6}]});
    let new_leg = json!({"publication": track, "codecs": codecs(), "mid": "7"});
    let put_answer = json!({"sdp": answer, "version": offer["version"]});
    let candidates = json!({"candidates": ["candidate:1 1 udp 1 192.0.2.1 4000 typ host"]});
    let none = String::new();
    let s = |id: &str, rest: &str| format!("/v0/sessions/{id}{rest}");
    // Method and path as documented, path and body as asked.
    let calls: Vec<(&str, &str, String, String)> = vec![
        (
            "post",
            "/v0/endpoints",
            "/v0/endpoints".into(),
            text(endpoint),
        ),
        (
            "delete",
            "/v0/endpoints/{id}",
            format!("/v0/endpoints/{publisher}"),
            none.clone(),
        ),
        (
            "post",
            "/v0/publications",
            "/v0/publications".into(),
            text(stream),
        ),
        (
            "delete",
            "/v0/publications/{id}",
            format!("/v0/publications/{publication}"),
            none.clone(),
        ),
        (
            "post",
            "/v0/subscriptions",
            "/v0/subscriptions".into(),
            text(sent),
        ),
        (
            "delete",
            "/v0/subscriptions/{id}",
            format!("/v0/subscriptions/{subscription}"),
            none.clone(),
        ),
        (
            "post",
            "/v0/subscriptions/{id}/pause",
            format!("/v0/subscriptions/{subscription}/pause"),
            none.clone(),
        ),
        (
            "post",
            "/v0/subscriptions/{id}/resume",
            format!("/v0/subscriptions/{subscription}/resume"),
            none.clone(),
        ),
        ("post", "/v0/webhooks", "/v0/webhooks".into(), text(hook)),
        (
            "delete",
            "/v0/webhooks/{id}",
            format!("/v0/webhooks/{webhook}"),
            none.clone(),
        ),
        (
            "put",
            "/v0/rooms/{room}",
            "/v0/rooms/r".into(),
            text(json!({"locked": true})),
        ),
        (
            "delete",
            "/v0/rooms/{room}",
            "/v0/rooms/r".into(),
            none.clone(),
        ),
        (
            "post",
            "/v0/sessions",
            "/v0/sessions".into(),
            text(session("r")),
        ),
        ("delete", "/v0/sessions/{id}", s(&ann, ""), none.clone()),
        ("post", "/v0/sessions/{id}/ice", s(&ann, "/ice"), text(ice)),
        (
            "post",
            "/v0/sessions/{id}/offer",
            s(&offered, "/offer"),
            text(json!({"sdp": Peer::new_offer(Direction::SendRecv)})),
        ),
        (
            "delete",
            "/v0/sessions/{id}/offer",
            s(&offered, "/offer"),
            none.clone(),
        ),
        (
            "put",
            "/v0/sessions/{id}/answer",
            s(&offered, "/answer"),
            text(put_answer),
        ),
        (
            "post",
            "/v0/sessions/{id}/candidates",
            s(&ann, "/candidates"),
            text(candidates),
        ),
        (
            "put",
            "/v0/sessions/{id}/wishes",
            s(&offered, "/wishes"),
            text(json!({"publications": "none"})),
        ),
        (
            "post",
            "/v0/sessions/{id}/publications",
            s(&ann, "/publications"),
            text(new_line),
        ),
        (
            "patch",
            "/v0/sessions/{id}/publications/{line}",
            s(&ann, &format!("/publications/{track}")),
            text(json!({"muted": true})),
        ),
        (
            "delete",
            "/v0/sessions/{id}/publications/{line}",
            s(&ann, &format!("/publications/{track}")),
            none.clone(),
        ),
        (
            "post",
            "/v0/sessions/{id}/subscriptions",
            s(&bob, "/subscriptions"),
            text(new_leg),
        ),
        (
            "delete",
            "/v0/sessions/{id}/subscriptions/{line}",
            s(&bob, &format!("/subscriptions/{leg}")),
            none.clone(),
        ),
        (
            "post",
            "/v0/sessions/{id}/subscriptions/{line}/pause",
            s(&bob, &format!("/subscriptions/{leg}/pause")),
            none.clone(),
        ),
        (
            "post",
            "/v0/sessions/{id}/subscriptions/{line}/resume",
            s(&bob, &format!("/subscriptions/{leg}/resume")),
            none.clone(),
        ),
        (
            "post",
            "/whip/{room}",
            "/whip/r".into(),
            Peer::new_offer(Direction::SendRecv),
        ),
        (
            "patch",
            "/whip/{room}/{session}",
            format!("/whip/r/{}", whip.id),
            restart.to_owned(),
        ),
        (
            "delete",
            "/whip/{room}/{session}",
            format!("/whip/r/{}", whip.id),
            none.clone(),
        ),
        (
            "post",
            "/whep/{room}",
            "/whep/r".into(),
            Peer::new_offer(Direction::SendRecv),
        ),
        (
            "patch",
            "/whep/{room}/{session}",
            format!("/whep/r/{}", whep.id),
            restart.to_owned(),
        ),
        (
            "delete",
            "/whep/{room}/{session}",
            format!("/whep/r/{}", whep.id),
            none.clone(),
        ),
        ("post", "/v0/stop", "/v0/stop".into(), none),
    ];

    let document = rig.get("/v0/openapi.json");
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in CHANGES {
            let operation = &item[method];
            if operation.is_null() {
                continue;
            }
            let mut parameters = operation["parameters"].as_array().into_iter().flatten();
            let has = parameters.any(|it| it["name"] == "dry_run" && it["in"] == "query");
            assert!(has, "{method} {path} has no dry_run");
            documented.insert((method, path.as_str()));
        }
    }
    let tried: BTreeSet<_> = calls
        .iter()
        .map(|(method, path, ..)| (*method, *path))
        .collect();
    assert_eq!(
        documented, tried,
        "what is documented is tried, and the other way round"
    );

    let sessions = [&*ann, &bob, &offered, &whip.id, &whep.id];
    let (before, told, ops) = (seen(&rig, &sessions), rig.events_told(), ops(&rig));
    for (method, documented, path, body) in &calls {
        let kind = match (*method, documented.starts_with("/wh")) {
            ("patch", true) => "application/trickle-ice-sdpfrag",
            (_, true) => "application/sdp",
            _ => "application/json",
        };
        let mut headers = vec![("content-type", kind)];
        if documented.starts_with("/wh") && *method == "patch" {
            headers.push(("if-match", "*"));
        }
        let headers = if body.is_empty() { &[][..] } else { &headers };
        let method = method.to_ascii_uppercase();
        let reply = rig.exchange(&method, &format!("{path}?dry_run=true"), headers, body);
        assert!(
            (200..300).contains(&reply.status),
            "{method} {path}: {} {}",
            reply.status,
            reply.text
        );
        assert_eq!(seen(&rig, &sessions), before, "{method} {path}");
        assert_eq!(rig.events_told(), told, "{method} {path} was told");
    }
    assert_eq!(self::ops(&rig), ops, "the tables were written");
    assert_eq!(rig.world.bound.lock().unwrap().len(), 1);
    // What is noted of candidates is nothing, but it is answered.
    let fragment = ("content-type", "application/trickle-ice-sdpfrag");
    let path = format!("/whip/r/{}?dry_run=true", whip.id);
    let reply = rig.exchange(
        "PATCH",
        &path,
        &[fragment, ("if-match", &tag)],
        &credentials,
    );
    assert_eq!(reply.status, 204, "{}", reply.text);
    // A dry run refuses what would be refused.
    for (path, body, status, field) in [
        (
            "/v0/endpoints",
            json!({"local": "10.0.0.1:5999", "remote": "10.0.0.4:6000", "mode": "clear"}),
            409,
            "local",
        ),
        (
            "/v0/endpoints",
            json!({"local": "10.0.0.1:5000", "remote": "10.0.0.2:6000", "mode": "clear"}),
            409,
            "remote",
        ),
        (
            "/v0/publications",
            json!({"endpoint": publisher, "ssrcs": [1], "payload_type": 96, "clock_rate": 1}),
            409,
            "ssrcs",
        ),
        (
            "/v0/subscriptions",
            json!({"publication": publication, "endpoint": publisher}),
            422,
            "endpoint",
        ),
        ("/v0/subscriptions/s9/pause", json!({}), 404, "subscription"),
        (
            &*s(&ann, "/publications"),
            json!({"kind": "audio", "codecs": codecs(), "encodings": [{"ssrc": 5}]}),
            409,
            "encodings.ssrc",
        ),
        (
            &s(&bob, "/subscriptions"),
            json!({"publication": "99", "codecs": codecs()}),
            404,
            "publication",
        ),
        (
            &s("99", "/ice"),
            json!({"ufrag": "efgh", "pwd": "0123456789012345678901"}),
            404,
            "session",
        ),
    ] {
        let path = format!("{path}?dry_run=true");
        rig.refused("POST", &path, &body.to_string(), status, field);
    }
    assert_eq!(
        rig.call("DELETE", "/v0/endpoints/e9?dry_run=true", "").0,
        404
    );
}

/// How often tables were written, but for leases, which time does.
pub fn ops(rig: &Rig) -> usize {
    use forwarder::core::ops::TableOp;
    let ops = rig.world.ops.lock().unwrap();
    let lease = |op: &&TableOp| matches!(op, TableOp::SetLease { .. });
    ops.iter().filter(|op| !lease(op)).count()
}
