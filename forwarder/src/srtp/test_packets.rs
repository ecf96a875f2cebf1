//! Keys and packets for this module's tests.

use super::{MasterKey, Suite};

/// Bytes from hexadecimal digits, spaces between them left out.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// A master key of its own for each number.
pub(super) fn master(suite: Suite, number: u8) -> MasterKey {
    let bytes = |len: usize, from: u8| -> Vec<u8> {
        (0..len as u8)
            .map(|at| at.wrapping_mul(13) ^ from)
            .collect()
    };
    MasterKey::new(
        suite,
        &bytes(suite.key_len(), number),
        &bytes(suite.salt_len(), number ^ 0xa5),
    )
    .unwrap()
}

/// A packet with contributing sources, an extension of this many words, and a payload; and its header's length.
pub(super) fn packet(
    ssrc: u32,
    sequence: u16,
    sources: u8,
    extension: Option<u16>,
    payload: &[u8],
) -> (Vec<u8>, usize) {
    let mut bytes = vec![0x80 | sources | u8::from(extension.is_some()) << 4, 96];
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(0x1234_5678_u32.to_be_bytes());
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend((0..sources).flat_map(|source| [source; 4]));
    if let Some(words) = extension {
        bytes.extend([0xbe, 0xde]);
        bytes.extend(words.to_be_bytes());
        bytes.extend((0..words).flat_map(|word| [word as u8; 4]));
    }
    let header_len = bytes.len();
    bytes.extend(payload);
    (bytes, header_len)
}

/// A compound packet: a receiver report without blocks, and `words` of an application's.
pub(super) fn rtcp(ssrc: u32, words: u8) -> Vec<u8> {
    let mut bytes = vec![0x80, 201, 0, 1];
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend([0x80, 204, 0, words]);
    bytes.extend((0..words).flat_map(|word| [word; 4]));
    bytes
}
