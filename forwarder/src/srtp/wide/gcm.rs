//! AES-GCM (NIST SP 800-38D) with nonces of 96 bits, sealing only.

use super::{
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
        aes.apply_keystream(0, &mut zeros);
        // SAFETY: without these instructions there is no key.
        let hash = unsafe { HashKey::new(u128::from_be_bytes(zeros)) };
        Some(Self { aes, hash })
    }

    /// Encrypts `text`; `tag` becomes that of it and of `clear`. Of the nonce 96 bits count, the first byte of which is the highest.
    #[inline]
    pub(in super::super) fn seal(
        &self,
        nonce: u128,
        clear: &[u8],
        text: &mut [u8],
        tag: &mut [u8; BLOCK],
    ) {
        // SAFETY: without these instructions there is no key.
        unsafe {
            match self.aes.last() {
                10 => self.seal_with::<10>(nonce, clear, text, tag),
                _ => self.seal_with::<14>(nonce, clear, text, tag),
            }
        }
    }

    /// SP 800-38D §7.1.
    #[target_feature(enable = "avx512f,avx512bw,vaes,vpclmulqdq,aes,pclmulqdq")]
    fn seal_with<const LAST: usize>(
        &self,
        nonce: u128,
        clear: &[u8],
        text: &mut [u8],
        tag: &mut [u8; BLOCK],
    ) {
        let first = nonce << 32 | 1;
        let mask = self.aes.encrypt::<LAST>(first);
        self.aes.apply::<LAST>(first + 1, text);
        let mut hash = Hash::new(&self.hash);
        hash.pad(clear);
        hash.pad(text);
        let bits = |bytes: &[u8]| bytes.len() as u128 * 8;
        let lengths = bits(clear) << 64 | bits(text);
        *tag = (hash.end(lengths) ^ mask).to_be_bytes();
    }
}
