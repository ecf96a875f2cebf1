//! UDP (RFC 768).

/// Bytes of a header.
pub const LEN: usize = 8;
