//! The seam between the control plane and the data plane: a few verbs, each one store or one hash update.
//!
//! The core decides which operations and in which order; an implementation of [`Tables`] only carries them out, one by
//! one, so that a packet may be looked up between any two of them.

use std::fmt;

use forwarder_common::{
    reason::COUNT,
    tables::{
        DeviceTraffic, Endpoint, EndpointKey, Hop, Member, PairKey, Route, RouteKey, Steer, Traffic,
    },
};

/// One change of the tables.
///
/// Everything but [`TableOp::PutHop`], [`TableOp::VoidHop`] and [`TableOp::InitChunk`] is atomic for readers. Those
/// three write records that no reader can reach, or, for `VoidHop`, need only the generation's word to be atomic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableOp {
    /// Adds a local address to those that take media, or replaces its MAC.
    PutEndpoint {
        /// The local address.
        key: EndpointKey,
        /// The MAC that frames to it must carry.
        endpoint: Endpoint,
    },
    /// Removes a local address.
    DropEndpoint {
        /// The local address.
        key: EndpointKey,
    },
    /// Adds a stream to the hash. The route's heads are set before.
    PutRoute {
        /// The stream.
        key: RouteKey,
        /// Its route.
        route: u32,
    },
    /// Removes a stream from the hash.
    DropRoute {
        /// The stream.
        key: RouteKey,
    },
    /// Replaces both heads of a route in one 8-byte store, with release ordering.
    SetRoute {
        /// Number of the route.
        route: u32,
        /// Its heads.
        value: Route,
    },
    /// Writes a whole hop. Only ever a hop that no slot refers to and whose grace period is over; its generation is
    /// stored last, with release ordering.
    PutHop {
        /// Number of the hop.
        hop: u32,
        /// The hop.
        value: Hop,
    },
    /// Stores generation 0 in a hop: replicas on their way to it are dropped as stale. The rest may stay as it is.
    VoidHop {
        /// Number of the hop.
        hop: u32,
    },
    /// Empties a chunk that no reader can reach, and gives it its device and successor.
    InitChunk {
        /// Number of the chunk.
        chunk: u32,
        /// Its device.
        device: u32,
        /// The chunk after it, or [`forwarder_common::tables::NONE`].
        next: u32,
    },
    /// Changes the successor of a chunk by one store.
    SetNext {
        /// Number of the chunk.
        chunk: u32,
        /// The chunk after it, or [`forwarder_common::tables::NONE`].
        next: u32,
    },
    /// Changes one slot of a chunk by one 8-byte store, with release ordering.
    SetSlot {
        /// Number of the chunk.
        chunk: u32,
        /// The slot, below [`forwarder_common::tables::CHUNK_SLOTS`].
        slot: u32,
        /// Its member; the default one empties the slot.
        member: Member,
    },
    /// Changes which slots of a chunk are sent to, by one 8-byte store with release ordering.
    SetMask {
        /// Number of the chunk.
        chunk: u32,
        /// One bit per slot.
        mask: u64,
    },
    /// Moves a deadline by one 8-byte store.
    SetLease {
        /// Number of the lease; 0 is the node's.
        lease: u32,
        /// CLOCK_BOOTTIME in nanoseconds.
        deadline: u64,
    },
    /// Adds a 5-tuple to those whose packets go to a worker, or replaces what it steers to.
    PutSteer {
        /// The 5-tuple.
        key: PairKey,
        /// Who opens its packets.
        steer: Steer,
    },
    /// Removes a 5-tuple: its packets are a stranger's from now on.
    DropSteer {
        /// The 5-tuple.
        key: PairKey,
    },
    /// Lets strangers in who name this local username fragment ([`forwarder_common::stun::ufrag_word`]).
    AdmitUfrag {
        /// The fragment.
        ufrag: u64,
    },
    /// Drops strangers who name this local username fragment.
    ForgetUfrag {
        /// The fragment.
        ufrag: u64,
    },
}

/// Why an operation could not be carried out. Nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableError {
    /// The table has no room for another entry.
    Full {
        /// Name of the table, as in the documents.
        table: &'static str,
        /// How many entries it holds.
        allowed: u64,
    },
    /// The system refused.
    Failed {
        /// Name of the table, as in the documents.
        table: &'static str,
        /// What the system said.
        why: String,
    },
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { table, allowed } => {
                write!(f, "the table {table} is full: it holds {allowed} entries")
            }
            Self::Failed { table, why } => write!(f, "the table {table} refused a change: {why}"),
        }
    }
}

impl std::error::Error for TableError {}

/// The tables of the data plane: of the kernel, of the soft path, or of a test.
pub trait Tables {
    /// Carries out one operation; when it returns, every packet looked up from now on sees it.
    ///
    /// # Errors
    /// [`TableError`]; the tables are then as before.
    fn apply(&mut self, op: &TableOp) -> Result<(), TableError>;

    /// What a hop has carried since [`Tables::reset_hop`], over all CPUs.
    fn hop_traffic(&self, hop: u32) -> Traffic;

    /// What a route has carried since [`Tables::reset_route`], over all CPUs.
    fn route_traffic(&self, route: u32) -> Traffic;

    /// Sets the counters of a hop to zero. Called before `PutHop` and only then, so nobody is counting.
    fn reset_hop(&mut self, hop: u32);

    /// Sets the counters of a route to zero. Called before `PutRoute` and only then, so nobody is counting.
    fn reset_route(&mut self, route: u32);

    /// How often each reason occurred, over all CPUs; indexed by [`forwarder_common::reason::Reason`].
    fn reasons(&self) -> [u64; COUNT];

    /// What each egress device did, by device number.
    fn devices(&self) -> Vec<DeviceTraffic>;
}
