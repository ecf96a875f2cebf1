//! Redundant audio (RFC 2198): where the sound of now is in a payload that repeats earlier sound before it.

/// Blocks that a payload has at most. Senders repeat one to nine.
const MAX_BLOCKS: usize = 32;

/// A block's header says that another follows.
const FOLLOWED: u8 = 0x80;

/// The block that is no repetition, always the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Primary {
    /// Its payload type, as the publisher numbers it.
    pub payload_type: u8,
    /// Where it begins in the payload, which it ends with.
    pub start: usize,
}

impl Primary {
    /// Finds it in a payload; `None` if the payload is none of RFC 2198, that is if headers are cut off or name more bytes than there are.
    #[must_use]
    pub fn find(payload: &[u8]) -> Option<Self> {
        let (mut rest, mut repeated) = (payload, 0);
        for _ in 0..MAX_BLOCKS {
            let (&first, _) = rest.split_first()?;
            if first & FOLLOWED == 0 {
                let headers = payload.len() - rest.len() + 1;
                let start = headers + repeated;
                return (start <= payload.len()).then_some(Self {
                    payload_type: first,
                    start,
                });
            }
            // Payload type, 14 bits of how much earlier it was, 10 bits of length.
            let (&[_, _, high, low], blocks) = rest.split_first_chunk()?;
            repeated += usize::from(u16::from_be_bytes([high & 3, low]));
            rest = blocks;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// A payload as a sender writes it: earlier blocks with their payload types and ages, and the one of now.
    fn payload(earlier: &[(u8, u16, Vec<u8>)], primary: (u8, &[u8])) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (payload_type, age, block) in earlier {
            let word = u32::from(*payload_type) << 24 | u32::from(*age) << 10 | block.len() as u32;
            bytes.extend((1 << 31 | word).to_be_bytes());
        }
        bytes.push(primary.0);
        bytes.extend(earlier.iter().flat_map(|(_, _, block)| block));
        bytes.extend(primary.1);
        bytes
    }

    #[test]
    fn as_chromium_sends_it() {
        let first = payload(&[], (111, b"now"));
        let found = |bytes: &[u8]| {
            let primary = Primary::find(bytes).unwrap();
            (primary.payload_type, bytes[primary.start..].to_vec())
        };
        assert_eq!(found(&first), (111, b"now".to_vec()));
        let second = payload(&[(111, 960, b"before".to_vec())], (111, b"now"));
        assert_eq!(found(&second), (111, b"now".to_vec()));
        let silent = payload(&[(111, 960, Vec::new())], (111, b""));
        assert_eq!(found(&silent), (111, Vec::new()));
    }

    #[test]
    fn what_is_none() {
        let whole = payload(&[(111, 960, vec![1; 20])], (111, b""));
        assert_eq!(Primary::find(&whole).unwrap().start, whole.len());
        for len in 0..whole.len() {
            assert_eq!(Primary::find(&whole[..len]), None, "{len}");
        }
        let endless = vec![0x80; 1400];
        assert_eq!(Primary::find(&endless), None);
        let many = |blocks| payload(&vec![(111, 960, Vec::new()); blocks], (111, b"now"));
        assert!(Primary::find(&many(MAX_BLOCKS - 1)).is_some());
        assert_eq!(Primary::find(&many(MAX_BLOCKS)), None);
    }

    proptest! {
        #[test]
        fn the_last_block_is_found(
            earlier in vec((0..128_u8, 0..0x4000_u16, vec(any::<u8>(), 0..200)), 0..6),
            payload_type in 0..128_u8,
            now in vec(any::<u8>(), 0..200),
        ) {
            let bytes = payload(&earlier, (payload_type, &now));
            let primary = Primary::find(&bytes).unwrap();
            prop_assert_eq!(primary.payload_type, payload_type);
            prop_assert_eq!(&bytes[primary.start..], &now);
        }

        #[test]
        fn any_bytes(bytes in vec(any::<u8>(), 0..300)) {
            if let Some(primary) = Primary::find(&bytes) {
                prop_assert!(primary.payload_type < 128 && primary.start <= bytes.len());
            }
        }
    }
}
