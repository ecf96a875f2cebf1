//! What a token says (RFC 7519), and how one is made.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::{Deserialize, Serialize};

/// Any room.
pub const ANY_ROOM: &str = "*";

/// The claims of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// When it expires, in seconds since 1970.
    pub exp: u64,
    /// From when it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// Who holds it: the name of their sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// What tells it from others: sessions that it created belong to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// Its room, or `*` for all.
    pub room: String,
    /// Whether its sessions may send media.
    #[serde(default)]
    pub publish: bool,
    /// Whether its sessions may receive media.
    #[serde(default)]
    pub subscribe: bool,
    /// Whether it may do everything in its room; with `*`, everything on the node.
    #[serde(default)]
    pub admin: bool,
    /// Sessions that it may have at one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_sessions: Option<u32>,
    /// Publications that its sessions may have at one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tracks: Option<u32>,
    /// Bits per second that its publications may bring together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bitrate: Option<u64>,
}

impl Claims {
    /// Whether it is for this room.
    #[must_use]
    pub fn covers(&self, room: &str) -> bool {
        self.room == ANY_ROOM || self.room == room
    }

    /// Who its sessions belong to: the token, or whom it is about in its room.
    #[must_use]
    pub fn holder(&self) -> Option<String> {
        let about = |sub: &String| format!("sub:{}:{sub}", self.room);
        let token = self.jti.as_ref().map(|jti| format!("jti:{jti}"));
        token.or_else(|| self.sub.as_ref().map(about))
    }

    /// A token with these claims, signed with a shared secret.
    ///
    /// # Errors
    /// What the library says.
    pub fn sign(&self, secret: &[u8]) -> Result<String, jsonwebtoken::errors::Error> {
        let key = EncodingKey::from_secret(secret);
        encode(&Header::new(Algorithm::HS256), self, &key)
    }

    /// A token with these claims, signed with an Ed25519 private key in PEM.
    ///
    /// # Errors
    /// What the library says.
    pub fn sign_ed25519(&self, pem: &[u8]) -> Result<String, jsonwebtoken::errors::Error> {
        let key = EncodingKey::from_ed_pem(pem)?;
        encode(&Header::new(Algorithm::EdDSA), self, &key)
    }
}
