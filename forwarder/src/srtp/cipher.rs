//! The session's cipher, whichever suite it is of.

use std::fmt;

use super::{MasterKey, Suite, cm::Cm, gcm::Gcm, kdf};

/// Expanded session keys of one direction, for SRTP or for SRTCP.
pub(super) enum Cipher {
    /// RFC 7714.
    Gcm(Box<Gcm>),
    /// RFC 3711.
    Cm(Box<Cm>),
}

impl Cipher {
    /// Derives and expands.
    ///
    /// # Panics
    ///
    /// If the library cannot expand a key, for want of memory: a master key has its suite's length.
    pub(super) fn new(master: &MasterKey, labels: kdf::Labels) -> Self {
        Self::try_new(master, labels).expect("keys of the suite's lengths can be expanded")
    }

    fn try_new(master: &MasterKey, labels: kdf::Labels) -> Option<Self> {
        match master.suite() {
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => {
                let keys = kdf::derive(master, labels)?;
                Some(Self::Gcm(Box::new(Gcm::new(&keys.encryption, keys.salt)?)))
            }
            Suite::Aes128CmHmacSha1_80 => {
                let keys = kdf::derive(master, labels)?;
                let cm = Cm::new(&keys.encryption, keys.salt, &keys.authentication)?;
                Some(Self::Cm(Box::new(cm)))
            }
        }
    }
}

/// Which it is, and nothing of the keys.
impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gcm(_) => "Gcm",
            Self::Cm(_) => "Cm",
        })
    }
}
