//! GHASH (NIST SP 800-38D §6.4), sixteen blocks at a time: the first is multiplied by the sixteenth power of the hash key, the last by
//! the first, and their sum is reduced once.
//!
//! Blocks are numbers with their first byte highest. In them the bits of GCM stand the other way round, so that a product comes
//! out shifted by one; for that the powers are kept multiplied by x.

use std::arch::x86_64::*;

use zeroize::Zeroize as _;

use super::register::{BLOCK, GROUP, REGISTER, block, load, load_numbers, load_part, number, swap};

/// The highest power that is kept: that of a group, and then up to a cache line, so that groups find theirs aligned.
const POWERS: usize = 20;
/// x^128 + x^7 + x^2 + x + 1 in this order, without its highest bit, and multiplied by x.
const POLYNOMIAL: u128 = 0xc200_0000_0000_0000_0000_0000_0000_0001;

/// H^20 down to H, and zeros behind them.
#[repr(align(64))]
pub(super) struct HashKey([u128; POWERS + 3]);

impl HashKey {
    /// From the hash subkey, which is the encrypted block of zeros.
    #[target_feature(enable = "pclmulqdq,sse4.1")]
    pub(super) fn new(key: u128) -> Self {
        let first = (key << 1) ^ ((key >> 127) * POLYNOMIAL);
        let mut powers = [0; POWERS + 3];
        let mut power = first;
        for place in (0..POWERS).rev() {
            powers[place] = power;
            power = number(Product::of(block(power), block(first)).reduce());
        }
        Self(powers)
    }

    #[inline]
    fn power(&self, power: usize) -> u128 {
        self.0[POWERS - power.clamp(1, POWERS)]
    }

    /// This power, and the three below it.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn powers(&self, highest: usize) -> __m512i {
        let powers = &self.0[POWERS - highest.clamp(1, POWERS)..];
        load_numbers(powers.first_chunk().unwrap_or(&[0; 4]))
    }
}

impl Drop for HashKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The hash so far.
pub(super) struct Hash<'k> {
    key: &'k HashKey,
    sum: __m128i,
}

impl<'k> Hash<'k> {
    /// Of nothing.
    #[target_feature(enable = "sse2")]
    #[inline]
    pub(super) fn new(key: &'k HashKey) -> Self {
        Self {
            key,
            sum: _mm_setzero_si128(),
        }
    }

    /// Adds bytes, and zeros up to the end of a block.
    #[target_feature(enable = "avx512f,avx512bw,vpclmulqdq,pclmulqdq")]
    #[inline]
    pub(super) fn pad(&mut self, bytes: &[u8]) {
        let (groups, rest) = bytes.as_chunks::<GROUP>();
        for group in groups {
            let mut products = Products::none();
            let mut power = GROUP / BLOCK;
            for bytes in group.as_chunks().0 {
                products.add(swap(load(bytes)), self.key.powers(power));
                power -= 4;
            }
            self.add(products, GROUP / BLOCK);
        }
        if rest.is_empty() {
            return;
        }
        let blocks = rest.len().div_ceil(BLOCK);
        let mut products = Products::none();
        for (place, bytes) in rest.chunks(REGISTER).enumerate() {
            products.add(swap(load_part(bytes)), self.key.powers(blocks - 4 * place));
        }
        self.add(products, blocks);
    }

    /// Adds the products of so many blocks.
    #[target_feature(enable = "avx512f,pclmulqdq")]
    #[inline]
    fn add(&mut self, products: Products, blocks: usize) {
        // Apart from the others, since it alone waits for the group before.
        let sum = Product::of(self.sum, block(self.key.power(blocks)));
        self.sum = products.together().plus(&sum).reduce();
    }

    /// The hash, after the block of lengths.
    #[target_feature(enable = "pclmulqdq,sse4.1")]
    #[inline]
    pub(super) fn end(self, lengths: u128) -> u128 {
        let sum = _mm_xor_si128(self.sum, block(lengths));
        number(Product::of(sum, block(self.key.power(1))).reduce())
    }
}

/// A product of two blocks, not reduced: of both low halves, of both high ones, and the sum of the other two.
struct Product {
    low: __m128i,
    middle: __m128i,
    high: __m128i,
}

impl Product {
    #[target_feature(enable = "pclmulqdq")]
    #[inline]
    fn of(a: __m128i, b: __m128i) -> Self {
        let middle = _mm_clmulepi64_si128::<0x01>(a, b);
        Self {
            low: _mm_clmulepi64_si128::<0x00>(a, b),
            middle: _mm_xor_si128(middle, _mm_clmulepi64_si128::<0x10>(a, b)),
            high: _mm_clmulepi64_si128::<0x11>(a, b),
        }
    }

    #[target_feature(enable = "sse2")]
    #[inline]
    fn plus(self, other: &Self) -> Self {
        Self {
            low: _mm_xor_si128(self.low, other.low),
            middle: _mm_xor_si128(self.middle, other.middle),
            high: _mm_xor_si128(self.high, other.high),
        }
    }

    /// Modulo the polynomial, half a block at a time (Montgomery's way, from the lower end).
    #[target_feature(enable = "pclmulqdq")]
    #[inline]
    fn reduce(self) -> __m128i {
        let middle = fold(self.low, self.middle);
        fold(middle, self.high)
    }
}

/// Takes the low half of `below` to nothing by a multiple of the polynomial; what is left of it joins `above`, half a block higher.
#[target_feature(enable = "pclmulqdq")]
#[inline]
fn fold(below: __m128i, above: __m128i) -> __m128i {
    let multiple = _mm_clmulepi64_si128::<0x01>(block(POLYNOMIAL), below);
    let higher = _mm_shuffle_epi32::<0x4e>(below);
    _mm_xor_si128(_mm_xor_si128(above, higher), multiple)
}

/// Four sums of products, one per lane: of both low halves, of both high ones, and of the sums of the halves, which takes a
/// multiplication less than the other two products (Karatsuba).
struct Products {
    low: __m512i,
    middle: __m512i,
    high: __m512i,
}

impl Products {
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn none() -> Self {
        let zero = _mm512_setzero_si512();
        Self {
            low: zero,
            middle: zero,
            high: zero,
        }
    }

    /// Adds a product in each lane.
    #[target_feature(enable = "avx512f,vpclmulqdq")]
    #[inline]
    fn add(&mut self, a: __m512i, b: __m512i) {
        self.low = _mm512_xor_si512(self.low, _mm512_clmulepi64_epi128::<0x00>(a, b));
        self.high = _mm512_xor_si512(self.high, _mm512_clmulepi64_epi128::<0x11>(a, b));
        let (a, b) = (halves(a), halves(b));
        self.middle = _mm512_xor_si512(self.middle, _mm512_clmulepi64_epi128::<0x00>(a, b));
    }

    /// The sum of all lanes.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn together(self) -> Product {
        let middle = _mm512_ternarylogic_epi64::<0x96>(self.low, self.middle, self.high);
        Product {
            low: lanes(self.low),
            middle: lanes(middle),
            high: lanes(self.high),
        }
    }
}

/// In each half of a block the sum of both.
#[target_feature(enable = "avx512f")]
#[inline]
fn halves(blocks: __m512i) -> __m512i {
    _mm512_xor_si512(blocks, _mm512_shuffle_epi32::<0x4e>(blocks))
}

/// The sum of the four lanes.
#[target_feature(enable = "avx512f")]
#[inline]
fn lanes(wide: __m512i) -> __m128i {
    let upper = _mm512_extracti64x4_epi64::<1>(wide);
    let half = _mm256_xor_si256(_mm512_castsi512_si256(wide), upper);
    let upper = _mm256_extracti128_si256::<1>(half);
    _mm_xor_si128(_mm256_castsi256_si128(half), upper)
}
