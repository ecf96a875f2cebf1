//! DTLS 1.2 with peers whose certificate is RSA, which `dimpl` does not have: GStreamer makes no other. By `rtc-dtls`, without IO as well.
//!
//! What a peer can make it keep is bounded here: the library queues what it cannot read yet.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use rtc_dtls::{
    cipher_suite::CipherSuiteId,
    config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig},
    crypto_provider::{self, SignatureScheme},
    endpoint::{Endpoint, EndpointEvent},
    extension::extension_use_srtp::SrtpProtectionProfile,
};
use rtc_shared::{TransportProtocol, error::Error};
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::{DtlsError, HANDSHAKE, MTU, Offer, Role, Version, engine::Said, repeated::Messages};
use crate::{
    srtp::{Suite, keying_material_len},
    transport::Certificate,
};

/// RFC 5764 §4.2.
const EXPORTER: &str = "EXTRACTOR-dtls_srtp";
/// The library does not back off: this is the second of RFC 6347 §4.2.4.1, seven times.
const RETRANSMISSION: Duration = Duration::from_secs(1);
/// Bytes of datagrams that a handshake may take: a flight with a long chain, repeated.
const HANDSHAKE_BYTES: usize = 32 * 1024;
/// Bytes that an association may take in all. A peer that is done sends repetitions and its goodbye.
const BYTES: usize = 64 * 1024;
/// The library wants to tell peers apart; an association has one.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// Our order: AES-GCM is several times cheaper to seal.
const SUITES: [Suite; 3] = [
    Suite::AeadAes256Gcm,
    Suite::AeadAes128Gcm,
    Suite::Aes128CmHmacSha1_80,
];

/// What all associations share.
#[derive(Clone)]
pub(super) struct RsaContext {
    /// A server takes the client's first profile of those that it has; so each has one.
    servers: [Arc<HandshakeConfig>; SUITES.len()],
    client: Arc<HandshakeConfig>,
}

impl RsaContext {
    pub(super) fn new(certificate: &Certificate) -> Result<Self, DtlsError> {
        let provider = crypto_provider::default_provider().map_err(protocol)?;
        let key = provider
            .crypto()
            .import_signing_key(SignatureScheme::EcdsaP256Sha256, certificate.private_key())
            .map_err(protocol)?;
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let certificate = rtc_dtls::crypto::Certificate::from_signing_key(chain, key);
        let config = |role: Role, suites: &[Suite]| {
            let builder = ConfigBuilder::default()
                .with_crypto_provider(Arc::clone(&provider))
                .with_certificates(vec![certificate.clone()])
                .with_cipher_suites(cipher_suites(role))
                .with_srtp_protection_profiles(suites.iter().map(|suite| profile(*suite)).collect())
                .with_extended_master_secret(ExtendedMasterSecretType::Request)
                // Nobody vouches for a certificate of WebRTC: its fingerprint is what counts, which our caller compares.
                .with_client_auth(ClientAuthType::RequireAnyClientCert)
                .with_insecure_skip_verify(true)
                .with_flight_interval(RETRANSMISSION)
                .with_mtu(MTU);
            let config = builder.build(role == Role::Active, Some(PEER));
            config.map(Arc::new).map_err(protocol)
        };
        let [first, second, third] = SUITES.map(|suite| config(Role::Passive, &[suite]));
        Ok(Self {
            servers: [first?, second?, third?],
            client: config(Role::Active, &SUITES)?,
        })
    }

    /// The server for a client that offers these suites.
    pub(super) fn server(&self, now: Instant, offer: &Offer) -> RsaEngine {
        let best = SUITES.iter().position(|suite| offer.suites.contains(suite));
        let config = best.and_then(|best| self.servers.get(best));
        let [.., any] = &self.servers;
        RsaEngine::new(now, Some(Arc::clone(config.unwrap_or(any))))
    }

    /// The client, which begins.
    pub(super) fn client(&self, now: Instant) -> Result<RsaEngine, DtlsError> {
        let mut engine = RsaEngine::new(now, None);
        let config = Arc::clone(&self.client);
        let connected = engine.endpoint.connect(now, PEER, config, None);
        connected.map_err(protocol)?;
        Ok(engine)
    }
}

/// Those with forward secrecy and AEAD. A server's are those that our own certificate can sign.
fn cipher_suites(role: Role) -> Vec<CipherSuiteId> {
    let mut suites = vec![
        CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256,
        CipherSuiteId::Tls_Ecdhe_Ecdsa_With_ChaCha20_Poly1305_Sha256,
    ];
    if role == Role::Active {
        suites.extend([
            CipherSuiteId::Tls_Ecdhe_Rsa_With_Aes_128_Gcm_Sha256,
            CipherSuiteId::Tls_Ecdhe_Rsa_With_ChaCha20_Poly1305_Sha256,
        ]);
    }
    suites
}

/// One association.
pub(super) struct RsaEngine {
    endpoint: Endpoint,
    /// When a handshake that is not done has failed. The library stops its timer as soon as a part of a flight has come.
    deadline: Instant,
    messages: Messages,
    taken: usize,
    connected: bool,
    has_certificate: bool,
    said: VecDeque<Said>,
}

impl RsaEngine {
    fn new(now: Instant, server: Option<Arc<HandshakeConfig>>) -> Self {
        Self {
            endpoint: Endpoint::new(PEER, TransportProtocol::UDP, server),
            deadline: now + HANDSHAKE,
            messages: Messages::default(),
            taken: 0,
            connected: false,
            has_certificate: false,
            said: VecDeque::new(),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsError> {
        if !self.connected && now >= self.deadline {
            return Err(DtlsError::Timeout);
        }
        match self.endpoint.handle_timeout(PEER, now) {
            // There is no peer yet, or none any more.
            Ok(()) | Err(Error::InvalidRemoteAddress(_)) => Ok(()),
            Err(_) => Err(DtlsError::Timeout),
        }
    }

    pub(super) fn handle(&mut self, now: Instant, datagram: &[u8]) -> Result<(), DtlsError> {
        let allowed = if self.connected {
            BYTES
        } else {
            HANDSHAKE_BYTES
        };
        if self.taken + datagram.len() > allowed {
            return Ok(());
        }
        let Some(datagram) = self.messages.sift(datagram, self.connected) else {
            return Ok(());
        };
        if datagram.is_empty() {
            return Ok(());
        }
        self.taken += datagram.len();
        let bytes = BytesMut::from(&datagram[..]);
        let read = self.endpoint.read(now, PEER, None, bytes);
        self.tell_certificate();
        let events = match read {
            Ok(events) => events,
            // What is wrong under keys that hold is somebody else's (RFC 6347 §4.1.2.7).
            Err(_) if self.connected => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => self.tell_keys()?,
                EndpointEvent::PeerClosed => self.said.push_back(Said::Closed),
                // There are no data channels.
                _ => {}
            }
        }
        Ok(())
    }

    /// Before what follows from it, so that nothing does if it is the wrong one.
    fn tell_certificate(&mut self) {
        let state = self.endpoint.get_connection_state(PEER);
        let certificate = state.and_then(|state| state.peer_certificates.first());
        if let (Some(certificate), false) = (certificate, self.has_certificate) {
            self.has_certificate = true;
            self.said.push_back(Said::Certificate(certificate.clone()));
        }
    }

    fn tell_keys(&mut self) -> Result<(), DtlsError> {
        self.connected = true;
        let Some(state) = self.endpoint.get_connection_state(PEER) else {
            return Ok(());
        };
        if let Some(suite) = suite(state.srtp_protection_profile()) {
            let len = keying_material_len(suite);
            let material = state.export_keying_material(EXPORTER, &[], len);
            self.said.push_back(Said::Keys {
                version: Version::Dtls12,
                suite: Some(suite),
                material: Zeroizing::new(material.map_err(protocol)?.into_bytes()),
            });
        }
        self.said.push_back(Said::Finished);
        Ok(())
    }

    pub(super) fn poll(&mut self) -> Said {
        if let Some(said) = self.said.pop_front() {
            return said;
        }
        match self.endpoint.poll_transmit() {
            Some(transmit) => Said::Datagram(transmit.message.to_vec()),
            None => Said::Nothing(self.timeout()),
        }
    }

    fn timeout(&self) -> Option<Instant> {
        let timer = self.endpoint.poll_timeout(&PEER);
        let deadline = (!self.connected).then_some(self.deadline);
        timer.into_iter().chain(deadline).min()
    }

    pub(super) fn close(&mut self, now: Instant) {
        // It queues the goodbye; there is nothing in it that can fail.
        let _ = self.endpoint.close(now);
    }
}

fn failed(error: Error) -> DtlsError {
    match error {
        Error::ErrServerNoMatchingSrtpProfile
        | Error::ErrClientNoMatchingSrtpProfile
        | Error::ErrRequestedButNoSrtpExtension => DtlsError::NoProfile,
        other => protocol(other),
    }
}

fn protocol(error: impl std::fmt::Display) -> DtlsError {
    DtlsError::Protocol(error.to_string())
}

fn profile(suite: Suite) -> SrtpProtectionProfile {
    match suite {
        Suite::AeadAes256Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
        Suite::AeadAes128Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
        Suite::Aes128CmHmacSha1_80 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
    }
}

fn suite(profile: SrtpProtectionProfile) -> Option<Suite> {
    match profile {
        SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm => Some(Suite::AeadAes256Gcm),
        SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Some(Suite::AeadAes128Gcm),
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Some(Suite::Aes128CmHmacSha1_80),
        _ => None,
    }
}
