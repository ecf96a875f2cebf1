//! Which handshake messages a peer has sent before (RFC 6347 §4.2.2), by the clear part of what it sends.

/// RFC 6347 §4.1: type, version, epoch, sequence number, length.
const RECORD: usize = 13;
/// RFC 6347 §4.2.2: type, length, message number, offset, length of the fragment.
const MESSAGE: usize = 12;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// The messages that came whole, of the first 64. A handshake has about ten.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Messages(u64);

impl Messages {
    /// Remembers the messages of a datagram, and tells whether there is anything in it but messages in the clear that had come before.
    /// `None` if it is not made of whole records.
    ///
    /// A client's first hello counts as known with its second only: its repetition asks for the cookie again (RFC 6347 §4.2.1).
    pub(super) fn take(&mut self, mut datagram: &[u8]) -> Option<bool> {
        let mut brings_something = false;
        while !datagram.is_empty() {
            let (header, rest) = datagram.split_first_chunk::<RECORD>()?;
            let [kind @ 20..=23, 0xfe, _, epoch @ .., l0, l1] = header else {
                return None;
            };
            let len = usize::from(u16::from_be_bytes([*l0, *l1]));
            let (body, rest) = rest.split_at_checked(len)?;
            let is_clear = epoch.starts_with(&[0, 0]);
            brings_something |= *kind != HANDSHAKE || !is_clear || self.take_messages(body);
            datagram = rest;
        }
        Some(brings_something)
    }

    fn take_messages(&mut self, mut body: &[u8]) -> bool {
        let mut brings_something = false;
        while let Some((header, rest)) = body.split_first_chunk::<MESSAGE>() {
            let [kind, t0, t1, t2, n0, n1, o0, o1, o2, l0, l1, l2] = *header;
            let (total, len) = ([t0, t1, t2], [l0, l1, l2]);
            let is_whole = total == len && [o0, o1, o2] == [0; 3];
            let number = u32::from(u16::from_be_bytes([n0, n1]));
            let bit = 1_u64.checked_shl(number).filter(|_| is_whole);
            brings_something |= bit.is_none_or(|bit| self.0 & bit == 0);
            match (kind, number) {
                (CLIENT_HELLO, 0) => {}
                (CLIENT_HELLO, _) => self.0 |= 1 | bit.unwrap_or(0),
                _ => self.0 |= bit.unwrap_or(0),
            }
            let [l0, l1, l2] = len.map(usize::from);
            body = rest.get(l0 << 16 | l1 << 8 | l2..).unwrap_or_default();
        }
        brings_something
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
        let header = [
            kind,
            0xfe,
            0xfd,
            0,
            epoch,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            body.len() as u8,
        ];
        [&header, body].concat()
    }

    fn message(kind: u8, number: u8, total: u8, offset: u8, len: u8) -> Vec<u8> {
        let header = [kind, 0, 0, total, 0, number, 0, 0, offset, 0, 0, len];
        [&header[..], &vec![7; len.into()]].concat()
    }

    #[test]
    fn repetitions_are_known() {
        let mut messages = Messages::default();
        let whole = record(22, 0, &message(11, 2, 5, 0, 5));
        assert_eq!(messages.take(&whole), Some(true));
        assert_eq!(messages.take(&whole), Some(false));
        let both = record(
            22,
            0,
            &[message(11, 2, 5, 0, 5), message(16, 3, 1, 0, 1)].concat(),
        );
        assert_eq!(messages.take(&both), Some(true));
        assert_eq!(messages.take(&both), Some(false));
        let sealed = [both, record(20, 0, &[1]), record(22, 1, &[9; 30])].concat();
        assert_eq!(messages.take(&sealed), Some(true));
        assert_eq!(messages.take(&sealed), Some(true));
    }

    #[test]
    fn parts_are_never_known() {
        let mut messages = Messages::default();
        let part = record(22, 0, &message(11, 2, 9, 3, 6));
        assert_eq!(messages.take(&part), Some(true));
        assert_eq!(messages.take(&part), Some(true));
        let far = record(22, 0, &message(11, 64, 1, 0, 1));
        assert_eq!(messages.take(&far), Some(true));
        assert_eq!(messages.take(&far), Some(true));
    }

    #[test]
    fn the_first_hello_is_known_with_the_second() {
        let mut messages = Messages::default();
        let [first, second] = [0, 1].map(|number| record(22, 0, &message(1, number, 9, 0, 9)));
        assert_eq!(messages.take(&first), Some(true));
        assert_eq!(messages.take(&first), Some(true));
        assert_eq!(messages.take(&second), Some(true));
        assert_eq!(messages.take(&second), Some(false));
        assert_eq!(messages.take(&first), Some(false));
    }

    #[test]
    fn what_is_not_framed() {
        let whole = record(22, 0, &message(11, 2, 5, 0, 5));
        for len in 1..whole.len() {
            assert_eq!(Messages::default().take(&whole[..len]), None, "{len}");
        }
        assert_eq!(Messages::default().take(&record(24, 0, b"x")), None);
        assert_eq!(Messages::default().take(b""), Some(false));
    }
}
