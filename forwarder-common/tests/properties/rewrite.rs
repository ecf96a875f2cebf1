//! The rewrite against the header taken apart into a list of bits.

use forwarder_common::{rewrite::Rewrite, wire::rtp::Header};
use proptest::prelude::*;

use super::cases;

/// Bits `from..from + len` of the header, counted as in the drawing of RFC 3550 §5.1, as a number.
fn field(header: &[u8; 12], from: usize, len: usize) -> u64 {
    (from..from + len).fold(0, |value, bit| {
        value << 1 | u64::from(header[bit / 8] >> (7 - bit % 8) & 1)
    })
}

fn set_field(header: &mut [u8; 12], from: usize, len: usize, value: u64) {
    for bit in 0..len {
        let mask = 1 << (7 - (from + bit) % 8);
        let byte = &mut header[(from + bit) / 8];
        *byte &= !mask;
        if value >> (len - 1 - bit) & 1 != 0 {
            *byte |= mask;
        }
    }
}

/// What a subscriber gets, by the book.
pub fn naive(rewrite: &Rewrite, mut header: [u8; 12]) -> [u8; 12] {
    if field(&header, 9, 7) == u64::from(rewrite.payload_type_from) {
        set_field(&mut header, 9, 7, u64::from(rewrite.payload_type_to));
    }
    let sequence = (field(&header, 16, 16) + u64::from(rewrite.sequence_offset)) % 0x1_0000;
    set_field(&mut header, 16, 16, sequence);
    let timestamp = (field(&header, 32, 32) + u64::from(rewrite.timestamp_offset)) % 0x1_0000_0000;
    set_field(&mut header, 32, 32, timestamp);
    set_field(&mut header, 64, 32, u64::from(rewrite.ssrc));
    header
}

/// Numbers where wraps are.
fn edges() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        prop::sample::select(vec![
            0,
            1,
            0x7fff,
            0x8000,
            0xfffe,
            0xffff,
            0x7fff_ffff,
            0x8000_0000,
            u32::MAX - 1,
            u32::MAX
        ]),
    ]
}

pub fn rewrites() -> impl Strategy<Value = Rewrite> {
    (edges(), edges(), edges(), 0..128_u8, 0..128_u8).prop_map(
        |(ssrc, timestamp_offset, sequence_offset, payload_type_from, payload_type_to)| Rewrite {
            ssrc,
            timestamp_offset,
            sequence_offset: sequence_offset as u16,
            payload_type_from,
            payload_type_to,
        },
    )
}

fn headers(rewrite: Rewrite) -> impl Strategy<Value = [u8; 12]> {
    (any::<[u8; 12]>(), edges(), edges(), any::<bool>()).prop_map(
        move |(mut header, sequence, timestamp, mapped)| {
            header[2..4].copy_from_slice(&(sequence as u16).to_be_bytes());
            header[4..8].copy_from_slice(&timestamp.to_be_bytes());
            if mapped {
                header[1] = header[1] & 0x80 | rewrite.payload_type_from;
            }
            header
        },
    )
}

proptest! {
    #![proptest_config(cases(5000))]

    #[test]
    fn is_what_the_bits_say(
        (rewrite, header) in rewrites().prop_flat_map(|rewrite| (Just(rewrite), headers(rewrite)))
    ) {
        let rewritten = rewrite.apply(Header::from_bytes(header)).to_bytes();
        prop_assert_eq!(rewritten, naive(&rewrite, header));
        prop_assert_eq!(rewritten[0], header[0], "version, padding, extension and CSRC count stay");
        prop_assert_eq!(rewritten[1] & 0x80, header[1] & 0x80, "the marker stays");
    }

    #[test]
    fn fields_are_read_where_they_stand(header in any::<[u8; 12]>()) {
        let typed = Header::from_bytes(header);
        prop_assert_eq!(typed.csrc_count() as u64, field(&header, 4, 4));
        prop_assert_eq!(u64::from(typed.has_extension()), field(&header, 3, 1));
        prop_assert_eq!(u64::from(typed.payload_type()), field(&header, 9, 7));
        prop_assert_eq!(u64::from(typed.sequence()), field(&header, 16, 16));
        prop_assert_eq!(u64::from(typed.timestamp()), field(&header, 32, 32));
        prop_assert_eq!(u64::from(typed.ssrc()), field(&header, 64, 32));
    }
}

/// A stream stays a stream: neighbours stay neighbours through both wraps.
#[test]
fn every_sequence_number_keeps_its_neighbour() {
    for offset in [0, 1, 0x7fff, 0x8000, 0xffff] {
        let rewrite = Rewrite {
            ssrc: 1,
            timestamp_offset: u32::MAX,
            sequence_offset: offset,
            payload_type_from: 96,
            payload_type_to: 97,
        };
        let at = |sequence: u16| {
            let [a, b] = sequence.to_be_bytes();
            rewrite
                .apply(Header::from_bytes([0x80, 96, a, b, 0, 0, 0, 0, 0, 0, 0, 1]))
                .sequence()
        };
        for sequence in 0..=u16::MAX {
            assert_eq!(at(sequence.wrapping_add(1)), at(sequence).wrapping_add(1));
        }
    }
}
