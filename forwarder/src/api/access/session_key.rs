//! Keys by which whoever created a session goes on with it, without a token of their own.
//!
//! A key is the session's id and until when it holds, with an HMAC of both under a key that the node makes at start, so that none
//! has to be kept: session ids are not used again while a node runs.

use aws_lc_rs::{hmac, rand};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::sessions::ids::SessionId;

/// What every key begins with, to be told from tokens.
pub(super) const PREFIX: &str = "session.";
/// Stands for no time in a key.
const FOREVER: u64 = 0;

/// What a key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionKey {
    /// The session that it is for.
    pub session: SessionId,
    /// Until when it is for more than ending that, in seconds since 1970: the expiry of the token that created it.
    pub until: Option<u64>,
}

/// Makes and checks keys of sessions.
pub struct SessionKeys(hmac::Key);

impl SessionKeys {
    /// With a key of its own.
    pub fn new() -> Option<Self> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).ok()?;
        Some(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// Writes a key.
    pub fn write(&self, key: SessionKey) -> String {
        let until = key.until.unwrap_or(FOREVER);
        let said = format!("{}.{until}", key.session);
        let tag = hmac::sign(&self.0, said.as_bytes());
        format!("{PREFIX}{said}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
    }

    /// Reads a key of this node.
    pub fn read(&self, key: &str) -> Option<SessionKey> {
        let (said, tag) = key.strip_prefix(PREFIX)?.rsplit_once('.')?;
        let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.0, said.as_bytes(), &tag).ok()?;
        let (session, until) = said.split_once('.')?;
        let until: u64 = until.parse().ok()?;
        Some(SessionKey {
            session: session.parse().ok()?,
            until: (until != FOREVER).then_some(until),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_for_one_session_of_one_node() {
        let (keys, other) = (SessionKeys::new().unwrap(), SessionKeys::new().unwrap());
        let session: SessionId = "12".parse().unwrap();
        for until in [None, Some(1_800_000_000)] {
            let said = SessionKey { session, until };
            let key = keys.write(said);
            assert_eq!(keys.read(&key), Some(said));
            assert_eq!(other.read(&key), None);
            for wrong in [
                key.replace("session.12.", "session.13."),
                key.replace(".1800000000.", ".1900000000."),
                key.replace(".0.", ".1900000000."),
                String::new(),
                "session.12".to_owned(),
                "session.12.0.".to_owned(),
                "session.12.0.x".to_owned(),
                key[1..].to_owned(),
            ] {
                assert!(wrong == key || keys.read(&wrong).is_none(), "{wrong}");
            }
        }
    }
}
