//! What the forwarder is started with: defaults, overridden by a TOML file, overridden by flags.

mod values;

use std::{collections::BTreeSet, fmt, fs, io, net::SocketAddr, path::Path, time::Duration};

use forwarder_common::tables::MAX_INTERFACES;
use serde::Deserialize;

pub use self::values::{
    parse_api, parse_dscp, parse_iface, parse_lease, parse_max_publications,
    parse_max_subscriptions, parse_name, parse_path, parse_ttl,
};
use crate::core::settings::{Limits, Settings, Sizes};

/// Which forwarding path is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathChoice {
    /// XDP where it works, else sockets, saying why.
    Auto,
    /// XDP, or an error.
    Kernel,
    /// Sockets.
    Socket,
}

/// What the forwarder is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Interfaces that XDP is attached to; with none, those that endpoints need are not served by XDP.
    pub ifaces: Vec<String>,
    /// Which path is wanted.
    pub path: PathChoice,
    /// Where the API listens.
    pub api: SocketAddr,
    /// Name of this forwarder among others on the host.
    pub name: String,
    /// How long media goes on without the control plane.
    pub lease: Duration,
    /// Differentiated services code point of endpoints that name none.
    pub dscp: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Most subscriptions.
    pub max_subscriptions: u32,
    /// Most publications.
    pub max_publications: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ifaces: Vec::new(),
            path: PathChoice::Auto,
            api: SocketAddr::from(([127, 0, 0, 1], 7600)),
            name: "default".to_owned(),
            lease: Duration::from_secs(30),
            dscp: 0,
            ttl: 64,
            max_subscriptions: 16_384,
            max_publications: 1024,
        }
    }
}

impl Config {
    /// What the core is told.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let limits = Limits::new(self.max_publications, self.max_subscriptions);
        Settings {
            limits,
            sizes: Sizes::of(&limits),
            lease: u64::try_from(self.lease.as_nanos()).unwrap_or(u64::MAX),
            dscp: self.dscp,
            ttl: self.ttl,
        }
    }

    /// Checks what single values do not show.
    ///
    /// # Errors
    /// [`ConfigError::Together`].
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |value: String, allowed: String| {
            Err(ConfigError::Together {
                field: "iface",
                value,
                allowed,
            })
        };
        if self.ifaces.len() > MAX_INTERFACES as usize {
            let given = format!("{} interfaces", self.ifaces.len());
            return refuse(given, format!("at most {MAX_INTERFACES} interfaces"));
        }
        let mut seen = BTreeSet::new();
        match self.ifaces.iter().find(|iface| !seen.insert(*iface)) {
            Some(twice) => refuse(twice.clone(), "each interface once".to_owned()),
            None => Ok(()),
        }
    }

    /// Overrides what `given` names.
    pub fn override_with(&mut self, given: Overrides) {
        fn set<T>(to: &mut T, given: Option<T>) {
            if let Some(given) = given {
                *to = given;
            }
        }
        set(&mut self.ifaces, given.ifaces);
        set(&mut self.path, given.path);
        set(&mut self.api, given.api);
        set(&mut self.name, given.name);
        set(&mut self.lease, given.lease);
        set(&mut self.dscp, given.dscp);
        set(&mut self.ttl, given.ttl);
        set(&mut self.max_subscriptions, given.max_subscriptions);
        set(&mut self.max_publications, given.max_publications);
    }
}

/// What a file or the flags name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// See [`Config::ifaces`].
    pub ifaces: Option<Vec<String>>,
    /// See [`Config::path`].
    pub path: Option<PathChoice>,
    /// See [`Config::api`].
    pub api: Option<SocketAddr>,
    /// See [`Config::name`].
    pub name: Option<String>,
    /// See [`Config::lease`].
    pub lease: Option<Duration>,
    /// See [`Config::dscp`].
    pub dscp: Option<u8>,
    /// See [`Config::ttl`].
    pub ttl: Option<u8>,
    /// See [`Config::max_subscriptions`].
    pub max_subscriptions: Option<u32>,
    /// See [`Config::max_publications`].
    pub max_publications: Option<u32>,
}

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
}

/// What is wrong with a configuration file.
#[derive(Debug)]
pub enum ConfigError {
    /// It cannot be read.
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        error: io::Error,
    },
    /// It is not TOML, or has keys or types that it should not.
    Malformed {
        /// The file.
        file: String,
        /// Where and what, with the line.
        error: Box<toml::de::Error>,
    },
    /// A value is not allowed together with others.
    Together {
        /// The key or flag.
        field: &'static str,
        /// What it held.
        value: String,
        /// What it may hold.
        allowed: String,
    },
    /// A value is not allowed.
    Value {
        /// The file.
        file: String,
        /// The key.
        field: &'static str,
        /// What it held.
        value: String,
        /// What it may hold.
        allowed: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, error } => write!(f, "cannot read {file}: {error}"),
            Self::Malformed { file, error } => write!(
                f,
                "{file} is not a configuration: {error}allowed keys: {}",
                KEYS
            ),
            Self::Together {
                field,
                value,
                allowed,
            } => write!(f, "{field} cannot be {value:?}; allowed: {allowed}"),
            Self::Value {
                file,
                field,
                value,
                allowed,
            } => write!(f, "{file}: {field} cannot be {value:?}; allowed: {allowed}"),
        }
    }
}

impl std::error::Error for ConfigError {}

const KEYS: &str = "iface (list of texts), path, api, name, lease (texts), dscp, ttl, max-subscriptions, \
    max-publications (numbers)";

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
        ifaces: match file.iface {
            Some(list) => Some(
                list.iter()
                    .map(|iface| checks.value("iface", iface, parse_iface))
                    .collect::<Result<_, _>>()?,
            ),
            None => None,
        },
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
    use super::*;

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
        };
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
