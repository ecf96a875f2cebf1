//! Which pages in browsers may use the API.

use forwarder::config::{Config, Control};

use crate::{
    access::{ADMIN, control},
    rig::Rig,
};

const OWN: &str = "https://app.example";

#[test]
fn pages_of_others_are_refused() {
    let rig = Rig::start();
    for (headers, field) in [
        (&[("origin", "https://example.org")][..], "Origin"),
        (&[("origin", "null")], "Origin"),
        // A name of an attacker's that was made to lead here.
        (&[("host", "example.org")], "Host"),
        (
            &[("host", "example.org"), ("origin", "http://example.org")],
            "Host",
        ),
    ] {
        let reply = rig.exchange("POST", "/v0/stop", headers, "");
        assert_eq!(
            (reply.status, reply.json()["field"].as_str()),
            (403, Some(field)),
            "{headers:?}"
        );
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
    // Where no token is needed, these are not for everybody either.
    for path in ["/whip/r", "/whep/r"] {
        let headers = [
            ("origin", "https://example.org"),
            ("content-type", "application/sdp"),
        ];
        let reply = rig.exchange("POST", path, &headers, "v=0");
        let field = reply.json()["field"].clone();
        assert_eq!((reply.status, field.as_str()), (403, Some("Origin")));
    }
    let own = rig.url.clone();
    let reply = rig.exchange("GET", "/v0/node", &[("origin", &own)], "");
    assert_eq!(
        (reply.status, reply.header("access-control-allow-origin")),
        (200, Some(&*own))
    );
}

#[test]
fn pages_of_configured_origins_are_answered() {
    let rig = Rig::with(Config {
        control: Control {
            cors_origins: vec![OWN.to_owned()],
            ..control()
        },
        ..Config::default()
    });
    let asks = [("origin", OWN), ("access-control-request-method", "PUT")];
    let reply = rig.exchange("OPTIONS", "/v0/rooms/r", &asks, "");
    assert_eq!(
        (reply.status, reply.header("access-control-allow-origin")),
        (204, Some(OWN))
    );
    let has = |name: &str, wanted: &str| {
        reply
            .header(name)
            .is_some_and(|value| value.contains(wanted))
    };
    assert!(has("access-control-allow-methods", "PUT"));
    assert!(
        has("access-control-allow-headers", "Authorization")
            && has("access-control-allow-headers", "If-Match")
    );
    assert!(has("vary", "Origin"));
    let bearer = format!("Bearer {ADMIN}");
    for (bearer, status) in [(&*bearer, 200), ("Bearer x", 401)] {
        let reply = rig.exchange(
            "GET",
            "/v0/rooms",
            &[("origin", OWN), ("authorization", bearer)],
            "",
        );
        // A page has to be able to read errors, too.
        assert_eq!(
            (reply.status, reply.header("access-control-allow-origin")),
            (status, Some(OWN))
        );
        assert!(
            reply
                .header("access-control-expose-headers")
                .unwrap()
                .contains("ETag")
        );
    }
    let asks = [
        ("origin", "https://example.org"),
        ("access-control-request-method", "PUT"),
    ];
    assert_eq!(
        rig.exchange("OPTIONS", "/v0/rooms/r", &asks, "").status,
        403
    );
}

#[test]
fn any_page_publishes_and_plays() {
    let rig = Rig::with(Config {
        control: control(),
        ..Config::default()
    });
    let asks = [
        ("origin", "https://example.org"),
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "authorization, content-type",
        ),
    ];
    for path in ["/whip/r", "/whep/r"] {
        let reply = rig.exchange("OPTIONS", path, &asks, "");
        assert_eq!(
            (reply.status, reply.header("accept-post")),
            (204, Some("application/sdp"))
        );
        assert_eq!(
            reply.header("access-control-allow-origin"),
            Some("https://example.org")
        );
        let reply = rig.exchange("OPTIONS", &format!("{path}/1"), &asks, "");
        assert_eq!(
            (reply.status, reply.header("accept-patch")),
            (204, Some("application/trickle-ice-sdpfrag"))
        );
        let reply = rig.exchange("POST", path, &asks[..1], "");
        assert_eq!(reply.status, 401);
        assert_eq!(
            reply.header("access-control-allow-origin"),
            Some("https://example.org")
        );
    }
}
