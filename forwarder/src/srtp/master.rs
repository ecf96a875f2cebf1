//! Master key and salt, and how they come out of a DTLS handshake.

use std::fmt;

use zeroize::Zeroizing;

use super::{KeyError, Suite};

/// Master key and master salt of one direction. Wiped when dropped, and never printed.
#[derive(Clone)]
pub struct MasterKey {
    suite: Suite,
    key: Zeroizing<Vec<u8>>,
    salt: Zeroizing<Vec<u8>>,
}

impl MasterKey {
    /// A key and a salt of the suite's lengths.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if one of them has another length.
    pub fn new(suite: Suite, key: &[u8], salt: &[u8]) -> Result<Self, KeyError> {
        let (key_len, salt_len) = (key.len(), salt.len());
        if key_len != suite.key_len() {
            return Err(KeyError::KeyLength {
                suite,
                len: key_len,
            });
        }
        if salt_len != suite.salt_len() {
            return Err(KeyError::SaltLength {
                suite,
                len: salt_len,
            });
        }
        Ok(Self {
            suite,
            key: Zeroizing::new(key.to_vec()),
            salt: Zeroizing::new(salt.to_vec()),
        })
    }

    /// The suite that the key is for.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The key, of [`Suite::key_len`] bytes: to be stored where nobody else reads.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The salt, of [`Suite::salt_len`] bytes.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey")
            .field("suite", &self.suite)
            .finish_non_exhaustive()
    }
}

/// Bytes to be exported under the label `EXTRACTOR-dtls_srtp` for this suite (RFC 5764 §4.2).
#[must_use]
pub const fn keying_material_len(suite: Suite) -> usize {
    2 * (suite.key_len() + suite.salt_len())
}

/// Exported keying material as the keys with which the DTLS client and the DTLS server write, in this order: both keys
/// come before both salts (RFC 5764 §4.2). `None` if there is less material than that; more is left alone.
#[must_use]
pub fn split_keying_material(suite: Suite, material: &[u8]) -> Option<(MasterKey, MasterKey)> {
    let (client_key, rest) = material.split_at_checked(suite.key_len())?;
    let (server_key, rest) = rest.split_at_checked(suite.key_len())?;
    let (client_salt, rest) = rest.split_at_checked(suite.salt_len())?;
    let (server_salt, _) = rest.split_at_checked(suite.salt_len())?;
    let client = MasterKey::new(suite, client_key, client_salt).ok()?;
    let server = MasterKey::new(suite, server_key, server_salt).ok()?;
    Some((client, server))
}
