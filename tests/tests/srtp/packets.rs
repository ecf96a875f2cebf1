//! The packets of the suite: every shape of header, and lengths around what ciphers and hashes count in.

use forwarder::srtp::{MasterKey, Suite};

/// An RTP packet before it is sealed.
#[derive(Clone, Debug)]
pub struct Packet {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Header with contributing sources and extension.
    pub header_len: usize,
}

/// The master key of this number.
pub fn master(suite: Suite, number: u8) -> MasterKey {
    let bytes = |len: usize, times: u8| -> Vec<u8> {
        (0..len as u8)
            .map(|at| at.wrapping_mul(times).wrapping_add(number))
            .collect()
    };
    MasterKey::new(
        suite,
        &bytes(suite.key_len(), 29),
        &bytes(suite.salt_len(), 53),
    )
    .unwrap()
}

/// A packet whose shape follows from a number; 100 numbers have all of them.
pub fn rtp(ssrc: u32, index: u64) -> Packet {
    const PAYLOADS: [usize; 20] = [
        0, 1, 15, 16, 17, 31, 43, 44, 47, 48, 51, 52, 63, 64, 65, 127, 160, 1000, 1200, 1400,
    ];
    const EXTENSIONS: [Option<u8>; 5] = [None, Some(0), Some(1), Some(4), Some(63)];
    let sources = (index % 16) as u8;
    let extension = EXTENSIONS[index as usize % EXTENSIONS.len()];
    let payload_len = PAYLOADS[index as usize / 5 % PAYLOADS.len()];
    let mut bytes = vec![
        0x80 | u8::from(extension.is_some()) << 4 | sources,
        if index.is_multiple_of(2) {
            111
        } else {
            0x80 | 111
        },
    ];
    bytes.extend((index as u16).to_be_bytes());
    bytes.extend((index as u32).wrapping_mul(3000).to_be_bytes());
    bytes.extend(ssrc.to_be_bytes());
    for source in 0..sources {
        bytes.extend([source, 1, 2, 3]);
    }
    if let Some(words) = extension {
        // One-byte elements of RFC 8285: id 1 with four bytes, and padding.
        bytes.extend([0xbe, 0xde, 0, words]);
        let mut elements = vec![0; usize::from(words) * 4];
        if let Some(element) = elements.first_chunk_mut() {
            *element = [0x12, 0xaa, 0xbb, 0xcc];
        }
        bytes.extend(elements);
    }
    let header_len = bytes.len();
    bytes.extend((0..payload_len).map(|at| (at as u64 ^ index) as u8));
    Packet { bytes, header_len }
}

/// A compound packet of this sender: a receiver report, and an application's data of `words` words.
pub fn rtcp(ssrc: u32, words: u8) -> Vec<u8> {
    let mut bytes = vec![0x80, 201, 0, 1];
    bytes.extend(ssrc.to_be_bytes());
    if words > 0 {
        bytes.extend([0x80, 204, 0, words]);
        bytes.extend((0..words).flat_map(|word| [word; 4]));
    }
    bytes
}
