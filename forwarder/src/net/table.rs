//! The copy of the kernel's tables, and what each notification changes in it. No IO: facts in, changes out.
//!
//! Answers to route lookups are remembered here until a fact touches them. A lookup reserves its place *before* the question goes
//! to the kernel ([`Table::begin`]): should a notification arrive in between, the place is gone, the answer is not kept
//! ([`Table::finish`]), and [`Change::Routes`] has told everyone to ask again. So no outdated answer can stay.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::facts::{Fact, Link, Neighbour, Resolved, Route};
use super::follow::Change;
use super::hop::{NextHop, Query, Unreachable, pick};

/// Answers remembered at most. Queries that nobody asks any more are not announced; when the limit is reached all answers are
/// forgotten and everyone asks again, which leaves only those in use.
pub const ANSWERS: usize = 65_536;

/// An answer to a route lookup: a route, or why there is none.
pub type Answer = Result<Route, Unreachable>;

/// The copy of the kernel's tables.
#[derive(Debug, Default)]
pub struct Table {
    links: HashMap<u32, Link>,
    addresses: BTreeMap<IpAddr, BTreeSet<u32>>,
    neighbours: HashMap<Neighbour, Resolved>,
    routes: HashMap<Query, Remembered>,
    tickets: u64,
}

#[derive(Debug)]
struct Remembered {
    ticket: u64,
    /// `None` while the kernel has not answered.
    answer: Option<Answer>,
}

/// A reserved place for the answer to a lookup.
#[derive(Debug)]
#[must_use]
pub struct Ticket(u64);

impl Table {
    /// Takes in one fact and adds what it changes to `changes`. A fact that says nothing new changes nothing: neighbours go
    /// through many states without getting another MAC address.
    pub fn apply(&mut self, fact: Fact, changes: &mut BTreeSet<Change>) {
        match fact {
            Fact::Link(link) => self.put_link(link, changes),
            Fact::LinkGone(device) => self.remove_link(device, changes),
            Fact::Address {
                device,
                address,
                present,
            } => self.put_address(device, address, present, changes),
            Fact::Neighbour(key, resolved) => {
                let before = match resolved {
                    Some(resolved) => self.neighbours.insert(key, resolved),
                    None => self.neighbours.remove(&key),
                };
                if before.map(|b| b.mac) != resolved.map(|r| r.mac) {
                    changes.insert(Change::Neighbour {
                        device: key.device,
                        address: key.address,
                    });
                }
            }
            Fact::Routes(prefix) => self.forget(changes, |query, _| prefix.covers(query.remote)),
        }
    }

    /// Replaces everything by the facts of a fresh dump, because notifications were lost.
    pub fn replace(&mut self, facts: Vec<Fact>, changes: &mut BTreeSet<Change>) {
        let mut ignored = BTreeSet::new();
        *self = Self {
            tickets: self.tickets,
            ..Self::default()
        };
        for fact in facts {
            self.apply(fact, &mut ignored);
        }
        changes.insert(Change::Routes);
    }

    fn put_link(&mut self, link: Link, changes: &mut BTreeSet<Change>) {
        let device = link.index;
        let works = |link: &Link| link.up && link.carrier;
        let before = self.links.get(&device);
        if before == Some(&link) {
            return;
        }
        match before.map(works) {
            // The kernel revives next hops of multipath routes without announcing the routes (fib_sync_up).
            Some(false) if works(&link) => self.forget(changes, |_, _| true),
            // It also drops IPv4 routes of a device that goes down without a word (fib_flush).
            Some(true) if !works(&link) => {
                self.forget(changes, |_, route| route.is_none_or(|r| r.device == device))
            }
            _ => {}
        }
        self.links.insert(device, link);
        changes.insert(Change::Link { device });
    }

    fn remove_link(&mut self, device: u32, changes: &mut BTreeSet<Change>) {
        if self.links.remove(&device).is_none() {
            return;
        }
        self.neighbours.retain(|key, _| key.device != device);
        self.addresses.retain(|_, devices| {
            devices.remove(&device);
            !devices.is_empty()
        });
        self.forget(changes, |_, route| route.is_none_or(|r| r.device == device));
        changes.insert(Change::Link { device });
    }

    fn put_address(
        &mut self,
        device: u32,
        address: IpAddr,
        present: bool,
        changes: &mut BTreeSet<Change>,
    ) {
        if present {
            if self.addresses.entry(address).or_default().insert(device) {
                self.forget(changes, |query, _| {
                    query.local == address || query.remote == address
                });
            }
        } else if let Some(devices) = self.addresses.get_mut(&address) {
            devices.remove(&device);
            if devices.is_empty() {
                self.addresses.remove(&address);
            }
            // Routes that prefer the address as their source go with it, unannounced (fib_sync_down_addr).
            self.forget(changes, |_, _| true);
        }
    }

    /// Forgets the answers that `touched` picks; it sees no route for questions that are open and for those without a route.
    fn forget(
        &mut self,
        changes: &mut BTreeSet<Change>,
        touched: impl Fn(&Query, Option<&Route>) -> bool,
    ) {
        let before = self.routes.len();
        self.routes.retain(|query, remembered| {
            !touched(
                query,
                remembered.answer.as_ref().and_then(|a| a.as_ref().ok()),
            )
        });
        if self.routes.len() != before {
            changes.insert(Change::Routes);
        }
    }

    /// The remembered answer to `query`.
    #[must_use]
    pub fn remembered(&self, query: &Query) -> Option<Answer> {
        self.routes.get(query)?.answer.clone()
    }

    /// Reserves the place for an answer, before the kernel is asked.
    pub fn begin(&mut self, query: Query, changes: &mut BTreeSet<Change>) -> Ticket {
        if self.routes.len() >= ANSWERS {
            self.forget(changes, |_, _| true);
        }
        self.tickets += 1;
        self.routes.insert(
            query,
            Remembered {
                ticket: self.tickets,
                answer: None,
            },
        );
        Ticket(self.tickets)
    }

    /// Keeps an answer, unless a fact has touched the question meanwhile.
    pub fn finish(&mut self, query: Query, ticket: Ticket, answer: Answer) {
        if let Some(place) = self.routes.get_mut(&query)
            && place.ticket == ticket.0
        {
            place.answer = Some(answer);
        }
    }

    /// Gives up the place of a question that got no answer.
    pub fn abandon(&mut self, query: Query, ticket: &Ticket) {
        if self
            .routes
            .get(&query)
            .is_some_and(|place| place.ticket == ticket.0)
        {
            self.routes.remove(&query);
        }
    }

    /// The next hop for `query`, given the kernel's `route`.
    ///
    /// # Errors
    /// As [`pick`].
    pub fn hop(&self, query: &Query, route: &Route) -> Result<NextHop, Unreachable> {
        pick(
            query,
            route,
            |index| self.links.get(&index),
            |key| self.neighbours.get(key).map(|r| r.mac),
        )
    }

    /// The links, by index.
    #[must_use]
    pub fn links(&self) -> &HashMap<u32, Link> {
        &self.links
    }

    /// The local addresses and the devices they are on.
    #[must_use]
    pub fn addresses(&self) -> &BTreeMap<IpAddr, BTreeSet<u32>> {
        &self.addresses
    }

    /// The usable entry of a neighbour.
    #[must_use]
    pub fn neighbour(&self, key: &Neighbour) -> Option<Resolved> {
        self.neighbours.get(key).copied()
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
