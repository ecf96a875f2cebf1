//! IPv4 (RFC 791) and IPv6 (RFC 8200), without options and extension headers.

/// Bytes of an IPv4 header without options.
pub const V4_LEN: usize = 20;
/// Bytes of an IPv6 header without extension headers.
pub const V6_LEN: usize = 40;
/// Protocol number of UDP.
pub const UDP: u8 = 17;

/// Next-header values that announce an extension header: hop-by-hop, routing, fragment, ESP, authentication,
/// destination options, mobility, HIP, shim6 (IANA "IPv6 Extension Header Types").
#[inline(always)]
#[must_use]
pub const fn is_extension(next_header: u8) -> bool {
    matches!(next_header, 0 | 43 | 44 | 50 | 51 | 60 | 135 | 139 | 140)
}

/// The word in front of an IPv4 address mapped into IPv6, as it lies in memory.
pub const MAPPED: u32 = u32::from_ne_bytes([0, 0, 0xff, 0xff]);

/// An IPv4 address as IPv6 writes it (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2), so that one key fits both families.
#[inline(always)]
#[must_use]
pub const fn mapped(v4: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = v4;
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
}
