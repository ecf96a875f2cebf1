//! The fixed RTP header (RFC 3550 §5.1) and the header extension (§5.3.1).

/// Bytes of the fixed header.
pub const LEN: usize = 12;

/// The fixed header, as it lies in the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header(pub [u8; LEN]);

impl Header {
    /// Contributing sources that follow the fixed header.
    #[inline(always)]
    #[must_use]
    pub const fn csrc_count(self) -> usize {
        let Self([first, ..]) = self;
        (first & 0x0f) as usize
    }

    /// Whether a header extension follows.
    #[inline(always)]
    #[must_use]
    pub const fn has_extension(self) -> bool {
        let Self([first, ..]) = self;
        first & 0x10 != 0
    }

    /// The 7-bit payload type.
    #[inline(always)]
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        let Self([_, second, ..]) = self;
        second & 0x7f
    }

    /// The sequence number.
    #[inline(always)]
    #[must_use]
    pub const fn sequence(self) -> u16 {
        let Self([_, _, a, b, ..]) = self;
        u16::from_be_bytes([a, b])
    }

    /// The RTP timestamp, in units of the stream's clock rate.
    #[inline(always)]
    #[must_use]
    pub const fn timestamp(self) -> u32 {
        let Self([_, _, _, _, a, b, c, d, ..]) = self;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The synchronisation source.
    #[inline(always)]
    #[must_use]
    pub const fn ssrc(self) -> u32 {
        let Self([.., a, b, c, d]) = self;
        u32::from_be_bytes([a, b, c, d])
    }
}
