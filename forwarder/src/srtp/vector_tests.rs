//! The vectors of RFC 3711 appendix B and RFC 7714 §16 and §17.

use super::{
    MasterKey, OpenError, ReceiveKeys, SendKeys, SrtcpReceiver, SrtcpSender, Suite, cipher::Cipher,
    cm::Cm, gcm::Gcm, kdf, split_keying_material, test_packets::hex, text::Text,
};

/// Session salt of RFC 7714 §16, "Quid pro quo".
const SALT: [u8; 12] = *b"Quid pro quo";
/// The SRTCP index of RFC 7714 §17.
const SRTCP_INDEX: u32 = 0x5d4;

/// RFC 7714 §16: the session key counts up from zero.
fn gcm(suite: Suite) -> Cipher {
    let key: Vec<u8> = (0..suite.key_len() as u8).collect();
    Cipher::Gcm(Box::new(Gcm::new(&key, SALT).unwrap()))
}

#[test]
fn key_derivation_of_rfc_3711_b3() {
    let master = MasterKey::new(
        Suite::Aes128CmHmacSha1_80,
        &hex("e1f97a0d3e018be0d64fa32c06de4139"),
        &hex("0ec675ad498afeebb6960b3aabe6"),
    )
    .unwrap();
    let keys = kdf::derive::<14>(&master, kdf::SRTP).unwrap();
    assert_eq!(*keys.encryption, hex("c61e7a93744f39ee10734afe3ff7a087"));
    assert_eq!(
        keys.authentication.as_slice(),
        hex("cebe321f6ff7716b6fd4ab49af256a156d38baa4")
    );
    assert_eq!(keys.salt.as_slice(), hex("30cbbc08863d8c85d49db34a9ae1"));
}

#[test]
fn key_derivation_of_rfc_6188_7_4() {
    let key = hex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6");
    let salt = hex("3b04803de51ee7c96423ab5b78d2");
    let expected = [
        (
            0,
            "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
        ),
        (1, "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"),
        (2, "fa31791685ca444a9e07c6c64e93"),
    ];
    for (label, bytes) in expected {
        let bytes = hex(bytes);
        let mut out = vec![0; bytes.len()];
        kdf::prf(&key, &salt, label, &mut out).unwrap();
        assert_eq!(out, bytes, "label {label}");
    }
}

/// 1,044,512 bytes of key stream; the appendix prints both ends.
#[test]
fn counter_mode_of_rfc_3711_b2() {
    let salt = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd").try_into().unwrap();
    let cm = Cm::new(&hex("2b7e151628aed2a6abf7158809cf4f3c"), salt, &[0; 20]).unwrap();
    let mut stream = vec![0; 0xff02 * 16];
    cm.apply_keystream(0, 0, Text::in_place(&mut stream))
        .unwrap();
    let first = "e03ead0935c95e80e166b16dd92b4eb4 d23513162b02d0f72a43a2fe4a5f97ab 41e95b3bb0a2e8dd477901e4fca894c0";
    let last = "ec8cdf7398607cb0f2d21675ea9ea1e4 362b7c3c6773516318a077d7fc5073ae 6a2cc3787889374fbeb4c81b17ba6c44";
    assert_eq!(stream[..48], hex(first));
    assert_eq!(stream[0xfeff * 16..], hex(last));
}

/// RFC 2202 §3, case 1: eight bytes of message, here four and a word.
#[test]
fn hmac_of_rfc_2202() {
    let hmac = super::hmac::HmacSha1::new(&[0x0b; 20]);
    assert_eq!(
        hmac.sign(b"Hi T", *b"here").as_slice(),
        hex("b617318655057264e28bc0b6fb378c8ef146be00")
    );
}

#[test]
fn srtp_of_rfc_7714_16() {
    let plain = hex(
        "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 \
         6573",
    );
    let cases = [
        (
            Suite::AeadAes128Gcm,
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b \
             36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        ),
        (
            Suite::AeadAes256Gcm,
            "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f \
             1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
        ),
    ];
    for (suite, sealed) in cases {
        let sealed = hex(sealed);
        let (send, receive) = (
            SendKeys {
                suite,
                cipher: gcm(suite),
            },
            ReceiveKeys {
                suite,
                cipher: gcm(suite),
            },
        );
        let mut packet = plain.clone();
        packet.resize(plain.len() + suite.tag_len(), 0);
        assert_eq!(
            send.seal(&mut packet, 12, plain.len(), 0xf17b),
            Ok(sealed.len())
        );
        assert_eq!(packet, sealed, "{suite}");
        assert_eq!(receive.open(&mut packet, 12, 0xf17b), Ok(plain.len()));
        assert_eq!(packet[..plain.len()], plain, "{suite}");
    }
}

#[test]
fn srtcp_of_rfc_7714_17() {
    let plain = hex(
        "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef \
         deadbeef",
    );
    let cases = [
        (
            Suite::AeadAes128Gcm,
            "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 \
             86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
        ),
        (
            Suite::AeadAes256Gcm,
            "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658 \
             c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
        ),
    ];
    for (suite, sealed) in cases {
        let sealed = hex(sealed);
        let (mut sender, mut receiver) = srtcp(suite);
        let mut out = vec![7; 3];
        sender.protect(&plain, &mut out).unwrap();
        assert_eq!(out[..3], [7; 3], "what was there stays");
        assert_eq!(out[3..], sealed, "{suite}");
        let mut packet = sealed.clone();
        assert_eq!(receiver.unprotect(&mut packet), Ok(plain.len()));
        assert_eq!(packet[..plain.len()], plain, "{suite}");
        assert_eq!(
            receiver.newest().collect::<Vec<_>>(),
            [(0x4d61_7273, SRTCP_INDEX)]
        );
    }
}

/// RFC 7714 §17.3: authentic and not encrypted, which nobody agreed on.
#[test]
fn srtcp_without_encryption_is_refused() {
    let mut packet = hex(
        "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef \
         deadbeef 841dd968 3dd78ec9 2ae58790 125f62b3 000005d4",
    );
    let (_, mut receiver) = srtcp(Suite::AeadAes128Gcm);
    assert_eq!(receiver.unprotect(&mut packet), Err(OpenError::Unencrypted));
}

fn srtcp(suite: Suite) -> (SrtcpSender, SrtcpReceiver) {
    let key = MasterKey::new(suite, &vec![0; suite.key_len()], &vec![0; suite.salt_len()]).unwrap();
    let mut sender = SrtcpSender::new(&key);
    sender.cipher = gcm(suite);
    sender.continue_at(SRTCP_INDEX);
    let mut receiver = SrtcpReceiver::new(&key);
    receiver.cipher = gcm(suite);
    (sender, receiver)
}

/// RFC 5764 §4.2: client key, server key, client salt, server salt.
#[test]
fn keying_material_is_split_in_order() {
    for suite in Suite::ALL {
        let len = super::keying_material_len(suite);
        let material: Vec<u8> = (0..len as u8).collect();
        let (client, server) = split_keying_material(suite, &material).unwrap();
        let (key, salt) = (suite.key_len(), suite.salt_len());
        assert_eq!(client.key(), &material[..key]);
        assert_eq!(server.key(), &material[key..2 * key]);
        assert_eq!(client.salt(), &material[2 * key..2 * key + salt]);
        assert_eq!(server.salt(), &material[2 * key + salt..]);
        assert!(split_keying_material(suite, &material[1..]).is_none());
    }
}

#[test]
fn numbers_and_suites_belong_together() {
    for suite in Suite::ALL {
        assert_eq!(Suite::from_profile(suite.profile()), Some(suite));
    }
    let known = (0..=u16::MAX).filter_map(Suite::from_profile).count();
    assert_eq!(known, Suite::ALL.len());
}

#[test]
fn keys_of_other_lengths_are_refused_with_the_length_that_fits() {
    let error = MasterKey::new(Suite::AeadAes256Gcm, &[0; 16], &[0; 12]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "master key cannot have 16 bytes; allowed with AEAD_AES_256_GCM: 32"
    );
    let error = MasterKey::new(Suite::Aes128CmHmacSha1_80, &[0; 16], &[0; 12]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "master salt cannot have 12 bytes; allowed with AES128_CM_HMAC_SHA1_80: 14"
    );
}

#[test]
fn keys_are_not_printed() {
    let key = MasterKey::new(Suite::AeadAes128Gcm, &[0xab; 16], &[0xcd; 12]).unwrap();
    assert_eq!(format!("{key:?}"), "MasterKey { suite: AeadAes128Gcm, .. }");
}
