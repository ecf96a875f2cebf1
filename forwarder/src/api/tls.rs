//! The certificate of the API: the operator's, or one that is made at start.

use std::{
    fmt, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum_server::tls_rustls::RustlsConfig;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
};

use crate::config::{CertificateFiles, Tls};

const CERTIFICATE: &str = "a file with a certificate chain in PEM, the server's own first";
const PRIVATE_KEY: &str =
    "a file with the private key of the certificate in PEM: PKCS#8, PKCS#1 or SEC1, not encrypted";

/// Why TLS cannot be as configured.
#[derive(Debug)]
pub enum TlsError {
    /// A file cannot be read.
    Unreadable {
        /// The field that names it.
        field: &'static str,
        /// It.
        file: PathBuf,
        /// What the system says.
        why: io::Error,
        /// What it may be.
        allowed: &'static str,
    },
    /// A file holds something else.
    Wrong {
        /// The field that names it.
        field: &'static str,
        /// It.
        file: PathBuf,
        /// What is wrong.
        why: String,
        /// What it may hold.
        allowed: &'static str,
    },
    /// No certificate could be made.
    Made(String),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable {
                field,
                file,
                why,
                allowed,
            } => write!(
                f,
                "{field}: {} cannot be read: {why}; allowed: {allowed}",
                file.display()
            ),
            Self::Wrong {
                field,
                file,
                why,
                allowed,
            } => write!(
                f,
                "{field} cannot be {:?}: {why}; allowed: {allowed}",
                file.display().to_string()
            ),
            Self::Made(why) => write!(f, "api-tls: no certificate could be made: {why}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// What the API speaks TLS with, if it does.
///
/// # Errors
/// [`TlsError`].
pub fn config(tls: &Tls, address: SocketAddr) -> Result<Option<RustlsConfig>, TlsError> {
    let mut config = match tls {
        Tls::Off => return Ok(None),
        Tls::Files(files) => given(files)?,
        Tls::SelfSigned => self_signed(address).map_err(TlsError::Made)?,
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(RustlsConfig::from_config(Arc::new(config))))
}

fn given(files: &CertificateFiles) -> Result<ServerConfig, TlsError> {
    let CertificateFiles {
        certificate,
        private_key,
    } = files;
    let (field, allowed) = ("api-certificate", CERTIFICATE);
    let pem = read(field, certificate, allowed)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let wrong = |why: String| TlsError::Wrong {
        field,
        file: certificate.clone(),
        why,
        allowed,
    };
    let chain = chain.map_err(|why| wrong(why.to_string()))?;
    if chain.is_empty() {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    let (field, allowed) = ("api-private-key", PRIVATE_KEY);
    let pem = read(field, private_key, allowed)?;
    let wrong = |why: String| TlsError::Wrong {
        field,
        file: private_key.clone(),
        why,
        allowed,
    };
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|why| wrong(why.to_string()))?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key);
    config.map_err(|why| {
        wrong(format!(
            "it does not go with {}: {why}",
            certificate.display()
        ))
    })
}

fn read(field: &'static str, file: &Path, allowed: &'static str) -> Result<Vec<u8>, TlsError> {
    fs::read(file).map_err(|why| TlsError::Unreadable {
        field,
        file: file.to_owned(),
        why,
        allowed,
    })
}

fn self_signed(address: SocketAddr) -> Result<ServerConfig, String> {
    let names = vec!["localhost".to_owned(), address.ip().to_string()];
    let made = rcgen::generate_simple_self_signed(names).map_err(|why| why.to_string())?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .map_err(|why| why.to_string())
}
