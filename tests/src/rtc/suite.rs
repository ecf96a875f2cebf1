//! Which SRTP suite a client's DTLS agreed on. str0m does not tell, so the DTLS that it is given notes it in passing.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use serde::Serialize;
use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion, SrtpProfile,
};
use str0m::crypto::{CryptoError, CryptoProvider, from_feature_flags};

use super::openssl::OpensslProvider;

/// Which versions of DTLS a client has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtlsVersion {
    /// 1.2 and 1.3, offered in one hello.
    #[default]
    Both,
    /// Only 1.2 (RFC 6347).
    V12,
    /// Only 1.3 (RFC 9147).
    V13,
}

impl DtlsVersion {
    /// As str0m has it.
    #[must_use]
    pub fn setting(self) -> str0m::config::DtlsVersion {
        match self {
            Self::Both => str0m::config::DtlsVersion::Auto,
            Self::V12 => str0m::config::DtlsVersion::Dtls12,
            Self::V13 => str0m::config::DtlsVersion::Dtls13,
        }
    }
}

/// An SRTP protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "&'static str")]
pub enum Suite {
    /// 0x0007.
    AeadAes128Gcm,
    /// 0x0008.
    AeadAes256Gcm,
    /// 0x0001.
    Aes128CmHmacSha1_80,
}

impl Suite {
    /// All of them, the cheapest first.
    pub const ALL: [Self; 3] = [
        Self::AeadAes128Gcm,
        Self::AeadAes256Gcm,
        Self::Aes128CmHmacSha1_80,
    ];

    /// The name that the API has for it: those of RFC 7714 §14.2 and RFC 4568 §6.2.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::Aes128CmHmacSha1_80 => "AES128_CM_HMAC_SHA1_80",
        }
    }

    /// Bytes that are exported from DTLS: keys and salts of both sides (RFC 5764 §4.2, RFC 7714 §12).
    #[must_use]
    pub fn keying_material_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm => 2 * (16 + 12),
            Self::AeadAes256Gcm => 2 * (32 + 12),
            Self::Aes128CmHmacSha1_80 => 2 * (16 + 14),
        }
    }

    /// As str0m has it.
    #[must_use]
    pub fn profile(self) -> SrtpProfile {
        match self {
            Self::AeadAes128Gcm => SrtpProfile::AEAD_AES_128_GCM,
            Self::AeadAes256Gcm => SrtpProfile::AEAD_AES_256_GCM,
            Self::Aes128CmHmacSha1_80 => SrtpProfile::AES128_CM_SHA1_80,
        }
    }

    fn of(profile: SrtpProfile) -> Option<Self> {
        match profile {
            SrtpProfile::AEAD_AES_128_GCM => Some(Self::AeadAes128Gcm),
            SrtpProfile::AEAD_AES_256_GCM => Some(Self::AeadAes256Gcm),
            SrtpProfile::AES128_CM_SHA1_80 => Some(Self::Aes128CmHmacSha1_80),
            _ => None,
        }
    }
}

impl From<Suite> for &'static str {
    fn from(suite: Suite) -> Self {
        suite.name()
    }
}

/// Where the suite of one client is found once its DTLS has agreed on one.
#[derive(Clone, Debug, Default)]
pub struct Noted(Arc<OnceLock<Suite>>);

impl Noted {
    /// The suite.
    #[must_use]
    pub fn suite(&self) -> Option<Suite> {
        self.0.get().copied()
    }

    /// str0m's default cryptography, with a DTLS that notes the suite here: str0m's own, or where the suites on offer are told, that
    /// of OpenSSL.
    #[must_use]
    pub fn provider(&self, suites: Option<&[Suite]>) -> CryptoProvider {
        let default = from_feature_flags();
        // The provider holds `&'static`; these few bytes per client are all that is leaked.
        let inner: &'static dyn DtlsProvider = match suites {
            None => default.dtls_provider,
            Some(suites) => Box::leak(Box::new(OpensslProvider {
                certificates: default.dtls_provider,
                suites: suites.to_vec(),
            })),
        };
        let dtls_provider = Box::leak(Box::new(NotingDtls {
            inner,
            noted: self.clone(),
        }));
        CryptoProvider {
            dtls_provider,
            ..default
        }
    }
}

#[derive(Debug)]
struct NotingDtls {
    inner: &'static dyn DtlsProvider,
    noted: Noted,
}

impl DtlsProvider for NotingDtls {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        self.inner.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: str0m::config::DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        Ok(Box::new(NotingInstance {
            inner: self.inner.new_dtls(cert, now, version, mtu)?,
            noted: self.noted.clone(),
        }))
    }
}

#[derive(Debug)]
struct NotingInstance {
    inner: Box<dyn DtlsInstance>,
    noted: Noted,
}

impl DtlsInstance for NotingInstance {
    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.inner.poll_output(buffer);
        if let DtlsOutput::KeyingMaterial(_, profile) = &output
            && let Some(suite) = Suite::of(*profile)
        {
            // A second handshake on the same connection does not exist.
            let _ = self.noted.0.set(suite);
        }
        output
    }

    fn set_active(&mut self, active: bool) {
        self.inner.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.inner.handle_packet(packet)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.inner.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.inner.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.inner.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.inner.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.inner.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.inner.close()
    }
}
