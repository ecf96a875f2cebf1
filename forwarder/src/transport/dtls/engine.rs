//! The libraries that shake hands, behind one face.

use std::{sync::Arc, time::Instant};

use dimpl::{
    Config, Error, Output, ProtocolVersion, SecurityError, SrtpProfile, UnexpectedMessageError,
};
use zeroize::Zeroizing;

use super::{DtlsError, Version, rsa::RsaEngine};
use crate::srtp::Suite;

/// Bytes of what `dimpl` puts out at once, to begin with; a longer certificate makes it longer.
const OUTPUT: usize = 2048;
/// RFC 5246 §7.2: what a server answers to a hello without a cipher suite for its certificate.
const HANDSHAKE_FAILURE: u8 = 40;
/// A fatal alert in the clear up to its sequence number, and after it up to what it says (RFC 6347 §4.1).
const ALERT: ([u8; 5], [u8; 3]) = ([21, 0xfe, 0xfd, 0, 0], [0, 2, 2]);

/// A constructor of `dimpl`'s.
pub(super) type NewDimpl = fn(Arc<Config>, dimpl::DtlsCertificate, Instant) -> dimpl::Dtls;

/// What does the work of an association.
pub(super) enum Engine {
    /// DTLS 1.2 and 1.3, for peers with an ECDSA certificate.
    Ecdsa(Box<dimpl::Dtls>),
    /// DTLS 1.2, for peers with either.
    Rsa(Box<RsaEngine>),
}

/// What an engine has to say.
pub(super) enum Said {
    Datagram(Vec<u8>),
    /// The peer's certificate, in DER.
    Certificate(Vec<u8>),
    Keys {
        version: Version,
        suite: Option<Suite>,
        material: Zeroizing<Vec<u8>>,
    },
    /// The handshake is done, with keys or without.
    Finished,
    /// The peer has said goodbye.
    Closed,
    /// Nothing more; it wants to be woken then.
    Nothing(Option<Instant>),
}

impl Engine {
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsError> {
        match self {
            Self::Ecdsa(engine) => engine.handle_timeout(now).map_err(DtlsError::from),
            Self::Rsa(engine) => engine.handle_timeout(now),
        }
    }

    pub(super) fn handle(&mut self, now: Instant, datagram: &[u8]) -> Result<(), DtlsError> {
        match self {
            Self::Ecdsa(engine) => take(engine, datagram),
            Self::Rsa(engine) => engine.handle(now, datagram),
        }
    }

    /// The next thing to say; after [`Said::Nothing`] there is none.
    pub(super) fn poll(&mut self) -> Said {
        match self {
            Self::Ecdsa(engine) => poll(engine),
            Self::Rsa(engine) => engine.poll(),
        }
    }

    /// Says goodbye to the peer, where there is one.
    pub(super) fn close(&mut self, now: Instant) {
        match self {
            Self::Ecdsa(engine) => {
                // What cannot be said to a peer any more is left unsaid.
                let _ = engine.handle_timeout(now).and_then(|()| engine.close());
            }
            Self::Rsa(engine) => engine.close(now),
        }
    }
}

/// Gives a datagram to `dimpl`. A client that does not know the server's version yet takes whatever is no ServerHello for an error,
/// though anybody may have sent it; its state is unharmed.
fn take(engine: &mut dimpl::Dtls, datagram: &[u8]) -> Result<(), DtlsError> {
    use UnexpectedMessageError::UnrecognizedAutoServerResponse;
    match engine.handle_packet(datagram) {
        Err(Error::UnexpectedMessage(UnrecognizedAutoServerResponse)) => {
            if is_handshake_failure(datagram) {
                return Err(DtlsError::NothingInCommon);
            }
            Ok(())
        }
        Err(Error::SecurityError(SecurityError::FatalAlert { description }))
            if description == HANDSHAKE_FAILURE =>
        {
            Err(DtlsError::NothingInCommon)
        }
        other => other.map_err(DtlsError::from),
    }
}

fn is_handshake_failure(datagram: &[u8]) -> bool {
    let (kind, says) = (datagram.get(..5), datagram.get(11..));
    let [len @ .., description] = says.unwrap_or_default() else {
        return false;
    };
    kind == Some(&ALERT.0) && *len == ALERT.1 && *description == HANDSHAKE_FAILURE
}

fn poll(engine: &mut dimpl::Dtls) -> Said {
    let mut buffer = Zeroizing::new(vec![0; OUTPUT]);
    loop {
        return match engine.poll_output(&mut buffer) {
            Output::Packet(packet) => Said::Datagram(packet.to_vec()),
            Output::BufferTooSmall { needed } => {
                buffer = Zeroizing::new(vec![0; needed]);
                continue;
            }
            Output::Timeout(at) => Said::Nothing(Some(at)),
            Output::PeerCert(certificate) => Said::Certificate(certificate.to_vec()),
            Output::KeyingMaterial(material, profile) => {
                let material = Zeroizing::new(material.to_vec());
                let version = match engine.protocol_version() {
                    Some(ProtocolVersion::DTLS1_3) => Version::Dtls13,
                    _ => Version::Dtls12,
                };
                Said::Keys {
                    version,
                    suite: suite(profile),
                    material,
                }
            }
            Output::CloseNotify => Said::Closed,
            Output::Connected => Said::Finished,
            // There are no data channels.
            _ => continue,
        };
    }
}

/// The library's name of a suite as ours.
fn suite(profile: SrtpProfile) -> Option<Suite> {
    match profile {
        SrtpProfile::AEAD_AES_128_GCM => Some(Suite::AeadAes128Gcm),
        SrtpProfile::AEAD_AES_256_GCM => Some(Suite::AeadAes256Gcm),
        SrtpProfile::AES128_CM_SHA1_80 => Some(Suite::Aes128CmHmacSha1_80),
        _ => None,
    }
}
