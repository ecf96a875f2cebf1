//! AES counter mode and HMAC-SHA1 with a tag of 80 bits (RFC 3711 §4.1.1, §4.2.1).

use aws_lc_rs::{
    cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey},
    constant_time::verify_slices_are_equal,
    iv::FixedLength,
};

use super::{hmac::HmacSha1, text::Text, wide::WideAes};

/// Bytes of the tag.
pub(super) const TAG_LEN: usize = 10;
/// Bytes of a session authentication key (n_a, RFC 3711 §8.2).
pub(super) const AUTHENTICATION_KEY_LEN: usize = 20;
/// Bytes of a session salt (n_s, RFC 3711 §8.2).
pub(super) const SALT_LEN: usize = 14;

/// Session keys.
pub(super) struct Cm {
    key: EncryptingKey,
    wide: Option<WideAes>,
    salt: [u8; SALT_LEN],
    hmac: HmacSha1,
}

impl Cm {
    /// `None` if the encryption key has not 16 bytes.
    pub(super) fn new(
        key: &[u8],
        salt: [u8; SALT_LEN],
        authentication_key: &[u8; AUTHENTICATION_KEY_LEN],
    ) -> Option<Self> {
        Some(Self {
            key: EncryptingKey::ctr(UnboundCipherKey::new(&AES_128, key).ok()?).ok()?,
            wide: WideAes::new(key),
            salt,
            hmac: HmacSha1::new(authentication_key),
        })
    }

    /// Encrypts or decrypts; both are the same. The counter block starts at (salt * 2^16) XOR (SSRC * 2^64) XOR
    /// (index * 2^16), RFC 3711 §4.1.1.
    #[inline]
    pub(super) fn apply_keystream(&self, ssrc: u32, index: u64, text: Text<'_>) -> Option<()> {
        let packet = u128::from(ssrc) << 64 | u128::from(index) << 16;
        let mut counter = packet.to_be_bytes();
        for (byte, salt) in counter.iter_mut().zip(self.salt) {
            *byte ^= salt;
        }
        if let Some(wide) = &self.wide {
            wide.apply_keystream(u128::from_be_bytes(counter), text);
            return Some(());
        }
        let context = EncryptionContext::Iv128(FixedLength::from(counter));
        let text = text.moved();
        self.key.less_safe_encrypt(text, context).ok().map(drop)
    }

    /// The tag of these bytes and a word behind them: SRTP's is the ROC, which is not sent (RFC 3711 §4.2).
    #[inline]
    pub(super) fn tag(&self, bytes: &[u8], word: [u8; 4]) -> [u8; TAG_LEN] {
        let [a, b, c, d, e, f, g, h, i, j, ..] = self.hmac.sign(bytes, word);
        [a, b, c, d, e, f, g, h, i, j]
    }

    /// Compares in constant time.
    #[inline]
    pub(super) fn verify(&self, bytes: &[u8], word: [u8; 4], tag: &[u8]) -> Option<()> {
        verify_slices_are_equal(&self.tag(bytes, word), tag).ok()
    }
}
