//! AES-CM and HMAC-SHA1: counter mode over the payload, then a MAC over header, payload and four bytes of ROC.

use aes::cipher::{KeyInit as _, StreamCipher as _};
use aws_lc_rs::{cipher as aws_cipher, hmac as aws_hmac, iv::FixedLength};
use aws_lc_sys as sys;
use hmac::Mac as _;

use crate::{Candidate, Packet, Seal, key};

/// The libraries, their halves alone, and mixes.
pub fn candidates(keys: usize) -> Vec<Candidate> {
    let candidate = |name, seal| Candidate { name, seal };
    let mix = |mut encrypt: Seal, mut sign: Seal| -> Seal {
        Box::new(move |number, packet| {
            encrypt(number, packet);
            sign(number, packet);
        })
    };
    vec![
        candidate("AES-CM aws-lc-rs EncryptingKey", aws_ctr(keys)),
        candidate("AES-CM aws-lc-sys AES_ctr128_encrypt", sys_ctr(keys)),
        candidate("AES-CM RustCrypto aes, ctr", rust_ctr(keys)),
        candidate("AES-CM openssl (system)", openssl_ctr(keys)),
        candidate("HMAC-SHA1 aws-lc-rs hmac", aws_hmac(keys)),
        candidate("HMAC-SHA1 aws-lc-sys SHA1, states kept", sys_hmac(keys)),
        candidate("HMAC-SHA1 RustCrypto hmac, sha1", rust_hmac(keys)),
        candidate(
            "HMAC-SHA1 RustCrypto sha1 compress, states kept",
            rust_compress(keys),
        ),
        candidate("HMAC-SHA1 ring hmac", ring_hmac(keys)),
        candidate(
            "AES-CM + HMAC-SHA1 aws-lc-rs",
            mix(aws_ctr(keys), aws_hmac(keys)),
        ),
        candidate(
            "AES-CM + HMAC-SHA1 aws-lc-sys, states kept",
            mix(sys_ctr(keys), sys_hmac(keys)),
        ),
        candidate(
            "AES-CM + HMAC-SHA1 RustCrypto, states kept",
            mix(rust_ctr(keys), rust_compress(keys)),
        ),
        candidate(
            "AES-CM aws-lc-sys, HMAC-SHA1 RustCrypto, states kept",
            mix(sys_ctr(keys), rust_compress(keys)),
        ),
        candidate(
            "AES-CM aws-lc-rs, HMAC-SHA1 RustCrypto, states kept",
            mix(aws_ctr(keys), rust_compress(keys)),
        ),
        candidate(
            "AES-CM RustCrypto, HMAC-SHA1 aws-lc-sys",
            mix(rust_ctr(keys), sys_hmac(keys)),
        ),
    ]
}

fn aws_ctr(keys: usize) -> Seal {
    let keys: Vec<_> = (0..keys)
        .map(|number| {
            let unbound =
                aws_cipher::UnboundCipherKey::new(&aws_cipher::AES_128, &key::<16>(number))
                    .unwrap();
            aws_cipher::EncryptingKey::ctr(unbound).unwrap()
        })
        .collect();
    Box::new(move |number, Packet { bytes, payload }| {
        let iv = FixedLength::from([number as u8; 16]);
        let context = aws_cipher::EncryptionContext::Iv128(iv);
        keys[number]
            .less_safe_encrypt(&mut bytes[12..12 + *payload], context)
            .unwrap();
    })
}

fn sys_ctr(keys: usize) -> Seal {
    let keys: Vec<_> = (0..keys)
        .map(|number| {
            let mut schedule = std::mem::MaybeUninit::<sys::AES_KEY>::uninit();
            // SAFETY: 16 bytes of key, and a schedule that the call fills.
            unsafe {
                assert_eq!(
                    sys::AES_set_encrypt_key(
                        key::<16>(number).as_ptr(),
                        128,
                        schedule.as_mut_ptr()
                    ),
                    0
                );
                schedule.assume_init()
            }
        })
        .collect();
    Box::new(move |number, Packet { bytes, payload }| {
        let (mut iv, mut stream, mut used) = ([number as u8; 16], [0; 16], 0);
        let text = &mut bytes[12..12 + *payload];
        // SAFETY: in place over a slice of this length.
        unsafe {
            sys::AES_ctr128_encrypt(
                text.as_ptr(),
                text.as_mut_ptr(),
                text.len(),
                &keys[number],
                iv.as_mut_ptr(),
                stream.as_mut_ptr(),
                &mut used,
            );
        }
    })
}

fn rust_ctr(keys: usize) -> Seal {
    use aes::cipher::InnerIvInit as _;
    let keys: Vec<_> = (0..keys)
        .map(|number| aes::Aes128Enc::new(&key::<16>(number).into()))
        .collect();
    Box::new(move |number, Packet { bytes, payload }| {
        let core = ctr::CtrCore::<_, ctr::flavors::Ctr32BE>::inner_iv_init(
            &keys[number],
            &[number as u8; 16].into(),
        );
        let mut stream = aes::cipher::StreamCipherCoreWrapper::from_core(core);
        stream.apply_keystream(&mut bytes[12..12 + *payload]);
    })
}

fn openssl_ctr(keys: usize) -> Seal {
    use openssl::{cipher::Cipher, cipher_ctx::CipherCtx};
    let mut contexts: Vec<_> = (0..keys)
        .map(|number| {
            let mut context = CipherCtx::new().unwrap();
            context
                .encrypt_init(Some(Cipher::aes_128_ctr()), Some(&key::<16>(number)), None)
                .unwrap();
            context
        })
        .collect();
    Box::new(move |number, Packet { bytes, payload }| {
        let context = &mut contexts[number];
        context
            .encrypt_init(None, None, Some(&[number as u8; 16]))
            .unwrap();
        context
            .cipher_update_inplace(&mut bytes[12..12 + *payload], *payload)
            .unwrap();
    })
}

fn aws_hmac(keys: usize) -> Seal {
    let keys: Vec<_> = (0..keys)
        .map(|number| {
            aws_hmac::Key::new(aws_hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key::<20>(number))
        })
        .collect();
    Box::new(move |number, Packet { bytes, payload }| {
        let mut context = aws_hmac::Context::with_key(&keys[number]);
        context.update(&bytes[..12 + *payload]);
        context.update(&[0; 4]);
        bytes[12 + *payload..][..10].copy_from_slice(&context.sign().as_ref()[..10]);
    })
}

fn ring_hmac(keys: usize) -> Seal {
    let keys: Vec<_> = (0..keys)
        .map(|number| {
            ring::hmac::Key::new(
                ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                &key::<20>(number),
            )
        })
        .collect();
    Box::new(move |number, Packet { bytes, payload }| {
        let mut context = ring::hmac::Context::with_key(&keys[number]);
        context.update(&bytes[..12 + *payload]);
        context.update(&[0; 4]);
        bytes[12 + *payload..][..10].copy_from_slice(&context.sign().as_ref()[..10]);
    })
}

fn rust_hmac(keys: usize) -> Seal {
    let keys: Vec<_> = (0..keys)
        .map(|number| hmac::Hmac::<sha1::Sha1>::new_from_slice(&key::<20>(number)).unwrap())
        .collect();
    Box::new(move |number, Packet { bytes, payload }| {
        let mut context = keys[number].clone();
        context.update(&bytes[..12 + *payload]);
        context.update(&[0; 4]);
        bytes[12 + *payload..][..10].copy_from_slice(&context.finalize().into_bytes()[..10]);
    })
}

/// The key padded to a block, xored with this byte.
fn pad(number: usize, with: u8) -> [u8; 64] {
    let mut block = [with; 64];
    block
        .iter_mut()
        .zip(key::<20>(number))
        .for_each(|(byte, key)| *byte ^= key);
    block
}

fn sys_hmac(keys: usize) -> Seal {
    let state = |block: [u8; 64]| {
        let mut context = std::mem::MaybeUninit::<sys::SHA_CTX>::uninit();
        // SAFETY: filled by the first call.
        unsafe {
            sys::SHA1_Init(context.as_mut_ptr());
            sys::SHA1_Update(context.as_mut_ptr(), block.as_ptr().cast(), 64);
            context.assume_init()
        }
    };
    let keys: Vec<_> = (0..keys)
        .map(|number| (state(pad(number, 0x36)), state(pad(number, 0x5c))))
        .collect();
    Box::new(move |number, Packet { bytes, payload }| {
        let (mut inner, mut outer) = keys[number];
        let mut digest = [0; 20];
        // SAFETY: slices of these lengths, contexts that were initialised.
        unsafe {
            sys::SHA1_Update(&mut inner, bytes.as_ptr().cast(), 12 + *payload);
            sys::SHA1_Update(&mut inner, [0_u8; 4].as_ptr().cast(), 4);
            sys::SHA1_Final(digest.as_mut_ptr(), &mut inner);
            sys::SHA1_Update(&mut outer, digest.as_ptr().cast(), 20);
            sys::SHA1_Final(digest.as_mut_ptr(), &mut outer);
        }
        bytes[12 + *payload..][..10].copy_from_slice(&digest[..10]);
    })
}

fn rust_compress(keys: usize) -> Seal {
    use sha1::block_api::compress;
    const INITIAL: [u32; 5] = [
        0x6745_2301,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];
    let state = |block: [u8; 64]| {
        let mut state = INITIAL;
        compress(&mut state, &[block]);
        state
    };
    let keys: Vec<_> = (0..keys)
        .map(|number| (state(pad(number, 0x36)), state(pad(number, 0x5c))))
        .collect();
    Box::new(move |number, Packet { bytes, payload }| {
        let (mut inner, mut outer) = keys[number];
        let (blocks, rest) = bytes[..12 + *payload].as_chunks::<64>();
        compress(&mut inner, blocks);
        let mut tail = [0; 128];
        tail[..rest.len()].copy_from_slice(rest);
        let end = rest.len() + 4;
        tail[end] = 0x80;
        let len = if end < 56 { 64 } else { 128 };
        let bits = (64 + 12 + *payload as u64 + 4) * 8;
        tail[len - 8..len].copy_from_slice(&bits.to_be_bytes());
        compress(&mut inner, tail[..len].as_chunks().0);
        let mut block = [0; 64];
        for (to, word) in block.as_chunks_mut::<4>().0.iter_mut().zip(inner) {
            *to = word.to_be_bytes();
        }
        block[20] = 0x80;
        block[56..].copy_from_slice(&(84_u64 * 8).to_be_bytes());
        compress(&mut outer, &[block]);
        let (first, second) = (outer[0].to_be_bytes(), outer[1].to_be_bytes());
        let tag = &mut bytes[12 + *payload..][..10];
        tag[..4].copy_from_slice(&first);
        tag[4..8].copy_from_slice(&second);
        tag[8..].copy_from_slice(&outer[2].to_be_bytes()[..2]);
    })
}
