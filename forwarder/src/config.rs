//! What the forwarder is started with: defaults, overridden by a TOML file, overridden by flags.

mod api_limits;
mod control;
mod file;
mod ice_servers;
mod rooms;
mod secret;
mod values;

use std::{
    collections::BTreeSet,
    fmt, io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use forwarder_common::tables::MAX_INTERFACES;

pub use self::{
    api_limits::ApiLimitOverrides,
    control::{Control, ControlOverrides, Tls, Webhook},
    file::read,
    ice_servers::{
        IceServer, MAX_ICE_SERVERS, parse_ice_credential, parse_ice_url, parse_ice_username,
    },
    rooms::RoomOverrides,
    secret::Secret,
    values::{
        parse_announced, parse_api, parse_api_access, parse_api_tls, parse_dscp, parse_file,
        parse_iface, parse_lease, parse_max_publications, parse_max_sessions,
        parse_max_subscriptions, parse_media_address, parse_media_port, parse_name, parse_number,
        parse_origin, parse_path, parse_rooms, parse_secret, parse_secret_file, parse_ttl,
        parse_url, parse_workers,
    },
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

/// Local addresses that sessions can be reached at: as many as an answer has room to name as candidates.
pub const MAX_MEDIA_ADDRESSES: usize = 16;

/// An address that peers are told in the place of a local one, behind a NAT that maps addresses and keeps ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The address of this host.
    pub local: IpAddr,
    /// The address that leads to it.
    pub public: IpAddr,
}

/// A certificate and its key, as files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub private_key: PathBuf,
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
    /// Most sessions.
    pub max_sessions: u32,
    /// UDP and TCP port of all sessions.
    pub media_port: u16,
    /// Local addresses of sessions; with none, those of the host's interfaces.
    pub media_addresses: Vec<IpAddr>,
    /// What peers are told in their place.
    pub announced: Vec<Announced>,
    /// Threads that open and seal; one per CPU where not given.
    pub workers: Option<u32>,
    /// The certificate's file; one is made at start where not given.
    pub certificate: Option<PathBuf>,
    /// The file of its private key.
    pub private_key: Option<PathBuf>,
    /// Who may use the API, and how it is reached.
    pub control: Control,
    /// What holds for rooms unless they say otherwise.
    pub rooms: crate::rooms::Settings,
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
            max_sessions: 1024,
            media_port: 7700,
            media_addresses: Vec::new(),
            announced: Vec::new(),
            workers: None,
            certificate: None,
            private_key: None,
            control: Control::default(),
            rooms: crate::rooms::Settings::default(),
        }
    }
}

impl Config {
    /// What the core is told.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let limits = Limits::new(
            self.max_publications,
            self.max_subscriptions,
            self.max_sessions,
        );
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
        bounded("iface", &self.ifaces, MAX_INTERFACES as usize)?;
        bounded("media-address", &self.media_addresses, MAX_MEDIA_ADDRESSES)?;
        let locals: Vec<_> = self.announced.iter().map(|entry| entry.local).collect();
        bounded("announced", &locals, MAX_MEDIA_ADDRESSES)?;
        let media = |local: &&IpAddr| {
            self.media_addresses.is_empty() || self.media_addresses.contains(local)
        };
        if let Some(stray) = locals.iter().find(|local| !media(local)) {
            let allowed = "LOCAL=PUBLIC with a LOCAL that media-address names";
            return Err(together("announced", stray, allowed));
        }
        self.control.check()?;
        rooms::check(&self.rooms)?;
        self.certificate_files().map(drop)
    }

    /// The certificate's files, if they were given.
    ///
    /// # Errors
    /// [`ConfigError::Together`] where one was given without the other.
    pub fn certificate_files(&self) -> Result<Option<CertificateFiles>, ConfigError> {
        match (&self.certificate, &self.private_key) {
            (Some(certificate), Some(private_key)) => Ok(Some(CertificateFiles {
                certificate: certificate.clone(),
                private_key: private_key.clone(),
            })),
            (None, None) => Ok(None),
            (Some(file), None) => Err(together(
                "certificate",
                file.display(),
                "a certificate together with its private-key",
            )),
            (None, Some(file)) => Err(together(
                "private-key",
                file.display(),
                "a private key together with its certificate",
            )),
        }
    }

    /// Overrides what `given` names.
    ///
    /// # Errors
    /// [`ConfigError::Together`].
    pub fn override_with(&mut self, given: Overrides) -> Result<(), ConfigError> {
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
        set(&mut self.max_sessions, given.max_sessions);
        set(&mut self.media_port, given.media_port);
        set(&mut self.media_addresses, given.media_addresses);
        set(&mut self.announced, given.announced);
        self.workers = given.workers.or(self.workers);
        self.certificate = given.certificate.or(self.certificate.take());
        self.private_key = given.private_key.or(self.private_key.take());
        rooms::override_with(&mut self.rooms, &given.rooms);
        self.control.override_with(given.control)
    }
}

fn together(field: &'static str, value: impl ToString, allowed: impl Into<String>) -> ConfigError {
    ConfigError::Together {
        field,
        value: value.to_string(),
        allowed: allowed.into(),
    }
}

/// Refuses lists that are too long or name something twice.
fn bounded<T: Ord + ToString>(
    field: &'static str,
    list: &[T],
    most: usize,
) -> Result<(), ConfigError> {
    if list.len() > most {
        let given = format!("{} of them", list.len());
        return Err(together(field, given, format!("at most {most}")));
    }
    let mut seen = BTreeSet::new();
    match list.iter().find(|entry| !seen.insert(*entry)) {
        Some(twice) => Err(together(field, twice.to_string(), "each once")),
        None => Ok(()),
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
    /// See [`Config::max_sessions`].
    pub max_sessions: Option<u32>,
    /// See [`Config::media_port`].
    pub media_port: Option<u16>,
    /// See [`Config::media_addresses`].
    pub media_addresses: Option<Vec<IpAddr>>,
    /// See [`Config::announced`].
    pub announced: Option<Vec<Announced>>,
    /// See [`Config::workers`].
    pub workers: Option<u32>,
    /// See [`Config::certificate`].
    pub certificate: Option<PathBuf>,
    /// See [`Config::private_key`].
    pub private_key: Option<PathBuf>,
    /// See [`Config::control`].
    pub control: ControlOverrides,
    /// See [`Config::rooms`].
    pub rooms: RoomOverrides,
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
                file::KEYS
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
