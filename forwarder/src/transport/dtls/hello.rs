//! A ClientHello, put together from the datagrams that it came in (RFC 6347 §4.2.3), before there is a DTLS engine: which engine it
//! will be depends on it.
//!
//! Hellos with an ML-KEM key share do not fit one datagram. What is kept is bounded, and given to the engine as it came.

use arrayvec::ArrayVec;

use super::{Offer, offer::profiles};

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
    /// Where its bytes are in the datagram.
    at: usize,
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
        let hello = assemble(&self.datagrams, new.total)?;
        let datagrams = std::mem::take(&mut self.datagrams);
        Offer::parse(&hello).map(|offer| (offer, datagrams))
    }
}

/// Names another SRTP profile wherever the hello in these datagrams names `from`. Returns whether it did; it does not if `to` is named
/// already.
pub(super) fn rename_profile(datagrams: &mut [Vec<u8>], from: u16, to: u16) -> bool {
    let mut parts = datagrams.iter().flat_map(|datagram| fragments(datagram));
    let total = parts.next().map(|part| part.total);
    drop(parts);
    let hello = total.and_then(|total| assemble(datagrams, total));
    let Some(hello) = hello else {
        return false;
    };
    let places = |profile: u16| profiles(&hello).filter(move |(_, named)| *named == profile);
    if places(to).next().is_some() {
        return false;
    }
    let bytes = places(from).flat_map(|(at, _)| (at..).zip(to.to_be_bytes()));
    let mut renamed = false;
    for (place, byte) in bytes {
        for datagram in &mut *datagrams {
            let holds = |part: Fragment<'_>| {
                let within = place.checked_sub(part.offset)?;
                (within < part.bytes.len()).then_some(part.at + within)
            };
            let held: Vec<usize> = fragments(datagram).filter_map(holds).collect();
            for at in held {
                if let Some(held) = datagram.get_mut(at) {
                    *held = byte;
                    renamed = true;
                }
            }
        }
    }
    renamed
}

/// The whole hello, unless something is missing.
fn assemble(datagrams: &[Vec<u8>], total: usize) -> Option<Vec<u8>> {
    let parts = || datagrams.iter().flat_map(|kept| fragments(kept));
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

/// The fragments of a ClientHello in a datagram, as far as it is well-formed.
fn fragments(datagram: &[u8]) -> impl Iterator<Item = Fragment<'_>> {
    let mut records = datagram;
    let mut messages: &[u8] = &[];
    std::iter::from_fn(move || {
        loop {
            if let Some((mut fragment, rest)) = split_fragment(messages) {
                messages = rest;
                let behind = messages.len() + records.len() + fragment.bytes.len();
                fragment.at = datagram.len().saturating_sub(behind);
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
        at: 0,
    };
    fits.then_some((fragment, rest))
}
