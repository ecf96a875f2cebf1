//! ICE credentials: username fragment and password (RFC 8445 §5.3).

use std::fmt;

use forwarder_common::stun;
use zeroize::Zeroizing;

/// `ice-char` (RFC 8839 §5.4): 64 characters, six bits each.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Characters of a username fragment (RFC 8839 §5.4).
const UFRAG_LEN: std::ops::RangeInclusive<usize> = 4..=256;
/// Characters of a password (RFC 8839 §5.4).
const PWD_LEN: std::ops::RangeInclusive<usize> = 22..=256;
/// Characters of the passwords that we give out: 192 bits, where RFC 8445 §5.3 asks for 128.
const OUR_PWD: usize = 32;

/// A username fragment with its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    ufrag: String,
    pwd: Zeroizing<String>,
}

/// Which half of credentials is not what RFC 8839 §5.4 allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialsError {
    /// The username fragment.
    Ufrag,
    /// The password.
    Pwd,
}

impl CredentialsError {
    /// The name of the attribute, as signalling has it.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Ufrag => "ufrag",
            Self::Pwd => "pwd",
        }
    }

    /// What it may be.
    #[must_use]
    pub const fn allowed(self) -> &'static str {
        match self {
            Self::Ufrag => "4 to 256 characters A-Z a-z 0-9 + /",
            Self::Pwd => "22 to 256 characters A-Z a-z 0-9 + /",
        }
    }
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must be {}", self.field(), self.allowed())
    }
}

impl std::error::Error for CredentialsError {}

impl Credentials {
    /// Credentials of a peer.
    ///
    /// # Errors
    ///
    /// Length or characters are not those of RFC 8839 §5.4.
    pub fn new(ufrag: &str, pwd: &str) -> Result<Self, CredentialsError> {
        let is_ice = |text: &str| text.bytes().all(|byte| ALPHABET.contains(&byte));
        if !UFRAG_LEN.contains(&ufrag.len()) || !is_ice(ufrag) {
            return Err(CredentialsError::Ufrag);
        }
        if !PWD_LEN.contains(&pwd.len()) || !is_ice(pwd) {
            return Err(CredentialsError::Pwd);
        }
        Ok(Self {
            ufrag: ufrag.to_owned(),
            pwd: Zeroizing::new(pwd.to_owned()),
        })
    }

    /// Credentials of our own, from `fill`, which must be a cryptographic generator. The fragment has the one length that XDP looks for.
    #[must_use]
    pub fn generate(fill: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut random = Zeroizing::new([0; stun::UFRAG + OUR_PWD]);
        fill(random.as_mut_slice());
        let (ufrag, pwd) = random.split_at(stun::UFRAG);
        Self {
            ufrag: text(ufrag),
            pwd: Zeroizing::new(text(pwd)),
        }
    }

    /// The username fragment.
    #[must_use]
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// The password.
    #[must_use]
    pub fn pwd(&self) -> &str {
        &self.pwd
    }

    /// The fragment in the form that XDP and the listener compare; `None` unless it is one of ours.
    #[must_use]
    pub fn ufrag_key(&self) -> Option<[u8; stun::UFRAG]> {
        self.ufrag.as_bytes().try_into().ok()
    }
}

/// The character of each byte's low six bits.
fn text(random: &[u8]) -> String {
    let character = |byte: &u8| ALPHABET.get(usize::from(byte & 63)).copied();
    random
        .iter()
        .filter_map(character)
        .map(char::from)
        .collect()
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("ufrag", &self.ufrag)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_what_a_peer_may_send() {
        let mut state = 0_u8;
        let mut fill = |bytes: &mut [u8]| {
            for byte in bytes {
                state = state.wrapping_mul(73).wrapping_add(91);
                *byte = state;
            }
        };
        let ours = Credentials::generate(&mut fill);
        assert_eq!(Credentials::new(ours.ufrag(), ours.pwd()), Ok(ours.clone()));
        assert_eq!(
            ours.ufrag_key().unwrap().as_slice(),
            ours.ufrag().as_bytes()
        );
        assert_ne!(ours, Credentials::generate(&mut fill));
        assert!(!format!("{ours:?}").contains(ours.pwd()));
    }

    #[test]
    fn lengths_and_characters() {
        let pwd = "p".repeat(22);
        assert!(Credentials::new("abcd", &pwd).is_ok());
        assert!(Credentials::new(&"u".repeat(256), &"p".repeat(256)).is_ok());
        for ufrag in ["abc", "ab:d", "abc\u{e9}", &"u".repeat(257)] {
            assert_eq!(Credentials::new(ufrag, &pwd), Err(CredentialsError::Ufrag));
        }
        for pwd in [
            &"p".repeat(21),
            &"p".repeat(257),
            "has a blank in its middle",
        ] {
            assert_eq!(Credentials::new("abcd", pwd), Err(CredentialsError::Pwd));
        }
    }
}
