//! The fixed RTP header (RFC 3550 §5.1) and the header extension (§5.3.1).

/// Bytes of the fixed header.
pub const LEN: usize = 12;

/// Words of the fixed header.
pub const WORDS: usize = LEN / 4;

/// The fixed header, as words in the byte order in which they lie in the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header(pub [u32; WORDS]);

impl Header {
    /// The header in these bytes.
    #[inline(always)]
    #[must_use]
    pub const fn from_bytes(bytes: [u8; LEN]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        Self([
            u32::from_ne_bytes([a, b, c, d]),
            u32::from_ne_bytes([e, f, g, h]),
            u32::from_ne_bytes([i, j, k, l]),
        ])
    }

    /// The bytes of the header.
    #[inline(always)]
    #[must_use]
    pub const fn to_bytes(self) -> [u8; LEN] {
        let Self([first, timestamp, ssrc]) = self;
        let [a, b, c, d] = first.to_ne_bytes();
        let [e, f, g, h] = timestamp.to_ne_bytes();
        let [i, j, k, l] = ssrc.to_ne_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }

    /// Version, padding, extension, contributing sources, marker, payload type and sequence number, as a number.
    #[inline(always)]
    const fn first(self) -> u32 {
        let Self([first, ..]) = self;
        u32::from_be(first)
    }

    /// Contributing sources that follow the fixed header.
    #[inline(always)]
    #[must_use]
    pub const fn csrc_count(self) -> usize {
        (self.first() >> 24 & 0x0f) as usize
    }

    /// Whether a header extension follows.
    #[inline(always)]
    #[must_use]
    pub const fn has_extension(self) -> bool {
        self.first() & 0x1000_0000 != 0
    }

    /// The 7-bit payload type.
    #[inline(always)]
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        (self.first() >> 16) as u8 & 0x7f
    }

    /// The sequence number.
    #[inline(always)]
    #[must_use]
    pub const fn sequence(self) -> u16 {
        self.first() as u16
    }

    /// The RTP timestamp, in units of the stream's clock rate.
    #[inline(always)]
    #[must_use]
    pub const fn timestamp(self) -> u32 {
        let Self([_, timestamp, _]) = self;
        u32::from_be(timestamp)
    }

    /// The synchronisation source.
    #[inline(always)]
    #[must_use]
    pub const fn ssrc(self) -> u32 {
        let Self([.., ssrc]) = self;
        u32::from_be(ssrc)
    }

    /// The header with another payload type, sequence number, timestamp and SSRC; the rest stays.
    #[inline(always)]
    #[must_use]
    pub const fn with(self, payload_type: u8, sequence: u16, timestamp: u32, ssrc: u32) -> Self {
        let first =
            self.first() & 0xff80_0000 | (payload_type as u32 & 0x7f) << 16 | sequence as u32;
        Self([first.to_be(), timestamp.to_be(), ssrc.to_be()])
    }
}
