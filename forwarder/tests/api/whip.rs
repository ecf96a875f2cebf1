//! WHIP (RFC 9725) and WHEP with a client that is not ours.

use forwarder::config::{Config, Control, IceServer, Secret};
use serde_json::json;

use crate::{
    access::{ask, claims, control, token},
    peer::{Peer, until},
    rig::{Reply, Rig},
};

const OFFER: &str = include_str!("../../src/sdp/fixtures/chromium-sendonly.sdp");
const SDP: (&str, &str) = ("content-type", "application/sdp");
const FRAGMENT: (&str, &str) = ("content-type", "application/trickle-ice-sdpfrag");

#[test]
fn what_is_published_by_whip_is_played_by_whep() {
    let rig = Rig::start();
    let (mut alice, whip) = Peer::offer(&rig, "/whip/room", &[SDP]);
    assert_eq!(whip.header("content-type"), Some("application/sdp"));
    assert_eq!(
        whip.header("location"),
        Some(&*format!("/whip/room/{}", alice.id))
    );
    assert!(whip.header("etag").unwrap().starts_with('"'));
    assert_eq!(
        whip.header("accept-patch"),
        Some("application/trickle-ice-sdpfrag")
    );
    let (mut bob, _) = Peer::offer(&rig, "/whep/room", &[SDP]);
    until([&mut alice, &mut bob], |peers| {
        peers.iter().all(|peer| peer.connected)
    });
    let mut said = 0_u8;
    until([&mut alice, &mut bob], |[alice, bob]| {
        if said < 200 {
            said += 1;
            alice.speak(vec![said; 80]);
        }
        bob.heard.len() >= 20
    });
    let room = rig.get("/v0/rooms/room");
    assert_eq!(room["sessions"].as_array().map(Vec::len), Some(2));
    // One session alone can be played, too.
    let (mut carol, _) = Peer::offer(&rig, &format!("/whep/room?session={}", alice.id), &[SDP]);
    until([&mut alice, &mut carol], |[alice, carol]| {
        alice.speak(vec![1; 80]);
        carol.heard.len() >= 5
    });
    let reply = rig.exchange("DELETE", &format!("/whip/room/{}", alice.id), &[], "");
    assert_eq!(reply.status, 200);
    until([&mut alice], |[alice]| alice.closed);
    let reply = rig.exchange("DELETE", &format!("/whip/room/{}", alice.id), &[], "");
    assert_eq!(
        (reply.status, &reply.json()["field"]),
        (404, &json!("session"))
    );
}

#[test]
fn candidates_and_restarts_are_conditional() {
    let rig = Rig::start();
    // Somebody to play.
    let (_publisher, _) = Peer::offer(&rig, "/whip/room", &[SDP]);
    for endpoint in ["/whip/room", "/whep/room"] {
        patches(&rig, endpoint);
    }
}

fn patches(rig: &Rig, endpoint: &str) {
    let (mut peer, reply) = Peer::offer(rig, endpoint, &[SDP]);
    let tag = reply.header("etag").unwrap().to_owned();
    let path = reply.header("location").unwrap().to_owned();
    let own = peer.credentials();
    let trickle = format!(
        "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n\
         a=candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host\r\na=end-of-candidates\r\n",
        own.ufrag, own.pass
    );
    for (headers, body, status) in [
        (&[FRAGMENT][..], &*trickle, 428),
        (&[FRAGMENT, ("if-match", "\"other\"")], &trickle, 412),
        (&[("if-match", &*tag)], &trickle, 415),
        (&[SDP, ("if-match", &tag)], &trickle, 415),
        (&[FRAGMENT, ("if-match", &tag)], "a=ice-ufrag", 400),
        (&[FRAGMENT, ("if-match", &tag)], &trickle, 204),
    ] {
        let reply = rig.exchange("PATCH", &path, headers, body);
        assert_eq!(reply.status, status, "{headers:?} {}", reply.text);
    }
    // RFC 9725 §4.3.3: other credentials with If-Match: * restart ICE.
    let restart = "a=ice-ufrag:efgh\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n";
    let reply = rig.exchange("PATCH", &path, &[FRAGMENT, ("if-match", "*")], restart);
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.header("content-type"), Some(FRAGMENT.1));
    assert!(
        reply.text.contains("a=ice-ufrag:") && reply.text.contains("a=ice-pwd:"),
        "{}",
        reply.text
    );
    let fresh = reply.header("etag").unwrap();
    assert_ne!(fresh, tag);
    let late = rig.exchange("PATCH", &path, &[FRAGMENT, ("if-match", &tag)], &trickle);
    assert_eq!(late.status, 412, "{}", late.text);
}

#[test]
fn what_the_rfc_refuses_is_refused() {
    let rig = Rig::start();
    for (method, path, headers, body, status) in [
        ("GET", "/whip/room", &[][..], "", 405),
        ("HEAD", "/whip/room", &[], "", 405),
        ("PUT", "/whep/room", &[SDP], "v=0", 405),
        ("GET", "/whip/room/1", &[], "", 405),
        ("POST", "/whep/room/1", &[SDP], "v=0", 405),
        ("POST", "/whip/room", &[], "v=0", 415),
        (
            "POST",
            "/whip/room",
            &[("content-type", "application/json")],
            "{}",
            415,
        ),
        ("POST", "/whip/room", &[SDP], "not SDP", 400),
        ("POST", "/whip/room", &[SDP], "", 400),
        ("POST", "/whip/a%20b", &[SDP], "v=0", 400),
        ("POST", "/whep/room?session=x", &[SDP], "v=0", 404),
        (
            "PATCH",
            "/whip/room/1",
            &[FRAGMENT, ("if-match", "*")],
            "",
            404,
        ),
        ("DELETE", "/whep/room/1", &[], "", 404),
    ] {
        let reply = rig.exchange(method, path, headers, body);
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.text);
        if method != "HEAD" {
            assert_eq!(
                reply.header("content-type"),
                Some("application/problem+json")
            );
        }
        assert_eq!(
            reply.header("allow").is_some(),
            status == 405,
            "{method} {path}"
        );
    }
    assert_eq!(rig.get("/v0/rooms"), json!([]));
}

#[test]
fn a_token_publishes_plays_and_leaves_as_it_is_granted() {
    let rig = Rig::with(Config {
        control: control(),
        ..Config::default()
    });
    let bearer = |publish, subscribe| {
        let mut claims = claims("ann", "room");
        (claims.publish, claims.subscribe) = (publish, subscribe);
        token(&claims)
    };
    let (publisher, player) = (bearer(true, false), bearer(false, true));
    let with = |token: &str| format!("Bearer {token}");
    for (token, path, status) in [
        (&player, "/whip/room", 403),
        (&publisher, "/whep/room", 403),
        (&publisher, "/whip/elsewhere", 403),
    ] {
        let reply = rig.exchange("POST", path, &[SDP, ("authorization", &with(token))], "v=0");
        assert_eq!(reply.status, status, "{path}: {}", reply.text);
    }
    let (_, reply) = Peer::offer(
        &rig,
        "/whip/room",
        &[SDP, ("authorization", &with(&publisher))],
    );
    let path = reply.header("location").unwrap();
    let stranger = token(&claims("eve", "room"));
    assert_eq!(
        ask(&rig, &stranger, "DELETE", path, &json!(null)).status,
        403
    );
    assert_eq!(
        ask(&rig, &publisher, "DELETE", path, &json!(null)).status,
        200
    );
}

/// RFC 9725 §4.6: quoted as RFC 9110 §5.6.4 has it.
#[test]
fn clients_are_told_of_ice_servers() {
    let server = |url: &str, login: Option<(&str, &str)>| IceServer {
        url: url.to_owned(),
        username: login.map(|(username, _)| username.to_owned()),
        credential: login.map(|(_, credential)| Secret::new(credential.to_owned())),
    };
    let rig = Rig::with(Config {
        control: Control {
            ice_servers: vec![
                server("stun:stun.example.net", None),
                server(
                    "turn:turn.example.net?transport=udp",
                    Some(("ann", r#"a "b\c"#)),
                ),
            ],
            ..control()
        },
        ..Config::default()
    });
    let stun = r#"<stun:stun.example.net>; rel="ice-server""#;
    let turn = r#"<turn:turn.example.net?transport=udp>; rel="ice-server"; username="ann"; credential="a \"b\\c"; credential-type="password""#;
    let bearer = format!("Bearer {}", token(&claims("ann", "room")));
    for endpoint in ["/whip/room", "/whep/room"] {
        let (_, made) = Peer::offer(&rig, endpoint, &[SDP, ("authorization", &bearer)]);
        assert_eq!(links(&made), [stun, turn]);
        // Whoever has no token gets no relay.
        let asked = rig.exchange("OPTIONS", endpoint, &[], "");
        assert_eq!((asked.status, links(&asked)), (204, vec![stun]));
        let refused = rig.exchange("POST", endpoint, &[SDP], "v=0");
        assert_eq!((refused.status, links(&refused)), (401, vec![]));
    }
    let access = ask(
        &rig,
        &token(&claims("ann", "room")),
        "GET",
        "/v0/access",
        &json!(null),
    );
    let expected = json!([
        {"urls": "stun:stun.example.net"},
        {"urls": "turn:turn.example.net?transport=udp", "username": "ann", "credential": r#"a "b\c"#},
    ]);
    assert_eq!(access.json()["ice_servers"], expected);
}

#[test]
fn without_ice_servers_there_are_no_links() {
    let rig = Rig::start();
    let (_, made) = Peer::offer(&rig, "/whip/room", &[SDP]);
    assert_eq!(links(&made), [""; 0]);
    assert_eq!(rig.get("/v0/access")["ice_servers"], json!([]));
}

fn links(reply: &Reply) -> Vec<&str> {
    let all = reply.headers.get_all("link").iter();
    all.map(|link| link.to_str().unwrap()).collect()
}

/// A room with a limit refuses for good, a full node for now (RFC 9725 §4.5).
#[test]
fn who_finds_no_room_is_told_why() {
    let rig = Rig::with(Config {
        max_sessions: 2,
        ..Config::default()
    });
    assert_eq!(
        rig.call("PUT", "/v0/rooms/small", r#"{"max_sessions": 1}"#)
            .0,
        201
    );
    let (_ann, _) = Peer::offer(&rig, "/whip/small", &[SDP]);
    for endpoint in ["/whip/small", "/whep/small"] {
        let reply = rig.exchange("POST", endpoint, &[SDP], OFFER);
        let told = (reply.status, reply.json()["field"].clone());
        assert_eq!(told, (429, json!("room.max_sessions")), "{}", reply.text);
    }
    let (_bob, _) = Peer::offer(&rig, "/whip/large", &[SDP]);
    for endpoint in ["/whip/large", "/whep/large"] {
        let reply = rig.exchange("POST", endpoint, &[SDP], OFFER);
        let told = (reply.status, reply.json()["field"].clone());
        assert_eq!(told, (503, json!("session")), "{}", reply.text);
        let seconds = reply.header("retry-after").unwrap().parse::<u32>();
        assert!(seconds.unwrap() > 0);
    }
    // Nothing came of any of these.
    assert_eq!(rig.get("/v0/sessions").as_array().map(Vec::len), Some(2));
}

/// What OBS Studio looks at (plugins/obs-webrtc/whip-output.cpp): 201, Location, a body that begins with `v=0`, and 200 for its DELETE.
#[test]
fn obs_gets_what_it_looks_at() {
    let rig = Rig::start();
    let offer = include_str!("../../src/sdp/fixtures/libdatachannel-obs.sdp");
    let reply = rig.exchange("POST", "/whip/room", &[SDP], offer);
    assert_eq!(reply.status, 201, "{}", reply.text);
    assert!(reply.text.starts_with("v=0\r\n"));
    for (wanted, times) in [
        ("a=recvonly\r\n", 2),
        ("a=setup:passive\r\n", 2),
        ("a=rtpmap:111 opus/48000/2\r\n", 1),
        ("a=rtpmap:96 H264/90000\r\n", 1),
    ] {
        assert_eq!(reply.text.matches(wanted).count(), times, "{}", reply.text);
    }
    let room = rig.get("/v0/rooms/room");
    let tracks = room["sessions"][0]["publications"].as_array().unwrap();
    let kinds: Vec<_> = tracks.iter().map(|track| &track["kind"]).collect();
    assert_eq!(kinds, ["audio", "video"]);
    let left = rig.exchange("DELETE", reply.header("location").unwrap(), &[], "");
    assert_eq!(left.status, 200);
}
