//! TLS: the operator's certificate, one that is made at start, and files that cannot be.

use std::{fs, io::Write, net::TcpListener, path::PathBuf, process::Command};

use forwarder::{
    api::serve::Server,
    config::{CertificateFiles, Config, Control, Tls},
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::rig::Rig;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let own = format!("forwarder-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(own);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.0.join(name);
        fs::File::create(&file)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        file
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An authority, a certificate of it for this host, and its key, in PEM.
fn certificate() -> (String, String, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    let name = DnType::CommonName;
    authority
        .distinguished_name
        .push(name, "an authority of the tests");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let signing = KeyPair::generate().unwrap();
    let root = authority.self_signed(&signing).unwrap();
    let authority = Issuer::new(authority, signing);
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let own = CertificateParams::new(names).unwrap();
    let own = own.signed_by(&key, &authority).unwrap();
    (root.pem(), own.pem(), key.serialize_pem())
}

fn with_tls(tls: Tls) -> Rig {
    Rig::with(Config {
        control: Control {
            tls,
            ..Control::default()
        },
        ..Config::default()
    })
}

/// Status and version of what a client is answered that trusts this authority, or nobody but those of the system, or everybody.
fn ask(rig: &Rig, client: reqwest::ClientBuilder) -> Result<(u16, reqwest::Version), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let url = format!("https://127.0.0.1:{}/v0/node", rig.address.port());
    runtime.block_on(async {
        let answer = client.build().unwrap().get(url).send().await;
        let answer = answer.map_err(|error| format!("{error:?}"))?;
        Ok((answer.status().as_u16(), answer.version()))
    })
}

#[test]
fn the_operators_certificate_is_what_clients_see() {
    let folder = Folder::new("tls-given");
    let (authority, certificate, key) = certificate();
    let rig = with_tls(Tls::Files(CertificateFiles {
        certificate: folder.file("certificate.pem", &certificate),
        private_key: folder.file("key.pem", &key),
    }));
    assert!(ask(&rig, reqwest::Client::builder()).is_err());
    let trusted = reqwest::Certificate::from_pem(authority.as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([trusted]);
    assert_eq!(ask(&rig, client).unwrap().0, 200);
    // Another implementation, of TLS 1.2 and 1.3.
    let authority = folder.file("authority.pem", &authority);
    for version in ["-tls1_2", "-tls1_3"] {
        let told = Command::new("openssl")
            .args(["s_client", version, "-brief", "-verify_return_error"])
            .args(["-verify_ip", "127.0.0.1", "-CAfile"])
            .arg(&authority)
            .args(["-connect", &rig.address.to_string()])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(
            told.status.success() && text.contains("Verification: OK"),
            "{version}: {text}"
        );
    }
    // Whoever speaks no TLS gets no answer, and keeps nobody waiting.
    let plain = ureq::get(format!("http://{}/v0/node", rig.address)).call();
    assert!(plain.is_err());
    let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true);
    assert_eq!(ask(&rig, client).unwrap().0, 200);
}

#[test]
fn a_certificate_of_its_own_is_nobodys_to_vouch_for() {
    let rig = with_tls(Tls::SelfSigned);
    assert!(ask(&rig, reqwest::Client::builder()).is_err());
    let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true);
    assert_eq!(ask(&rig, client).unwrap().0, 200);
}

#[test]
fn files_that_cannot_be_are_refused_with_field_and_file() {
    let folder = Folder::new("tls-wrong");
    let (_, certificate, key) = certificate();
    let other = KeyPair::generate().unwrap().serialize_pem();
    let certificate = folder.file("certificate.pem", &certificate);
    let key = folder.file("key.pem", &key);
    let other = folder.file("other.pem", &other);
    let text = folder.file("text.pem", "neither one nor the other");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let broken = folder.file("broken.pem", broken);
    let missing = folder.0.join("missing.pem");
    for (certificate, private_key, field, file, why) in [
        (
            &missing,
            &key,
            "api-certificate",
            &missing,
            "cannot be read",
        ),
        (&text, &key, "api-certificate", &text, "no certificate"),
        (&key, &key, "api-certificate", &key, "no certificate"),
        (&broken, &key, "api-private-key", &key, "does not go with"),
        (
            &certificate,
            &missing,
            "api-private-key",
            &missing,
            "cannot be read",
        ),
        (&certificate, &text, "api-private-key", &text, "no items"),
        (
            &certificate,
            &certificate,
            "api-private-key",
            &certificate,
            "no items",
        ),
        (
            &certificate,
            &other,
            "api-private-key",
            &other,
            "does not go with",
        ),
    ] {
        let control = Control {
            tls: Tls::Files(CertificateFiles {
                certificate: certificate.clone(),
                private_key: private_key.clone(),
            }),
            open: true,
            ..Control::default()
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let refused = Server::new(listener, &control).err().unwrap().to_string();
        assert!(refused.starts_with(field), "{refused}");
        for part in [&*file.display().to_string(), why, "allowed: a file with"] {
            assert!(refused.contains(part), "{part}: {refused}");
        }
    }
}
