//! Who may do what: keys, tokens, and what they grant.

use std::{
    net::TcpListener,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
pub use forwarder::api::access::Claims;
use forwarder::{
    api::serve::Server,
    config::{Config, Control, Secret},
};
use pem_rfc7468::{LineEnding, encode_string};
use serde_json::{Value, json};

use crate::rig::{Reply, Rig};

pub const ADMIN: &str = "an-admin-key-of-the-tests";
pub const SECRET: &str = "a-secret-that-tests-share";

pub fn control() -> Control {
    Control {
        admin_key: Some(Secret::new(ADMIN.to_owned())),
        token_secret: Some(Secret::new(SECRET.to_owned())),
        ..Control::default()
    }
}

pub fn guarded() -> Rig {
    Rig::with(Config {
        control: control(),
        ..Config::default()
    })
}

pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

pub fn claims(name: &str, room: &str) -> Claims {
    Claims {
        exp: now() + 60,
        sub: Some(name.to_owned()),
        room: room.to_owned(),
        publish: true,
        subscribe: true,
        ..Claims::default()
    }
}

pub fn token(claims: &Claims) -> String {
    claims.sign(SECRET.as_bytes()).unwrap()
}

pub fn ask(rig: &Rig, bearer: &str, method: &str, path: &str, body: &Value) -> Reply {
    let bearer = format!("Bearer {bearer}");
    let headers = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
    ];
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    rig.exchange(method, path, &headers, &body)
}

/// A session by parameters, which needs no peer to be created.
pub fn session(room: &str) -> Value {
    let value = ["AB"; 32].join(":");
    let fingerprint = json!({"algorithm": "sha-256", "value": value});
    json!({
        "room": room,
        "ice": {"ufrag": "abcd", "pwd": "0123456789012345678901"},
        "dtls": {"fingerprints": [fingerprint]},
    })
}

#[test]
fn without_credentials_that_hold_there_is_only_the_way_to_them() {
    let rig = guarded();
    let expired = token(&Claims {
        exp: now() - 60,
        ..claims("ann", "r")
    });
    let early = token(&Claims {
        nbf: Some(now() + 60),
        ..claims("ann", "r")
    });
    let foreign = claims("ann", "r")
        .sign(b"another-secret-altogether")
        .unwrap();
    // RFC 8725 §3.1: `none` is no algorithm.
    let whole = token(&claims("ann", "r"));
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", whole.split('.').nth(1).unwrap());
    for (authorization, given, challenge) in [
        (None, "none", "Bearer"),
        (Some("Basic YTpi".to_owned()), "of another scheme", "Bearer"),
        (
            Some(format!("Bearer {expired}")),
            "a token that has expired",
            "expired",
        ),
        (
            Some(format!("Bearer {early}")),
            "a token that does not hold yet",
            "not yet valid",
        ),
        (
            Some(format!("Bearer {foreign}")),
            "a token that no known key has signed",
            "signature",
        ),
        (
            Some(format!("Bearer {unsigned}")),
            "neither the admin key nor a token",
            "malformed",
        ),
        (
            Some("Bearer x".to_owned()),
            "neither the admin key nor a token",
            "malformed",
        ),
        (
            Some("Bearer session.1.AAAA".to_owned()),
            "neither the admin key nor a token",
            "malformed",
        ),
    ] {
        let headers: Vec<_> = authorization
            .iter()
            .map(|it| ("authorization", &**it))
            .collect();
        for path in [
            "/v0/state",
            "/v0/access",
            "/v0/rooms/r",
            "/v0/events",
            "/whip/r",
        ] {
            let method = if path == "/whip/r" { "POST" } else { "GET" };
            let reply = rig.exchange(method, path, &headers, "");
            assert_eq!(reply.status, 401, "{path}: {given}");
            let problem = reply.json();
            assert_eq!(
                (&problem["field"], &problem["value"]),
                (&json!("Authorization"), &json!(given))
            );
            let header = reply.header("www-authenticate").unwrap();
            assert!(
                header.starts_with("Bearer") && header.contains(challenge),
                "{header}"
            );
        }
    }
    assert_eq!(rig.exchange("GET", "/v0/openapi.json", &[], "").status, 200);
    assert_eq!(rig.exchange("GET", "/v0/nothing", &[], "").status, 404);
    for (bearer, mode) in [
        (ADMIN.to_owned(), "admin"),
        (token(&claims("ann", "r")), "token"),
    ] {
        let told = ask(&rig, &bearer, "GET", "/v0/access", &Value::Null).json();
        assert_eq!(
            (&told["mode"], &told["admin"]),
            (&json!(mode), &json!(mode == "admin"))
        );
    }
}

#[test]
fn a_token_is_for_its_room_and_for_its_own_sessions() {
    let rig = guarded();
    let of = |name, room| token(&claims(name, room));
    let (ann, bob, other) = (of("ann", "r"), of("bob", "r"), of("eve", "elsewhere"));
    let moderator = token(&Claims {
        admin: true,
        ..claims("mod", "r")
    });
    let created = ask(&rig, &ann, "POST", "/v0/sessions", &session("r"));
    assert_eq!(created.status, 201, "{}", created.text);
    let created = created.json();
    let (id, key) = (
        created["id"].as_str().unwrap(),
        created["key"].as_str().unwrap(),
    );
    let path = format!("/v0/sessions/{id}");
    let candidates = format!("{path}/candidates");
    let nothing = json!({});
    for (who, bearer, method, path, body, status) in [
        ("admin", ADMIN, "GET", "/v0/sessions", &Value::Null, 200),
        ("ann", &ann, "GET", "/v0/sessions", &Value::Null, 403),
        (
            "moderator",
            &moderator,
            "GET",
            "/v0/sessions",
            &Value::Null,
            403,
        ),
        ("ann", &ann, "GET", "/v0/state", &Value::Null, 403),
        ("ann", &ann, "POST", "/v0/stop", &Value::Null, 403),
        ("key", key, "POST", "/v0/stop", &Value::Null, 403),
        ("ann", &ann, "POST", "/v0/webhooks", &nothing, 403),
        ("ann", &ann, "GET", "/v0/rooms", &Value::Null, 403),
        ("ann", &ann, "GET", "/v0/rooms/r", &Value::Null, 200),
        ("key", key, "GET", "/v0/rooms/r", &Value::Null, 200),
        ("key", key, "GET", "/v0/rooms/elsewhere", &Value::Null, 403),
        ("other", &other, "GET", "/v0/rooms/r", &Value::Null, 403),
        ("ann", &ann, "PUT", "/v0/rooms/r", &nothing, 403),
        (
            "moderator",
            &moderator,
            "PUT",
            "/v0/rooms/elsewhere",
            &nothing,
            403,
        ),
        ("moderator", &moderator, "PUT", "/v0/rooms/r", &nothing, 200),
        ("ann", &ann, "GET", &path, &Value::Null, 200),
        ("key", key, "GET", &path, &Value::Null, 200),
        ("moderator", &moderator, "GET", &path, &Value::Null, 200),
        ("bob", &bob, "GET", &path, &Value::Null, 403),
        ("other", &other, "DELETE", &path, &Value::Null, 403),
        ("bob", &bob, "POST", &candidates, &nothing, 403),
        ("other", &other, "POST", "/v0/sessions", &session("r"), 403),
        ("key", key, "POST", "/v0/sessions", &session("r"), 403),
        ("ann", &ann, "DELETE", "/v0/rooms/r", &Value::Null, 403),
        ("ann", &ann, "GET", "/v0/events", &Value::Null, 403),
        ("key", key, "DELETE", &path, &Value::Null, 204),
        ("key", key, "GET", &path, &Value::Null, 404),
    ] {
        let reply = ask(&rig, bearer, method, path, body);
        assert_eq!(
            reply.status, status,
            "{who} {method} {path}: {}",
            reply.text
        );
        if status == 403 {
            assert!(reply.json()["allowed"].is_string());
        }
    }
}

#[test]
fn grants_and_limits_of_a_token_hold() {
    let rig = guarded();
    let few = token(&Claims {
        max_sessions: Some(2),
        ..claims("ann", "*")
    });
    for room in ["a", "b"] {
        assert_eq!(
            ask(&rig, &few, "POST", "/v0/sessions", &session(room)).status,
            201
        );
    }
    let reply = ask(&rig, &few, "POST", "/v0/sessions", &session("c"));
    assert_eq!(reply.status, 429, "{}", reply.text);
    assert!(
        reply.json()["allowed"].as_str().unwrap().contains('2'),
        "{}",
        reply.text
    );
    // Who it is about goes by the token.
    let mut named = session("a");
    named["name"] = json!("bob");
    let ann = token(&claims("ann", "a"));
    let reply = ask(&rig, &ann, "POST", "/v0/sessions", &named);
    assert_eq!(
        (reply.status, &reply.json()["field"]),
        (403, &json!("name"))
    );
    assert_eq!(ask(&rig, ADMIN, "POST", "/v0/sessions", &named).status, 201);

    let listener = token(&Claims {
        publish: false,
        ..claims("lis", "a")
    });
    let created = ask(&rig, &listener, "POST", "/v0/sessions", &session("a")).json();
    let lines = format!(
        "/v0/sessions/{}/publications",
        created["id"].as_str().unwrap()
    );
    let line = json!({
        "kind": "audio", "codecs": [{"payload_type": 111, "name": "opus", "clock_rate": 48_000, "channels": 2}],
        "encodings": [{"ssrc": 5}],
    });
    let reply = ask(&rig, &listener, "POST", &lines, &line);
    assert_eq!(reply.status, 403, "{}", reply.text);
    // A session without a room is nobody's business but an admin's.
    let mut roomless = session("a");
    roomless.as_object_mut().unwrap().remove("room");
    assert_eq!(
        ask(&rig, &ann, "POST", "/v0/sessions", &roomless).status,
        403
    );
    assert_eq!(
        ask(&rig, ADMIN, "POST", "/v0/sessions", &roomless).status,
        201
    );
}

#[test]
fn tokens_can_be_signed_with_a_private_key() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let private = encode_string(
        "PRIVATE KEY",
        LineEnding::LF,
        pair.to_pkcs8v1().unwrap().as_ref(),
    )
    .unwrap();
    // RFC 8410 §4: the head of a SubjectPublicKeyInfo with id-Ed25519.
    let head = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    let public = [&head[..], pair.public_key().as_ref()].concat();
    let file = std::env::temp_dir().join(format!("forwarder-tests-{}.pem", std::process::id()));
    std::fs::write(
        &file,
        encode_string("PUBLIC KEY", LineEnding::LF, &public).unwrap(),
    )
    .unwrap();
    let rig = Rig::with(Config {
        control: Control {
            token_public_keys: vec![file.clone()],
            ..Control::default()
        },
        ..Config::default()
    });
    std::fs::remove_file(file).unwrap();
    let signed = claims("ann", "r").sign_ed25519(private.as_bytes()).unwrap();
    let told = ask(&rig, &signed, "GET", "/v0/access", &Value::Null).json();
    assert_eq!(
        (&told["mode"], &told["name"]),
        (&json!("token"), &json!("ann"))
    );
    // The public key is no secret: HMAC with it is not a signature (RFC 8725 §2.1).
    let confused = claims("ann", "r").sign(pair.public_key().as_ref()).unwrap();
    assert_eq!(
        ask(&rig, &confused, "GET", "/v0/access", &Value::Null).status,
        401
    );
}

#[test]
fn an_api_is_open_on_loopback_alone_and_only_where_it_is_told_to_be() {
    let serve = |address: &str, control: &Control| {
        let listener = TcpListener::bind(address).unwrap();
        Server::new(listener, control).map_err(|refused| refused.to_string())
    };
    let open = Control {
        open: true,
        ..Control::default()
    };
    let refused = serve("0.0.0.0:0", &open).err().unwrap();
    for part in [
        "api cannot be \"0.0.0.0:",
        "api-access",
        "allowed: an address of loopback",
    ] {
        assert!(refused.contains(part), "{refused}");
    }
    for address in ["0.0.0.0:0", "127.0.0.1:0"] {
        let refused = serve(address, &Control::default()).err().unwrap();
        assert!(
            refused.contains("api-access") && refused.contains("admin-key-file"),
            "{refused}"
        );
        assert!(serve(address, &control()).is_ok());
    }
    assert!(serve("127.0.0.1:0", &open).is_ok() && serve("[::1]:0", &open).is_ok());
}

/// What has expired a moment ago, as nodes see it: they give clocks ten seconds.
fn about_to_expire() -> u64 {
    now() - 9
}

#[test]
fn the_key_of_a_session_ends_with_the_token_but_for_leaving() {
    let rig = guarded();
    let short = Claims {
        exp: about_to_expire(),
        ..claims("ann", "r")
    };
    let short = token(&short);
    let [first, second, third] = [(); 3].map(|()| {
        let created = ask(&rig, &short, "POST", "/v0/sessions", &session("r"));
        assert_eq!(created.status, 201, "{}", created.text);
        let told = created.json();
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        (text("id"), text("key"))
    });
    let path = |id: &str| format!("/v0/sessions/{id}");
    let own = path(&first.0);
    let told = ask(&rig, &first.1, "GET", "/v0/access", &Value::Null).json();
    assert_eq!(told["mode"], "session");
    assert!(told["expires"].as_u64().unwrap() < now());
    let expired = |bearer: &str, method: &str, path: &str, body: &Value| {
        let reply = ask(&rig, bearer, method, path, body);
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        reply.status == 401 && challenge.contains("expired")
    };
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !expired(&first.1, "GET", &own, &Value::Null) {
        assert!(
            std::time::Instant::now() < end,
            "the key outlives the token"
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let lines = format!("{own}/publications");
    for bearer in [&first.1, &short] {
        for (method, path, body) in [
            ("GET", "/v0/access", Value::Null),
            ("GET", "/v0/rooms/r", Value::Null),
            ("GET", &format!("{own}/events"), Value::Null),
            ("POST", "/v0/sessions", session("r")),
            ("POST", &lines, json!({})),
            ("DELETE", &format!("{own}/offer"), Value::Null),
            ("DELETE", &format!("{lines}/1"), Value::Null),
            ("DELETE", "/v0/rooms/r", Value::Null),
        ] {
            assert!(expired(bearer, method, path, &body), "{method} {path}");
        }
        // An expired one opens nothing of the operator's either.
        let reply = ask(&rig, bearer, "DELETE", "/v0/webhooks/1", &Value::Null);
        assert_eq!(reply.status, 403, "{}", reply.text);
    }
    let close = |bearer: &str, path: &str| ask(&rig, bearer, "DELETE", path, &Value::Null).status;
    assert_eq!(close(&first.1, &path(&second.0)), 403);
    assert_eq!(close(&first.1, &own), 204);
    assert_eq!(close(&short, &path(&second.0)), 204);
    // A moderator that has expired ends its own alone.
    let moderator = token(&Claims {
        admin: true,
        exp: now() - 100,
        ..claims("mod", "r")
    });
    assert_eq!(close(&moderator, &path(&third.0)), 403);
    // Whoever has a new token for the same name goes on with the session.
    let renewed = token(&claims("ann", "r"));
    assert_eq!(
        ask(&rig, &renewed, "GET", &path(&third.0), &Value::Null).status,
        200
    );
    let whip = format!("/whip/r/{}", third.0);
    assert_eq!(close(&third.1, &whip), 200);
}
