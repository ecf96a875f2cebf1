//! AES-GCM as RFC 7714 uses it: by aws-lc, but for sealing where the CPU can do that four blocks at a time.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::{text::Text, wide::WideGcm};
use crate::prefetch::prefetch;

/// Bytes of the tag.
pub(super) const TAG_LEN: usize = 16;

/// A session key with its salt.
pub(super) struct Gcm {
    key: LessSafeKey,
    wide: Option<WideGcm>,
    /// As a number, the first byte highest.
    salt: u128,
}

impl Gcm {
    /// A key of 16 or 32 bytes; `None` with any other length.
    pub(super) fn new(key: &[u8], salt: [u8; NONCE_LEN]) -> Option<Self> {
        let algorithm = match key.len() {
            16 => &AES_128_GCM,
            32 => &AES_256_GCM,
            _ => return None,
        };
        Some(Self {
            key: LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?),
            wide: WideGcm::new(key),
            salt: salt
                .into_iter()
                .fold(0, |number, byte| number << 8 | u128::from(byte)),
        })
    }

    /// The initialisation vector: SSRC and 48-bit index, SRTCP's with 17 leading zeros, under the salt (RFC 7714 §8.1,
    /// §9.1).
    #[inline]
    fn nonce(&self, ssrc: u32, index: u64) -> u128 {
        self.salt ^ (u128::from(ssrc) << 48 | u128::from(index))
    }

    /// Asks the CPU for what sealing reads.
    #[inline]
    pub(super) fn prefetch(&self) {
        if let Some(wide) = &self.wide {
            prefetch(wide);
        }
        prefetch(&self.salt);
    }

    /// Encrypts a text; gives the tag of it and of `clear`.
    #[inline]
    pub(super) fn seal(
        &self,
        ssrc: u32,
        index: u64,
        clear: &[u8],
        text: Text<'_>,
    ) -> Option<[u8; TAG_LEN]> {
        let nonce = self.nonce(ssrc, index);
        if let Some(wide) = &self.wide {
            return Some(wide.seal(nonce, clear, text));
        }
        let nonce = Nonce::assume_unique_for_key(bytes(nonce));
        let text = text.moved();
        let sealed = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(clear), text)
            .ok()?;
        sealed.as_ref().try_into().ok()
    }

    /// Verifies the tag at the end of `sealed`, and decrypts what is before it.
    #[inline]
    pub(super) fn open(
        &self,
        ssrc: u32,
        index: u64,
        clear: &[u8],
        sealed: &mut [u8],
    ) -> Option<()> {
        let nonce = Nonce::assume_unique_for_key(bytes(self.nonce(ssrc, index)));
        self.key
            .open_in_place(nonce, Aad::from(clear), sealed)
            .ok()
            .map(drop)
    }
}

/// The 96 bits of a nonce.
#[inline]
fn bytes(nonce: u128) -> [u8; NONCE_LEN] {
    let [_, _, _, _, nonce @ ..] = nonce.to_be_bytes();
    nonce
}
