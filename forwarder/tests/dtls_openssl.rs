//! DTLS against OpenSSL's command line, an implementation that shares no code with ours: both roles, every order of SRTP profiles that
//! it can be told, and the keys that it exports. Where there is no `openssl`, the tests leave themselves out.

use std::{
    fs,
    io::Read as _,
    net::{SocketAddr, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustls_pki_types::{CertificateDer, pem::PemObject as _};

use forwarder::{
    srtp::{Suite, keying_material_len, split_keying_material},
    transport::{
        Certificate, Connected, Dtls, DtlsContext, DtlsError, DtlsEvent, Fingerprint, HashFunction,
        Role, Timebase, Version,
    },
};

const CM: &str = "SRTP_AES128_CM_SHA1_80";
const GCM_128: &str = "SRTP_AEAD_AES_128_GCM";
const GCM_256: &str = "SRTP_AEAD_AES_256_GCM";
const WITHIN: Duration = Duration::from_secs(10);

fn suite(profile: &str) -> Suite {
    match profile {
        CM => Suite::Aes128CmHmacSha1_80,
        GCM_128 => Suite::AeadAes128Gcm,
        _ => Suite::AeadAes256Gcm,
    }
}

/// Keys as browsers make them, and as GStreamer does.
const ECDSA: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
const RSA: &[&str] = &["rsa:2048"];

/// A directory with OpenSSL's certificate and key, removed at the end. `None` where there is no OpenSSL.
struct Identity {
    directory: PathBuf,
    fingerprint: Fingerprint,
}

impl Identity {
    fn new(name: &str, key: &[&str]) -> Option<Self> {
        let directory =
            std::env::temp_dir().join(format!("forwarder-dtls-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=peer"])
            .arg("-newkey")
            .args(key)
            .args(["-keyout", "key.pem", "-out", "certificate.pem"])
            .current_dir(&directory)
            .stderr(Stdio::null())
            .status();
        if made.is_err() {
            eprintln!("left out: needs openssl: {name}");
            return None;
        }
        let certificate = CertificateDer::from_pem_file(directory.join("certificate.pem"));
        let fingerprint = Fingerprint::of(HashFunction::Sha512, &certificate.unwrap());
        Some(Self {
            directory,
            fingerprint,
        })
    }

    /// `openssl` in DTLS 1.2 with these arguments, exporting as much as a suite needs.
    fn openssl(&self, arguments: &[&str], profiles: &[&str], exported: Suite) -> Openssl {
        let mut child = Command::new("openssl")
            .args(arguments)
            .args(["-dtls1_2", "-cert", "certificate.pem", "-key", "key.pem"])
            .args(["-use_srtp", &profiles.join(":")])
            .args(["-keymatexport", "EXTRACTOR-dtls_srtp"])
            .args([
                "-keymatexportlen",
                &keying_material_len(exported).to_string(),
            ])
            .current_dir(&self.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let (said, output) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(len @ 1..) = stdout.read(&mut bytes) {
                let _ = said.send(String::from_utf8_lossy(&bytes[..len]).into_owned());
            }
        });
        Openssl {
            child,
            output,
            said: String::new(),
        }
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

struct Openssl {
    child: Child,
    output: mpsc::Receiver<String>,
    said: String,
}

impl Openssl {
    /// Waits until it has said something, and returns the rest of that line.
    fn wait_for(&mut self, text: &str) -> String {
        let end = Instant::now() + WITHIN;
        loop {
            let found = self
                .said
                .split_once(text)
                .and_then(|(_, rest)| rest.split_once('\n'));
            if let Some((line, _)) = found {
                return line.trim().to_owned();
            }
            assert!(Instant::now() < end, "no {text:?} in {}", self.said);
            self.said
                .extend(self.output.recv_timeout(Duration::from_millis(20)));
        }
    }

    fn keying_material(&mut self) -> Vec<u8> {
        let hex = self.wait_for("Keying material: ");
        let digits = hex.as_bytes().chunks(2);
        digits
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }
}

impl Drop for Openssl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs an association over a socket until it is connected or has failed.
fn drive(
    dtls: &mut Dtls,
    socket: &UdpSocket,
    mut peer: Option<SocketAddr>,
) -> Result<Connected, DtlsError> {
    let start = Instant::now();
    let now = || u64::try_from(start.elapsed().as_nanos()).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    dtls.start(0);
    let (mut datagram, mut bytes) = (Vec::new(), [0; 4096]);
    loop {
        while let (Some(peer), true) = (peer, dtls.poll_transmit(&mut datagram)) {
            // A server that is not up yet refuses, and is asked again.
            let _ = socket.send_to(&datagram, peer);
        }
        match dtls.poll_event() {
            Some(DtlsEvent::Connected(connected)) => return Ok(connected),
            Some(DtlsEvent::Failed(error)) => return Err(error),
            Some(DtlsEvent::Closed) => panic!("closed"),
            None => {}
        }
        assert!(start.elapsed() < WITHIN, "no keys");
        if let Ok((len, from)) = socket.recv_from(&mut bytes) {
            peer = Some(from);
            dtls.handle(now(), &bytes[..len]);
        }
        dtls.handle_timeout(now());
    }
}

fn association(role: Role, identity: &Identity) -> Dtls {
    let certificate = Certificate::self_signed().unwrap();
    let context = DtlsContext::new(certificate, Timebase::new(0, Instant::now())).unwrap();
    Dtls::new(&context, role, vec![identity.fingerprint.clone()])
}

fn assert_same_keys(connected: &Connected, suite: Suite, role: Role, material: &[u8]) {
    assert_eq!(connected.version, Version::Dtls12);
    assert_eq!(connected.send.suite(), suite);
    let (client, server) = split_keying_material(suite, material).unwrap();
    let (send, receive) = match role {
        Role::Active => (client, server),
        Role::Passive => (server, client),
    };
    for (ours, theirs) in [(&connected.send, &send), (&connected.receive, &receive)] {
        assert_eq!((ours.key(), ours.salt()), (theirs.key(), theirs.salt()));
    }
}

#[test]
fn openssl_as_client_gets_gcm_in_every_order() {
    let orders: [(&[&str], &str); 7] = [
        (&[CM, GCM_256, GCM_128], GCM_256),
        (&[CM, GCM_128, GCM_256], GCM_256),
        (&[GCM_128, GCM_256, CM], GCM_256),
        (&[CM, GCM_128], GCM_128),
        (&[GCM_128], GCM_128),
        (&[GCM_256, CM], GCM_256),
        (&[CM], CM),
    ];
    for key in [ECDSA, RSA] {
        let Some(identity) = Identity::new("client", key) else {
            return;
        };
        for (order, expected) in orders {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let address = socket.local_addr().unwrap().to_string();
            let arguments = ["s_client", "-connect", &address];
            let mut openssl = identity.openssl(&arguments, order, suite(expected));
            let mut dtls = association(Role::Passive, &identity);
            let connected = drive(&mut dtls, &socket, None).unwrap();
            let material = openssl.keying_material();
            assert_same_keys(&connected, suite(expected), Role::Passive, &material);
        }
    }
}

#[test]
fn openssl_as_server_even_if_it_has_cm_only() {
    for key in [ECDSA, RSA] {
        let Some(identity) = Identity::new("server", key) else {
            return;
        };
        for profile in [CM, GCM_128, GCM_256] {
            let port = UdpSocket::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap();
            let address = port.to_string();
            // It wants a certificate and shows what it thinks of it, but takes one that nobody vouches for.
            let arguments = ["s_server", "-accept", &address, "-Verify", "1"];
            let mut openssl = identity.openssl(&arguments, &[profile], suite(profile));
            openssl.wait_for("ACCEPT");
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let mut dtls = association(Role::Active, &identity);
            let connected = drive(&mut dtls, &socket, Some(port)).unwrap();
            let material = openssl.keying_material();
            assert_same_keys(&connected, suite(profile), Role::Active, &material);
        }
    }
}

#[test]
fn another_certificate_gets_no_keys() {
    for key in [ECDSA, RSA] {
        let identities = (Identity::new("one", key), Identity::new("other", key));
        let (Some(identity), Some(other)) = identities else {
            return;
        };
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let _openssl = other.openssl(
            &["s_client", "-connect", &address],
            &[GCM_128],
            Suite::AeadAes128Gcm,
        );
        let mut dtls = association(Role::Passive, &identity);
        let refused = drive(&mut dtls, &socket, None).unwrap_err();
        assert_eq!(refused, DtlsError::Fingerprint);
    }
}

/// A client that shows no certificate is nobody.
#[test]
fn no_certificate_gets_no_keys() {
    let Some(identity) = Identity::new("none", ECDSA) else {
        return;
    };
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let arguments = [
        "s_client",
        "-dtls1_2",
        "-connect",
        &address,
        "-use_srtp",
        CM,
    ];
    let mut openssl = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut dtls = association(Role::Passive, &identity);
    let refused = drive(&mut dtls, &socket, None);
    let _ = openssl.kill();
    let _ = openssl.wait();
    assert!(
        matches!(refused, Err(DtlsError::Protocol(_))),
        "{refused:?}"
    );
}
