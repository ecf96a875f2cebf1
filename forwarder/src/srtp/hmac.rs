//! HMAC-SHA1 (RFC 2104) with the states behind both padded keys kept, so that a packet costs its own blocks and one more.

use sha1::block_api::compress;
use zeroize::Zeroize as _;

/// Bytes of a SHA-1 block.
const BLOCK_LEN: usize = 64;
/// Bytes of a digest.
pub(super) const DIGEST_LEN: usize = 20;
/// Bytes of the length field that ends a message.
const LENGTH_LEN: usize = 8;
/// The initial hash value (FIPS 180-4 §5.3.1).
const INITIAL: State = [
    0x6745_2301,
    0xefcd_ab89,
    0x98ba_dcfe,
    0x1032_5476,
    0xc3d2_e1f0,
];

type State = [u32; 5];

/// A key, ready for use.
pub(super) struct HmacSha1 {
    inner: State,
    outer: State,
}

impl HmacSha1 {
    /// RFC 2104 §2, with a key no longer than a block.
    pub(super) fn new(key: &[u8; DIGEST_LEN]) -> Self {
        let after = |pad: u8| {
            let mut block = [pad; BLOCK_LEN];
            for (byte, key) in block.iter_mut().zip(key) {
                *byte ^= key;
            }
            let mut state = INITIAL;
            compress(&mut state, &[block]);
            block.zeroize();
            state
        };
        Self {
            inner: after(0x36),
            outer: after(0x5c),
        }
    }

    /// The code of these bytes followed by a word.
    #[inline]
    pub(super) fn sign(&self, bytes: &[u8], word: [u8; 4]) -> [u8; DIGEST_LEN] {
        let (blocks, rest) = bytes.as_chunks::<BLOCK_LEN>();
        let mut inner = self.inner;
        compress(&mut inner, blocks);
        finish(&mut inner, rest, word, bytes.len() + word.len());
        let [a, b, c, d, last] = inner.map(u32::to_be_bytes);
        let mut outer = self.outer;
        finish(&mut outer, [a, b, c, d].as_flattened(), last, DIGEST_LEN);
        let mut digest = [0; DIGEST_LEN];
        digest.copy_from_slice(outer.map(u32::to_be_bytes).as_flattened());
        digest
    }
}

/// Hashes the end of a message, less than a block and a word, with the padding of FIPS 180-4 §5.1.1. The padded key and
/// `len` bytes are the whole message.
#[inline]
fn finish(state: &mut State, rest: &[u8], word: [u8; 4], len: usize) {
    let mut tail = [0; 2 * BLOCK_LEN];
    let Some((start, padding)) = tail.split_at_mut_checked(rest.len()) else {
        return;
    };
    start.copy_from_slice(rest);
    if let Some(end) = padding.first_chunk_mut() {
        let [a, b, c, d] = word;
        *end = [a, b, c, d, 0x80];
    }
    let bits = (BLOCK_LEN + len) as u64 * 8;
    let fits = rest.len() + word.len() + 1 + LENGTH_LEN <= BLOCK_LEN;
    let (blocks, _) = tail.as_chunks_mut::<BLOCK_LEN>();
    let blocks = if fits {
        blocks.split_at_mut(1).0
    } else {
        blocks
    };
    if let Some(length) = blocks.last_mut().and_then(|block| block.last_chunk_mut()) {
        *length = bits.to_be_bytes();
    }
    compress(state, blocks);
}

impl Drop for HmacSha1 {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}
