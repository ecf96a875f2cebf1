//! Hides AES128_CM_HMAC_SHA1_80 from the DTLS 1.3 server of `dimpl`, which takes the first profile of the client's that it knows.
//!
//! The hello that the library reads names another profile in its place, one that nobody has. The peer must not notice: both sides
//! authenticate the hello as it was sent (RFC 8446 §4.4.1), so the library hashes that one, by a hash of ours that puts the name back.
//! Hiding a profile this way is no more than not having it.

use dimpl::crypto::{
    Buf, CryptoProvider, HashAlgorithm, HashContext, HashProvider, aws_lc_rs::default_provider,
};

use super::{hello::rename_profile, offer::profiles};

/// AES128_CM_HMAC_SHA1_80 (RFC 5764 §4.1.2).
const SHOWN: u16 = 0x0001;
/// No profile has this number; from a client that names it nothing is hidden.
const HIDDEN: u16 = 0xfffe;
/// RFC 8446 §4: type and length.
const MESSAGE: usize = 4;
const CLIENT_HELLO: u8 = 1;

/// Hides the profile in the datagrams of a ClientHello. Returns whether it did: then the engine's [`provider`] must be that of here.
pub(super) fn hide(datagrams: &mut [Vec<u8>]) -> bool {
    rename_profile(datagrams, SHOWN, HIDDEN)
}

/// Ciphers for an engine that is given what [`hide`] has changed.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider {
        hash_provider: &RestoringHash,
        ..default_provider()
    }
}

#[derive(Debug)]
struct RestoringHash;

impl HashProvider for RestoringHash {
    fn create_hash(&self, algorithm: HashAlgorithm) -> Box<dyn HashContext> {
        let hash = default_provider().hash_provider.create_hash(algorithm);
        Box::new(Restoring { hash })
    }
}

/// A hash of handshake messages as they were sent. The library hashes a transcript in one go, from its beginning.
#[derive(Debug)]
struct Restoring {
    hash: Box<dyn HashContext>,
}

impl HashContext for Restoring {
    fn update(&mut self, data: &[u8]) {
        let mut rest = data;
        let mut passed = 0;
        for at in hidden_in(data) {
            if let Some((before, after)) = rest.split_at_checked(at - passed)
                && let Some((_, after)) = after.split_at_checked(size_of_val(&HIDDEN))
            {
                self.hash.update(before);
                self.hash.update(&SHOWN.to_be_bytes());
                (rest, passed) = (after, at + size_of_val(&HIDDEN));
            }
        }
        self.hash.update(rest);
    }

    fn clone_and_finalize(&self, out: &mut Buf) {
        self.hash.clone_and_finalize(out);
    }
}

/// Where a transcript that begins with a ClientHello names what is hidden.
fn hidden_in(transcript: &[u8]) -> impl Iterator<Item = usize> {
    let body = match transcript.split_first_chunk::<MESSAGE>() {
        Some(([CLIENT_HELLO, len @ ..], rest)) => {
            let [high, middle, low] = len.map(usize::from);
            rest.get(..high << 16 | middle << 8 | low)
        }
        _ => None,
    };
    profiles(body.unwrap_or_default())
        .filter_map(|(at, profile)| (profile == HIDDEN).then_some(at + MESSAGE))
}
