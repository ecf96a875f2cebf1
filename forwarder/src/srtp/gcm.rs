//! AES-GCM as RFC 7714 uses it.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Bytes of the tag.
pub(super) const TAG_LEN: usize = 16;

/// A session key with its salt.
pub(super) struct Gcm {
    key: LessSafeKey,
    salt: [u8; NONCE_LEN],
}

impl Gcm {
    /// A key of 16 or 32 bytes; `None` with any other length.
    pub(super) fn new(key: &[u8], salt: [u8; NONCE_LEN]) -> Option<Self> {
        let algorithm = match key.len() {
            16 => &AES_128_GCM,
            32 => &AES_256_GCM,
            _ => return None,
        };
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
        Some(Self { key, salt })
    }

    /// The initialisation vector: SSRC and 48-bit index, SRTCP's with 17 leading zeros, under the salt (RFC 7714 §8.1,
    /// §9.1).
    #[inline]
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let packet = u128::from(ssrc) << 48 | u128::from(index);
        let [_, _, _, _, low @ ..] = packet.to_be_bytes();
        let mut nonce = self.salt;
        for (byte, value) in nonce.iter_mut().zip(low) {
            *byte ^= value;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// Encrypts `text`; the tag covers it and `clear`.
    #[inline]
    pub(super) fn seal(
        &self,
        ssrc: u32,
        index: u64,
        clear: &[u8],
        text: &mut [u8],
    ) -> Option<[u8; TAG_LEN]> {
        let nonce = self.nonce(ssrc, index);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(clear), text)
            .ok()?;
        tag.as_ref().try_into().ok()
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
        let nonce = self.nonce(ssrc, index);
        self.key
            .open_in_place(nonce, Aad::from(clear), sealed)
            .ok()
            .map(drop)
    }
}
