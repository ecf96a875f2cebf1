//! Files that are read, and files that are refused.

use std::{path::PathBuf, time::Duration};

use super::*;
use crate::{
    api::limits::Limits,
    config::{Announced, Config, Control, PathChoice, Tls},
    rooms::Settings,
};

#[test]
fn a_whole_file_is_read_and_flags_come_after_it() {
    let text = r#"
        iface = ["eth0", "eth1"]
        path = "kernel"
        api = "[::1]:7601"
        name = "edge-1"
        lease = "1m 30s"
        dscp = 46
        ttl = 32
        max-subscriptions = 20000
        max-publications = 10
        max-sessions = 100
        media-port = 3478
        media-address = ["10.0.0.1", "fd00::1"]
        announced = ["10.0.0.1=203.0.113.5"]
        workers = 3
        certificate = "/etc/forwarder/cert.pem"
        private-key = "/etc/forwarder/key.pem"
        api-access = "keys"
        admin-key = "0123456789abcdef"
        token-secret = "fedcba9876543210"
        token-public-key = ["/etc/forwarder/tokens.pem"]
        cors-origin = ["https://example.com"]
        api-tls = "self-signed"
        rooms = "declared"
        max-rooms = 10
        max-room-bitrate = 20000000
        [[webhook]]
        url = "https://example.com/hook"
        secret = "0123456789abcdef"
        [[ice-server]]
        url = "stun:stun.example.net"
        [[ice-server]]
        url = "turns:turn.example.net:443?transport=tcp"
        username = "u"
        credential = "a word"
    "#;
    let mut config = Config::default();
    config
        .override_with(parse("test.toml", text).unwrap())
        .unwrap();
    config
        .override_with(Overrides {
            ttl: Some(1),
            ..Overrides::default()
        })
        .unwrap();
    let expected = Config {
        ifaces: vec!["eth0".to_owned(), "eth1".to_owned()],
        path: PathChoice::Kernel,
        api: "[::1]:7601".parse().unwrap(),
        name: "edge-1".to_owned(),
        lease: Duration::from_secs(90),
        dscp: 46,
        ttl: 1,
        max_subscriptions: 20_000,
        max_publications: 10,
        max_sessions: 100,
        media_port: 3478,
        media_addresses: vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()],
        announced: vec![Announced {
            local: "10.0.0.1".parse().unwrap(),
            public: "203.0.113.5".parse().unwrap(),
        }],
        workers: Some(3),
        certificate: Some(PathBuf::from("/etc/forwarder/cert.pem")),
        private_key: Some(PathBuf::from("/etc/forwarder/key.pem")),
        control: Control {
            open: false,
            limits: Limits::default(),
            admin_key: Some(Secret::new("0123456789abcdef".to_owned())),
            token_secret: Some(Secret::new("fedcba9876543210".to_owned())),
            token_public_keys: vec![PathBuf::from("/etc/forwarder/tokens.pem")],
            cors_origins: vec!["https://example.com".to_owned()],
            tls: Tls::SelfSigned,
            webhooks: vec![Webhook {
                url: "https://example.com/hook".to_owned(),
                secret: Secret::new("0123456789abcdef".to_owned()),
                events: vec!["*".to_owned()],
            }],
            ice_servers: vec![
                IceServer {
                    url: "stun:stun.example.net".to_owned(),
                    username: None,
                    credential: None,
                },
                IceServer {
                    url: "turns:turn.example.net:443?transport=tcp".to_owned(),
                    username: Some("u".to_owned()),
                    credential: Some(Secret::new("a word".to_owned())),
                },
            ],
        },
        rooms: Settings {
            made_by_joining: false,
            max_rooms: 10,
            max_bitrate: Some(20_000_000),
            ..Settings::default()
        },
    };
    config.check().unwrap();
    assert_eq!(config, expected);
    assert_eq!(config.settings().lease, 90_000_000_000);
}

#[test]
fn errors_name_key_value_and_what_is_allowed() {
    for (text, wanted) in [
        ("dscp = 64", ["dscp", "64", "0 to 63"]),
        ("dscp = -1", ["dscp", "-1", "0 to 63"]),
        ("ttl = 0", ["ttl", "0", "1 to 255"]),
        ("lease = \"900ms\"", ["lease", "900ms", "1s"]),
        ("lease = \"soon\"", ["lease", "soon", "30s"]),
        (
            "path = \"fast\"",
            ["path", "fast", "auto, kernel or socket"],
        ),
        (
            "api = \"localhost\"",
            ["api", "localhost", "127.0.0.1:7600"],
        ),
        ("name = \"../x\"", ["name", "../x", "letters"]),
        (
            "iface = [\"averyveryverylongname\"]",
            ["iface", "averyveryverylongname", "15"],
        ),
        ("max-subscriptions = 0", ["max-subscriptions", "0", "1 to"]),
        ("media-port = 0", ["media-port", "0", "1 to 65535"]),
        ("max-sessions = 4096", ["max-sessions", "4096", "1 to 4095"]),
        ("workers = 0", ["workers", "0", "1 to"]),
        (
            "media-address = [\"0.0.0.0\"]",
            ["media-address", "0.0.0.0", "this host"],
        ),
        (
            "announced = [\"10.0.0.1\"]",
            ["announced", "10.0.0.1", "=203.0.113.5"],
        ),
        ("certificate = \"\"", ["certificate", "\"\"", "file"]),
        (
            "admin-key-file = \"/nonexistent\"",
            ["admin-key-file", "/nonexistent", "can be read"],
        ),
        (
            "admin-key = \"short\"",
            ["admin-key", "(secret)", "16 to 512"],
        ),
        (
            "cors-origin = [\"example.com/\"]",
            ["cors-origin", "example.com/", "https://example.com"],
        ),
        (
            "api-access = \"all\"",
            ["api-access", "all", "keys or open"],
        ),
        ("api-tls = \"on\"", ["api-tls", "on", "self-signed"]),
        (
            "[[webhook]]\nurl = \"ftp://x\"\nsecret = \"0123456789abcdef\"",
            ["webhook.url", "ftp://x", "http or https"],
        ),
        (
            "[[ice-server]]\nurl = \"http://x\"",
            ["ice-server.url", "http://x", "stun:HOST"],
        ),
        (
            "[[ice-server]]\nurl = \"turn:x\"\nusername = \"\"",
            ["ice-server.username", "\"\"", "1 to 508"],
        ),
        (
            "[[ice-server]]\nurl = \"turn:x\"\ncredential = \"\\n\"",
            ["ice-server.credential", "(secret)", "1 to 508"],
        ),
        (
            "rooms = \"closed\"",
            ["rooms", "closed", "open or declared"],
        ),
        (
            "max-room-tracks = -1",
            ["max-room-tracks", "-1", "a number"],
        ),
        ("dscpp = 3", ["dscpp", "unknown", "allowed keys"]),
        (
            "dscp = \"x\"",
            ["dscp = \"x\"", "invalid type", "allowed keys"],
        ),
    ] {
        let error = parse("test.toml", text).unwrap_err().to_string();
        for part in ["test.toml"].into_iter().chain(wanted) {
            assert!(error.contains(part), "{text}: {error:?} lacks {part:?}");
        }
    }
}

#[test]
fn an_open_api_has_no_keys() {
    let read = |rest: &str| {
        let mut config = Config::default();
        let text = format!("api-access = \"open\"\n{rest}");
        config
            .override_with(parse("test.toml", &text).unwrap())
            .unwrap();
        config.check()
    };
    assert!(read("").is_ok());
    for key in [
        "admin-key = \"0123456789abcdef\"",
        "token-secret = \"0123456789abcdef\"",
        "token-public-key = [\"tokens.pem\"]",
    ] {
        let error = read(key).unwrap_err().to_string();
        for part in ["api-access", "open", "allowed: keys"] {
            assert!(error.contains(part), "{key}: {error:?} lacks {part:?}");
        }
    }
}

#[test]
fn servers_of_turn_have_a_username_and_a_credential_and_those_of_stun_none() {
    let (user, word) = ("username = \"u\"", "credential = \"hidden-word\"");
    for (url, rest, wanted) in [
        ("turn:x", String::new(), "ice-server.username"),
        ("turn:x", user.to_owned(), "ice-server.credential"),
        ("turns:x", word.to_owned(), "ice-server.username"),
        ("stun:x", user.to_owned(), "ice-server.username"),
        ("stuns:x", word.to_owned(), "ice-server.credential"),
    ] {
        let text = format!("[[ice-server]]\nurl = \"{url}\"\n{rest}\n");
        let mut config = Config::default();
        let read = parse("test.toml", &text).unwrap();
        config.override_with(read).unwrap();
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains(wanted), "{text}: {error}");
        assert!(!error.contains("hidden-word"), "{error}");
    }
    let many = "[[ice-server]]\nurl = \"stun:x\"\n".repeat(9);
    let mut config = Config::default();
    let read = parse("test.toml", &many).unwrap();
    config.override_with(read).unwrap();
    let error = config.check().unwrap_err().to_string();
    assert!(
        error.contains("ice-server") && error.contains("at most 8"),
        "{error}"
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = read(Path::new("/nonexistent/forwarder.toml")).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/forwarder.toml"));
}
