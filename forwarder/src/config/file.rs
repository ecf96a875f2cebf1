//! The configuration file: TOML, with the flags' long names as keys.

use std::{fs, path::Path};

use serde::Deserialize;

use super::{
    ConfigError, ControlOverrides, IceServer, Overrides, RoomOverrides, Secret, Webhook,
    api_limits::{self, FileApiLimits},
    parse_announced, parse_api, parse_api_access, parse_api_tls, parse_dscp, parse_file,
    parse_ice_credential, parse_ice_url, parse_ice_username, parse_iface, parse_lease,
    parse_max_publications, parse_max_sessions, parse_max_subscriptions, parse_media_address,
    parse_media_port, parse_name, parse_number, parse_origin, parse_path, parse_rooms,
    parse_secret, parse_secret_file, parse_ttl, parse_url, parse_workers, together,
};

/// The file, before its values are checked by the same functions as the flags'.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    iface: Option<Vec<String>>,
    path: Option<String>,
    api: Option<String>,
    name: Option<String>,
    lease: Option<String>,
    dscp: Option<i64>,
    ttl: Option<i64>,
    max_subscriptions: Option<i64>,
    max_publications: Option<i64>,
    max_sessions: Option<i64>,
    media_port: Option<i64>,
    media_address: Option<Vec<String>>,
    announced: Option<Vec<String>>,
    workers: Option<i64>,
    certificate: Option<String>,
    private_key: Option<String>,
    api_access: Option<String>,
    admin_key: Option<String>,
    admin_key_file: Option<String>,
    token_secret: Option<String>,
    token_secret_file: Option<String>,
    token_public_key: Option<Vec<String>>,
    cors_origin: Option<Vec<String>>,
    api_tls: Option<String>,
    api_certificate: Option<String>,
    api_private_key: Option<String>,
    rooms: Option<String>,
    max_rooms: Option<i64>,
    max_room_sessions: Option<i64>,
    max_room_tracks: Option<i64>,
    max_room_bitrate: Option<i64>,
    api_limits: Option<FileApiLimits>,
    webhook: Option<Vec<FileWebhook>>,
    ice_server: Option<Vec<FileIceServer>>,
}

/// A table `[[webhook]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileWebhook {
    url: String,
    secret: String,
    #[serde(default = "all_events")]
    events: Vec<String>,
}

/// A table `[[ice-server]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileIceServer {
    url: String,
    username: Option<String>,
    credential: Option<String>,
}

fn all_events() -> Vec<String> {
    vec!["*".to_owned()]
}

/// What a file may hold.
pub(super) const KEYS: &str = "iface, media-address, announced, token-public-key, cors-origin (lists of texts), path, api, name, lease, \
    certificate, private-key, api-access, admin-key or admin-key-file, token-secret or token-secret-file, api-tls, api-certificate, \
    api-private-key, rooms (texts), dscp, ttl, media-port, workers, max-subscriptions, max-publications, max-sessions, max-rooms, \
    max-room-sessions, max-room-tracks, max-room-bitrate (numbers), [api-limits], [[webhook]] with url, secret, events, [[ice-server]] with url, username, credential";

/// Reads a configuration file.
///
/// # Errors
/// [`ConfigError`].
pub fn read(path: &Path) -> Result<Overrides, ConfigError> {
    let file = path.display().to_string();
    match fs::read_to_string(path) {
        Ok(text) => parse(&file, &text),
        Err(error) => Err(ConfigError::Unreadable { file, error }),
    }
}

/// Reads the text of a configuration file.
pub(super) fn parse(name: &str, text: &str) -> Result<Overrides, ConfigError> {
    let file: File = toml::from_str(text).map_err(|error| ConfigError::Malformed {
        file: name.to_owned(),
        error: Box::new(error),
    })?;
    let checks = Checks(name);
    Ok(Overrides {
        ifaces: checks.list("iface", file.iface, parse_iface)?,
        path: checks.text("path", file.path, parse_path)?,
        api: checks.text("api", file.api, parse_api)?,
        name: checks.text("name", file.name, parse_name)?,
        lease: checks.text("lease", file.lease, parse_lease)?,
        dscp: checks.number("dscp", file.dscp, parse_dscp)?,
        ttl: checks.number("ttl", file.ttl, parse_ttl)?,
        max_subscriptions: checks.number(
            "max-subscriptions",
            file.max_subscriptions,
            parse_max_subscriptions,
        )?,
        max_publications: checks.number(
            "max-publications",
            file.max_publications,
            parse_max_publications,
        )?,
        max_sessions: checks.number("max-sessions", file.max_sessions, parse_max_sessions)?,
        media_port: checks.number("media-port", file.media_port, parse_media_port)?,
        media_addresses: checks.list("media-address", file.media_address, parse_media_address)?,
        announced: checks.list("announced", file.announced, parse_announced)?,
        workers: checks.number("workers", file.workers, parse_workers)?,
        certificate: checks.text("certificate", file.certificate, parse_file)?,
        private_key: checks.text("private-key", file.private_key, parse_file)?,
        control: ControlOverrides {
            open: checks.text("api-access", file.api_access, parse_api_access)?,
            admin_key: checks.secret(
                ("admin-key", file.admin_key),
                ("admin-key-file", file.admin_key_file),
            )?,
            token_secret: checks.secret(
                ("token-secret", file.token_secret),
                ("token-secret-file", file.token_secret_file),
            )?,
            token_public_keys: checks.list(
                "token-public-key",
                file.token_public_key,
                parse_file,
            )?,
            cors_origins: checks.list("cors-origin", file.cors_origin, parse_origin)?,
            self_signed: checks.text("api-tls", file.api_tls, parse_api_tls)?,
            api_certificate: checks.text("api-certificate", file.api_certificate, parse_file)?,
            api_private_key: checks.text("api-private-key", file.api_private_key, parse_file)?,
            limits: file
                .api_limits
                .map(|limits| api_limits::parse(&checks, limits))
                .transpose()?
                .unwrap_or_default(),
            webhooks: file
                .webhook
                .map(|list| list.into_iter().map(|hook| checks.webhook(hook)).collect())
                .transpose()?,
            ice_servers: file
                .ice_server
                .map(|list| list.into_iter().map(|server| checks.ice_server(server)))
                .map(Iterator::collect)
                .transpose()?,
        },
        rooms: RoomOverrides {
            made_by_joining: checks.text("rooms", file.rooms, parse_rooms)?,
            max_rooms: checks.number("max-rooms", file.max_rooms, parse_number)?,
            max_sessions: checks.number(
                "max-room-sessions",
                file.max_room_sessions,
                parse_number,
            )?,
            max_tracks: checks.number("max-room-tracks", file.max_room_tracks, parse_number)?,
            max_bitrate: checks.number("max-room-bitrate", file.max_room_bitrate, parse_number)?,
        },
    })
}

/// Applies the flags' checks to the values of a file.
pub(super) struct Checks<'a>(&'a str);

pub(super) type Check<T> = fn(&str) -> Result<T, String>;

impl Checks<'_> {
    fn value<T>(
        &self,
        field: &'static str,
        value: &str,
        check: Check<T>,
    ) -> Result<T, ConfigError> {
        check(value).map_err(|allowed| ConfigError::Value {
            file: self.0.to_owned(),
            field,
            value: value.to_owned(),
            allowed,
        })
    }

    pub(super) fn text<T>(
        &self,
        field: &'static str,
        value: Option<String>,
        check: Check<T>,
    ) -> Result<Option<T>, ConfigError> {
        value
            .map(|value| self.value(field, &value, check))
            .transpose()
    }

    fn list<T>(
        &self,
        field: &'static str,
        list: Option<Vec<String>>,
        check: Check<T>,
    ) -> Result<Option<Vec<T>>, ConfigError> {
        let read = |list: Vec<String>| {
            let values = list.iter().map(|value| self.value(field, value, check));
            values.collect()
        };
        list.map(read).transpose()
    }

    /// A secret that stands in the file, or in one that it names. What it holds is in no message.
    fn secret(
        &self,
        (field, value): (&'static str, Option<String>),
        (file_field, file): (&'static str, Option<String>),
    ) -> Result<Option<Secret>, ConfigError> {
        match (value, file) {
            (Some(_), Some(file)) => Err(together(
                file_field,
                file,
                format!("either {file_field} or {field}"),
            )),
            (Some(value), None) => self.hidden(field, &value).map(Some),
            (None, file) => self.text(file_field, file, parse_secret_file),
        }
    }

    fn hidden(&self, field: &'static str, value: &str) -> Result<Secret, ConfigError> {
        parse_secret(value).map_err(|allowed| ConfigError::Value {
            file: self.0.to_owned(),
            field,
            value: "(secret)".to_owned(),
            allowed,
        })
    }

    fn webhook(&self, given: FileWebhook) -> Result<Webhook, ConfigError> {
        Ok(Webhook {
            url: self.value("webhook.url", &given.url, parse_url)?,
            secret: self.hidden("webhook.secret", &given.secret)?,
            events: given.events,
        })
    }

    fn ice_server(&self, given: FileIceServer) -> Result<IceServer, ConfigError> {
        let credential = |text: &str| {
            parse_ice_credential(text).map_err(|allowed| ConfigError::Value {
                file: self.0.to_owned(),
                field: "ice-server.credential",
                value: "(secret)".to_owned(),
                allowed,
            })
        };
        Ok(IceServer {
            url: self.value("ice-server.url", &given.url, parse_ice_url)?,
            username: self.text("ice-server.username", given.username, parse_ice_username)?,
            credential: given.credential.as_deref().map(credential).transpose()?,
        })
    }

    pub(super) fn number<T>(
        &self,
        field: &'static str,
        value: Option<i64>,
        check: Check<T>,
    ) -> Result<Option<T>, ConfigError> {
        self.text(field, value.map(|value| value.to_string()), check)
    }
}

#[cfg(test)]
mod tests {
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
}
