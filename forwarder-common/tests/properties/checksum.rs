//! Partial sums against RFC 1071 done anew on the bytes.

use forwarder_common::{checksum::Sum, wire::rtp::Header};
use proptest::{collection::vec, prelude::*};

use super::cases;

/// RFC 1071 §4.1, in network order, carry by carry.
pub fn fresh(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        sum += u32::from(word);
        if sum > 0xffff {
            sum -= 0xffff;
        }
    }
    sum as u16
}

/// A folded sum in network order.
fn number(sum: Sum) -> u16 {
    u16::from_be_bytes(sum.fold().to_ne_bytes())
}

/// Any bytes, and those with many carries.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..=1600),
        (0..=1600_usize).prop_map(|len| vec![0xff; len]),
        (0..=1600_usize).prop_map(|len| vec![0; len]),
        vec(prop_oneof![Just(0xff), Just(0), Just(1)], 0..=64),
    ]
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn bytes_at_any_address(bytes in bytes(), shift in 0..8_usize) {
        let shift = shift.min(bytes.len());
        prop_assert_eq!(number(Sum::default().bytes(&bytes[shift..])), fresh(&bytes[shift..]));
    }

    #[test]
    fn parts_add_up(bytes in bytes(), cut in any::<prop::sample::Index>()) {
        // All parts but the last have an even number of bytes.
        let cut = cut.index(bytes.len() + 1) & !1;
        let (head, tail) = bytes.split_at(cut);
        let whole = fresh(&bytes);
        let (first, second) = (Sum::default().bytes(head), Sum::default().bytes(tail));
        prop_assert_eq!(number(first.plus(second)), whole);
        prop_assert_eq!(number(first.bytes(tail)), whole);
        let folded = Sum::from_folded(first.fold()).plus(Sum::from_folded(second.fold()));
        prop_assert_eq!(number(folded), whole);
    }

    #[test]
    fn the_kernels_sums_continue(bytes in bytes()) {
        // `bpf_csum_diff` gives 32 bits, folded or not.
        let mut sum = 0_u64;
        for word in bytes.chunks(4) {
            let mut padded = [0; 4];
            padded[..word.len()].copy_from_slice(word);
            sum += u64::from(u32::from_ne_bytes(padded));
        }
        let sum = (sum & 0xffff_ffff) + (sum >> 32);
        let sum = ((sum & 0xffff_ffff) + (sum >> 32)) as u32;
        prop_assert_eq!(number(Sum::from_kernel(sum)), fresh(&bytes));
    }

    #[test]
    fn the_rtp_header_is_twelve_bytes(header in any::<[u8; 12]>(), before in bytes()) {
        let before = &before[..before.len() & !1];
        let whole = [before, &header].concat();
        prop_assert_eq!(number(Sum::default().bytes(before).words(Header::from_bytes(header).0)), fresh(&whole));
    }

    #[test]
    fn words_and_numbers(numbers in vec(any::<u16>(), 0..40)) {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        let by_number = numbers.iter().fold(Sum::default(), |sum, &number| sum.number(number));
        let by_word = numbers.iter().fold(Sum::default(), |sum, number| sum.word(number.to_be_bytes()));
        prop_assert_eq!(number(by_number), fresh(&bytes));
        prop_assert_eq!(by_word, by_number);
    }

    #[test]
    fn a_header_with_its_checksum_sums_to_all_ones(mut header in any::<[u8; 20]>()) {
        header[10..12].fill(0);
        let checksum = Sum::default().bytes(&header).ipv4();
        header[10..12].copy_from_slice(&checksum);
        prop_assert_eq!(fresh(&header), 0xffff);
    }

    #[test]
    fn a_datagram_with_its_checksum_sums_to_all_ones(mut datagram in vec(any::<u8>(), 8..=1500)) {
        datagram[6..8].fill(0);
        let checksum = Sum::default().bytes(&datagram).udp();
        prop_assert_ne!(checksum, [0, 0]);
        datagram[6..8].copy_from_slice(&checksum);
        prop_assert_eq!(fresh(&datagram), 0xffff);
    }
}

/// Every sum there is, folded from every number of carries.
#[test]
fn a_udp_checksum_is_never_zero() {
    for sum in 0..=u16::MAX {
        let checksum = u16::from_ne_bytes(Sum::from_folded(sum).udp());
        assert_eq!(checksum, if sum == 0xffff { 0xffff } else { !sum });
        assert_ne!(checksum, 0);
        let ipv4 = u16::from_ne_bytes(Sum::from_folded(sum).ipv4());
        assert_eq!(ipv4, !sum, "IPv4 knows no such rule");
    }
}

/// The most that a sum can hold in a packet: 64 kB of ones, and sums of sums.
#[test]
fn no_carry_is_lost() {
    let ones = vec![0xff; 65_536];
    let sum = Sum::default().bytes(&ones);
    assert_eq!(sum.fold(), 0xffff);
    let many = (0..100_000).fold(Sum::default(), |total, _| total.plus(sum));
    assert_eq!(many.fold(), 0xffff);
    for kernel in [0xffff_ffff, 0xffff_fffe, 0xffff_0000, 0x0001_0000, 0xffff] {
        let sum = Sum::from_kernel(kernel).plus(Sum::from_kernel(kernel));
        assert_eq!(
            u64::from(sum.fold()) % 0xffff,
            2 * u64::from(kernel) % 0xffff
        );
    }
}
