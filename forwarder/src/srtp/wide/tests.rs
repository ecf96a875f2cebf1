//! Against aws-lc, at all lengths around every border.

use aws_lc_rs::{
    aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey},
    iv::FixedLength,
};
use proptest::prelude::*;

use super::{super::text::Text, WideAes, WideGcm, register::are_here};

/// What aws-lc makes of it.
fn sealed(key: &[u8], nonce: [u8; 12], clear: &[u8], text: &[u8]) -> (Vec<u8>, [u8; 16]) {
    let algorithm = match key.len() {
        16 => &AES_128_GCM,
        _ => &AES_256_GCM,
    };
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key).unwrap());
    let mut text = text.to_vec();
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key
        .seal_in_place_separate_tag(nonce, Aad::from(clear), &mut text)
        .unwrap();
    (text, tag.as_ref().try_into().unwrap())
}

fn check(key: &[u8], nonce: [u8; 12], clear: &[u8], text: &[u8]) {
    let number = nonce
        .iter()
        .fold(0, |number, byte| number << 8 | u128::from(*byte));
    let wide = WideGcm::new(key).unwrap();
    let lengths = (clear.len(), text.len());
    let theirs = sealed(key, nonce, clear, text);
    let mut ours = text.to_vec();
    let tag = wide.seal(number, clear, Text::in_place(&mut ours));
    assert_eq!((ours, tag), theirs, "{lengths:?}, in place");
    let mut ours = vec![0xaa; text.len()];
    let tag = wide.seal(number, clear, Text::between(text, &mut ours).unwrap());
    assert_eq!((ours, tag), theirs, "{lengths:?}");
}

fn bytes(len: usize, factor: usize) -> Vec<u8> {
    (0..len).map(|at| (at * factor + at / 7) as u8).collect()
}

#[test]
fn every_length_is_sealed_as_by_aws_lc() {
    if !are_here() {
        return;
    }
    for key_len in [16, 32] {
        let key = bytes(key_len, 59);
        for len in 0..=600 {
            check(&key, [len as u8; 12], &bytes(28, 5), &bytes(len, 11));
            check(&key, [len as u8; 12], &bytes(len, 13), &bytes(100, 3));
        }
    }
}

#[test]
fn a_key_has_16_or_32_bytes() {
    for len in [0, 15, 17, 24, 31, 33, 64] {
        assert!(WideAes::new(&bytes(len, 1)).is_none());
        assert!(WideGcm::new(&bytes(len, 1)).is_none());
    }
}

/// Of the counter block only the last word counts, and comes to zero after its end (SP 800-38D §6.2).
#[test]
fn counters_wrap_in_their_word() {
    let Some(aes) = WideAes::new(&bytes(16, 3)) else {
        return;
    };
    let counter = u128::MAX - 5;
    let mut text = [0; 64 * 16];
    aes.apply_keystream(counter, Text::in_place(&mut text));
    for (at, block) in text.as_chunks::<16>().0.iter().enumerate() {
        let word = (counter as u32).wrapping_add(at as u32);
        let mut single = [0; 16];
        aes.apply_keystream(
            counter >> 32 << 32 | u128::from(word),
            Text::in_place(&mut single),
        );
        assert_eq!(*block, single, "{at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_is_sealed_is_sealed_as_by_aws_lc(
        long: bool,
        key: [u8; 32],
        nonce: [u8; 12],
        clear in prop::collection::vec(any::<u8>(), 0..400),
        text in prop::collection::vec(any::<u8>(), 0..2100),
    ) {
        if are_here() {
            let key = if long { &key[..] } else { &key[..16] };
            check(key, nonce, &clear, &text);
        }
    }

    #[test]
    fn the_key_stream_is_that_of_aws_lc(
        long: bool,
        key: [u8; 32],
        counter: [u8; 12],
        text in prop::collection::vec(any::<u8>(), 0..2100),
    ) {
        let (key, algorithm) = if long { (&key[..], &AES_256) } else { (&key[..16], &AES_128) };
        let counter = u128::from_be_bytes([&counter[..], &[0; 4]].concat().try_into().unwrap());
        let Some(aes) = WideAes::new(key) else {
            return Ok(());
        };
        let mut ours = text.clone();
        aes.apply_keystream(counter, Text::in_place(&mut ours));
        let mut moved = vec![0xaa; text.len()];
        aes.apply_keystream(counter, Text::between(&text, &mut moved).unwrap());
        prop_assert_eq!(&ours, &moved);
        let mut theirs = text;
        let context = EncryptionContext::Iv128(FixedLength::from(counter.to_be_bytes()));
        let key = EncryptingKey::ctr(UnboundCipherKey::new(algorithm, key).unwrap()).unwrap();
        key.less_safe_encrypt(&mut theirs, context).unwrap();
        prop_assert_eq!(ours, theirs);
    }
}
