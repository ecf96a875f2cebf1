//! Rooms, conditional changes, dry runs, moderation and limits.

use forwarder::{config::Config, rooms::Settings};
use serde_json::{Value, json};

use crate::{
    access::{ADMIN, Claims, ask, claims, guarded, session, token},
    peer::{Direction, Peer, until},
    rig::Rig,
};

const JSON: (&str, &str) = ("content-type", "application/json");

fn audio(ssrc: u32) -> Value {
    let opus = json!({"payload_type": 111, "name": "opus", "clock_rate": 48_000, "channels": 2});
    json!({"kind": "audio", "mid": ssrc.to_string(), "codecs": [opus], "encodings": [{"ssrc": ssrc}]})
}

#[test]
fn a_room_is_declared_changed_looked_at_and_ended() {
    let rig = Rig::start();
    let body = json!({"max_sessions": 2, "metadata": {"topic": "tests"}}).to_string();
    let reply = rig.exchange("PUT", "/v0/rooms/r", &[JSON], &body);
    assert_eq!(reply.status, 201, "{}", reply.text);
    let room = reply.json();
    assert_eq!(
        (&room["id"], &room["declared"], &room["locked"]),
        (&json!("r"), &json!(true), &json!(false))
    );
    assert_eq!(
        (&room["max_sessions"], &room["metadata"]["topic"]),
        (&json!(2), &json!("tests"))
    );
    let first = reply.header("etag").unwrap().to_owned();
    assert_eq!(
        rig.exchange("GET", "/v0/rooms/r", &[], "").header("etag"),
        Some(&*first)
    );

    for (name, tag, status) in [
        ("if-match", "\"0\"", 412),
        ("if-match", "1", 400),
        ("if-none-match", "*", 412),
        ("if-match", &first, 200),
        ("if-match", &first, 412),
        ("if-match", "*", 200),
    ] {
        let reply = rig.exchange(
            "PUT",
            "/v0/rooms/r",
            &[JSON, (name, tag)],
            r#"{"locked": true}"#,
        );
        assert_eq!(reply.status, status, "{name}: {tag}: {}", reply.text);
    }
    let room = rig.get("/v0/rooms/r");
    // A document is whole: what it leaves out is as it was before anybody said anything.
    assert_eq!(
        (&room["locked"], &room["metadata"]),
        (&json!(true), &Value::Null)
    );
    let reply = rig.exchange("PUT", "/v0/rooms/new", &[JSON, ("if-match", "*")], "{}");
    assert_eq!(reply.status, 412);
    let reply = rig.exchange(
        "PUT",
        "/v0/rooms/new",
        &[JSON, ("if-none-match", "*")],
        "{}",
    );
    assert_eq!(reply.status, 201);
    let ann = rig.create("/v0/sessions", session("new"));
    rig.create(&format!("/v0/sessions/{ann}/publications"), audio(1));
    let facts = |room: &Value| {
        let of = |field: &str| room[field].clone();
        (
            of("id"),
            of("locked"),
            of("session_count"),
            of("track_count"),
        )
    };
    let listed = rig.get("/v0/rooms");
    let listed: Vec<_> = listed.as_array().unwrap().iter().map(facts).collect();
    assert_eq!(
        listed,
        [
            (json!("new"), json!(false), json!(1), json!(1)),
            (json!("r"), json!(true), json!(0), json!(0))
        ]
    );

    rig.refused("PUT", "/v0/rooms/a%20b", "{}", 400, "room");
    rig.refused(
        "PUT",
        "/v0/rooms/r",
        r#"{"max_sessions": 0}"#,
        400,
        "max_sessions",
    );
    rig.refused("PUT", "/v0/rooms/r", r#"{"lock": true}"#, 400, "lock");
    let long = json!({"metadata": "x".repeat(2000)}).to_string();
    rig.refused("PUT", "/v0/rooms/r", &long, 400, "metadata");
    rig.refused("GET", "/v0/rooms/nowhere", "", 404, "room");
    assert_eq!(
        rig.exchange("DELETE", "/v0/rooms/r", &[("if-match", "\"0\"")], "")
            .status,
        412
    );
    assert_eq!(rig.call("DELETE", "/v0/rooms/r?dry_run=true", "").0, 204);
    assert_eq!(rig.call("DELETE", "/v0/rooms/r", "").0, 204);
    rig.refused("DELETE", "/v0/rooms/r", "", 404, "room");
}

#[test]
fn a_dry_run_says_what_would_be_and_changes_nothing() {
    let rig = Rig::start();
    let (status, room) = rig.call("PUT", "/v0/rooms/r?dry_run=true", r#"{"locked": true}"#);
    assert_eq!((status, &room["locked"]), (200, &json!(true)));
    assert_eq!(rig.get("/v0/rooms"), json!([]));
    let body = session("r").to_string();
    assert_eq!(rig.call("POST", "/v0/sessions?dry_run=true", &body).0, 204);
    assert_eq!(
        (rig.get("/v0/rooms"), rig.get("/v0/sessions")),
        (json!([]), json!([]))
    );
    let id = rig.create("/v0/sessions", session("r"));
    let path = format!("/v0/sessions/{id}");
    assert_eq!(
        rig.call("DELETE", &format!("{path}?dry_run=true"), "").0,
        204
    );
    rig.refused("GET", &format!("{path}/wishes"), "", 422, "session");
    let id = rig.create("/v0/sessions", json!({"room": "r", "receive": ["audio"]}));
    let wishes = format!("/v0/sessions/{id}/wishes");
    let (status, changes) = rig.call(
        "PUT",
        &format!("{wishes}?dry_run=true"),
        r#"{"publications": "none"}"#,
    );
    assert_eq!((status, &changes["stop"]), (200, &json!([])));
    assert_eq!(rig.get(&wishes)["wishes"]["publications"], "all");
    rig.refused(
        "POST",
        "/v0/sessions?dry_run=true",
        r#"{"room": "r"}"#,
        400,
        "offer",
    );
    let told = rig.events_told();
    assert_eq!(rig.call("PUT", "/v0/rooms/r?dry_run=true", "{}").0, 200);
    assert_eq!(rig.events_told(), told);
}

#[test]
fn wishes_are_a_whole_document_with_a_tag() {
    let rig = Rig::start();
    let id = rig.create("/v0/sessions", json!({"room": "r", "receive": ["video"]}));
    let path = format!("/v0/sessions/{id}/wishes");
    let shown = rig.exchange("GET", &path, &[], "");
    let tag = shown.header("etag").unwrap().to_owned();
    assert_eq!(
        shown.json()["wishes"],
        json!({"publications": "all", "kinds": ["audio", "video"]})
    );
    let lines = rig.create("/v0/sessions", session("r"));
    let lines = format!("/v0/sessions/{lines}/publications");
    let [one, two] = [5, 6].map(|ssrc| rig.create(&lines, audio(ssrc)));
    let body = json!({
        "publications": [&one, &two], "except": [two], "kinds": ["audio"], "paused": [one],
    });
    let reply = rig.exchange("PUT", &path, &[JSON, ("if-match", &tag)], &body.to_string());
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_ne!(reply.header("etag"), Some(&*tag));
    assert_eq!(rig.get(&path)["wishes"], body);
    let reply = rig.exchange("PUT", &path, &[JSON, ("if-match", &tag)], "{}");
    assert_eq!(reply.status, 412);
    for (body, field) in [
        (r#"{"publications": 7}"#, "publications"),
        (r#"{"publications": "some"}"#, "publications"),
        (r#"{"publications": ["x"]}"#, "publications"),
        (
            r#"{"publications": {"session": "x"}}"#,
            "publications.session",
        ),
        (r#"{"kinds": ["text"]}"#, "kinds"),
        (r#"{"wanted": []}"#, "wanted"),
    ] {
        rig.refused("PUT", &path, body, 400, field);
    }
    rig.refused("GET", "/v0/sessions/99/wishes", "", 404, "session");
}

#[test]
fn limits_and_locks_say_why() {
    let rig = Rig::with(Config {
        rooms: Settings {
            made_by_joining: false,
            ..Settings::default()
        },
        ..Config::default()
    });
    let body = session("r").to_string();
    rig.refused("POST", "/v0/sessions", &body, 404, "room");
    assert_eq!(
        rig.call("PUT", "/v0/rooms/r", r#"{"max_sessions": 1}"#).0,
        201
    );
    let id = rig.create("/v0/sessions", session("r"));
    rig.refused("POST", "/v0/sessions", &body, 429, "room.max_sessions");
    assert_eq!(
        rig.call("PUT", "/v0/rooms/r", r#"{"max_tracks": 0}"#).0,
        200
    );
    let line = audio(5);
    let lines = format!("/v0/sessions/{id}/publications");
    rig.refused("POST", &lines, &line.to_string(), 429, "room.max_tracks");
}

#[test]
fn a_moderator_mutes_and_removes() {
    let rig = Rig::start();
    let id = rig.create("/v0/sessions", session("r"));
    let line = audio(5);
    let lines = format!("/v0/sessions/{id}/publications");
    let publication = rig.create(&lines, line);
    let path = format!("{lines}/{publication}");
    let (status, shown) = rig.call("PATCH", &path, r#"{"muted": true}"#);
    assert_eq!((status, &shown["muted"]), (200, &json!(true)));
    assert_eq!(
        rig.get("/v0/rooms/r")["sessions"][0]["publications"][0]["muted"],
        true
    );
    rig.refused("PATCH", &path, "{}", 400, "muted");
    rig.refused(
        "PATCH",
        &format!("{lines}/99"),
        r#"{"muted": true}"#,
        404,
        "publication",
    );
    assert_eq!(rig.call("DELETE", &format!("/v0/sessions/{id}"), "").0, 204);
    assert_eq!(rig.get("/v0/rooms"), json!([]));
}

#[test]
fn a_locked_room_is_for_its_moderators() {
    let rig = guarded();
    let join = |bearer: &str| ask(&rig, bearer, "POST", "/v0/sessions", &session("r"));
    let put = |body: Value| ask(&rig, ADMIN, "PUT", "/v0/rooms/r", &body).status;
    let ann = token(&claims("ann", "r"));
    let moderator = token(&Claims {
        admin: true,
        ..claims("mod", "r")
    });
    assert_eq!(join(&ann).status, 201);
    assert_eq!(put(json!({"locked": true})), 200);
    let problem = join(&ann).json();
    assert_eq!(
        (&problem["status"], &problem["field"], &problem["value"]),
        (&json!(403), &json!("room"), &json!("r"))
    );
    assert!(
        problem["allowed"].as_str().unwrap().contains("not locked"),
        "{problem}"
    );
    let bearer = format!("Bearer {ann}");
    let headers = [
        ("authorization", &*bearer),
        ("content-type", "application/sdp"),
    ];
    let reply = rig.exchange(
        "POST",
        "/whep/r",
        &headers,
        &Peer::new_offer(Direction::SendRecv),
    );
    assert_eq!(reply.status, 403, "{}", reply.text);
    assert_eq!(join(&moderator).status, 201);
    // Who is in it stays.
    let room = ask(&rig, ADMIN, "GET", "/v0/rooms/r", &Value::Null).json();
    assert_eq!(room["sessions"].as_array().map(Vec::len), Some(2));
    assert_eq!(put(json!({"locked": false})), 200);
    assert_eq!(join(&ann).status, 201);
}

#[test]
fn bitrates_have_limits_too() {
    fn headers(bearer: &str) -> [(&str, &str); 2] {
        [
            ("authorization", bearer),
            ("content-type", "application/sdp"),
        ]
    }
    let rig = guarded();
    let limit = json!({"max_bitrate": 2000});
    assert_eq!(ask(&rig, ADMIN, "PUT", "/v0/rooms/r", &limit).status, 201);
    let bearer = |claims: Claims| format!("Bearer {}", token(&claims));
    let few = bearer(Claims {
        max_bitrate: Some(2000),
        ..claims("ann", "*")
    });
    let many = bearer(claims("bob", "*"));
    let (mut ann, _) = Peer::offer(&rig, "/whip/r", &headers(&few));
    until([&mut ann], |[ann]| ann.connected);
    // What is limited is what comes, so that it takes a second to be known.
    let offer = Peer::new_offer(Direction::SendOnly);
    let publish = |path: &str, bearer: &str| {
        let path = format!("{path}?dry_run=true");
        let reply = rig.exchange("POST", &path, &headers(bearer), &offer);
        let problem = reply.json();
        assert!(reply.status == 204 || reply.status == 429, "{problem}");
        problem["field"].as_str().map(str::to_owned)
    };
    until([&mut ann], |[ann]| {
        ann.speak(vec![7; 200]);
        publish("/whip/r", &many).as_deref() == Some("room.max_bitrate")
    });
    until([&mut ann], |[ann]| {
        ann.speak(vec![7; 200]);
        publish("/whip/elsewhere", &few).as_deref() == Some("token.max_bitrate")
    });
    assert_eq!(publish("/whip/elsewhere", &many), None);
}
