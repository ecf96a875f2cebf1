//! What of a peer's datagrams reaches `rtc-dtls`, by the part of them that is in the clear: nothing that the library could be stopped,
//! overfilled or misled with, and of handshake messages only those that have not come before (RFC 6347 §4.2.2).

use arrayvec::ArrayVec;

/// RFC 6347 §4.1: type, version, epoch, sequence number, length.
const RECORD: usize = 13;
/// RFC 6347 §4.2.2: type, length, message number, offset, length of the fragment.
const MESSAGE: usize = 12;
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const CLIENT_HELLO: u8 = 1;
/// Messages of one side: a handshake has less than ten.
const MESSAGES: u32 = 16;
/// Parts of messages. The library puts them together by recursion, one call for each.
const PARTS: usize = 64;
/// Bytes of the longest message: a chain of certificates.
const LONGEST: usize = 16 * 1024;

/// The handshake messages that came in the clear.
#[derive(Clone, Debug, Default)]
pub(super) struct Messages {
    /// A bit for each that came whole.
    whole: u16,
    parts: ArrayVec<Part, PARTS>,
}

/// Number of the message, offset and length of the part.
type Part = (u32, usize, usize);

impl Messages {
    /// The records of a datagram that the library is to see. `None` if it is not made of whole records that a peer may send.
    ///
    /// Until the handshake is done these are the messages that had not come before: the library stops its timer for what it knows already.
    /// Once `done` they are those alone that had: a peer that repeats its last flight has not heard ours. A client's first hello counts as
    /// known with its second only: its repetition asks for the cookie again (RFC 6347 §4.2.1).
    pub(super) fn sift(&mut self, datagram: &[u8], done: bool) -> Option<Vec<u8>> {
        let mut passing = Vec::with_capacity(datagram.len());
        let mut rest = datagram;
        while !rest.is_empty() {
            let (header, after) = rest.split_first_chunk::<RECORD>()?;
            let [kind, 0xfe, _, epoch @ .., l0, l1] = header else {
                return None;
            };
            let len = usize::from(u16::from_be_bytes([*l0, *l1]));
            let (body, after) = after.split_at_checked(len)?;
            let is_clear = epoch.starts_with(&[0, 0]);
            let passes = match (*kind, is_clear) {
                _ if body.is_empty() => return None,
                (CHANGE_CIPHER_SPEC, true) if body == [1] => true,
                (HANDSHAKE, true) => self.take(body, done)? != done,
                // Once there are keys nobody else is believed that all is over.
                (ALERT, true) => !done,
                (ALERT | HANDSHAKE | APPLICATION_DATA, false) => true,
                _ => return None,
            };
            if passes {
                passing.extend_from_slice(header);
                passing.extend_from_slice(body);
            }
            rest = after;
        }
        Some(passing)
    }

    /// Whether there is a message in this record that had not come before. Remembers them, unless the handshake is done.
    fn take(&mut self, mut body: &[u8], done: bool) -> Option<bool> {
        let mut brings_something = false;
        while !body.is_empty() {
            let (header, rest) = body.split_first_chunk::<MESSAGE>()?;
            let [kind, t0, t1, t2, n0, n1, o0, o1, o2, l0, l1, l2] = *header;
            let number = u32::from(u16::from_be_bytes([n0, n1]));
            let [total, offset, len] =
                [[t0, t1, t2], [o0, o1, o2], [l0, l1, l2]].map(|[high, middle, low]| {
                    usize::from_be_bytes([0, 0, 0, 0, 0, high, middle, low])
                });
            let fits = offset + len <= total && total <= LONGEST && (len > 0 || total == 0);
            if !fits || number >= MESSAGES {
                return None;
            }
            let known = if len == total {
                self.take_whole(kind, number, done)
            } else {
                self.take_part(kind, (number, offset, len), done)?
            };
            brings_something |= !known;
            body = rest.get(len..)?;
        }
        Some(brings_something)
    }

    /// Whether a message had come before.
    fn take_whole(&mut self, kind: u8, number: u32, done: bool) -> bool {
        let bit = 1 << number;
        let known = self.whole & bit != 0;
        match (kind, number) {
            _ if done => {}
            (CLIENT_HELLO, 0) => {}
            (CLIENT_HELLO, _) => self.whole |= bit | 1,
            _ => self.whole |= bit,
        }
        known
    }

    /// Whether a part had come before; `None` if there are too many.
    fn take_part(&mut self, kind: u8, part: Part, done: bool) -> Option<bool> {
        let known = self.parts.contains(&part) || self.whole & 1 << part.0 != 0;
        if !known && !done {
            self.parts.try_push(part).ok()?;
        }
        let asks_for_cookie = kind == CLIENT_HELLO && part.0 == 0 && self.whole & 1 == 0;
        Some(known && !asks_for_cookie)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
        let len = body.len() as u8;
        let header = [kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 0, 0, len];
        [&header, body].concat()
    }

    fn message(kind: u8, number: u8, total: u8, offset: u8, len: u8) -> Vec<u8> {
        let header = [kind, 0, 0, total, 0, number, 0, 0, offset, 0, 0, len];
        [&header[..], &vec![7; len.into()]].concat()
    }

    #[test]
    fn repetitions_are_left_out() {
        let mut messages = Messages::default();
        let whole = record(22, 0, &message(11, 2, 5, 0, 5));
        assert_eq!(messages.sift(&whole, false), Some(whole.clone()));
        assert_eq!(messages.sift(&whole, false), Some(vec![]));
        let next = record(22, 0, &message(16, 3, 1, 0, 1));
        let both = [&whole[..], &next].concat();
        assert_eq!(messages.sift(&both, false), Some(next));
        let sealed = [record(20, 0, &[1]), record(22, 1, &[9; 30])].concat();
        let all = [both, sealed.clone()].concat();
        for _ in 0..2 {
            assert_eq!(messages.sift(&all, false), Some(sealed.clone()));
        }
        // Who has not heard our last flight repeats the own one, and brings nothing else.
        assert_eq!(messages.sift(&all, true), Some(all));
        for _ in 0..2 {
            let more = record(22, 0, &message(11, 6, 5, 0, 5));
            assert_eq!(messages.sift(&more, true), Some(vec![]));
            let part = record(22, 0, &message(11, 6, 5, 0, 4));
            assert_eq!(messages.sift(&part, true), Some(vec![]));
        }
        assert_eq!(messages.sift(&record(21, 0, &[2, 40]), true), Some(vec![]));
    }

    #[test]
    fn parts_are_known_and_bounded() {
        let mut messages = Messages::default();
        let part = |at: u8| record(22, 0, &message(11, 2, 99, at, 1));
        for at in 0..PARTS as u8 {
            assert_eq!(messages.sift(&part(at), false), Some(part(at)));
            assert_eq!(messages.sift(&part(at), false), Some(vec![]));
        }
        assert_eq!(messages.sift(&part(PARTS as u8), false), None);
    }

    #[test]
    fn the_first_hello_is_known_with_the_second() {
        let mut messages = Messages::default();
        let [first, second] = [0, 1].map(|number| record(22, 0, &message(1, number, 9, 0, 9)));
        let part = record(22, 0, &message(1, 0, 9, 0, 5));
        for one in [&first, &first, &part, &part, &second] {
            assert_eq!(messages.sift(one, false).as_ref(), Some(one));
        }
        for one in [&second, &first, &part] {
            assert_eq!(messages.sift(one, false), Some(vec![]));
        }
    }

    #[test]
    fn what_no_peer_sends_is_refused() {
        let whole = record(22, 0, &message(11, 2, 5, 0, 5));
        let mut refused: Vec<Vec<u8>> = (1..whole.len()).map(|len| whole[..len].to_vec()).collect();
        refused.extend([
            record(24, 0, b"x"),
            // Of no length: the library takes that for an error.
            record(23, 1, b""),
            record(22, 0, b""),
            // A change of ciphers under keys, or to something else.
            record(20, 1, &[1]),
            record(20, 0, &[0]),
            record(23, 0, b"x"),
            // More than there is, nothing of something, a message that no handshake has.
            record(22, 0, &message(11, 2, 5, 1, 5)),
            record(22, 0, &message(11, 2, 0, 0, 1)),
            record(22, 0, &message(11, 2, 5, 0, 0)),
            record(22, 0, &message(11, 16, 5, 0, 5)),
            record(22, 0, &[&message(11, 2, 5, 0, 5)[..], &[0]].concat()),
        ]);
        for datagram in refused {
            for done in [false, true] {
                let mut messages = Messages::default();
                assert_eq!(messages.sift(&datagram, done), None, "{datagram:?}");
                // Nor is it, with something before it.
                let after = [record(22, 1, b"x"), datagram.clone()].concat();
                assert_eq!(messages.sift(&after, done), None, "{datagram:?}");
            }
        }
        assert_eq!(Messages::default().sift(b"", false), Some(vec![]));
    }
}
