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

/// Up to a register of bytes, with zeros behind them.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn load_part(bytes: &[u8]) -> __m512i {
    // SAFETY: the mask leaves out what is not there.
    unsafe { _mm512_maskz_loadu_epi8(first(bytes.len()), bytes.as_ptr().cast()) }
}

/// A group of bytes.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn load_group(bytes: &[u8; GROUP]) -> [__m512i; 4] {
    let mut registers = [_mm512_setzero_si512(); 4];
    for (register, bytes) in registers.iter_mut().zip(bytes.as_chunks().0) {
        *register = load(bytes);
    }
    registers
}

/// Up to a group of bytes, with zeros behind them.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn load_parts(bytes: &[u8]) -> [__m512i; 4] {
    let mut registers = [_mm512_setzero_si512(); 4];
    for (register, bytes) in registers.iter_mut().zip(bytes.chunks(REGISTER)) {
        *register = load_part(bytes);
    }
    registers
}

/// A group of bytes.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn store_group(registers: [__m512i; 4], bytes: &mut [u8; GROUP]) {
    let places = bytes.as_chunks_mut::<REGISTER>().0;
    for (register, bytes) in registers.into_iter().zip(places) {
        // SAFETY: as many bytes as are written.
        unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), register) }
    }
}

/// As much of a group as there are bytes.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn store_parts(registers: [__m512i; 4], bytes: &mut [u8]) {
    for (register, bytes) in registers.into_iter().zip(bytes.chunks_mut(REGISTER)) {
        // SAFETY: the mask leaves out what is not there.
        unsafe { _mm512_mask_storeu_epi8(bytes.as_mut_ptr().cast(), first(bytes.len()), register) }
    }
}

/// One group with another, bit by bit.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn xor(mut one: [__m512i; 4], other: [__m512i; 4]) -> [__m512i; 4] {
    for (one, other) in one.iter_mut().zip(other) {
        *one = _mm512_xor_si512(*one, other);
    }
    one
}

/// A mask of the first bytes of a register.
#[inline]
fn first(bytes: usize) -> __mmask64 {
    match bytes {
        0..REGISTER => (1 << bytes) - 1,
        _ => !0,
    }
}
