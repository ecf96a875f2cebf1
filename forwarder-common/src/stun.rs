//! The one field of a STUN message that decides whether a stranger is looked at: the local half of USERNAME, which names the
//! session that the check is for (RFC 8445 §7.2.2). XDP and the listener ask the same function; whether the check is authentic is found
//! out behind it.

use crate::packet::Packet;

/// Bytes of the STUN header (RFC 8489 §5).
pub const HEADER: usize = 20;
/// Bytes of every local username fragment that we give out.
pub const UFRAG: usize = 8;

const BINDING_REQUEST: u32 = 0x0001;
const MAGIC_COOKIE: u32 = 0x2112_a442;
const USERNAME: u32 = 0x0006;
/// Attributes that are looked at. Agents put USERNAME first or nearly so.
const ATTRIBUTES: usize = 6;

/// Bytes of the longest attribute that may come before USERNAME; with it offsets stay within what the verifier follows.
const LONGEST: usize = 763;

/// A username fragment as it lies in memory.
#[inline(always)]
#[must_use]
pub const fn ufrag_word(ufrag: [u8; UFRAG]) -> u64 {
    u64::from_ne_bytes(ufrag)
}

/// The local username fragment that a binding request names, as it lies in memory; `None` for every other message, and where it is
/// not [`UFRAG`] bytes long, as all of ours are.
#[inline(always)]
pub fn ufrag<P: Packet + ?Sized>(packet: &P, at: usize, payload_len: usize) -> Option<u64> {
    let [start, cookie] = packet.words::<2>(at)?;
    let start = u32::from_be(start);
    if start >> 16 != BINDING_REQUEST || u32::from_be(cookie) != MAGIC_COOKIE {
        return None;
    }
    if (start & 0xffff) as usize + HEADER != payload_len {
        return None;
    }
    let mut offset = HEADER;
    let mut seen = 0;
    while seen < ATTRIBUTES {
        let [attribute] = packet.words::<1>(at + offset)?;
        let attribute = u32::from_be(attribute);
        if attribute >> 16 == USERNAME {
            let [_, low, high, colon] = packet.words::<4>(at + offset)?;
            if u32::from_be(colon) >> 24 != u32::from(b':')
                || (attribute & 0xffff) as usize <= UFRAG
            {
                return None;
            }
            return Some(word(low, high));
        }
        let len = (attribute & 0xffff) as usize;
        if len > LONGEST {
            return None;
        }
        offset += 4 + ((len + 3) & !3);
        if offset >= payload_len {
            return None;
        }
        seen += 1;
    }
    None
}

/// Two words that lie one after the other, as one.
#[inline(always)]
const fn word(first: u32, second: u32) -> u64 {
    let ([a, b, c, d], [e, f, g, h]) = (first.to_ne_bytes(), second.to_ne_bytes());
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}
