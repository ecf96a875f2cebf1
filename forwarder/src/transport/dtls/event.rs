//! What a DTLS association tells, and why it fails.

use std::fmt;

use dimpl::Error;

use super::Version;
use crate::srtp::MasterKey;

/// A finished handshake.
pub struct Connected {
    /// The version of DTLS.
    pub version: Version,
    /// Protects what we send. Its [suite](MasterKey::suite) is what was agreed on.
    pub send: MasterKey,
    /// Opens what the peer sends.
    pub receive: MasterKey,
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected")
            .field("version", &self.version)
            .field("suite", &self.send.suite())
            .finish_non_exhaustive()
    }
}

/// What happened.
#[derive(Debug)]
pub enum DtlsEvent {
    /// The peer is who was signalled, and these are the keys.
    Connected(Connected),
    /// There is no session any more.
    Failed(DtlsError),
    /// The peer has closed the session.
    Closed,
}

/// Why a handshake or a session failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DtlsError {
    /// The peer's certificate has none of the signalled fingerprints (RFC 8122 §6.2).
    Fingerprint,
    /// The peer agrees to none of our SRTP protection profiles.
    NoProfile,
    /// The peer, as the server, has none of our cipher suites for its certificate.
    NothingInCommon,
    /// The peer did not answer in time.
    Timeout,
    /// What the peer sent is against the protocol, in the words of the library.
    Protocol(String),
}

impl fmt::Display for DtlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fingerprint => f.write_str("the peer's certificate has no signalled fingerprint"),
            Self::NoProfile => f.write_str(
                "the peer agrees to no SRTP profile; allowed: AEAD_AES_256_GCM, AEAD_AES_128_GCM, AES128_CM_HMAC_SHA1_80",
            ),
            Self::NothingInCommon => f.write_str(
                "the peer has no cipher suite in common with us; allowed: ECDHE with ECDSA or RSA, AES-GCM or ChaCha20-Poly1305",
            ),
            Self::Timeout => f.write_str("the peer did not answer in time"),
            Self::Protocol(why) => write!(f, "DTLS failed: {why}"),
        }
    }
}

impl std::error::Error for DtlsError {}

impl From<Error> for DtlsError {
    fn from(error: Error) -> Self {
        match error {
            Error::Timeout(_) => Self::Timeout,
            other => Self::Protocol(other.to_string()),
        }
    }
}
