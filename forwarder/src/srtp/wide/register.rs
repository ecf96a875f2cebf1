//! Registers of four blocks: all access to memory by them is here.

use std::arch::x86_64::*;

/// Bytes of a block.
pub(super) const BLOCK: usize = 16;
/// Bytes of a register.
pub(super) const REGISTER: usize = 4 * BLOCK;
/// Bytes that are worked on at a time: four registers, so that no instruction waits for the one before it.
pub(super) const GROUP: usize = 4 * REGISTER;

/// Whether the CPU has what this is written for.
pub(super) fn are_here() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("vaes")
        && is_x86_feature_detected!("vpclmulqdq")
        && is_x86_feature_detected!("aes")
        && is_x86_feature_detected!("pclmulqdq")
}

/// One block, the number's low byte first.
#[target_feature(enable = "sse2")]
#[inline]
pub(super) fn block(number: u128) -> __m128i {
    _mm_set_epi64x((number >> 64) as i64, number as i64)
}

/// The number in a block.
#[target_feature(enable = "sse4.1")]
#[inline]
pub(super) fn number(block: __m128i) -> u128 {
    let [low, high] = [_mm_cvtsi128_si64(block), _mm_extract_epi64::<1>(block)];
    u128::from(high.cast_unsigned()) << 64 | u128::from(low.cast_unsigned())
}

/// One block four times.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn wide(number: u128) -> __m512i {
    _mm512_broadcast_i32x4(block(number))
}

/// The bytes of every block the other way round.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn swap(blocks: __m512i) -> __m512i {
    _mm512_shuffle_epi8(blocks, wide(0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f))
}

/// A whole register of bytes.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn load(bytes: &[u8; REGISTER]) -> __m512i {
    // SAFETY: as many bytes as are read.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// Four numbers.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn load_numbers(numbers: &[u128; 4]) -> __m512i {
    // SAFETY: as many bytes as are read.
    unsafe { _mm512_loadu_si512(numbers.as_ptr().cast()) }
}

/// A whole register of bytes.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn store(register: __m512i, bytes: &mut [u8; REGISTER]) {
    // SAFETY: as many bytes as are written.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), register) }
}

/// Up to a register of bytes, with zeros behind them.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn load_part(bytes: &[u8]) -> __m512i {
    // SAFETY: the mask leaves out what is not there.
    unsafe { _mm512_maskz_loadu_epi8(first(bytes.len()), bytes.as_ptr().cast()) }
}

/// As much of a register as there are bytes.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn store_part(register: __m512i, bytes: &mut [u8]) {
    // SAFETY: the mask leaves out what is not there.
    unsafe { _mm512_mask_storeu_epi8(bytes.as_mut_ptr().cast(), first(bytes.len()), register) }
}

/// A mask of the first bytes of a register.
#[inline]
fn first(bytes: usize) -> __mmask64 {
    match bytes {
        0..REGISTER => (1 << bytes) - 1,
        _ => !0,
    }
}
