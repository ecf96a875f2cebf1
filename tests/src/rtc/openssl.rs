//! DTLS of a client by OpenSSL's command line, for the SRTP suites that a client offers, and their order: str0m's own DTLS always
//! offers all of them. It shares no code with the forwarder's DTLS, which is the same crate as str0m's.
//!
//! The program speaks UDP; a socket on loopback carries its datagrams to and from the client. It prints what it agreed on: the peer's
//! certificate, the profile and the exported keys (RFC 5764 §4.2).

use std::collections::VecDeque;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use str0m::config::DtlsVersion;
use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, KeyingMaterial,
    ProtocolVersion,
};

use super::suite::Suite;

/// How often the program's words and datagrams are looked for while the handshake lasts.
const LOOK: Duration = Duration::from_millis(1);

/// The longest datagram.
const DATAGRAM: usize = 2048;

/// DTLS 1.2 by OpenSSL, with these suites in this order.
#[derive(Debug)]
pub struct OpensslProvider {
    /// Where certificates come from.
    pub certificates: &'static dyn DtlsProvider,
    /// What is offered, or as a server accepted, the first being the best.
    pub suites: Vec<Suite>,
}

impl DtlsProvider for OpensslProvider {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        self.certificates.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        _now: Instant,
        _version: DtlsVersion,
        _mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        Ok(Box::new(OpensslInstance {
            certificate: cert.clone(),
            suites: self.suites.clone(),
            program: None,
            outputs: VecDeque::new(),
            active: false,
            failed: false,
            connected: false,
        }))
    }
}

#[derive(Debug)]
struct OpensslInstance {
    certificate: DtlsCert,
    suites: Vec<Suite>,
    program: Option<Program>,
    outputs: VecDeque<Ready>,
    active: bool,
    failed: bool,
    connected: bool,
}

/// What is to be told to str0m.
#[derive(Debug)]
enum Ready {
    Packet(Vec<u8>),
    Certificate(Vec<u8>),
    Keys(Vec<u8>, Suite),
    Connected,
}

#[derive(Debug)]
struct Program {
    child: Child,
    relay: UdpSocket,
    /// Where the program's own socket is, once it is known.
    address: Option<SocketAddr>,
    said: Arc<Mutex<String>>,
    folder: PathBuf,
}

impl OpensslInstance {
    /// Takes in what the program has sent and said.
    fn look(&mut self) -> Result<()> {
        let Some(program) = &mut self.program else {
            return Ok(());
        };
        let mut buffer = [0; DATAGRAM];
        while let Ok((length, from)) = program.relay.recv_from(&mut buffer) {
            program.address = Some(from);
            self.outputs
                .push_back(Ready::Packet(buffer[..length].to_vec()));
        }
        if !self.connected
            && let Some(agreed) = Agreed::read(&so_far(&program.said))?
        {
            self.connected = true;
            self.outputs
                .push_back(Ready::Certificate(agreed.certificate));
            self.outputs
                .push_back(Ready::Keys(agreed.keys, agreed.suite));
            self.outputs.push_back(Ready::Connected);
        }
        Ok(())
    }

    fn start(&mut self) -> Result<()> {
        if self.program.is_none() {
            self.program = Some(Program::start(
                &self.certificate,
                &self.suites,
                self.active,
            )?);
        }
        Ok(())
    }

    fn keep(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            // str0m's error has no place for words.
            log::error!("{error:#}");
            self.failed = true;
        }
    }
}

impl DtlsInstance for OpensslInstance {
    fn set_active(&mut self, active: bool) {
        self.active = active;
        let outcome = self.start();
        self.keep(outcome);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        if let Some(program) = &self.program
            && let Some(address) = program.address
        {
            // A datagram that finds no room is lost, as any may be; the other side sends it again.
            let _ = program.relay.send_to(packet, address);
        }
        Ok(())
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let outcome = self.look();
        self.keep(outcome);
        let mut put = |bytes: &[u8]| {
            buffer[..bytes.len()].copy_from_slice(bytes);
            bytes.len()
        };
        match self.outputs.pop_front() {
            Some(Ready::Packet(bytes)) => {
                let length = put(&bytes);
                DtlsOutput::Packet(&buffer[..length])
            }
            Some(Ready::Certificate(bytes)) => {
                let length = put(&bytes);
                DtlsOutput::PeerCert(&buffer[..length])
            }
            Some(Ready::Keys(bytes, suite)) => {
                DtlsOutput::KeyingMaterial(KeyingMaterial::new(&bytes), suite.profile())
            }
            Some(Ready::Connected) => DtlsOutput::Connected,
            None if self.connected || self.program.is_none() => {
                DtlsOutput::Timeout(Instant::now() + Duration::from_secs(3600))
            }
            None => DtlsOutput::Timeout(Instant::now() + LOOK),
        }
    }

    fn handle_timeout(&mut self, _now: Instant) -> Result<(), DtlsImplError> {
        if self.failed {
            Err(DtlsImplError::ConnectionClosed)
        } else {
            Ok(())
        }
    }

    fn send_application_data(&mut self, _data: &[u8]) -> Result<usize, DtlsImplError> {
        Ok(0)
    }

    fn is_active(&self) -> bool {
        self.active
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.connected.then_some(ProtocolVersion::DTLS1_2)
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.program = None;
        Ok(())
    }
}

impl Program {
    fn start(certificate: &DtlsCert, suites: &[Suite], active: bool) -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("lab-dtls-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("certificate"), &certificate.certificate)?;
        std::fs::write(folder.join("key"), &certificate.private_key)?;
        let relay = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        relay.set_nonblocking(true)?;
        let mut command = Command::new("openssl");
        let mut address = None;
        if active {
            command.args(["s_client", "-connect", &relay.local_addr()?.to_string()]);
        } else {
            // The port of a socket that is closed again is free for a while.
            let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
            command.args(["s_server", "-Verify", "1", "-accept", &port.to_string()]);
            address = Some(port);
        }
        let names: Vec<&str> = suites.iter().map(|suite| openssl_name(*suite)).collect();
        // The longest key material there is; a suite uses the first part of it.
        let length = Suite::AeadAes256Gcm.keying_material_len().to_string();
        let mut child = command
            .args(["-dtls1_2", "-use_srtp", &names.join(":")])
            .args(["-certform", "DER", "-cert", "certificate"])
            .args(["-keyform", "DER", "-key", "key"])
            .args(["-keymatexport", "EXTRACTOR-dtls_srtp", "-keymatexportlen"])
            .arg(length)
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run openssl: install the package openssl")?;
        let mut stdout = child.stdout.take().context("its output is piped")?;
        let said = Arc::new(Mutex::new(String::new()));
        let theirs = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut bytes) {
                so_far(&theirs).push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        });
        if !active {
            // It accepts once it says so.
            let end = Instant::now() + Duration::from_secs(20);
            while !so_far(&said).contains("ACCEPT") {
                ensure!(Instant::now() < end, "openssl does not accept connections");
                std::thread::sleep(LOOK);
            }
        }
        Ok(Self {
            child,
            relay,
            address,
            said,
            folder,
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What the program has said so far.
fn so_far(said: &Mutex<String>) -> MutexGuard<'_, String> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the program agreed on with the other side.
struct Agreed {
    certificate: Vec<u8>,
    suite: Suite,
    keys: Vec<u8>,
}

impl Agreed {
    /// Reads it off what the program said, once all of it is there.
    fn read(said: &str) -> Result<Option<Self>> {
        let line_after = |text: &str| {
            let (_, rest) = said.split_once(text)?;
            Some(rest.split_once('\n')?.0.trim())
        };
        let (Some(profile), Some(hex)) = (
            line_after("SRTP Extension negotiated, profile="),
            line_after("Keying material: "),
        ) else {
            return Ok(None);
        };
        let suite = Suite::ALL
            .into_iter()
            .find(|suite| openssl_name(*suite) == profile)
            .with_context(|| format!("openssl agreed on {profile}"))?;
        let pem = said
            .split_once("-----BEGIN CERTIFICATE-----")
            .and_then(|(_, rest)| rest.split_once("-----END CERTIFICATE-----"))
            .context("openssl shows no certificate of the other side")?;
        let mut keys = Vec::new();
        for pair in hex.as_bytes().chunks(2) {
            keys.push(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
        }
        keys.truncate(suite.keying_material_len());
        Ok(Some(Self {
            certificate: base64(pem.0)?,
            suite,
            keys,
        }))
    }
}

fn openssl_name(suite: Suite) -> &'static str {
    match suite {
        Suite::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
        Suite::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
        Suite::Aes128CmHmacSha1_80 => "SRTP_AES128_CM_SHA1_80",
    }
}

/// The bytes of base64 (RFC 4648 §4), white space left out.
fn base64(text: &str) -> Result<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for letter in text.bytes().filter(|letter| !b"\r\n =".contains(letter)) {
        let value = ALPHABET.iter().position(|known| *known == letter);
        bits = bits << 6 | value.context("not base64")? as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_every_length() {
        assert_eq!(base64("").unwrap(), b"");
        assert_eq!(base64("Zg==").unwrap(), b"f");
        assert_eq!(base64("Zm8=\n").unwrap(), b"fo");
        assert_eq!(base64("Zm9v\nYmFy").unwrap(), b"foobar");
        assert!(base64("Zm9v!").is_err());
    }
}
