//! AES-GCM (NIST SP 800-38D) with nonces of 96 bits, sealing only.

use super::{
    super::text::Text,
    aes::WideAes,
    ghash::{Hash, HashKey},
    register::BLOCK,
};

/// A key, expanded.
pub(in super::super) struct WideGcm {
    aes: WideAes,
    hash: HashKey,
}

impl WideGcm {
    /// As [`WideAes::new`].
    pub(in super::super) fn new(key: &[u8]) -> Option<Self> {
        let aes = WideAes::new(key)?;
        let mut zeros = [0; BLOCK];
        aes.apply_keystream(0, Text::in_place(&mut zeros));
        // SAFETY: without these instructions there is no key.
        let hash = unsafe { HashKey::new(u128::from_be_bytes(zeros)) };
        Some(Self { aes, hash })
    }

    /// Encrypts a text; gives the tag of it and of `clear`. Of the nonce 96 bits count, the first byte of which is the highest.
    #[inline]
    pub(in super::super) fn seal(&self, nonce: u128, clear: &[u8], text: Text<'_>) -> [u8; BLOCK] {
        // SAFETY: without these instructions there is no key.
        unsafe {
            match self.aes.last() {
                10 => self.seal_with::<10>(nonce, clear, text),
                _ => self.seal_with::<14>(nonce, clear, text),
            }
        }
    }

    /// SP 800-38D §7.1.
    #[target_feature(enable = "avx512f,avx512bw,vaes,vpclmulqdq,aes,pclmulqdq")]
    fn seal_with<const LAST: usize>(
        &self,
        nonce: u128,
        clear: &[u8],
        text: Text<'_>,
    ) -> [u8; BLOCK] {
        let first = nonce << 32 | 1;
        let mask = self.aes.encrypt::<LAST>(first);
        let text = self.aes.apply::<LAST>(first + 1, text);
        let mut hash = Hash::new(&self.hash);
        hash.pad(clear);
        hash.pad(text);
        let bits = |bytes: &[u8]| bytes.len() as u128 * 8;
        let lengths = bits(clear) << 64 | bits(text);
        (hash.end(lengths) ^ mask).to_be_bytes()
    }
}
