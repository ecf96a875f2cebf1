//! The Internet checksum (RFC 1071) as partial sums that are kept, moved and added.
//!
//! Sums are of 16-bit words in the machine's byte order: the one's complement sum of swapped words is the swapped sum
//! (RFC 1071 §2 B), so nothing needs swapping as long as words enter and leave memory in the same way.

/// A partial sum, not yet folded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Sum(u64);

impl Sum {
    /// Continues from a folded sum, as [`Sum::fold`] gave it.
    #[inline(always)]
    pub const fn from_folded(sum: u16) -> Self {
        Self(sum as u64)
    }

    /// Continues from what the kernel's `bpf_csum_diff` returned.
    #[inline(always)]
    pub const fn from_kernel(sum: u32) -> Self {
        Self(sum as u64)
    }

    /// Adds one word as it lies in memory.
    #[inline(always)]
    pub const fn word(self, bytes: [u8; 2]) -> Self {
        Self(self.0 + u16::from_ne_bytes(bytes) as u64)
    }

    /// Adds a number that stands in the packet in network order.
    #[inline(always)]
    pub const fn number(self, value: u16) -> Self {
        self.word(value.to_be_bytes())
    }

    /// Adds another partial sum of an even number of bytes.
    #[inline(always)]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// Adds words as they lie in memory.
    #[inline(always)]
    pub const fn words<const N: usize>(self, words: [u32; N]) -> Self {
        let mut sum = self.0;
        let mut rest = words.as_slice();
        while let [word, others @ ..] = rest {
            sum += *word as u64;
            rest = others;
        }
        Self(sum)
    }

    /// Adds any bytes that start at an even offset; an odd last byte is padded with zero (RFC 1071 §4.1). Always inlined, so that
    /// it is compiled for what its caller is compiled for.
    #[inline(always)]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        let mut sum = self.0;
        let mut words = bytes.chunks_exact(4);
        for word in &mut words {
            if let Ok(word) = word.try_into() {
                sum += u64::from(u32::from_ne_bytes(word));
            }
        }
        let mut rest = [0; 4];
        for (to, from) in rest.iter_mut().zip(words.remainder()) {
            *to = *from;
        }
        Self(sum + u64::from(u32::from_ne_bytes(rest)))
    }

    /// The sum in 16 bits, carries added back.
    #[inline(always)]
    #[must_use]
    pub const fn fold(self) -> u16 {
        let sum = (self.0 & 0xffff_ffff) + (self.0 >> 32);
        let sum = (sum & 0xffff) + (sum >> 16);
        let sum = (sum & 0xffff) + (sum >> 16);
        let sum = (sum & 0xffff) + (sum >> 16);
        sum as u16
    }

    /// The checksum field of an IPv4 header, as its two bytes.
    #[inline(always)]
    #[must_use]
    pub const fn ipv4(self) -> [u8; 2] {
        (!self.fold()).to_ne_bytes()
    }

    /// The checksum field of a UDP header, as its two bytes: a computed zero is sent as all ones, since zero would say
    /// that there is none (RFC 768, RFC 8200 §8.1).
    #[inline(always)]
    #[must_use]
    pub const fn udp(self) -> [u8; 2] {
        match !self.fold() {
            0 => [0xff, 0xff],
            sum => sum.to_ne_bytes(),
        }
    }
}
