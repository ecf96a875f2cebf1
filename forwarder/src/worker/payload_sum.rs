//! The Internet checksum of a sealed payload, on registers as wide as there are: every replica has another one.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use forwarder_common::checksum::Sum;

/// Folded sum of bytes that start at an even offset, 64 KiB of them at most.
#[inline]
pub fn payload_sum(bytes: &[u8]) -> u16 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
    {
        // SAFETY: the CPU has what the function is compiled for.
        return unsafe { wider(bytes) };
    }
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the CPU has what the function is compiled for.
        return unsafe { wide(bytes) };
    }
    Sum::default().bytes(bytes).fold()
}

/// The same sum; the compiler makes it add 32 bytes at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn wide(bytes: &[u8]) -> u16 {
    Sum::default().bytes(bytes).fold()
}

/// The same sum, 64 bytes at a time. The instruction that adds words takes them for signed: each is read as less by 2^15, which is
/// made up for at the end.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
fn wider(bytes: &[u8]) -> u16 {
    const LESS: u32 = 1 << 15;
    const REGISTER: usize = size_of::<__m512i>();
    let ones = _mm512_set1_epi16(1);
    let signed = |words| _mm512_xor_si512(words, _mm512_set1_epi16(i16::MIN));
    let mut sums = _mm512_setzero_si512();
    let mut words = 0_u32;
    for bytes in bytes.chunks(REGISTER) {
        let there = u64::MAX >> (REGISTER - bytes.len());
        // SAFETY: the mask leaves out what is not there.
        let read = unsafe { _mm512_maskz_loadu_epi8(there, bytes.as_ptr().cast()) };
        sums = _mm512_add_epi32(sums, _mm512_madd_epi16(signed(read), ones));
        words += REGISTER as u32 / 2;
    }
    let sum = _mm512_reduce_add_epi32(sums).cast_unsigned();
    Sum::default()
        .words([sum.wrapping_add(words * LESS)])
        .fold()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_the_words_one_by_one() {
        let bytes: Vec<u8> = (0..2032_u32)
            .map(|at| ((at * at) >> 3) as u8 | 0x80)
            .collect();
        for len in 0..bytes.len() {
            let bytes = &bytes[..len];
            let mut words = Sum::default();
            for word in bytes.chunks(2) {
                words = words.word([word[0], word.get(1).copied().unwrap_or(0)]);
            }
            assert_eq!(payload_sum(bytes), words.fold(), "{len}");
        }
    }
}
