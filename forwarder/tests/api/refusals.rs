//! What is refused leaves nothing behind: no state, no version, no event, no write to the tables.

use serde_json::{Value, json};

use crate::{
    access::session,
    dry_runs::{codecs, ops, seen},
    peer::{Direction, Peer},
    rig::Rig,
};

#[test]
fn a_refused_call_changes_nothing() {
    let rig = Rig::start();
    let ann = rig.create("/v0/sessions", session("r"));
    let lines = format!("/v0/sessions/{ann}/publications");
    let mid = "urn:ietf:params:rtp-hdrext:sdes:mid";
    let line = json!({
        "kind": "audio", "mid": "0", "codecs": codecs(), "encodings": [{"ssrc": 5}],
        "header_extensions": [{"uri": mid, "id": 4}],
    });
    let track = rig.create(&lines, line.clone());
    let bob = rig.create("/v0/sessions", session("r"));
    let legs = format!("/v0/sessions/{bob}/subscriptions");
    let wanted = json!({"publication": track, "codecs": codecs(), "mid": "1"});
    let leg = rig.create(&legs, wanted.clone());
    let offered = rig.create("/v0/sessions", json!({"room": "r", "receive": ["audio"]}));
    let offer = rig.get(&format!("/v0/sessions/{offered}/offer"));
    let version = offer["version"].as_u64().unwrap();
    let answer = Peer::new_answer(offer["sdp"].as_str().unwrap());
    let other = format!("/v0/sessions/{offered}");
    let changed = |change: Value| {
        let mut body = line.clone();
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        body.to_string()
    };
    // An answer that is whole but for its last m-line.
    let cut = answer.rsplit_once("m=").unwrap().0.to_owned();
    let half = Peer::new_offer(Direction::SendRecv).replace("a=fingerprint", "a=x-fingerprint");
    let vp8 = json!([{"payload_type": 96, "name": "VP8", "clock_rate": 90_000}]);
    let calls: Vec<(&str, String, String, u16, &str)> = vec![
        (
            "POST",
            "/v0/sessions".into(),
            json!({"room": "new", "offer": "v=0"}).to_string(),
            400,
            "sdp.m",
        ),
        (
            "POST",
            "/v0/sessions".into(),
            json!({"room": "new", "offer": half}).to_string(),
            400,
            "dtls.fingerprints",
        ),
        (
            "POST",
            "/v0/sessions".into(),
            json!({"room": "new", "offer": Peer::new_offer(Direction::SendRecv), "name": ""})
                .to_string(),
            400,
            "name",
        ),
        (
            "POST",
            "/v0/sessions".into(),
            json!({"room": "new"}).to_string(),
            400,
            "offer",
        ),
        (
            "PUT",
            "/v0/rooms/new".into(),
            json!({"locked": true, "max_sessions": 0}).to_string(),
            400,
            "max_sessions",
        ),
        (
            "PUT",
            "/v0/rooms/r".into(),
            json!({"locked": true, "max_tracks": -1}).to_string(),
            400,
            "max_tracks",
        ),
        (
            "POST",
            lines.clone(),
            changed(json!({"mid": "9"})),
            409,
            "encodings.ssrc",
        ),
        (
            "POST",
            lines.clone(),
            changed(json!({"encodings": [{"ssrc": 6}]})),
            409,
            "mid",
        ),
        (
            "POST",
            lines.clone(),
            changed(
                json!({"mid": "9", "encodings": [{"ssrc": 6}], "header_extensions": [{"uri": mid, "id": 5}]}),
            ),
            422,
            "header_extensions.id",
        ),
        (
            "PATCH",
            format!("{lines}/99"),
            json!({"muted": true}).to_string(),
            404,
            "publication",
        ),
        ("POST", legs.clone(), wanted.to_string(), 409, "mid"),
        (
            "POST",
            legs.clone(),
            json!({"publication": track, "codecs": vp8}).to_string(),
            422,
            "codecs",
        ),
        (
            "DELETE",
            format!("{legs}/99"),
            String::new(),
            404,
            "subscription",
        ),
        (
            "POST",
            format!("{legs}/{leg}x/pause"),
            String::new(),
            404,
            "subscription",
        ),
        (
            "POST",
            format!("{other}/offer"),
            json!({"sdp": half}).to_string(),
            400,
            "dtls.fingerprints",
        ),
        (
            "PUT",
            format!("{other}/answer"),
            json!({"sdp": answer, "version": version + 1}).to_string(),
            409,
            "version",
        ),
        (
            "PUT",
            format!("{other}/answer"),
            json!({"sdp": cut, "version": version}).to_string(),
            400,
            "sdp.m",
        ),
        (
            "POST",
            format!("{other}/ice"),
            json!({"ufrag": "efgh", "pwd": "0123456789012345678901"}).to_string(),
            422,
            "session",
        ),
        (
            "PUT",
            format!("{other}/wishes"),
            json!({"publications": "none", "except": ["x"]}).to_string(),
            400,
            "except",
        ),
        (
            "POST",
            format!("{other}/candidates"),
            json!({"candidates": ["candidate:1 1 udp 1 192.0.2.1 4000 typ host", "x"]}).to_string(),
            400,
            "candidate",
        ),
        (
            "DELETE",
            "/v0/sessions/99".into(),
            String::new(),
            404,
            "session",
        ),
        ("DELETE", "/v0/rooms/new".into(), String::new(), 404, "room"),
    ];
    let sessions = [&*ann, &bob, &offered];
    let (before, told, written) = (seen(&rig, &sessions), rig.events_told(), ops(&rig));
    for (method, path, body, status, field) in &calls {
        rig.refused(method, path, body, *status, field);
        assert_eq!(seen(&rig, &sessions), before, "{method} {path} {field}");
        assert_eq!(rig.events_told(), told, "{method} {path} {field}");
    }
    assert_eq!(ops(&rig), written);
    // What was refused can still be done right.
    let body = json!({"sdp": answer, "version": version}).to_string();
    assert_eq!(rig.call("PUT", &format!("{other}/answer"), &body).0, 204);
}
