//! A full agent and a lite one with a network between them in which paths break; time passes when it is told to.

use std::{net::SocketAddr, time::Instant};

use is::{
    Candidate, IceAgent, IceCreds, Protocol,
    stun::{StunMessage, StunPacket, TransId},
};

use crate::transport::{
    Credentials, IceError, IceEvent, IceLite, Pair, Timebase,
    ice::{ConsentLost, request::sha1_hmac},
};

pub(super) const MS: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000 * MS;
/// Virtual time begins here, not at 0.
pub(super) const START: u64 = 1 << 40;

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) fn server() -> SocketAddr {
    address("198.51.100.1:7700")
}

/// The peer's pair by the last byte of its address.
pub(super) fn pair(host: u8) -> Pair {
    Pair::udp(server(), ([192, 0, 2, host], 5000).into())
}

/// Different ones each time that `seed` differs.
pub(super) fn credentials(seed: u8) -> Credentials {
    let mut state = seed;
    Credentials::generate(&mut |bytes| {
        for byte in bytes {
            state = state.wrapping_mul(5).wrapping_add(17);
            *byte = state;
        }
    })
}

pub(super) fn peer() -> Credentials {
    Credentials::new("peer", "peer+password/of/22+++").unwrap()
}

/// A check made by hand; fields that are not set are those of an honest peer.
pub(super) struct Check {
    pub(super) username: String,
    pub(super) pwd: String,
    pub(super) transaction: TransId,
    pub(super) priority: u32,
    pub(super) nominates: bool,
    pub(super) controlling: bool,
}

impl Check {
    pub(super) fn of(local: &Credentials) -> Self {
        Self {
            username: format!("{}:{}", local.ufrag(), peer().ufrag()),
            pwd: local.pwd().to_owned(),
            transaction: TransId::new(),
            priority: 100,
            nominates: false,
            controlling: true,
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let Self {
            username,
            pwd,
            transaction,
            priority,
            nominates,
            controlling,
        } = self;
        let message = StunMessage::binding_request(
            username,
            *transaction,
            *controlling,
            7,
            *priority,
            *nominates,
        );
        let mut buffer = [0; 512];
        let len = message
            .to_bytes(Some(pwd.as_bytes()), &mut buffer, sha1_hmac)
            .unwrap();
        buffer[..len].to_vec()
    }
}

/// A lite agent that checks by hand go to.
pub(super) struct Bench {
    pub(super) lite: IceLite,
    pub(super) now: u64,
    pub(super) answer: Vec<u8>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self {
            lite: IceLite::new(credentials(1), Some(peer())),
            now: START,
            answer: Vec::new(),
        }
    }

    /// A check over the pair of a host, from a peer that knows the current credentials.
    pub(super) fn check(&mut self, host: u8, priority: u32, nominates: bool) -> IceEvent {
        let check = Check {
            priority,
            nominates,
            ..Check::of(self.lite.local())
        };
        self.take(host, &check.bytes()).unwrap()
    }

    pub(super) fn take(&mut self, host: u8, datagram: &[u8]) -> Result<IceEvent, IceError> {
        self.take_from(pair(host), datagram)
    }

    pub(super) fn take_from(&mut self, from: Pair, datagram: &[u8]) -> Result<IceEvent, IceError> {
        self.now += MS;
        self.lite
            .handle_request(self.now, from, datagram, &mut self.answer)
    }
}

/// A full agent, controlling, and the lite one.
pub(super) struct World {
    pub(super) lite: IceLite,
    pub(super) full: IceAgent,
    pub(super) now: u64,
    timebase: Timebase,
    /// Addresses of the full agent that packets neither come from nor get to.
    pub(super) broken: Vec<SocketAddr>,
    /// A NAT in front of an address of the full agent: what the lite one sees in its stead.
    pub(super) nat: Vec<(SocketAddr, SocketAddr)>,
    /// What the lite agent said, without mere answers.
    pub(super) selected: Vec<Pair>,
    pub(super) conflicts: u32,
    pub(super) lost: Vec<ConsentLost>,
}

impl World {
    /// The full agent has these addresses.
    pub(super) fn new(addresses: &[SocketAddr]) -> Self {
        let mut full = IceAgent::new(IceCreds::new());
        full.set_controlling(true);
        for address in addresses {
            full.add_local_candidate(Candidate::host(*address, Protocol::Udp).unwrap());
        }
        let mut world = Self {
            lite: IceLite::new(credentials(1), None),
            full,
            now: START,
            timebase: Timebase::new(START, Instant::now()),
            broken: Vec::new(),
            nat: Vec::new(),
            selected: Vec::new(),
            conflicts: 0,
            lost: Vec::new(),
        };
        world.signal();
        world
    }

    /// Both sides learn of each other.
    pub(super) fn signal(&mut self) {
        let theirs = self.full.local_credentials();
        let theirs = Credentials::new(&theirs.ufrag, &theirs.pass).unwrap();
        self.lite.set_remote(theirs);
        self.full.set_remote_credentials(IceCreds {
            ufrag: self.lite.local().ufrag().to_owned(),
            pass: self.lite.local().pwd().to_owned(),
        });
        for candidate in [server(), address("[2001:db8::1]:7700")] {
            let candidate = Candidate::host(candidate, Protocol::Udp).unwrap();
            self.full.add_remote_candidate(candidate);
        }
    }

    /// ICE restart by the full agent, signalled at once.
    pub(super) fn restart(&mut self, seed: u8) {
        self.full.ice_restart(IceCreds::new(), true);
        self.lite.restart(credentials(seed), None);
        self.signal();
    }

    pub(super) fn run(&mut self, nanoseconds: u64) {
        let end = self.now + nanoseconds;
        while self.now < end {
            self.now += 10 * MS;
            self.step();
        }
    }

    /// Runs until the lite agent has a selected pair for which this holds; at most `within` nanoseconds.
    pub(super) fn run_until(&mut self, within: u64, holds: impl Fn(&Self) -> bool) {
        let end = self.now + within;
        while !holds(self) {
            assert!(self.now < end, "still {:?}", self.lite.selected());
            self.run(10 * MS);
        }
    }

    fn step(&mut self) {
        let now = self.timebase.instant(self.now);
        self.full.handle_timeout(now);
        while self.full.poll_event().is_some() {}
        let mut answer = Vec::new();
        while let Some(sent) = self.full.poll_transmit() {
            if self.broken.contains(&sent.source) {
                continue;
            }
            let seen = self.nat.iter().find(|(inside, _)| *inside == sent.source);
            let pair = Pair::udp(
                sent.destination,
                seen.map_or(sent.source, |(_, seen)| *seen),
            );
            match self
                .lite
                .handle_request(self.now, pair, &sent.contents, &mut answer)
            {
                Ok(IceEvent::Selected(pair)) => self.selected.push(pair),
                Ok(IceEvent::RoleConflict) => self.conflicts += 1,
                Ok(IceEvent::Answered { .. }) | Err(_) => {}
            }
            if answer.is_empty() {
                continue;
            }
            let packet = StunPacket {
                proto: Protocol::Udp,
                source: sent.destination,
                destination: sent.source,
                message: StunMessage::parse(&answer).unwrap(),
            };
            self.full.handle_packet(now, packet);
        }
        if self.now >= self.lite.poll_timeout() {
            self.lost.extend(self.lite.handle_timeout(self.now));
        }
    }
}
