//! The Internet checksum of what is encrypted, added up while it is in registers: every replica has another one, and to read it
//! again would take longer.

use std::arch::x86_64::*;

use forwarder_common::checksum::Sum;

use super::register::GROUP;

/// The instruction that adds words takes them for signed. Each is read as less by this, which is made up for at the end.
const LESS: u32 = 1 << 15;

/// The sum of groups, one per double word. It holds 1 MiB.
pub(super) struct Sums {
    sums: __m512i,
    groups: u32,
}

impl Sums {
    /// Of nothing.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn none() -> Self {
        Self {
            sums: _mm512_setzero_si512(),
            groups: 0,
        }
    }

    /// Adds a group.
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    pub(super) fn add(&mut self, group: [__m512i; 4]) {
        for register in group {
            let signed = _mm512_xor_si512(register, _mm512_set1_epi16(i16::MIN));
            let pairs = _mm512_madd_epi16(signed, _mm512_set1_epi16(1));
            self.sums = _mm512_add_epi32(self.sums, pairs);
        }
        self.groups = self.groups.wrapping_add(1);
    }

    /// The sum of all.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn together(self) -> Sum {
        let words = self.groups.wrapping_mul(GROUP as u32 / 2);
        let sum = _mm512_reduce_add_epi32(self.sums).cast_unsigned();
        Sum::default().words([sum.wrapping_add(words.wrapping_mul(LESS))])
    }
}
