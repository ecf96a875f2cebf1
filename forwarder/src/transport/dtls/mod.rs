//! DTLS-SRTP (RFC 5763, RFC 5764) of one session: the handshake, the peer's fingerprint, and the SRTP keys.
//!
//! Keys leave this module only after the peer's certificate matched a signalled fingerprint. Which version of DTLS answers a
//! ClientHello is decided here, so that whoever offers AES-GCM gets it; see [`Offer::version`]. Where the version cannot do that, what
//! is dearer is hidden from the library. Which library it is depends on the hello too: `dimpl`, but for
//! peers of DTLS 1.2 alone, whose certificate may be RSA; docs/decisions/0012-rsa-certificates.md has the reasons.

mod engine;
mod event;
mod hello;
mod hidden;
mod offer;
mod repeated;
mod rsa;

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

use arrayvec::ArrayVec;
use dimpl::{Config, crypto::aws_lc_rs::default_provider};

use super::{Certificate, Fingerprint, Timebase};
use crate::srtp::{Suite, split_keying_material};

use engine::{Engine, NewDimpl, Said};
use rsa::RsaContext;

pub use event::{Connected, DtlsError, DtlsEvent};
pub use hello::{DATAGRAMS, HelloBuffer};
pub use offer::{Offer, Version};

/// Bytes of a datagram that we send: fits IPv6's smallest MTU with room for a tunnel's header.
const MTU: usize = 1200;
/// ICE has shown that the peer is there, so a flight may be repeated sooner than after the second of RFC 6347 §4.2.4.1.
const FIRST_RETRANSMISSION: Duration = Duration::from_millis(250);
const RETRANSMISSIONS: usize = 6;
const HANDSHAKE: Duration = Duration::from_secs(30);

/// Who begins the handshake (RFC 5763 §5: `a=setup`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// We send the ClientHello.
    Active,
    /// We wait for it.
    Passive,
}

/// What all sessions share.
#[derive(Clone)]
pub struct DtlsContext {
    config: Arc<Config>,
    /// For engines that a suite is hidden from.
    hiding: Arc<Config>,
    rsa: RsaContext,
    certificate: Certificate,
    timebase: Timebase,
}

impl DtlsContext {
    /// For this node's certificate. `timebase` converts the times that sessions are told.
    ///
    /// # Errors
    ///
    /// The cipher library lacks what DTLS needs.
    pub fn new(certificate: Certificate, timebase: Timebase) -> Result<Self, DtlsError> {
        let config = |provider| {
            let config = Config::builder()
                .with_crypto_provider(provider)
                .mtu(MTU)
                // Return routability is what ICE has shown already.
                .use_server_cookie(false)
                .flight_start_rto(FIRST_RETRANSMISSION)
                .flight_retries(RETRANSMISSIONS)
                .handshake_timeout(HANDSHAKE)
                .build();
            config
                .map(Arc::new)
                .map_err(|error| DtlsError::Protocol(error.to_string()))
        };
        Ok(Self {
            config: config(default_provider())?,
            hiding: config(hidden::provider())?,
            rsa: RsaContext::new(&certificate)?,
            certificate,
            timebase,
        })
    }

    /// The certificate that all sessions show.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

impl fmt::Debug for DtlsContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DtlsContext")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

/// How far it is.
enum State {
    /// Passive, and the ClientHello is not whole yet.
    Waiting(HelloBuffer),
    Running(Engine),
    /// Failed or closed.
    Over,
}

/// The DTLS association of one session.
pub struct Dtls {
    context: DtlsContext,
    role: Role,
    fingerprints: Vec<Fingerprint>,
    state: State,
    /// The peer's certificate has a signalled fingerprint.
    authenticated: bool,
    /// The handshake is done, with keys or without.
    finished: bool,
    connected: bool,
    transmit: VecDeque<Vec<u8>>,
    events: VecDeque<DtlsEvent>,
    timeout: u64,
}

impl Dtls {
    /// An association with a peer that has one of these fingerprints. A passive one waits; an active one begins at [`Self::start`].
    #[must_use]
    pub fn new(context: &DtlsContext, role: Role, fingerprints: Vec<Fingerprint>) -> Self {
        Self {
            context: context.clone(),
            role,
            fingerprints,
            state: State::Waiting(HelloBuffer::default()),
            authenticated: false,
            finished: false,
            connected: false,
            transmit: VecDeque::new(),
            events: VecDeque::new(),
            timeout: u64::MAX,
        }
    }

    /// There is a pair to send over: an active association sends its ClientHello, once; a passive one does nothing.
    pub fn start(&mut self, now: u64) {
        if self.role == Role::Passive || !matches!(self.state, State::Waiting(_)) {
            return;
        }
        let mut engine = self.dimpl(dimpl::Dtls::new_auto, now);
        engine.set_active(true);
        self.state = State::Running(Engine::Ecdsa(engine));
        self.drive(now, &[]);
    }

    /// Our role.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Whether keys were given out and the session is not over.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.connected && !matches!(self.state, State::Over)
    }

    /// A DTLS datagram that came over a valid pair.
    pub fn handle(&mut self, now: u64, datagram: &[u8]) {
        match &mut self.state {
            State::Waiting(_) if self.role == Role::Active => {}
            State::Waiting(hello) => {
                if let Some((offer, datagrams)) = hello.push(datagram) {
                    self.answer(now, &offer, datagrams);
                }
            }
            State::Running(_) => self.drive(now, &[datagram]),
            State::Over => {}
        }
    }

    fn answer(&mut self, now: u64, offer: &Offer, mut datagrams: ArrayVec<Vec<u8>, DATAGRAMS>) {
        let engine = match offer.version() {
            Version::Dtls13 if offer.prefers_cm_to_gcm() && hidden::hide(&mut datagrams) => {
                let config = Arc::clone(&self.context.hiding);
                Engine::Ecdsa(self.dimpl_with(config, dimpl::Dtls::new_13, now))
            }
            Version::Dtls13 => Engine::Ecdsa(self.dimpl(dimpl::Dtls::new_13, now)),
            // Browsers: their certificates are ECDSA.
            Version::Dtls12 if offer.dtls13 => Engine::Ecdsa(self.dimpl(dimpl::Dtls::new_12, now)),
            // A hello does not tell what the client's certificate is.
            Version::Dtls12 => {
                let now = self.context.timebase.instant(now);
                Engine::Rsa(Box::new(self.context.rsa.server(now, offer)))
            }
        };
        self.state = State::Running(engine);
        let datagrams: ArrayVec<&[u8], DATAGRAMS> = datagrams.iter().map(Vec::as_slice).collect();
        self.drive(now, &datagrams);
    }

    fn dimpl(&self, new: NewDimpl, now: u64) -> Box<dimpl::Dtls> {
        self.dimpl_with(Arc::clone(&self.context.config), new, now)
    }

    fn dimpl_with(&self, config: Arc<Config>, new: NewDimpl, now: u64) -> Box<dimpl::Dtls> {
        let certificate = self.context.certificate.to_dimpl();
        let now = self.context.timebase.instant(now);
        Box::new(new(config, certificate, now))
    }

    /// Retransmits and gives up, where it is time to.
    pub fn handle_timeout(&mut self, now: u64) {
        if now >= self.timeout {
            self.drive(now, &[]);
        }
    }

    /// When [`Self::handle_timeout`] has something to do; `u64::MAX` if never.
    #[must_use]
    pub const fn poll_timeout(&self) -> u64 {
        self.timeout
    }

    /// The next datagram to send, into `out`, which it replaces. Returns whether there is one.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        let datagram = self.transmit.pop_front();
        let is_some = datagram.is_some();
        if let Some(datagram) = datagram {
            *out = datagram;
        }
        is_some
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<DtlsEvent> {
        self.events.pop_front()
    }

    /// Says goodbye to the peer (close_notify), if it is there. What it sends is to be sent; no event follows.
    pub fn close(&mut self, now: u64) {
        if let State::Running(engine) = &mut self.state {
            engine.close(self.context.timebase.instant(now));
            self.drain();
        }
        self.over();
    }

    /// Tells the engine the time and the datagrams, and takes what it has.
    fn drive(&mut self, now: u64, datagrams: &[&[u8]]) {
        let State::Running(engine) = &mut self.state else {
            return;
        };
        let now = self.context.timebase.instant(now);
        let mut result = engine.handle_timeout(now);
        for datagram in datagrams {
            result = result.and_then(|()| engine.handle(now, datagram));
        }
        // A server whose certificate is RSA has no use for our first hello.
        let begins = self.role == Role::Active && !self.connected && !self.finished;
        if begins && result == Err(DtlsError::NothingInCommon) {
            self.authenticated = false;
            result = self.context.rsa.client(now).map(|engine| {
                self.state = State::Running(Engine::Rsa(Box::new(engine)));
            });
        }
        self.drain();
        if let Err(error) = result {
            self.fail(error);
        }
    }

    /// Takes all that the engine has to say.
    fn drain(&mut self) {
        while let State::Running(engine) = &mut self.state {
            match engine.poll() {
                Said::Datagram(datagram) => self.transmit.push_back(datagram),
                Said::Nothing(at) => {
                    self.timeout = at.map_or(u64::MAX, |at| self.context.timebase.nanoseconds(at));
                    if self.finished && !self.connected {
                        self.fail(DtlsError::NoProfile);
                    }
                    return;
                }
                Said::Certificate(certificate) => {
                    self.authenticated = Fingerprint::any_matches(&self.fingerprints, &certificate);
                    if !self.authenticated {
                        return self.fail(DtlsError::Fingerprint);
                    }
                }
                Said::Keys {
                    version,
                    suite,
                    material,
                } => self.connect(version, suite, &material),
                Said::Closed => {
                    self.events.push_back(DtlsEvent::Closed);
                    return self.over();
                }
                Said::Finished => self.finished = true,
            }
        }
    }

    /// The handshake is done and the keys are there: they go to a peer whose certificate has been checked, and to no other.
    fn connect(&mut self, version: Version, suite: Option<Suite>, material: &[u8]) {
        if !self.authenticated {
            return self.fail(DtlsError::Fingerprint);
        }
        let keys = suite.and_then(|suite| split_keying_material(suite, material));
        let Some((client, server)) = keys else {
            return self.fail(DtlsError::NoProfile);
        };
        let (send, receive) = match self.role {
            Role::Active => (client, server),
            Role::Passive => (server, client),
        };
        self.connected = true;
        self.events.push_back(DtlsEvent::Connected(Connected {
            version,
            send,
            receive,
        }));
    }

    fn fail(&mut self, error: DtlsError) {
        if !matches!(self.state, State::Over) {
            self.events.push_back(DtlsEvent::Failed(error));
            self.over();
        }
    }

    fn over(&mut self) {
        self.state = State::Over;
        self.timeout = u64::MAX;
    }
}

impl fmt::Debug for Dtls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dtls")
            .field("role", &self.role)
            .field("connected", &self.connected)
            .finish_non_exhaustive()
    }
}
