//! AES (FIPS 197) in counter mode (NIST SP 800-38A §6.5).

use std::arch::x86_64::*;

use zeroize::Zeroize as _;

use super::{
    super::text::Text,
    register::{
        GROUP, are_here, block, load_group, load_parts, number, store_group, store_parts, swap,
        wide, xor,
    },
};

/// Round keys of AES-256.
const ROUND_KEYS: usize = 15;

/// A key, expanded.
#[repr(align(64))]
pub(in super::super) struct WideAes {
    keys: [u128; ROUND_KEYS],
    /// Place of the last round key: 10 or 14.
    last: usize,
}

impl WideAes {
    /// `None` without these instructions, or with a key that has neither 16 nor 32 bytes.
    pub(in super::super) fn new(key: &[u8]) -> Option<Self> {
        if !are_here() || !matches!(key.len(), 16 | 32) {
            return None;
        }
        // SAFETY: the CPU has what the function is compiled for.
        Some(unsafe { Self::expand(key) })
    }

    /// FIPS 197 §5.2, with words as they lie in memory.
    #[target_feature(enable = "aes")]
    fn expand(key: &[u8]) -> Self {
        let key_words = key.len() / 4;
        let last = key_words + 6;
        let mut words = [0_u32; 4 * ROUND_KEYS];
        for (word, bytes) in words.iter_mut().zip(key.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        let substituted = |word: u32| {
            let words = _mm_set1_epi32(word.cast_signed());
            _mm_cvtsi128_si32(_mm_aeskeygenassist_si128::<0>(words)).cast_unsigned()
        };
        let mut constant = 1_u8;
        for at in key_words..4 * (last + 1) {
            let mut word = words[at - 1];
            if at % key_words == 0 {
                word = substituted(word).rotate_right(8) ^ u32::from(constant);
                constant = (constant << 1) ^ ((constant >> 7) * 0x1b);
            } else if key_words == 8 && at % key_words == 4 {
                word = substituted(word);
            }
            words[at] = words[at - key_words] ^ word;
        }
        let mut keys = [0; ROUND_KEYS];
        for (key, words) in keys.iter_mut().zip(words.as_chunks::<4>().0) {
            let [a, b, c, d] = words.map(u128::from);
            *key = a | b << 32 | c << 64 | d << 96;
        }
        words.zeroize();
        Self { keys, last }
    }

    /// Which `LAST` to call the functions below with.
    #[inline]
    pub(super) fn last(&self) -> usize {
        self.last
    }

    /// Encrypts or decrypts; both are the same. `counter` is the first counter block, of which the last 32 bits count.
    #[inline]
    pub(in super::super) fn apply_keystream(&self, counter: u128, text: Text<'_>) {
        // SAFETY: without these instructions there is no key.
        unsafe {
            match self.last {
                10 => self.apply::<10>(counter, text),
                _ => self.apply::<14>(counter, text),
            };
        }
    }

    /// As [`Self::apply_keystream`]; gives what it wrote.
    #[target_feature(enable = "avx512f,avx512bw,vaes")]
    #[inline]
    pub(super) fn apply<'t, const LAST: usize>(&self, counter: u128, text: Text<'t>) -> &'t [u8] {
        let places = _mm512_set_epi64(0, 3, 0, 2, 0, 1, 0, 0);
        let mut counters = _mm512_add_epi32(wide(counter), places);
        let (groups, rest) = text.to.as_chunks_mut::<GROUP>();
        let (from_groups, from_rest) = text.from.unwrap_or_default().as_chunks();
        for (at, group) in groups.iter_mut().enumerate() {
            let from = load_group(from_groups.get(at).unwrap_or(group));
            let sealed = xor(self.stream::<LAST>(&mut counters), from);
            store_group(sealed, group);
        }
        if !rest.is_empty() {
            let from = load_parts(text.from.map_or(&*rest, |_| from_rest));
            let sealed = xor(self.stream::<LAST>(&mut counters), from);
            store_parts(sealed, rest);
        }
        text.to
    }

    /// The next group of key stream.
    #[target_feature(enable = "avx512f,avx512bw,vaes")]
    #[inline]
    fn stream<const LAST: usize>(&self, counters: &mut __m512i) -> [__m512i; 4] {
        let mut states = [_mm512_setzero_si512(); 4];
        for state in &mut states {
            *state = _mm512_xor_si512(swap(*counters), wide(self.keys[0]));
            *counters = _mm512_add_epi32(*counters, _mm512_set_epi64(0, 4, 0, 4, 0, 4, 0, 4));
        }
        for key in &self.keys[1..LAST] {
            for state in &mut states {
                *state = _mm512_aesenc_epi128(*state, wide(*key));
            }
        }
        states.map(|state| _mm512_aesenclast_epi128(state, wide(self.keys[LAST])))
    }

    /// Encrypts one block; its first byte is the number's highest.
    #[target_feature(enable = "aes,sse4.1")]
    #[inline]
    pub(super) fn encrypt<const LAST: usize>(&self, plain: u128) -> u128 {
        let mut state = block(plain.swap_bytes() ^ self.keys[0]);
        for key in &self.keys[1..LAST] {
            state = _mm_aesenc_si128(state, block(*key));
        }
        number(_mm_aesenclast_si128(state, block(self.keys[LAST]))).swap_bytes()
    }
}

impl Drop for WideAes {
    fn drop(&mut self) {
        self.keys.zeroize();
    }
}
