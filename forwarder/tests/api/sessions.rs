//! Sessions over the control API.

use forwarder::{config::Config, core::ops::TableOp};
use serde_json::{Value, json};

use crate::rig::Rig;

const PWD: &str = "0123456789012345678901";
const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

fn session() -> Value {
    let value = ["AB"; 32].join(":");
    let fingerprint = json!({"algorithm": "sha-256", "value": value});
    json!({
        "ice": {"ufrag": "abcd", "pwd": PWD},
        "dtls": {"role": "auto", "fingerprints": [fingerprint]},
    })
}

fn video(payload_type: u8) -> Value {
    json!([{"payload_type": payload_type, "name": "VP8", "clock_rate": 90_000, "rtx_payload_type": (payload_type + 1)}])
}

fn publication() -> Value {
    json!({
        "kind": "video", "mid": "0", "codecs": video(96), "encodings": [{"ssrc": 7}],
        "header_extensions": [{"uri": MID, "id": 4}],
    })
}

#[test]
fn a_peer_is_told_how_to_reach_its_session() {
    let rig = Rig::start();
    let (status, told) = rig.call("POST", "/v0/sessions", &session().to_string());
    assert_eq!((status, &told["id"]), (201, &json!("1")));
    let ice = &told["ice"];
    assert_eq!(ice["ufrag"].as_str().map(str::len), Some(8));
    assert!(ice["pwd"].as_str().unwrap().len() >= 24);
    assert_eq!(ice["lite"], true);
    let udp = &ice["candidates"][0];
    assert_eq!(
        [
            &udp["protocol"],
            &udp["address"],
            &udp["port"],
            &udp["component"],
            &udp["type"]
        ],
        [
            &json!("udp"),
            &json!("127.0.0.1"),
            &json!(rig.media.port()),
            &json!(1),
            &json!("host")
        ]
    );
    assert_eq!(udp.get("tcp_type"), None);
    let tcp = &ice["candidates"][1];
    assert_eq!(
        (&tcp["protocol"], &tcp["tcp_type"]),
        (&json!("tcp"), &json!("passive"))
    );
    assert!(udp["priority"].as_u64() > tcp["priority"].as_u64());
    assert_eq!(told["dtls"]["role"], "passive");
    let fingerprint = &told["dtls"]["fingerprints"][0];
    assert_eq!(fingerprint["algorithm"], "sha-256");
    let value = fingerprint["value"].as_str().unwrap();
    assert!(
        value.len() == 95
            && value
                .bytes()
                .all(|byte| b"0123456789ABCDEF:".contains(&byte)),
        "{value}"
    );

    let mut passive = session();
    passive["dtls"]["role"] = json!("passive");
    let (_, told) = rig.call("POST", "/v0/sessions", &passive.to_string());
    assert_eq!(
        (&told["id"], &told["dtls"]["role"]),
        (&json!("2"), &json!("active"))
    );
    // What lists sessions repeats no secrets.
    assert!(!rig.get("/v0/sessions").to_string().contains("pwd"));
}

#[test]
fn a_session_is_set_up_shown_and_taken_down() {
    let rig = Rig::start();
    let alice = rig.create("/v0/sessions", session());
    let bob = rig.create("/v0/sessions", session());
    let admitted = || {
        let ops = rig.world.ops.lock().unwrap();
        let count = |wanted: fn(&TableOp) -> bool| ops.iter().filter(|op| wanted(op)).count();
        (
            count(|op| matches!(op, TableOp::AdmitUfrag { .. })),
            count(|op| matches!(op, TableOp::ForgetUfrag { .. })),
        )
    };
    assert_eq!(admitted(), (2, 0));

    let lines = format!("/v0/sessions/{alice}/publications");
    let (status, published) = rig.call("POST", &lines, &publication().to_string());
    assert_eq!(status, 201, "{published}");
    assert_eq!(
        [
            &published["id"],
            &published["kind"],
            &published["mid"],
            &published["ssrc"]
        ],
        [&json!("1"), &json!("video"), &json!("0"), &json!(7)]
    );
    assert_eq!(published["codecs"][0]["rtx_payload_type"], 97);

    let lines = format!("/v0/sessions/{bob}/subscriptions");
    let body = json!({
        "publication": "1", "mid": "3", "codecs": video(120), "header_extensions": [{"uri": MID, "id": 9}],
        "paused": true,
    });
    let (status, subscribed) = rig.call("POST", &lines, &body.to_string());
    assert_eq!(status, 201, "{subscribed}");
    assert_eq!(
        [
            &subscribed["id"],
            &subscribed["publication"],
            &subscribed["mid"],
            &subscribed["paused"]
        ],
        [&json!("1"), &json!("1"), &json!("3"), &json!(true)]
    );
    assert_eq!(
        subscribed["payload_types"],
        json!([{"published": 96, "sent": 120}])
    );
    assert!(
        subscribed["ssrc"].as_u64().unwrap() > 0
            && !subscribed["cname"].as_str().unwrap().is_empty()
    );

    let line = format!("{lines}/1");
    assert_eq!(
        rig.call("POST", &format!("{line}/resume"), "").1["paused"],
        false
    );
    assert_eq!(
        rig.call("POST", &format!("{line}/pause"), "").1["paused"],
        true
    );
    assert_eq!(rig.get(&line)["ssrc"], subscribed["ssrc"]);

    let shown = rig.get(&format!("/v0/sessions/{alice}"));
    assert_eq!(
        [
            &shown["state"],
            &shown["suite"],
            &shown["pair"],
            &shown["path"]
        ],
        [&json!("new"), &Value::Null, &Value::Null, &Value::Null]
    );
    assert_eq!(shown["publications"][0]["subscribers"], 1);
    let state = rig.get("/v0/state");
    assert_eq!(state["sessions"].as_array().map(Vec::len), Some(2));
    assert_eq!(state["workers"], json!([{"worker": 0, "sessions": 2}]));
    assert_eq!(state["lost_notes"], 0);
    assert_eq!(state["stray_datagrams"], 0);
    assert_eq!(state["reasons"]["sent"], 42);

    assert_eq!(rig.call("DELETE", &line, ""), (204, Value::Null));
    rig.refused("GET", &line, "", 404, "subscription");
    let line = format!("/v0/sessions/{alice}/publications/1");
    assert_eq!(rig.call("DELETE", &line, "").0, 204);
    rig.refused("DELETE", &line, "", 404, "publication");
    assert_eq!(
        rig.call("DELETE", &format!("/v0/sessions/{alice}"), "").0,
        204
    );
    rig.refused("GET", &format!("/v0/sessions/{alice}"), "", 404, "session");
    assert_eq!(admitted(), (2, 1));
}

#[test]
fn ice_is_restarted_with_new_credentials() {
    let rig = Rig::start();
    let (_, told) = rig.call("POST", "/v0/sessions", &session().to_string());
    let body = json!({"ufrag": "efgh", "pwd": PWD}).to_string();
    let (status, ice) = rig.call("POST", "/v0/sessions/1/ice", &body);
    assert_eq!(status, 200, "{ice}");
    assert_ne!(
        (&ice["ufrag"], &ice["pwd"]),
        (&told["ice"]["ufrag"], &told["ice"]["pwd"])
    );
    assert_eq!(ice["candidates"], told["ice"]["candidates"]);
    rig.refused(
        "POST",
        "/v0/sessions/1/ice",
        r#"{"ufrag": "efgh"}"#,
        400,
        "pwd",
    );
    rig.refused("POST", "/v0/sessions/2/ice", &body, 404, "session");
}

#[test]
fn what_cannot_be_is_refused_with_its_field() {
    let rig = Rig::with(Config {
        max_sessions: 1,
        ..Config::default()
    });
    let mut short = session();
    short["ice"]["pwd"] = json!("secret");
    let problem = rig.refused("POST", "/v0/sessions", &short.to_string(), 400, "ice.pwd");
    assert!(!problem.to_string().contains("secret"), "{problem}");
    rig.create("/v0/sessions", session());
    rig.refused(
        "POST",
        "/v0/sessions",
        &session().to_string(),
        507,
        "session",
    );

    let lines = "/v0/sessions/1/publications";
    let mut nameless = publication();
    nameless["encodings"] = json!([]);
    nameless["header_extensions"] = json!([]);
    rig.refused("POST", lines, &nameless.to_string(), 422, "encodings");
    rig.create(lines, publication());
    rig.refused(
        "POST",
        lines,
        &publication().to_string(),
        409,
        "encodings.ssrc",
    );
    let mut clash = publication();
    clash["encodings"] = json!([{"ssrc": 8}]);
    clash["mid"] = json!("1");
    clash["header_extensions"] = json!([{"uri": MID, "id": 5}]);
    rig.refused(
        "POST",
        lines,
        &clash.to_string(),
        422,
        "header_extensions.id",
    );

    let lines = "/v0/sessions/1/subscriptions";
    let body = json!({"publication": "9", "codecs": video(96)}).to_string();
    rig.refused("POST", lines, &body, 404, "publication");
    let other = json!([{"payload_type": 96, "name": "VP9", "clock_rate": 90_000}]);
    let body = json!({"publication": "1", "codecs": other}).to_string();
    let (status, problem) = rig.call("POST", lines, &body);
    assert!(status == 422, "{problem}");
}

#[test]
fn paths_and_methods_of_sessions_are_told_apart() {
    let rig = Rig::start();
    rig.create("/v0/sessions", session());
    for (method, path, allowed) in [
        ("PUT", "/v0/sessions", "GET, HEAD, POST"),
        ("POST", "/v0/sessions/1", "GET, HEAD, DELETE"),
        ("GET", "/v0/sessions/1/ice", "POST"),
        ("GET", "/v0/sessions/1/publications", "POST"),
        (
            "POST",
            "/v0/sessions/1/subscriptions/1",
            "GET, HEAD, DELETE",
        ),
        ("GET", "/v0/sessions/1/subscriptions/1/pause", "POST"),
    ] {
        let problem = rig.refused(method, path, "", 405, "method");
        assert_eq!(problem["allowed"], allowed, "{method} {path}");
    }
    rig.refused("GET", "/v0/sessions/s1", "", 404, "session");
    rig.refused(
        "GET",
        "/v0/sessions/1/publications/x",
        "",
        404,
        "publication",
    );
    rig.refused("GET", "/v0/sessions/1/tracks", "", 404, "path");
}
