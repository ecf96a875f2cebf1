//! Packets under way: they read a ticket at one time and leave at a later one, with operations between.

use forwarder_common::{
    hop::Shape,
    tables::{CHUNK_SLOTS, Hop, Member, NONE, RouteKey},
};

use super::checked_tables::CheckedTables;

/// Packets of one stream that meet the tables while they change.
pub struct Flights {
    pub stream: RouteKey,
    pub random: u64,
    pub under_way: Vec<Flight>,
    pub landed: Vec<Flight>,
}

/// One packet on its way along a chain.
#[derive(Clone, Debug, Default)]
pub struct Flight {
    /// The ticket, once the packet has come to a chunk.
    ticket: Option<(u32, u64)>,
    next: u32,
    /// Who got it: UDP port, hop and generation.
    pub heard: Vec<(u16, u32, u32)>,
}

impl Flights {
    fn one_in(&mut self, count: u64) -> bool {
        // xorshift64, as good as needed here.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random.is_multiple_of(count)
    }
}

impl CheckedTables {
    /// Moves packets on: a ticket is written at one time, its replicas leave at a later one.
    pub fn fly(&mut self, start: bool) {
        let Some(mut flights) = self.flights.take() else {
            return;
        };
        let heads = self
            .streams
            .get(&flights.stream)
            .and_then(|route| self.routes.get(route));
        if let Some(heads) = heads.copied().filter(|_| start && flights.one_in(6)) {
            flights.under_way.push(Flight {
                next: heads.head,
                ..Flight::default()
            });
        }
        for mut flight in std::mem::take(&mut flights.under_way) {
            if flights.one_in(3) {
                match flight.ticket.take() {
                    None if flight.next == NONE => {
                        flights.landed.push(flight);
                        continue;
                    }
                    None => flight.ticket = Some((flight.next, self.chunks[&flight.next].mask)),
                    Some((chunk, mask)) => {
                        let held = &self.chunks[&chunk];
                        for slot in (0..CHUNK_SLOTS).filter(|slot| mask & 1 << slot != 0) {
                            let Member { hop, generation } = Member::from_word(held.slots[slot]);
                            let valid = self
                                .hops
                                .get(&hop)
                                .filter(|hop| hop.generation == generation);
                            if let Some(to) = valid.filter(|_| generation != 0) {
                                flight.heard.push((port(to), hop, generation));
                            }
                        }
                        flight.next = held.next;
                    }
                }
            }
            flights.under_way.push(flight);
        }
        self.flights = Some(flights);
    }

    /// Lets all packets that are under way arrive.
    pub fn land(&mut self) {
        while self
            .flights
            .as_ref()
            .is_some_and(|flights| !flights.under_way.is_empty())
        {
            self.fly(false);
        }
    }
}

/// The UDP port that a hop sends to.
pub fn port(hop: &Hop) -> u16 {
    let at = Shape::from_number(hop.shape).header_len() - 6;
    u16::from_be_bytes([hop.template[at], hop.template[at + 1]])
}
