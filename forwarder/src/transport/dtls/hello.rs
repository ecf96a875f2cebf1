//! A ClientHello, put together from the datagrams that it came in (RFC 6347 §4.2.3), before there is a DTLS engine: which engine it
//! will be depends on it.
//!
//! Hellos with an ML-KEM key share do not fit one datagram. What is kept is bounded, and given to the engine as it came.

use arrayvec::ArrayVec;

use super::Offer;

/// Datagrams that a hello may come in.
pub const DATAGRAMS: usize = 4;
/// Bytes of a datagram that is looked at.
const DATAGRAM: usize = 2048;
/// Bytes of a hello: those with ML-KEM have about 1,500.
const HELLO: usize = 4096;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
/// Record header (RFC 6347 §4.1): type, version, epoch, sequence number, length.
const RECORD: usize = 13;
/// Handshake header (RFC 6347 §4.2.2): type, length, message number, offset, length of the fragment.
const MESSAGE: usize = 12;

/// A part of a ClientHello.
#[derive(Clone, Copy)]
struct Fragment<'a> {
    total: usize,
    offset: usize,
    bytes: &'a [u8],
}

/// Collects the datagrams of a hello.
#[derive(Debug, Default)]
pub struct HelloBuffer {
    datagrams: ArrayVec<Vec<u8>, DATAGRAMS>,
}

impl HelloBuffer {
    /// Takes a datagram. Once the hello is whole: what it offers, and its datagrams; the buffer is empty again then.
    pub fn push(&mut self, datagram: &[u8]) -> Option<(Offer, ArrayVec<Vec<u8>, DATAGRAMS>)> {
        if datagram.len() > DATAGRAM {
            return None;
        }
        let new = fragments(datagram).next()?;
        let another_hello = |kept: &Vec<u8>| {
            fragments(kept)
                .next()
                .is_some_and(|kept| kept.total != new.total)
        };
        if self.datagrams.iter().any(another_hello) {
            self.datagrams.clear();
        }
        // A retransmission takes the place of what it repeats.
        self.datagrams.retain(|kept| {
            fragments(kept)
                .next()
                .is_none_or(|kept| kept.offset != new.offset)
        });
        if self.datagrams.is_full() {
            self.datagrams.remove(0);
        }
        self.datagrams.try_push(datagram.to_vec()).ok()?;
        let hello = self.assemble(new.total)?;
        let datagrams = std::mem::take(&mut self.datagrams);
        Offer::parse(&hello).map(|offer| (offer, datagrams))
    }

    /// The whole hello, unless something is missing.
    fn assemble(&self, total: usize) -> Option<Vec<u8>> {
        let parts = || self.datagrams.iter().flat_map(|kept| fragments(kept));
        let mut hello = Vec::new();
        loop {
            if hello.len() >= total {
                return Some(hello);
            }
            let have = hello.len();
            let next = parts().find_map(|part| {
                let fresh = part.bytes.get(have.checked_sub(part.offset)?..)?;
                (!fresh.is_empty()).then_some(fresh)
            })?;
            hello.extend_from_slice(next);
        }
    }
}

/// The fragments of a ClientHello in a datagram, as far as it is well-formed.
fn fragments(datagram: &[u8]) -> impl Iterator<Item = Fragment<'_>> {
    let mut records = datagram;
    let mut messages: &[u8] = &[];
    std::iter::from_fn(move || {
        loop {
            if let Some((fragment, rest)) = split_fragment(messages) {
                messages = rest;
                return Some(fragment);
            }
            (messages, records) = split_record(records)?;
        }
    })
}

/// The content of the first record, if it is a plaintext handshake, and the other records.
fn split_record(records: &[u8]) -> Option<(&[u8], &[u8])> {
    let (header, rest) = records.split_first_chunk::<RECORD>()?;
    let [kind, 0xfe, _, 0, 0, .., l0, l1] = *header else {
        return None;
    };
    if kind != HANDSHAKE {
        return None;
    }
    rest.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))
}

/// The first fragment of a ClientHello in a record, and what follows it.
fn split_fragment(messages: &[u8]) -> Option<(Fragment<'_>, &[u8])> {
    let (header, rest) = messages.split_first_chunk::<MESSAGE>()?;
    let [CLIENT_HELLO, t0, t1, t2, 0, 0, o0, o1, o2, l0, l1, l2] = *header else {
        return None;
    };
    let number = |bytes: [u8; 3]| {
        let [high, middle, low] = bytes.map(usize::from);
        high << 16 | middle << 8 | low
    };
    let (total, offset) = (number([t0, t1, t2]), number([o0, o1, o2]));
    let (bytes, rest) = rest.split_at_checked(number([l0, l1, l2]))?;
    let fits = !bytes.is_empty() && total <= HELLO && offset + bytes.len() <= total;
    let fragment = Fragment {
        total,
        offset,
        bytes,
    };
    fits.then_some((fragment, rest))
}
