//! Our side, a bare `dimpl` on the other, and the network between them.

use std::{
    collections::VecDeque,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use dimpl::{Config, ConfigBuilder, Output, SrtpProfile};

use crate::{
    srtp::{Suite, split_keying_material},
    transport::{
        Certificate, Connected, Dtls, DtlsContext, DtlsError, DtlsEvent, Fingerprint, HashFunction,
        Role, Timebase,
    },
};

pub(super) const MS: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000 * MS;
pub(super) const START: u64 = 1 << 40;

/// One for all tests: making keys takes time.
pub(super) static OURS: LazyLock<Certificate> =
    LazyLock::new(|| Certificate::self_signed().unwrap());
pub(super) static THEIRS: LazyLock<Certificate> =
    LazyLock::new(|| Certificate::self_signed().unwrap());

pub(super) fn timebase() -> Timebase {
    static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);
    Timebase::new(START, *BASE)
}

pub(super) fn context() -> DtlsContext {
    DtlsContext::new(OURS.clone(), timebase()).unwrap()
}

/// Ours, expecting the peer's certificate.
pub(super) fn ours(role: Role) -> Dtls {
    Dtls::new(&context(), role, vec![THEIRS.fingerprint().clone()])
}

/// A constructor of `dimpl`'s.
pub(super) type New = fn(Arc<Config>, dimpl::DtlsCertificate, Instant) -> dimpl::Dtls;

pub(super) const VERSIONS: [(&str, New); 3] = [
    ("1.2", dimpl::Dtls::new_12),
    ("1.3", dimpl::Dtls::new_13),
    ("either", dimpl::Dtls::new_auto),
];

/// The peer.
pub(super) struct Peer {
    dtls: dimpl::Dtls,
    pub(super) certificate: Option<Vec<u8>>,
    pub(super) keys: Option<(Suite, Vec<u8>)>,
    pub(super) closed: bool,
    pub(super) failed: bool,
}

impl Peer {
    pub(super) fn new(new: New, active: bool, cookie: bool) -> Self {
        let config = Config::builder().use_server_cookie(cookie);
        Self::with(config, new, active)
    }

    pub(super) fn with(config: ConfigBuilder, new: New, active: bool) -> Self {
        let config = config
            .flight_start_rto(Duration::from_millis(250))
            .flight_retries(8)
            .build()
            .unwrap();
        let now = timebase().instant(START);
        let mut dtls = new(Arc::new(config), THEIRS.to_dimpl(), now);
        dtls.set_active(active);
        Self {
            dtls,
            certificate: None,
            keys: None,
            closed: false,
            failed: false,
        }
    }

    pub(super) fn at(&mut self, now: u64) {
        self.failed |= self.dtls.handle_timeout(timebase().instant(now)).is_err();
    }

    pub(super) fn take(&mut self, datagram: &[u8]) {
        self.failed |= self.dtls.handle_packet(datagram).is_err();
    }

    pub(super) fn close(&mut self) {
        self.dtls.close().unwrap();
    }

    /// What it has to send.
    pub(super) fn drain(&mut self) -> Vec<Vec<u8>> {
        let (mut sent, mut buffer) = (Vec::new(), vec![0; 4096]);
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => sent.push(packet.to_vec()),
                Output::PeerCert(certificate) => self.certificate = Some(certificate.to_vec()),
                Output::KeyingMaterial(material, profile) => {
                    let suite = match profile {
                        SrtpProfile::AEAD_AES_128_GCM => Suite::AeadAes128Gcm,
                        SrtpProfile::AEAD_AES_256_GCM => Suite::AeadAes256Gcm,
                        _ => Suite::Aes128CmHmacSha1_80,
                    };
                    self.keys = Some((suite, material.to_vec()));
                }
                Output::CloseNotify => self.closed = true,
                Output::Timeout(_) => return sent,
                _ => {}
            }
        }
    }
}

/// What becomes of a datagram: its number, counted over both directions, and how often it arrives.
pub(super) type Fate = Box<dyn FnMut(u64) -> usize>;

/// What happens to the bytes of a datagram.
pub(super) type Tamper = Box<dyn FnMut(&mut Vec<u8>)>;

/// Both sides and the network.
pub(super) struct World {
    pub(super) ours: Dtls,
    pub(super) peer: Peer,
    pub(super) now: u64,
    pub(super) fate: Fate,
    /// Changes bytes on their way to us.
    pub(super) tamper: Tamper,
    pub(super) connected: Option<Connected>,
    pub(super) failed: Option<DtlsError>,
    pub(super) closed: bool,
    /// All that we were sent.
    pub(super) received: Vec<Vec<u8>>,
    sent: u64,
    to_us: VecDeque<Vec<u8>>,
    to_peer: VecDeque<Vec<u8>>,
}

impl World {
    pub(super) fn new(ours: Dtls, peer: Peer) -> Self {
        Self {
            ours,
            peer,
            now: START,
            fate: Box::new(|_| 1),
            tamper: Box::new(|_| ()),
            connected: None,
            failed: None,
            closed: false,
            received: Vec::new(),
            sent: 0,
            to_us: VecDeque::new(),
            to_peer: VecDeque::new(),
        }
    }

    /// Our side begins, if it does; then time passes until both have keys or one has failed, or this long.
    pub(super) fn shake_hands(&mut self, within: u64) {
        self.ours.start(self.now);
        let end = self.now + within;
        while self.now < end && !self.is_settled() {
            self.step();
        }
    }

    pub(super) fn run(&mut self, nanoseconds: u64) {
        let end = self.now + nanoseconds;
        while self.now < end {
            self.step();
        }
    }

    fn is_settled(&self) -> bool {
        self.failed.is_some() || (self.connected.is_some() && self.peer.keys.is_some())
    }

    fn step(&mut self) {
        self.now += 10 * MS;
        self.peer.at(self.now);
        self.ours.handle_timeout(self.now);
        self.collect();
        while let Some(mut datagram) = self.to_us.pop_front() {
            (self.tamper)(&mut datagram);
            self.ours.handle(self.now, &datagram);
            self.received.push(datagram);
        }
        while let Some(datagram) = self.to_peer.pop_front() {
            self.peer.take(&datagram);
        }
        self.collect();
    }

    fn collect(&mut self) {
        for datagram in self.peer.drain() {
            self.sent += 1;
            self.to_us
                .extend(std::iter::repeat_n(datagram, (self.fate)(self.sent)));
        }
        let mut datagram = Vec::new();
        while self.ours.poll_transmit(&mut datagram) {
            self.sent += 1;
            let copies = std::iter::repeat_n(datagram.clone(), (self.fate)(self.sent));
            self.to_peer.extend(copies);
        }
        while let Some(event) = self.ours.poll_event() {
            match event {
                DtlsEvent::Connected(connected) => {
                    assert!(self.connected.replace(connected).is_none(), "once");
                }
                DtlsEvent::Failed(error) => assert!(self.failed.replace(error).is_none(), "once"),
                DtlsEvent::Closed => self.closed = true,
            }
        }
    }

    /// Both have the same keys, each in its place, and know each other's certificate.
    pub(super) fn assert_agreed(&self) -> &Connected {
        let connected = self.connected.as_ref().expect("no keys");
        let (suite, material) = self.peer.keys.as_ref().expect("the peer has no keys");
        let (client, server) = split_keying_material(*suite, material).unwrap();
        let (send, receive) = match self.ours.role() {
            Role::Active => (client, server),
            Role::Passive => (server, client),
        };
        for (ours, theirs) in [(&connected.send, send), (&connected.receive, receive)] {
            assert_eq!(ours.suite(), theirs.suite());
            assert_eq!((ours.key(), ours.salt()), (theirs.key(), theirs.salt()));
        }
        assert_eq!(self.peer.certificate.as_deref(), Some(OURS.der()));
        assert!(self.ours.is_connected());
        connected
    }
}

pub(super) fn other_fingerprint() -> Fingerprint {
    Fingerprint::of(HashFunction::Sha256, b"another certificate")
}
