//! The configuration file: TOML, with the flags' long names as keys.

use std::{fs, path::Path};

use serde::Deserialize;

use super::{
    ConfigError, Overrides, parse_announced, parse_api, parse_dscp, parse_file, parse_iface,
    parse_lease, parse_max_publications, parse_max_sessions, parse_max_subscriptions,
    parse_media_address, parse_media_port, parse_name, parse_path, parse_ttl, parse_workers,
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
}

/// What a file may hold.
pub(super) const KEYS: &str = "iface, media-address, announced (lists of texts), path, api, name, lease, certificate, private-key \
    (texts), dscp, ttl, media-port, workers, max-subscriptions, max-publications, max-sessions (numbers)";

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
fn parse(name: &str, text: &str) -> Result<Overrides, ConfigError> {
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
    })
}

/// Applies the flags' checks to the values of a file.
struct Checks<'a>(&'a str);

type Check<T> = fn(&str) -> Result<T, String>;

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

    fn text<T>(
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

    fn number<T>(
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
    use crate::config::{Announced, Config, PathChoice};

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
        "#;
        let mut config = Config::default();
        config.override_with(parse("test.toml", text).unwrap());
        config.override_with(Overrides {
            ttl: Some(1),
            ..Overrides::default()
        });
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
    fn a_missing_file_is_named() {
        let error = read(Path::new("/nonexistent/forwarder.toml")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/forwarder.toml"));
    }
}
