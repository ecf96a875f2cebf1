//! The Internet checksum of a sealed payload, on registers as wide as there are: every replica has another one.

use forwarder_common::checksum::Sum;

/// Folded sum of bytes that start at an even offset.
#[inline]
pub fn payload_sum(bytes: &[u8]) -> u16 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
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

/// The same sum, 64 bytes at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn wider(bytes: &[u8]) -> u16 {
    Sum::default().bytes(bytes).fold()
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
