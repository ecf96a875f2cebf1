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
mod tests;
