//! Who may use the control API, how it is reached, and whom it tells.

use std::path::PathBuf;

use super::{
    ApiLimitOverrides, CertificateFiles, ConfigError, IceServer, MAX_ICE_SERVERS, Secret,
    api_limits, together,
};
use crate::api::limits::Limits;

/// Webhooks that can be configured.
const MAX_WEBHOOKS: usize = 16;

/// What the control API is started with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// Whether the API is open to whoever reaches it; then there are no keys.
    pub open: bool,
    /// Grants everything.
    pub admin_key: Option<Secret>,
    /// Shared with those who make tokens (HS256).
    pub token_secret: Option<Secret>,
    /// Files with public keys of those who make tokens (EdDSA).
    pub token_public_keys: Vec<PathBuf>,
    /// Origins whose pages may use the API, besides the node's own.
    pub cors_origins: Vec<String>,
    /// Whether it speaks TLS.
    pub tls: Tls,
    /// Who is told what happens.
    pub webhooks: Vec<Webhook>,
    /// What it takes from those who reach it.
    pub limits: Limits,
    /// Servers of STUN and TURN that clients are told of.
    pub ice_servers: Vec<IceServer>,
}

/// TLS of the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// None.
    #[default]
    Off,
    /// With a certificate that is made at start, which no client knows.
    SelfSigned,
    /// With the operator's certificate.
    Files(CertificateFiles),
}

/// Someone who is told what happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where.
    pub url: String,
    /// What requests are signed with.
    pub secret: Secret,
    /// Which events: names, or the beginnings of names with a `*`.
    pub events: Vec<String>,
}

/// What a file or the flags name of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlOverrides {
    /// See [`Control::open`].
    pub open: Option<bool>,
    /// See [`Control::admin_key`].
    pub admin_key: Option<Secret>,
    /// See [`Control::token_secret`].
    pub token_secret: Option<Secret>,
    /// See [`Control::token_public_keys`].
    pub token_public_keys: Option<Vec<PathBuf>>,
    /// See [`Control::cors_origins`].
    pub cors_origins: Option<Vec<String>>,
    /// Whether a certificate is made.
    pub self_signed: Option<bool>,
    /// The certificate of the API.
    pub api_certificate: Option<PathBuf>,
    /// Its private key.
    pub api_private_key: Option<PathBuf>,
    /// See [`Control::webhooks`].
    pub webhooks: Option<Vec<Webhook>>,
    /// See [`Control::limits`].
    pub limits: ApiLimitOverrides,
    /// See [`Control::ice_servers`].
    pub ice_servers: Option<Vec<IceServer>>,
}

impl Control {
    /// Whether it names something that credentials are checked with.
    #[must_use]
    pub const fn has_keys(&self) -> bool {
        self.admin_key.is_some()
            || self.token_secret.is_some()
            || !self.token_public_keys.is_empty()
    }

    /// Overrides what `given` names.
    pub(super) fn override_with(&mut self, given: ControlOverrides) -> Result<(), ConfigError> {
        self.open = given.open.unwrap_or(self.open);
        self.admin_key = given.admin_key.or(self.admin_key.take());
        self.token_secret = given.token_secret.or(self.token_secret.take());
        if let Some(files) = given.token_public_keys {
            self.token_public_keys = files;
        }
        if let Some(origins) = given.cors_origins {
            self.cors_origins = origins;
        }
        api_limits::override_with(&mut self.limits, &given.limits);
        if let Some(webhooks) = given.webhooks {
            self.webhooks = webhooks;
        }
        if let Some(servers) = given.ice_servers {
            self.ice_servers = servers;
        }
        match (
            given.self_signed,
            given.api_certificate,
            given.api_private_key,
        ) {
            (None, None, None) => {}
            (Some(false), None, None) => self.tls = Tls::Off,
            (Some(true), None, None) => self.tls = Tls::SelfSigned,
            (None, Some(certificate), Some(private_key)) => {
                self.tls = Tls::Files(CertificateFiles {
                    certificate,
                    private_key,
                });
            }
            (Some(_), Some(file), _) | (Some(_), None, Some(file)) => {
                let allowed = "either api-tls, or api-certificate with api-private-key";
                return Err(together("api-certificate", file.display(), allowed));
            }
            (None, Some(file), None) => {
                let allowed = "a certificate together with its api-private-key";
                return Err(together("api-certificate", file.display(), allowed));
            }
            (None, None, Some(file)) => {
                let allowed = "a private key together with its api-certificate";
                return Err(together("api-private-key", file.display(), allowed));
            }
        }
        Ok(())
    }

    /// Checks what single values do not show.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.open && self.has_keys() {
            let allowed = "keys, or open without admin-key, token-secret and token-public-key";
            return Err(together("api-access", "open", allowed));
        }
        api_limits::check(&self.limits)?;
        if self.webhooks.len() > MAX_WEBHOOKS {
            let given = format!("{} of them", self.webhooks.len());
            return Err(together(
                "webhook",
                given,
                format!("at most {MAX_WEBHOOKS}"),
            ));
        }
        if self.ice_servers.len() > MAX_ICE_SERVERS {
            let given = format!("{} of them", self.ice_servers.len());
            let allowed = format!("at most {MAX_ICE_SERVERS}");
            return Err(together("ice-server", given, allowed));
        }
        self.ice_servers.iter().try_for_each(IceServer::check)
    }
}
