//! Carries out one command's operations as a whole: all of them, or none.
//!
//! Every operation goes to the tables and to the mirror, and leaves its opposite in a journal. If one fails, the
//! journal is played backwards, which keeps the ordering law (the opposite of "hop, slot, mask" is "mask, slot, hop").
//! Numbers given back rest for the grace period first, because packets on their way may still carry them.

use std::collections::VecDeque;

use forwarder_common::tables::MAX_LEASES;

use super::{
    GRACE,
    mirror::{Home, Mirror},
    numbers::Numbers,
    ops::{TableError, TableOp, Tables},
    refusal::Refusal,
    settings::Sizes,
    subscription::LegId,
};

/// Something that is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// A hop, and the leg whose totals its counters belong to.
    Hop(u32, Option<LegId>),
    /// A chunk.
    Chunk(u32),
    /// A route.
    Route(u32),
    /// A socket.
    Socket(u32),
    /// The lease of a session.
    Lease(u32),
}

/// The tables as the core wrote them, and the numbers that are free.
#[derive(Debug)]
pub struct Store {
    pub mirror: Mirror,
    pub hops: Numbers,
    pub chunks: Numbers,
    pub routes: Numbers,
    pub sockets: Numbers,
    pub leases: Numbers,
    /// Given back, in the order of the time when they can be used again.
    cooling: VecDeque<(u64, Item)>,
}

impl Store {
    pub fn new(sizes: &Sizes) -> Self {
        Self {
            mirror: Mirror::default(),
            hops: Numbers::new(sizes.hops),
            chunks: Numbers::new(sizes.chunks),
            routes: Numbers::new(sizes.routes),
            sockets: Numbers::new(sizes.sockets),
            leases: Numbers::new(MAX_LEASES),
            cooling: VecDeque::new(),
        }
    }

    /// Carries out `command` as a whole at `now`.
    pub fn transact<T>(
        &mut self,
        now: u64,
        tables: &mut dyn Tables,
        command: impl FnOnce(&mut Work<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut work = Work {
            store: self,
            tables,
            journal: Vec::new(),
            taken: Vec::new(),
            given_back: Vec::new(),
        };
        let outcome = command(&mut work);
        let items = if outcome.is_ok() {
            work.given_back
        } else {
            work.undo();
            work.taken
        };
        let due = now.saturating_add(GRACE);
        self.cooling
            .extend(items.into_iter().map(|item| (due, item)));
        outcome
    }

    /// When the next number can be used again.
    pub fn next_due(&self) -> Option<u64> {
        self.cooling.front().map(|(due, _)| *due)
    }

    /// Makes numbers usable again whose grace period is over. Gives the hops among them that belonged to a leg; their
    /// counters stay readable until the hop is taken again.
    pub fn thaw(&mut self, now: u64, tables: &mut dyn Tables) -> Vec<(u32, LegId)> {
        let mut folded = Vec::new();
        while let Some(&(due, item)) = self.cooling.front() {
            if due > now {
                break;
            }
            self.cooling.pop_front();
            match item {
                Item::Hop(hop, owner) => {
                    // A hop replaced by copy-on-write stayed valid for packets on their way; now it ends.
                    if self.mirror.hop(hop).generation != 0 {
                        let op = TableOp::VoidHop { hop };
                        if tables.apply(&op).is_err() {
                            // Reusing it would be wrong: keep it until the tables take the operation.
                            self.cooling.push_back((now.saturating_add(GRACE), item));
                            continue;
                        }
                        self.mirror.apply(&op);
                    }
                    self.mirror.set_home(hop, Home::default());
                    folded.extend(owner.map(|leg| (hop, leg)));
                    self.hops.give_back(hop);
                }
                Item::Chunk(chunk) => self.chunks.give_back(chunk),
                Item::Route(route) => self.routes.give_back(route),
                Item::Socket(socket) => self.sockets.give_back(socket),
                Item::Lease(lease) => self.leases.give_back(lease),
            }
        }
        folded
    }
}

/// What undoes a step.
#[derive(Debug)]
enum Undo {
    Op(TableOp),
    Home(u32, Home),
}

/// One command while it is carried out.
pub struct Work<'a> {
    pub store: &'a mut Store,
    pub tables: &'a mut dyn Tables,
    journal: Vec<Undo>,
    taken: Vec<Item>,
    given_back: Vec<Item>,
}

impl Work<'_> {
    /// Carries out one operation.
    pub fn emit(&mut self, op: TableOp) -> Result<(), TableError> {
        self.tables.apply(&op)?;
        self.journal
            .extend(self.store.mirror.apply(&op).map(Undo::Op));
        Ok(())
    }

    /// Notes where the member of a hop stands.
    pub fn set_home(&mut self, hop: u32, home: Home) {
        let before = self.store.mirror.set_home(hop, home);
        self.journal.push(Undo::Home(hop, before));
    }

    /// Takes a hop number.
    pub fn take_hop(&mut self) -> Result<u32, Refusal> {
        let hop = take(&mut self.store.hops, "hops")?;
        self.taken.push(Item::Hop(hop, None));
        Ok(hop)
    }

    /// Takes a chunk number.
    pub fn take_chunk(&mut self) -> Result<u32, Refusal> {
        let chunk = take(&mut self.store.chunks, "chunks")?;
        self.taken.push(Item::Chunk(chunk));
        Ok(chunk)
    }

    /// Takes a route number.
    pub fn take_route(&mut self) -> Result<u32, Refusal> {
        let route = take(&mut self.store.routes, "routes")?;
        self.taken.push(Item::Route(route));
        Ok(route)
    }

    /// Takes a socket number.
    pub fn take_socket(&mut self) -> Result<u32, Refusal> {
        let socket = take(&mut self.store.sockets, "sockets")?;
        self.taken.push(Item::Socket(socket));
        Ok(socket)
    }

    /// Takes the number of a lease.
    pub fn take_lease(&mut self) -> Result<u32, Refusal> {
        let lease = take(&mut self.store.leases, "leases")?;
        self.taken.push(Item::Lease(lease));
        Ok(lease)
    }

    /// Gives a number back; it can be taken again a grace period after the command succeeded.
    pub fn give_back(&mut self, item: Item) {
        self.given_back.push(item);
    }

    /// Restores what the tables held before. An opposite that fails is tried once more and then passed over: it writes
    /// what was there before, so it fails only by accident, and the remaining ones are still worth carrying out.
    fn undo(&mut self) {
        while let Some(step) = self.journal.pop() {
            match step {
                Undo::Op(op) => {
                    if self.tables.apply(&op).is_err() {
                        let _ = self.tables.apply(&op);
                    }
                    self.store.mirror.apply(&op);
                }
                Undo::Home(hop, home) => {
                    self.store.mirror.set_home(hop, home);
                }
            }
        }
    }
}

fn take(numbers: &mut Numbers, field: &'static str) -> Result<u32, Refusal> {
    numbers.take().ok_or_else(|| {
        Refusal::full(
            field,
            "one more",
            format!(
                "at most {}, counting those that rest for a second after their last use; try again in a second, delete \
                 something, or start the forwarder with a larger --max-subscriptions, --max-publications or --max-sessions",
                numbers.capacity()
            ),
        )
    })
}
