//! Which TCP connections to the media port are kept (RFC 6544). Until ICE has validated one it is a stranger's, and strangers
//! get few places, little time, and only some of the places from one address, or from one IPv6 network.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
};

/// Connections that nobody has proved anything on.
const STRANGERS: usize = 256;
/// Of these, from one neighbourhood.
const STRANGERS_PER_NEIGHBOURHOOD: u32 = 64;
/// How long a connection may be a stranger's, in nanoseconds: a client checks as soon as it is connected.
const PATIENCE: u64 = 10_000_000_000;

#[derive(Clone, Copy, Debug)]
struct Connection {
    worker: u32,
    neighbourhood: IpAddr,
    /// Whether it is a stranger's.
    stranger: bool,
}

/// A connection to be closed, and the worker that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Number of the connection.
    pub connection: u32,
    /// Number of its worker.
    pub worker: u32,
}

/// A connection that may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its number, never that of one that is open.
    pub connection: u32,
    /// The worker that serves it.
    pub worker: u32,
    /// The one that has to go for it.
    pub evicted: Option<Closing>,
}

/// The connections of a node.
#[derive(Debug)]
pub struct Connections {
    workers: u32,
    /// Most connections that sessions hold.
    limit: usize,
    last: u32,
    held: BTreeMap<u32, Connection>,
    /// Those that nobody has proved anything on, in the order of their deadlines.
    strangers: VecDeque<(u64, u32)>,
    per_neighbourhood: HashMap<IpAddr, u32>,
}

impl Connections {
    /// None yet. `limit` is the number of connections that sessions may hold.
    #[must_use]
    pub fn new(workers: u32, limit: usize) -> Self {
        Self {
            workers: workers.max(1),
            limit,
            last: 0,
            held: BTreeMap::new(),
            strangers: VecDeque::new(),
            per_neighbourhood: HashMap::new(),
        }
    }

    /// A connection came. `None` if it is one too many from its neighbourhood, or of all.
    pub fn accept(&mut self, now: u64, remote: IpAddr) -> Option<Accepted> {
        let neighbourhood = neighbourhood(remote);
        let count = self
            .per_neighbourhood
            .get(&neighbourhood)
            .copied()
            .unwrap_or(0);
        if count >= STRANGERS_PER_NEIGHBOURHOOD || self.held.len() >= self.limit + STRANGERS {
            return None;
        }
        // A client checks within a round trip, so the one that has waited longest is the least likely to be one.
        let evicted = if self.strangers.len() >= STRANGERS {
            self.oldest()
        } else {
            None
        };
        let connection = self.free_number();
        let worker = connection % self.workers;
        self.held.insert(
            connection,
            Connection {
                worker,
                neighbourhood,
                stranger: true,
            },
        );
        *self.per_neighbourhood.entry(neighbourhood).or_default() += 1;
        self.strangers
            .push_back((now.saturating_add(PATIENCE), connection));
        Some(Accepted {
            connection,
            worker,
            evicted,
        })
    }

    /// ICE validated a connection: it is a stranger's no more, and `worker` serves it from now on. Gives the worker that did;
    /// `None` if there is no such connection.
    pub fn trust(&mut self, connection: u32, worker: u32) -> Option<u32> {
        let held = self.held.get_mut(&connection)?;
        let before = std::mem::replace(&mut held.worker, worker);
        if std::mem::replace(&mut held.stranger, false) {
            let neighbourhood = held.neighbourhood;
            self.forget_stranger(neighbourhood);
            self.strangers.retain(|(_, number)| *number != connection);
        }
        Some(before)
    }

    /// The worker that serves a connection.
    #[must_use]
    pub fn worker(&self, connection: u32) -> Option<u32> {
        self.held.get(&connection).map(|held| held.worker)
    }

    /// A connection ended, or is to end. `None` where it had already.
    pub fn close(&mut self, connection: u32) -> Option<Closing> {
        let held = self.held.remove(&connection)?;
        if held.stranger {
            self.forget_stranger(held.neighbourhood);
            self.strangers.retain(|(_, number)| *number != connection);
        }
        Some(Closing {
            connection,
            worker: held.worker,
        })
    }

    /// A stranger whose time is up; ask until there is none.
    pub fn poll_expired(&mut self, now: u64) -> Option<Closing> {
        let (deadline, _) = self.strangers.front()?;
        if *deadline > now {
            return None;
        }
        self.oldest()
    }

    /// When [`Self::poll_expired`] has something to tell.
    #[must_use]
    pub fn poll_timeout(&self) -> u64 {
        self.strangers
            .front()
            .map_or(u64::MAX, |(deadline, _)| *deadline)
    }

    fn oldest(&mut self) -> Option<Closing> {
        let (_, connection) = self.strangers.front()?;
        self.close(*connection)
    }

    fn forget_stranger(&mut self, neighbourhood: IpAddr) {
        if let Some(count) = self.per_neighbourhood.get_mut(&neighbourhood) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.per_neighbourhood.remove(&neighbourhood);
            }
        }
    }

    /// Numbers go on, so that notes of a connection that ended do not hit another; 0 is "none".
    fn free_number(&mut self) -> u32 {
        loop {
            self.last = self.last.wrapping_add(1);
            if self.last != 0 && !self.held.contains_key(&self.last) {
                return self.last;
            }
        }
    }
}

/// What one host can choose its addresses from: one address of IPv4; of IPv6 a /64, as interface identifiers are 64 bits long
/// (RFC 4291 §2.5.4). An IPv4 address that is written as IPv6 counts as itself.
fn neighbourhood(remote: IpAddr) -> IpAddr {
    match remote.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(network).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u16) -> IpAddr {
        let [high, low] = last.to_be_bytes();
        IpAddr::from([10, 0, high, low])
    }

    #[test]
    fn strangers_have_to_prove_themselves_in_time() {
        let mut held = Connections::new(2, 10);
        let first = held.accept(0, address(1)).unwrap();
        let second = held.accept(5, address(1)).unwrap();
        assert_ne!(first.worker, second.worker);
        assert_eq!(held.trust(first.connection, 9), Some(first.worker));
        assert_eq!(held.worker(first.connection), Some(9));
        assert_eq!(held.poll_timeout(), PATIENCE + 5);
        assert_eq!(held.poll_expired(PATIENCE + 4), None);
        let closing = Closing {
            connection: second.connection,
            worker: second.worker,
        };
        assert_eq!(held.poll_expired(PATIENCE + 5), Some(closing));
        assert_eq!(
            (held.poll_expired(u64::MAX), held.poll_timeout()),
            (None, u64::MAX)
        );
        assert_eq!(held.worker(first.connection), Some(9));
        assert!(held.close(first.connection).is_some() && held.close(first.connection).is_none());
        assert_eq!(held.trust(first.connection, 9), None);
        assert!(held.per_neighbourhood.is_empty());
    }

    #[test]
    fn one_address_gets_few_places_and_gets_them_back() {
        let mut held = Connections::new(1, 10);
        let mut taken = Vec::new();
        while let Some(accepted) = held.accept(0, address(1)) {
            taken.push(accepted.connection);
        }
        assert_eq!(taken.len(), STRANGERS_PER_NEIGHBOURHOOD as usize);
        assert!(held.accept(0, address(2)).is_some());
        held.trust(taken[0], 0);
        held.close(taken[1]);
        assert!(held.accept(0, address(1)).is_some() && held.accept(0, address(1)).is_some());
        assert!(held.accept(0, address(1)).is_none());
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_share_places() {
        let mut held = Connections::new(1, 10);
        let at =
            |network: u16, host: u16| IpAddr::from([0x2001, 0xdb8, 0, network, 0, host, 0, host]);
        let mut taken = Vec::new();
        for host in 0..1000 {
            taken.extend(held.accept(0, at(1, host)));
        }
        assert_eq!(taken.len(), STRANGERS_PER_NEIGHBOURHOOD as usize);
        assert!(held.accept(0, at(2, 1)).is_some());
        held.close(taken[5].connection);
        assert!(held.accept(0, at(1, 7)).is_some() && held.accept(0, at(1, 8)).is_none());
        // Those of IPv4 share theirs with nobody, however they are written.
        let mapped = |last: u8| std::net::Ipv4Addr::new(10, 0, 0, last).to_ipv6_mapped();
        for last in 0..=STRANGERS_PER_NEIGHBOURHOOD as u8 {
            assert!(held.accept(0, mapped(last).into()).is_some());
        }
    }

    #[test]
    fn a_flood_of_strangers_pushes_out_the_oldest_and_no_session() {
        let mut held = Connections::new(1, 2);
        let session = held.accept(0, address(0)).unwrap().connection;
        held.trust(session, 0);
        let mut evicted = 0;
        for at in 0..5000_u16 {
            if let Some(accepted) = held.accept(u64::from(at), address(at / 4)) {
                evicted += usize::from(accepted.evicted.is_some());
            }
            assert!(held.held.len() <= STRANGERS + 2);
            assert_eq!(held.strangers.len(), held.held.len() - 1);
        }
        assert_eq!(evicted, 5000 - STRANGERS);
        assert!(held.worker(session).is_some());
    }
}
