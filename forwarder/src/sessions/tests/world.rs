//! The node's core, its stand-in workers, peers, and a network with a fixed delay, in virtual time.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::Arc,
    time::Instant,
};

use forwarder_common::classify::{Kind as Class, classify};
use str0m::media::MediaKind;

use super::{
    parameters::{publication, subscription},
    peer::Peer,
    stand_in::StandIn,
};
use crate::{
    media::Kind,
    sessions::{
        Entropy, Sessions,
        ids::{PublicationId, SessionId, SubscriptionId},
        output::{Event, Output},
        settings::Settings,
        specs::{PeerRole, SessionSpec},
    },
    transport::{Certificate, DtlsContext, Pair, Timebase},
    worker::{command::Reach, send_state::SendState},
};

pub const MILLISECOND: u64 = 1_000_000;
pub const SECOND: u64 = 1_000_000_000;
const DELAY: u64 = 10 * MILLISECOND;
pub const SERVER: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    7700,
);

pub struct World {
    pub now: u64,
    base: (u64, Instant),
    pub sessions: Sessions,
    pub workers: Vec<StandIn>,
    pub peers: Vec<Peer>,
    /// The session of each peer.
    pub ids: Vec<SessionId>,
    /// Datagrams under way: from, to.
    wire: BTreeMap<(u64, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    serial: u64,
    /// What arrives from these addresses counts as from TCP connections with these numbers.
    pub connections: HashMap<SocketAddr, u32>,
    forgotten: usize,
    /// Ways by number.
    ways: Vec<Pair>,
    pub open: HashMap<Pair, u32>,
    /// Pairs that are ready at a time.
    opening: Vec<(u64, u32, Pair)>,
    /// How long it takes to open a pair.
    pub opening_takes: u64,
    pub ufrags: Vec<[u8; 8]>,
    pub leases: HashMap<Pair, u64>,
    pub events: Vec<Event>,
    /// What happened to pairs, in words.
    pub pair_log: Vec<String>,
    /// Datagrams of which this says so are lost.
    pub loses: fn(&[u8]) -> bool,
}

/// A generator that is the same in every run.
pub fn entropy(seed: u64) -> Entropy {
    let mut state = seed;
    Box::new(move |bytes| {
        for byte in bytes {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 33) as u8;
        }
    })
}

impl World {
    fn pair(&self, from: SocketAddr) -> Pair {
        match self.connections.get(&from) {
            Some(connection) => Pair::tcp(SERVER, from, *connection),
            None => Pair::udp(SERVER, from),
        }
    }

    pub fn new(settings: Settings) -> Self {
        let base = (1_000 * SECOND, Instant::now());
        let certificate = Certificate::self_signed().unwrap();
        let dtls = DtlsContext::new(certificate, Timebase::new(base.0, base.1)).unwrap();
        let state = SendState::heap(0, settings.max_sessions + 1).unwrap();
        let send_state = Arc::new(state);
        let workers = (0..settings.workers).map(|_| StandIn::default()).collect();
        Self {
            now: base.0,
            base,
            sessions: Sessions::new(settings, dtls, entropy(1), send_state).unwrap(),
            workers,
            peers: Vec::new(),
            ids: Vec::new(),
            wire: BTreeMap::new(),
            serial: 0,
            connections: HashMap::new(),
            forgotten: 0,
            ways: Vec::new(),
            open: HashMap::new(),
            opening: Vec::new(),
            opening_takes: MILLISECOND,
            ufrags: Vec::new(),
            leases: HashMap::new(),
            events: Vec::new(),
            pair_log: Vec::new(),
            loses: |_| false,
        }
    }

    pub const fn base(&self) -> (u64, Instant) {
        self.base
    }

    pub fn address(peer: usize) -> SocketAddr {
        ([198, 51, 100, peer as u8 + 1], 5000).into()
    }

    /// Adds a peer and its session, which then connect. Gives the number of the peer.
    pub fn join(&mut self, role: PeerRole) -> usize {
        let at = self.forgotten + self.peers.len();
        self.join_from(role, Self::address(at))
    }

    pub fn join_from(&mut self, role: PeerRole, address: SocketAddr) -> usize {
        let mut peer = Peer::new(self.base, self.now, address);
        let fingerprint = peer.fingerprint();
        let id = self.create(&mut peer, role, &fingerprint);
        self.peers.push(peer);
        self.ids.push(id);
        self.peers.len() - 1
    }

    pub fn create(&mut self, peer: &mut Peer, role: PeerRole, fingerprint: &str) -> SessionId {
        let (ufrag, pwd) = peer.credentials();
        let spec = SessionSpec::new((&ufrag, &pwd), role, [("sha-256", fingerprint)]).unwrap();
        let id = self.sessions.create(self.now, spec).unwrap();
        let certificate = self.sessions.certificate().fingerprint().to_string();
        let view = self.sessions.session(id).unwrap();
        let ours = (view.ice.ufrag().to_owned(), view.ice.pwd().to_owned());
        // actpass lets the answerer choose, and we are passive then.
        let active = role != PeerRole::Passive;
        peer.answer((&ours.0, &ours.1), SERVER, &certificate, active);
        self.carry_out();
        id
    }

    /// Publishes an m-line of a peer, and lets it send.
    pub fn publish(&mut self, peer: usize, mid: &str, kind: Kind, ssrc: u32) -> PublicationId {
        let spec = publication(kind, mid, Some(ssrc));
        let id = self
            .sessions
            .publish(self.now, self.ids[peer], &spec)
            .unwrap();
        self.peers[peer].send(self.now, mid, media_kind(kind), ssrc);
        self.carry_out();
        id
    }

    /// Subscribes a peer, and lets it expect the stream. Gives the SSRC.
    pub fn subscribe(
        &mut self,
        peer: usize,
        publication: PublicationId,
        kind: Kind,
        mid: &str,
    ) -> (SubscriptionId, u32) {
        let spec = subscription(publication, kind, mid);
        let id = self
            .sessions
            .subscribe(self.now, self.ids[peer], &spec)
            .unwrap();
        let view = self.sessions.session(self.ids[peer]).unwrap();
        let ssrc = view
            .subscriptions
            .iter()
            .find(|it| it.id == id)
            .unwrap()
            .ssrc;
        self.peers[peer].expect(mid, media_kind(kind), ssrc);
        self.carry_out();
        (id, ssrc)
    }

    pub fn run(&mut self, nanoseconds: u64) {
        let until = self.now + nanoseconds;
        while let Some(at) = self.next().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.step();
        }
        self.now = until;
    }

    fn next(&self) -> Option<u64> {
        let peers = self.peers.iter().map(Peer::poll_timeout);
        let wire = self.wire.keys().map(|(at, _)| *at).next();
        let opening = self.opening.iter().map(|(at, ..)| *at);
        let all = peers.chain(wire).chain(opening);
        all.chain([self.sessions.poll_timeout()])
            .min()
            .filter(|at| *at != u64::MAX)
    }

    fn step(&mut self) {
        let now = self.now;
        while let Some(entry) = self.wire.first_entry().filter(|entry| entry.key().0 <= now) {
            let (from, to, bytes) = entry.remove();
            self.deliver(from, to, bytes);
        }
        let ready: Vec<_> = self
            .opening
            .iter()
            .copied()
            .filter(|it| it.0 <= now)
            .collect();
        self.opening.retain(|it| it.0 > now);
        for (_, session, pair) in ready {
            self.ways.push(pair);
            let connection = self.ways.len() as u32 - 1;
            let worker = 0;
            let reach = Reach::Tcp { connection, worker };
            self.sessions.pair_ready(now, session, pair, reach);
        }
        if self.sessions.poll_timeout() <= now {
            self.sessions.handle_timeout(now);
            assert!(self.sessions.poll_timeout() > now, "spins");
        }
        for peer in &mut self.peers {
            if peer.poll_timeout() <= now {
                peer.handle_timeout(now);
            }
        }
        self.carry_out();
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, mut bytes: Vec<u8>) {
        let now = self.now;
        if to != SERVER {
            let at = |peer: &&mut Peer| peer.addresses.contains(&to);
            if let Some(peer) = self.peers.iter_mut().rev().find(at) {
                peer.receive(now, from, to, &bytes);
            }
            return;
        }
        let pair = self.pair(from);
        let is_rtp =
            matches!(bytes[..], [first, second, ..] if classify(first, second) == Ok(Class::Rtp));
        if is_rtp {
            let Some(session) = self.open.get(&pair).copied() else {
                return;
            };
            for worker in &mut self.workers {
                worker.packet(now, session, bytes.clone());
            }
        } else {
            self.sessions.handle_datagram(now, pair, &mut bytes);
        }
    }

    /// Puts a datagram on the wire as if from anywhere.
    pub fn inject(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        if (self.loses)(&bytes) {
            return;
        }
        self.serial += 1;
        self.wire
            .insert((self.now + DELAY, self.serial), (from, to, bytes));
    }

    /// Does what core, workers and peers want done.
    pub fn carry_out(&mut self) {
        loop {
            for at in 0..self.workers.len() {
                for note in std::mem::take(&mut self.workers[at].notes) {
                    self.sessions.handle_note(self.now, note);
                }
                for (way, bytes) in std::mem::take(&mut self.workers[at].sent) {
                    let pair = self.ways[way as usize];
                    assert!(self.open.contains_key(&pair), "sent to a closed pair");
                    self.inject(pair.local, pair.remote, bytes);
                }
            }
            for at in 0..self.peers.len() {
                for (from, to, bytes) in std::mem::take(&mut self.peers[at].out) {
                    self.inject(from, to, bytes);
                }
            }
            let Some(output) = self.sessions.poll_output() else {
                return;
            };
            self.output(output);
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Transmit { pair, bytes } => {
                assert!(bytes.len() <= 1200, "{} bytes", bytes.len());
                self.inject(pair.local, pair.remote, bytes);
            }
            Output::OpenPair { session, pair, .. } => {
                assert!(self.open.insert(pair, session).is_none(), "opened twice");
                self.opening
                    .push((self.now + self.opening_takes, session, pair));
                self.pair_log.push(format!("open {}", pair.remote));
            }
            Output::SteerPair { pair, .. } => assert!(self.open.contains_key(&pair)),
            Output::ClosePair { pair, session } => {
                assert_eq!(self.open.remove(&pair), Some(session));
                self.opening.retain(|it| it.2 != pair);
                self.pair_log.push(format!("close {}", pair.remote));
            }
            Output::RenewPair { pair, until, .. } => {
                assert!(self.open.contains_key(&pair));
                self.leases.insert(pair, until);
            }
            Output::AdmitUfrag(ufrag) => self.ufrags.push(ufrag),
            Output::ForgetUfrag(ufrag) => self.ufrags.retain(|held| *held != ufrag),
            Output::Command(worker, command) => self.workers[worker as usize].command(command),
            Output::Event(event) => self.events.push(event),
        }
    }
}

const fn media_kind(kind: Kind) -> MediaKind {
    match kind {
        Kind::Audio => MediaKind::Audio,
        Kind::Video => MediaKind::Video,
    }
}
