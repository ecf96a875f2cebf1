//! Keys by which whoever created a session goes on with it, without a token of their own.
//!
//! A key is the session's id with an HMAC of it under a key that the node makes at start, so that none has to be kept: session
//! ids are not used again while a node runs.

use aws_lc_rs::{hmac, rand};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::sessions::ids::SessionId;

/// What every key begins with, to be told from tokens.
const PREFIX: &str = "session.";

/// Makes and checks keys of sessions.
pub struct SessionKeys(hmac::Key);

impl SessionKeys {
    /// With a key of its own.
    pub fn new() -> Option<Self> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).ok()?;
        Some(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The key of a session.
    pub fn key(&self, session: SessionId) -> String {
        let tag = hmac::sign(&self.0, session.to_string().as_bytes());
        format!("{PREFIX}{session}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
    }

    /// The session that this is the key of.
    pub fn session(&self, key: &str) -> Option<SessionId> {
        let (id, tag) = key.strip_prefix(PREFIX)?.split_once('.')?;
        let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.0, id.as_bytes(), &tag).ok()?;
        id.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_for_one_session_of_one_node() {
        let (keys, other) = (SessionKeys::new().unwrap(), SessionKeys::new().unwrap());
        let session: SessionId = "12".parse().unwrap();
        let key = keys.key(session);
        assert_eq!(keys.session(&key), Some(session));
        assert_eq!(other.session(&key), None);
        let stolen = key.replace("session.12.", "session.13.");
        for wrong in [
            stolen.as_str(),
            "",
            "session.12",
            "session.12.",
            "session.12.x",
            &key[1..],
        ] {
            assert_eq!(keys.session(wrong), None, "{wrong}");
        }
    }
}
