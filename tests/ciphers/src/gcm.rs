//! AES-GCM, 12 bytes of additional data.

use aes_gcm::{AeadInOut as _, KeyInit as _};

use crate::{Candidate, Packet, key};

/// By aws-lc-rs, ring, OpenSSL and RustCrypto, with keys of this many bytes.
pub fn candidates(keys: usize, key_len: usize) -> Vec<Candidate> {
    let bits = key_len * 8;
    let name = |library: &str| -> &'static str { format!("AES-{bits}-GCM {library}").leak() };
    vec![
        Candidate {
            name: name("aws-lc-rs LessSafeKey"),
            seal: aws(keys, key_len),
        },
        Candidate {
            name: name("ring LessSafeKey"),
            seal: ring(keys, key_len),
        },
        Candidate {
            name: name("graviola"),
            seal: graviola(keys, key_len),
        },
        Candidate {
            name: name("openssl (system)"),
            seal: openssl(keys, key_len),
        },
        Candidate {
            name: name("RustCrypto aes-gcm"),
            seal: rust_crypto(keys, key_len),
        },
    ]
}

fn aws(keys: usize, key_len: usize) -> crate::Seal {
    use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let algorithm = if key_len == 16 {
        &AES_128_GCM
    } else {
        &AES_256_GCM
    };
    let keys: Vec<_> = (0..keys)
        .map(|number| {
            LessSafeKey::new(UnboundKey::new(algorithm, &key::<32>(number)[..key_len]).unwrap())
        })
        .collect();
    Box::new(move |number, Packet { bytes, payload }| {
        let (header, rest) = bytes.split_at_mut(12);
        let (text, room) = rest.split_at_mut(*payload);
        let nonce = Nonce::assume_unique_for_key([number as u8; 12]);
        let tag = keys[number]
            .seal_in_place_separate_tag(nonce, Aad::from(&*header), text)
            .unwrap();
        room[..16].copy_from_slice(tag.as_ref());
    })
}

fn ring(keys: usize, key_len: usize) -> crate::Seal {
    use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let algorithm = if key_len == 16 {
        &AES_128_GCM
    } else {
        &AES_256_GCM
    };
    let keys: Vec<_> = (0..keys)
        .map(|number| {
            LessSafeKey::new(UnboundKey::new(algorithm, &key::<32>(number)[..key_len]).unwrap())
        })
        .collect();
    Box::new(move |number, Packet { bytes, payload }| {
        let (header, rest) = bytes.split_at_mut(12);
        let (text, room) = rest.split_at_mut(*payload);
        let nonce = Nonce::assume_unique_for_key([number as u8; 12]);
        let tag = keys[number]
            .seal_in_place_separate_tag(nonce, Aad::from(&*header), text)
            .unwrap();
        room[..16].copy_from_slice(tag.as_ref());
    })
}

fn graviola(keys: usize, key_len: usize) -> crate::Seal {
    use graviola::aead::AesGcm;
    let keys: Vec<_> = (0..keys)
        .map(|number| AesGcm::new(&key::<32>(number)[..key_len]))
        .collect();
    Box::new(move |number, Packet { bytes, payload }| {
        let (header, rest) = bytes.split_at_mut(12);
        let (text, room) = rest.split_at_mut(*payload);
        let tag = room.first_chunk_mut().unwrap();
        keys[number].encrypt(&[number as u8; 12], header, text, tag);
    })
}

fn openssl(keys: usize, key_len: usize) -> crate::Seal {
    use openssl::{cipher::Cipher, cipher_ctx::CipherCtx};
    let cipher = if key_len == 16 {
        Cipher::aes_128_gcm()
    } else {
        Cipher::aes_256_gcm()
    };
    let mut contexts: Vec<_> = (0..keys)
        .map(|number| {
            let mut context = CipherCtx::new().unwrap();
            context
                .encrypt_init(Some(cipher), Some(&key::<32>(number)[..key_len]), None)
                .unwrap();
            context
        })
        .collect();
    Box::new(move |number, Packet { bytes, payload }| {
        let (header, rest) = bytes.split_at_mut(12);
        let (text, room) = rest.split_at_mut(*payload);
        let context = &mut contexts[number];
        context
            .encrypt_init(None, None, Some(&[number as u8; 12]))
            .unwrap();
        context.cipher_update(header, None).unwrap();
        let len = text.len();
        context.cipher_update_inplace(text, len).unwrap();
        context.cipher_final(&mut []).unwrap();
        context.tag(&mut room[..16]).unwrap();
    })
}

fn rust_crypto(keys: usize, key_len: usize) -> crate::Seal {
    enum Key {
        Short(aes_gcm::Aes128Gcm),
        Long(aes_gcm::Aes256Gcm),
    }
    let keys: Vec<_> = (0..keys)
        .map(|number| match key_len {
            16 => Key::Short(aes_gcm::Aes128Gcm::new(&key::<16>(number).into())),
            _ => Key::Long(aes_gcm::Aes256Gcm::new(&key::<32>(number).into())),
        })
        .collect();
    Box::new(move |number, Packet { bytes, payload }| {
        let (header, rest) = bytes.split_at_mut(12);
        let (text, room) = rest.split_at_mut(*payload);
        let nonce = [number as u8; 12].into();
        let tag = match &keys[number] {
            Key::Short(key) => key.encrypt_inout_detached(&nonce, header, text.into()),
            Key::Long(key) => key.encrypt_inout_detached(&nonce, header, text.into()),
        };
        room[..16].copy_from_slice(&tag.unwrap());
    })
}
