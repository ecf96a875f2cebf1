//! Session keys from the master key (RFC 3711 §4.3; RFC 6188 with 256 bits; RFC 7714 §11 for the salt of 96 bits).

use aws_lc_rs::{
    cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey},
    iv::FixedLength,
};
use zeroize::Zeroizing;

use super::MasterKey;

/// What the keys of a set are for, by their labels (RFC 3711 §4.3.1, §4.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Labels {
    encryption: u8,
    authentication: u8,
    salt: u8,
}

/// SRTP.
pub(super) const SRTP: Labels = Labels {
    encryption: 0,
    authentication: 1,
    salt: 2,
};
/// SRTCP.
pub(super) const SRTCP: Labels = Labels {
    encryption: 3,
    authentication: 4,
    salt: 5,
};

/// A set of session keys. The key derivation rate is zero, as DTLS-SRTP has it (RFC 5764 §4.1.2): one set per master key.
pub(super) struct SessionKeys<const SALT_LEN: usize> {
    pub(super) encryption: Zeroizing<Vec<u8>>,
    pub(super) authentication: Zeroizing<[u8; 20]>,
    pub(super) salt: [u8; SALT_LEN],
}

/// Derives the set for these labels; `None` only if the cipher fails.
pub(super) fn derive<const SALT_LEN: usize>(
    master: &MasterKey,
    labels: Labels,
) -> Option<SessionKeys<SALT_LEN>> {
    let mut encryption = Zeroizing::new(vec![0; master.suite().key_len()]);
    let mut authentication = Zeroizing::new([0; 20]);
    let mut salt = [0; SALT_LEN];
    let outputs: [(u8, &mut [u8]); 3] = [
        (labels.encryption, &mut encryption),
        (labels.authentication, authentication.as_mut_slice()),
        (labels.salt, &mut salt),
    ];
    for (label, out) in outputs {
        prf(master.key(), master.salt(), label, out)?;
    }
    Some(SessionKeys {
        encryption,
        authentication,
        salt,
    })
}

/// The AES-CM key stream under the master key from the block (key_id XOR master_salt) * 2^16, where the label is the first
/// byte of the seven of key_id. A shorter salt has zeros behind it (RFC 7714 §11).
pub(super) fn prf(key: &[u8], salt: &[u8], label: u8, out: &mut [u8]) -> Option<()> {
    let algorithm = if key.len() == 32 { &AES_256 } else { &AES_128 };
    let mut counter = (u128::from(label) << 64).to_be_bytes();
    for (byte, salt) in counter.iter_mut().zip(salt) {
        *byte ^= salt;
    }
    out.fill(0);
    let key = EncryptingKey::ctr(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
    let context = EncryptionContext::Iv128(FixedLength::from(counter));
    key.less_safe_encrypt(out, context).ok().map(drop)
}
