//! Tables for tests that check the ordering law after every single operation, knowing nothing of the core.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use forwarder_common::{
    reason::COUNT,
    tables::{
        CHUNK_SLOTS, Chunk, DEVICE_SOCKET, DeviceTraffic, Endpoint, EndpointKey, Hop, MAX_DEVICES,
        Member, NONE, PairKey, Route, RouteKey, Steer, Traffic,
    },
};

use super::{
    GRACE,
    flights::{Flights, port},
    ops::{TableError, TableOp, Tables},
};

/// What a replica that leaves looks like to its receiver.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Heard {
    pub device: u32,
    pub destination_mac: [u8; 6],
    pub destination_port: u16,
    pub ssrc: u32,
    pub payload_type: u8,
}

#[derive(Default)]
pub struct CheckedTables {
    pub now: u64,
    /// Fail the operation after this many more.
    pub fail_after: Option<u32>,
    /// An operation has failed, so that what was dropped just now may come back.
    pub failed: bool,
    /// Only packets under way are checked: the law after every operation takes too long on large rooms.
    pub unchecked: bool,
    /// Operations since the start.
    pub count: u64,
    pub endpoints: HashMap<EndpointKey, Endpoint>,
    pub streams: HashMap<RouteKey, u32>,
    pub lease: u64,
    /// Deadlines of sessions; 0 in one that rests.
    pub leases: BTreeMap<u32, u64>,
    pub steers: HashMap<PairKey, Steer>,
    pub ufrags: BTreeSet<u64>,
    pub(super) routes: BTreeMap<u32, Route>,
    pub(super) hops: BTreeMap<u32, Hop>,
    generations: BTreeMap<u32, u32>,
    pub(super) chunks: BTreeMap<u32, Chunk>,
    /// When a number was last something that a packet could get hold of.
    hop_seen: BTreeMap<u32, u64>,
    chunk_seen: BTreeMap<u32, u64>,
    route_seen: BTreeMap<u32, u64>,
    lease_seen: BTreeMap<u32, u64>,
    /// Hops that senders name, which no chunk leads to.
    sent_to: BTreeSet<u32>,
    reachable_hops: BTreeSet<u32>,
    reachable_chunks: BTreeSet<u32>,
    traffic: BTreeMap<u32, Traffic>,
    /// Packets under way; they move on between operations.
    pub flights: Option<Flights>,
}

impl CheckedTables {
    fn chain(&self, route: u32) -> Vec<u32> {
        let heads = self.routes.get(&route).copied().unwrap_or_default();
        let mut chunks = Vec::new();
        for (first, socket) in [(heads.head, false), (heads.socket_head, true)] {
            let mut chunk = first;
            while chunk != NONE {
                let held = self
                    .chunks
                    .get(&chunk)
                    .expect("a linked chunk was initialised");
                assert_eq!(
                    held.device == DEVICE_SOCKET,
                    socket,
                    "a chunk in the other chain"
                );
                assert!(socket || held.device < MAX_DEVICES);
                assert!(
                    !chunks.contains(&chunk),
                    "chunk {chunk} stands twice in route {route}"
                );
                chunks.push(chunk);
                chunk = held.next;
            }
        }
        chunks
    }

    /// Who hears a packet of this stream.
    pub fn hear(&self, key: &RouteKey) -> Vec<Heard> {
        let mut heard = Vec::new();
        for chunk in self.chain(self.streams[key]) {
            let chunk = &self.chunks[&chunk];
            for slot in (0..CHUNK_SLOTS).filter(|slot| chunk.mask & 1 << slot != 0) {
                let hop = &self.hops[&Member::from_word(chunk.slots[slot]).hop];
                heard.push(Heard {
                    device: chunk.device,
                    destination_mac: hop.template[..6].try_into().unwrap(),
                    destination_port: port(hop),
                    ssrc: hop.ssrc,
                    payload_type: hop.payload_type_to,
                });
            }
        }
        heard.sort();
        heard
    }

    /// Chunks in the chains of a stream, and the members they have.
    pub fn extent(&self, key: &RouteKey) -> (usize, usize) {
        let chain = self.chain(self.streams[key]);
        let members = chain.iter().flat_map(|chunk| self.chunks[chunk].slots);
        (chain.len(), members.filter(|word| *word != 0).count())
    }

    /// Everything that packets can see, for comparison.
    pub fn visible(&self) -> String {
        let mut seen = Vec::new();
        for (key, route) in &self.streams {
            let chain = self.chain(*route);
            seen.push(format!(
                "{key:?} {route} {:?} {:?}",
                self.routes[route], chain
            ));
            for chunk in chain {
                seen.push(format!("{chunk} {:?}", self.chunks[&chunk]));
            }
        }
        seen.extend(
            self.reachable_hops
                .iter()
                .map(|hop| format!("{hop} {:?}", self.hops[hop])),
        );
        seen.extend(
            self.endpoints
                .iter()
                .map(|endpoint| format!("{endpoint:?}")),
        );
        seen.extend(self.steers.iter().map(|steer| format!("{steer:?}")));
        let deadlines = self.leases.iter().filter(|(_, deadline)| **deadline != 0);
        seen.extend(deadlines.map(|lease| format!("lease {lease:?}")));
        seen.push(format!("{:?}", self.ufrags));
        let sent_to = self.sent_to.iter().map(|hop| (hop, self.hops[hop]));
        seen.extend(sent_to.map(|(hop, value)| format!("{hop} {value:?}")));
        seen.sort();
        seen.join("\n")
    }

    /// Numbers of all hops that are valid.
    pub fn valid_hops(&self) -> usize {
        self.hops.values().filter(|hop| hop.generation != 0).count()
    }

    pub fn reachable(&self) -> (usize, usize) {
        (self.reachable_hops.len(), self.reachable_chunks.len())
    }

    /// Tells which hops senders name now. Those that they named before have to rest.
    pub fn send_to(&mut self, hops: BTreeSet<u32>) {
        for hop in self.sent_to.difference(&hops) {
            self.hop_seen.insert(*hop, self.now);
        }
        for hop in &hops {
            assert_ne!(self.hops[hop].generation, 0, "senders name a void hop");
            assert_ne!(
                self.leases[&self.hops[hop].lease], 0,
                "senders have no lease"
            );
        }
        self.sent_to = hops;
    }

    pub fn hop(&self, hop: u32) -> Hop {
        self.hops[&hop]
    }

    pub fn count_packet(&mut self, hop: u32) {
        let traffic = self.traffic.entry(hop).or_default();
        traffic.packets += 1;
        traffic.last_seen = self.now;
    }

    fn assert_rested(&self, what: &str, number: u32, seen: &BTreeMap<u32, u64>) {
        if let Some(seen) = seen.get(&number) {
            assert!(
                self.now >= seen + GRACE,
                "{what} {number} reused within the grace period"
            );
        }
    }

    fn carry_out(&mut self, op: &TableOp) {
        match *op {
            TableOp::PutEndpoint { key, endpoint } => {
                self.endpoints.insert(key, endpoint);
            }
            TableOp::DropEndpoint { key } => {
                assert!(
                    self.endpoints.remove(&key).is_some(),
                    "dropped an endpoint that is not there"
                );
            }
            TableOp::PutRoute { key, route } => {
                assert_ne!(route, NONE);
                assert!(
                    !self.streams.values().any(|held| *held == route),
                    "two streams with one route"
                );
                assert!(
                    self.streams.insert(key, route).is_none(),
                    "a stream was replaced"
                );
                if !self.failed {
                    self.assert_rested("route", route, &self.route_seen);
                }
            }
            TableOp::DropRoute { key } => {
                let route = self
                    .streams
                    .remove(&key)
                    .expect("dropped a stream that is not there");
                self.route_seen.insert(route, self.now);
            }
            TableOp::SetRoute { route, value } => {
                assert_ne!(route, NONE);
                self.routes.insert(route, value);
            }
            TableOp::PutHop { hop, value } => {
                assert_ne!(hop, NONE);
                assert_ne!(value.generation, 0);
                if value.lease != 0 {
                    let deadline = self.leases.get(&value.lease).copied();
                    assert_ne!(deadline.unwrap_or(0), 0, "a hop before its lease");
                }
                assert!(
                    !self.reachable_hops.contains(&hop),
                    "wrote hop {hop} under its readers"
                );
                if let Some(held) = self.hops.get(&hop) {
                    assert_eq!(held.generation, 0, "wrote a valid hop {hop}");
                    let before = self.generations[&hop];
                    let restored = before == value.generation
                        && Hop {
                            generation: before,
                            ..*held
                        } == value;
                    if !restored {
                        self.assert_rested("hop", hop, &self.hop_seen);
                        assert!(
                            value.generation > before,
                            "hop {hop} did not get a new generation"
                        );
                    }
                }
                self.hops.insert(hop, value);
                self.generations.insert(hop, value.generation);
            }
            TableOp::VoidHop { hop } => {
                let held = self
                    .hops
                    .get_mut(&hop)
                    .expect("voided a hop that is not there");
                assert_ne!(held.generation, 0, "voided a void hop");
                held.generation = 0;
            }
            TableOp::InitChunk {
                chunk,
                device,
                next,
            } => {
                assert_ne!(chunk, NONE);
                assert!(device < MAX_DEVICES || device == DEVICE_SOCKET);
                assert!(
                    !self.reachable_chunks.contains(&chunk),
                    "emptied chunk {chunk} under its readers"
                );
                self.assert_rested("chunk", chunk, &self.chunk_seen);
                self.chunks.insert(
                    chunk,
                    Chunk {
                        device,
                        next,
                        ..Chunk::EMPTY
                    },
                );
            }
            TableOp::SetNext { chunk, next } => self.chunks.get_mut(&chunk).unwrap().next = next,
            TableOp::SetSlot {
                chunk,
                slot,
                member,
            } => {
                self.chunks.get_mut(&chunk).unwrap().slots[slot as usize] = member.to_word();
            }
            TableOp::SetMask { chunk, mask } => self.chunks.get_mut(&chunk).unwrap().mask = mask,
            TableOp::SetLease { lease, deadline } => {
                if lease == 0 {
                    assert!(deadline >= self.lease);
                    self.lease = deadline;
                    return;
                }
                let before = self.leases.insert(lease, deadline).unwrap_or(0);
                if self.failed {
                    return;
                }
                let living = |hop: &Hop| hop.generation != 0 && hop.lease == lease;
                if before == 0 {
                    self.assert_rested("lease", lease, &self.lease_seen);
                    assert!(
                        !self.hops.values().any(living),
                        "a hop with another's lease"
                    );
                } else if deadline == 0 {
                    self.lease_seen.insert(lease, self.now);
                    assert!(!self.hops.values().any(living), "a hop without a lease");
                } else {
                    assert!(deadline > before, "consent was taken back");
                }
            }
            TableOp::PutSteer { key, steer } => {
                self.steers.insert(key, steer);
            }
            TableOp::DropSteer { key } => {
                let held = self.steers.remove(&key);
                assert!(held.is_some(), "dropped a pair that is not there");
            }
            TableOp::AdmitUfrag { ufrag } => assert!(self.ufrags.insert(ufrag)),
            TableOp::ForgetUfrag { ufrag } => assert!(self.ufrags.remove(&ufrag)),
        }
    }

    /// What holds between any two operations.
    fn check(&mut self) {
        let mut hops = BTreeSet::new();
        let mut chunks = BTreeSet::new();
        // Routes that no stream names yet or any more may still be in the hands of packets.
        for route in self.routes.keys() {
            for chunk in self.chain(*route) {
                assert!(chunks.insert(chunk), "chunk {chunk} in two routes");
                let held = &self.chunks[&chunk];
                for slot in 0..CHUNK_SLOTS {
                    let member = Member::from_word(held.slots[slot]);
                    if held.mask & 1 << slot != 0 {
                        let hop = self.hops.get(&member.hop).expect("a member without a hop");
                        assert_ne!(
                            hop.generation, 0,
                            "a member whose hop {} is void",
                            member.hop
                        );
                        assert_eq!(
                            hop.generation, member.generation,
                            "a member of another generation"
                        );
                    }
                    if member.hop != NONE {
                        assert!(
                            hops.insert(member.hop),
                            "hop {} is a member twice",
                            member.hop
                        );
                    }
                }
            }
        }
        for route in self.streams.values() {
            assert!(
                self.routes.contains_key(route),
                "a stream whose route was never set"
            );
        }
        for chunk in self.reachable_chunks.difference(&chunks) {
            self.chunk_seen.insert(*chunk, self.now);
        }
        for hop in self.reachable_hops.difference(&hops) {
            self.hop_seen.insert(*hop, self.now);
        }
        self.reachable_chunks = chunks;
        self.reachable_hops = hops;
    }
}

impl Tables for CheckedTables {
    fn apply(&mut self, op: &TableOp) -> Result<(), TableError> {
        match &mut self.fail_after {
            Some(0) => {
                self.fail_after = None;
                self.failed = true;
                return Err(TableError::Failed {
                    table: "test",
                    why: "told to".to_owned(),
                });
            }
            Some(left) => *left -= 1,
            None => {}
        }
        self.count += 1;
        self.carry_out(op);
        if !self.unchecked {
            self.check();
        }
        self.fly(true);
        Ok(())
    }

    fn hop_traffic(&self, hop: u32) -> Traffic {
        self.traffic.get(&hop).copied().unwrap_or_default()
    }

    fn route_traffic(&self, _: u32) -> Traffic {
        Traffic::default()
    }

    fn reset_hop(&mut self, hop: u32) {
        assert!(
            !self.reachable_hops.contains(&hop),
            "reset the counters of a hop in use"
        );
        self.traffic.remove(&hop);
    }

    fn reset_route(&mut self, route: u32) {
        assert!(!self.streams.values().any(|held| *held == route));
    }

    fn reasons(&self) -> [u64; COUNT] {
        [0; COUNT]
    }

    fn devices(&self) -> Vec<DeviceTraffic> {
        Vec::new()
    }
}
