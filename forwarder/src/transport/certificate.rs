//! The certificate that this node shows in DTLS: made at start, or the operator's.

use std::{fmt, fs, io, path::Path};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use dimpl::DtlsCertificate;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use x509_cert::der::Decode as _;

use super::{Fingerprint, HashFunction};

/// A certificate with its private key, ECDSA on P-256 (RFC 8827 §6.5).
#[derive(Clone)]
pub struct Certificate {
    inner: DtlsCertificate,
    fingerprint: Fingerprint,
}

/// Why there is no certificate.
#[derive(Debug)]
pub enum CertificateError {
    /// A file cannot be read.
    Read {
        /// Its path.
        path: String,
        /// Why not.
        why: io::Error,
    },
    /// A file has no certificate in it, in PEM or DER.
    NoCertificate,
    /// A file has no private key in it, in PEM or DER, PKCS#8 or SEC 1, or none on P-256.
    NoKey,
    /// The private key is not that of the certificate.
    Mismatch,
    /// The random generator or the signature failed.
    Generate,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, why } => write!(f, "{path} cannot be read: {why}"),
            Self::NoCertificate => {
                f.write_str("no certificate there; allowed: an X.509 certificate in PEM or DER")
            }
            Self::NoKey => f.write_str(
                "no usable private key there; allowed: ECDSA on P-256, PKCS#8 or SEC 1, in PEM or DER, not encrypted",
            ),
            Self::Mismatch => f.write_str("the private key is not the certificate's"),
            Self::Generate => f.write_str("a certificate could not be made"),
        }
    }
}

impl std::error::Error for CertificateError {}

impl Certificate {
    /// A new key with a certificate that it signs itself, valid for a year. What peers check is its fingerprint.
    ///
    /// # Errors
    ///
    /// The random generator fails.
    pub fn self_signed() -> Result<Self, CertificateError> {
        dimpl::certificate::generate_self_signed_certificate()
            .map(Self::with_fingerprint)
            .map_err(|_| CertificateError::Generate)
    }

    /// From two files, each in PEM or DER. Of a chain only the first certificate is used: peers know it by its fingerprint.
    ///
    /// # Errors
    ///
    /// A file cannot be read, has not in it what it should, or the two do not belong together.
    pub fn load(certificate: &Path, private_key: &Path) -> Result<Self, CertificateError> {
        let read = |path: &Path| {
            fs::read(path).map_err(|why| CertificateError::Read {
                path: path.display().to_string(),
                why,
            })
        };
        Self::parse(&read(certificate)?, &read(private_key)?)
    }

    /// As [`Self::load`], from the contents of the files.
    ///
    /// # Errors
    ///
    /// One has not in it what it should, or the two do not belong together.
    pub fn parse(certificate: &[u8], private_key: &[u8]) -> Result<Self, CertificateError> {
        let certificate = CertificateDer::from_pem_slice(certificate)
            .map_or_else(|_| certificate.to_vec(), |der| der.to_vec());
        let parsed = x509_cert::Certificate::from_der(&certificate)
            .map_err(|_| CertificateError::NoCertificate)?;
        let pem_key = PrivateKeyDer::from_pem_slice(private_key).ok();
        let private_key = pem_key
            .as_ref()
            .map_or(private_key, PrivateKeyDer::secret_der);
        let key = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, private_key)
            .map_err(|_| CertificateError::NoKey)?;
        let certified = parsed
            .tbs_certificate()
            .subject_public_key_info()
            .subject_public_key
            .raw_bytes();
        if certified != key.public_key().as_ref() {
            return Err(CertificateError::Mismatch);
        }
        let private_key = key.to_pkcs8v1().map_err(|_| CertificateError::NoKey)?;
        Ok(Self::with_fingerprint(DtlsCertificate {
            certificate,
            private_key: private_key.as_ref().to_vec(),
        }))
    }

    fn with_fingerprint(inner: DtlsCertificate) -> Self {
        let fingerprint = Fingerprint::of(HashFunction::Sha256, &inner.certificate);
        Self { inner, fingerprint }
    }

    /// Its SHA-256 fingerprint, for signalling.
    #[must_use]
    pub const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Its DER form.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.inner.certificate
    }

    /// Its key, in PKCS#8.
    pub(super) fn private_key(&self) -> &[u8] {
        &self.inner.private_key
    }

    pub(super) fn to_dimpl(&self) -> DtlsCertificate {
        self.inner.clone()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("fingerprint", &self.fingerprint.to_string())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        encoding::{AsDer as _, EcPrivateKeyRfc5915Der},
        signature::ECDSA_P384_SHA384_ASN1_SIGNING,
    };
    use pem_rfc7468::{LineEnding, encode_string};

    use super::*;

    fn pem(label: &str, der: &[u8]) -> String {
        encode_string(label, LineEnding::LF, der).unwrap()
    }

    fn sec1(pkcs8: &[u8]) -> Vec<u8> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).unwrap();
        let der: EcPrivateKeyRfc5915Der<'_> = key.private_key().as_der().unwrap();
        der.as_ref().to_vec()
    }

    #[test]
    fn each_is_another() {
        let [one, two] = [(); 2].map(|()| Certificate::self_signed().unwrap());
        assert_ne!(one.fingerprint(), two.fingerprint());
        let text = one.fingerprint().to_string();
        assert_eq!(
            Fingerprint::parse("sha-256", &text).as_ref(),
            Ok(one.fingerprint())
        );
    }

    #[test]
    fn every_form_is_read() {
        let made = Certificate::self_signed().unwrap();
        let (der, pkcs8) = (made.der(), &made.inner.private_key);
        let sec1 = sec1(pkcs8);
        let chain = pem("CERTIFICATE", der) + &pem("CERTIFICATE", b"an issuer");
        // As `openssl ecparam -genkey` writes it.
        let parameters = pem("EC PARAMETERS", &[6, 1, 42]);
        let certificates = [der.to_vec(), chain.into_bytes()];
        let keys = [
            pkcs8.clone(),
            sec1.clone(),
            pem("PRIVATE KEY", pkcs8).into_bytes(),
            (parameters + &pem("EC PRIVATE KEY", &sec1)).into_bytes(),
        ];
        for certificate in &certificates {
            for key in &keys {
                let read = Certificate::parse(certificate, key).unwrap();
                assert_eq!(read.fingerprint(), made.fingerprint());
                let again = EcdsaKeyPair::from_pkcs8(
                    &ECDSA_P256_SHA256_ASN1_SIGNING,
                    &read.inner.private_key,
                );
                assert!(again.is_ok(), "the DTLS library gets PKCS#8");
            }
        }
    }

    #[test]
    fn refused() {
        let [made, other] = [(); 2].map(|()| Certificate::self_signed().unwrap());
        let parse = |certificate: &[u8], key: &[u8]| {
            Certificate::parse(certificate, key)
                .unwrap_err()
                .to_string()
        };
        let (der, key) = (made.der(), &made.inner.private_key);
        let no_certificate = CertificateError::NoCertificate.to_string();
        for wrong in [&[][..], b"text", &der[..der.len() - 1], key] {
            assert_eq!(parse(wrong, key), no_certificate);
        }
        let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap();
        let p384 = p384.to_pkcs8v1().unwrap();
        for wrong in [&[][..], b"text", der, p384.as_ref()] {
            assert_eq!(parse(der, wrong), CertificateError::NoKey.to_string());
        }
        let mismatch = CertificateError::Mismatch.to_string();
        assert_eq!(parse(der, &other.inner.private_key), mismatch);
        let missing = Path::new("/nonexistent/certificate.pem");
        let unread = Certificate::load(missing, missing).unwrap_err().to_string();
        assert!(
            unread.starts_with("/nonexistent/certificate.pem cannot be read"),
            "{unread}"
        );
    }

    #[test]
    fn the_key_is_not_shown() {
        let shown = format!("{:?}", Certificate::self_signed().unwrap());
        assert!(shown.len() < 200, "{shown}");
    }
}
