//! What a ClientHello offers, as far as it decides the version of DTLS that is answered (RFC 8446 §4.1.2, RFC 6347 §4.2.1).

use std::ops::Range;

use arrayvec::ArrayVec;

use crate::srtp::Suite;

const SUPPORTED_VERSIONS: u16 = 43;
const USE_SRTP: u16 = 14;
const DTLS_1_2: u16 = 0xfefd;
const DTLS_1_3: u16 = 0xfefc;
/// ECDHE-ECDSA with AES-128-GCM, AES-256-GCM and ChaCha20-Poly1305: what our DTLS 1.2 server has.
const CIPHER_SUITES_1_2: [u16; 3] = [0xc02b, 0xc02c, 0xcca9];

/// A version of DTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// RFC 6347.
    Dtls12,
    /// RFC 9147.
    Dtls13,
}

impl Version {
    /// The name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Dtls12 => "DTLS 1.2",
            Self::Dtls13 => "DTLS 1.3",
        }
    }
}

/// The part of a ClientHello that matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// DTLS 1.2, with a cipher suite that we have.
    pub dtls12: bool,
    /// DTLS 1.3.
    pub dtls13: bool,
    /// The SRTP suites that we have, in the client's order (RFC 5764 §4.1.2).
    pub suites: ArrayVec<Suite, 3>,
}

impl Offer {
    /// Reads the body of a ClientHello. `None` if it is none.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let Parts {
            legacy_version,
            mut cipher_suites,
            mut extensions,
        } = Parts::of(body)?;
        let mut offer = Self {
            dtls12: legacy_version == DTLS_1_2,
            ..Self::default()
        };
        while !extensions.0.is_empty() {
            let (kind, data) = (extensions.u16()?, Reader(extensions.block16()?));
            match kind {
                SUPPORTED_VERSIONS => offer.read_versions(data)?,
                USE_SRTP => offer.read_profiles(data)?,
                _ => {}
            }
        }
        let mut has_cipher_suite = false;
        while !cipher_suites.0.is_empty() {
            has_cipher_suite |= CIPHER_SUITES_1_2.contains(&cipher_suites.u16()?);
        }
        offer.dtls12 &= has_cipher_suite;
        Some(offer)
    }

    /// With this extension the legacy version says nothing (RFC 8446 §4.2.1).
    fn read_versions(&mut self, mut data: Reader<'_>) -> Option<()> {
        let mut versions = Reader(data.block8()?);
        (self.dtls12, self.dtls13) = (false, false);
        while !versions.0.is_empty() {
            let version = versions.u16()?;
            self.dtls12 |= version == DTLS_1_2;
            self.dtls13 |= version == DTLS_1_3;
        }
        Some(())
    }

    fn read_profiles(&mut self, mut data: Reader<'_>) -> Option<()> {
        let mut profiles = Reader(data.block16()?);
        self.suites.clear();
        while !profiles.0.is_empty() {
            let suite = Suite::from_profile(profiles.u16()?);
            let fresh = suite.filter(|suite| !self.suites.contains(suite));
            if let Some(suite) = fresh {
                self.suites.try_push(suite).ok()?;
            }
        }
        Some(())
    }

    /// Whether there is an AES-GCM among the suites, but not in front.
    #[must_use]
    pub fn prefers_cm_to_gcm(&self) -> bool {
        let is_gcm = |suite: &Suite| *suite != Suite::Aes128CmHmacSha1_80;
        self.suites.iter().any(is_gcm) && !self.suites.first().is_some_and(is_gcm)
    }

    /// The version to answer with. Our DTLS 1.3 server takes the client's first profile, our 1.2 server prefers AES-GCM; so a client
    /// that offers AES-GCM, but not first, is answered in 1.2, if it has that. docs/decisions/0010-dtls-profile.md has the reasons.
    #[must_use]
    pub fn version(&self) -> Version {
        if !self.dtls13 || (self.dtls12 && self.prefers_cm_to_gcm()) {
            Version::Dtls12
        } else {
            Version::Dtls13
        }
    }
}

/// The SRTP profiles that the body of a ClientHello names, each with its place there.
pub(super) fn profiles(body: &[u8]) -> impl Iterator<Item = (usize, u16)> {
    let list = list_of_profiles(body).unwrap_or_default();
    list.clone().step_by(2).filter_map(move |at| {
        let (high, low) = (body.get(at)?, body.get(at + 1)?);
        (at + 1 < list.end).then_some((at, u16::from_be_bytes([*high, *low])))
    })
}

fn list_of_profiles(body: &[u8]) -> Option<Range<usize>> {
    let mut extensions = Parts::of(body)?.extensions;
    while !extensions.0.is_empty() {
        let (kind, data) = (extensions.u16()?, extensions.block16()?);
        if kind == USE_SRTP {
            // They end the body.
            let start = body.len() - extensions.0.len() - data.len() + 2;
            let list = Reader(data).block16()?;
            return Some(start..start + list.len());
        }
    }
    None
}

/// What a ClientHello is made of.
struct Parts<'a> {
    legacy_version: u16,
    cipher_suites: Reader<'a>,
    extensions: Reader<'a>,
}

impl<'a> Parts<'a> {
    fn of(body: &'a [u8]) -> Option<Self> {
        let mut body = Reader(body);
        let legacy_version = body.u16()?;
        body.take(32)?; // random
        body.block8()?; // session id
        body.block8()?; // cookie
        let cipher_suites = Reader(body.block16()?);
        body.block8()?; // compression methods
        let extensions = match body.0 {
            [] => body.0,
            _ => body.block16()?,
        };
        // RFC 8446 §4.1.2: nothing follows them.
        body.0.is_empty().then_some(Self {
            legacy_version,
            cipher_suites,
            extensions: Reader(extensions),
        })
    }
}

/// Reads from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*bytes))
    }

    /// As many bytes as the first one says.
    fn block8(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.0.split_first()?;
        self.0 = rest;
        self.take(usize::from(*len))
    }

    /// As many bytes as the first two say.
    fn block16(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }
}
