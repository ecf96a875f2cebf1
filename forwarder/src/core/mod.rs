//! The control plane, sans-IO: told the time and the commands, it changes tables.
//!
//! The law:
//! - No socket, no clock, no tokio, no aya in here. Time is an argument: CLOCK_BOOTTIME in nanoseconds, never going back.
//! - [`Core::handle`] carries out one command as a whole or refuses it as a whole. When it returns, the tables hold the
//!   outcome, so the shell may acknowledge.
//! - After every call, ask [`Core::poll_timeout`] and call [`Core::handle_timeout`] no later than that; and close the
//!   sockets that [`Core::poll_closed`] names.
//! - Only the core writes the tables. Which operations in which order is its job alone (`chain`), and property-tested:
//!   after every single one, no packet can reach a hop that is not there, or the same hop twice.

mod admission;
mod chain;
mod checks;
mod commands;
pub mod endpoint;
pub mod ids;
mod mirror;
pub(crate) mod numbers;
pub mod ops;
pub mod pair;
mod pairing;
mod placed;
pub mod placement;
pub mod publication;
pub mod refusal;
pub mod settings;
mod store;
pub mod subscription;
mod views;

#[cfg(test)]
mod checked_tables;
#[cfg(test)]
mod command_tests;
#[cfg(test)]
mod flight_tests;
#[cfg(test)]
mod flights;
#[cfg(test)]
mod membership_tests;
#[cfg(test)]
mod pair_property_tests;
#[cfg(test)]
mod pair_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod test_node;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    net::SocketAddr,
};

use forwarder_common::tables::{Endpoint, EndpointKey, PairKey, Steer};

use self::{
    endpoint::{EndpointSpec, EndpointState, Local},
    ids::{EndpointId, PairId, PublicationId, SubscriptionId},
    ops::{TableOp, Tables},
    pair::{Consent, PairSpec, PairState},
    placement::Placement,
    publication::{PublicationSpec, PublicationState},
    refusal::Refusal,
    settings::Settings,
    store::Store,
    subscription::{SubscriptionSpec, SubscriptionState, add},
};

/// How long numbers rest before they are used again, in nanoseconds: far longer than a packet can be under way.
pub const GRACE: u64 = 1_000_000_000;

/// A command, or news from the system.
#[derive(Clone, Debug)]
pub enum Input {
    /// Adds an endpoint. Its local address is bound to the socket that [`Core::socket_for`] named.
    CreateEndpoint(EndpointSpec, Placement),
    /// Removes an endpoint, what it publishes and what it is subscribed to.
    DeleteEndpoint(EndpointId),
    /// Says how an endpoint is reached from now on.
    Placed(EndpointId, Placement),
    /// Adds a publication.
    CreatePublication(PublicationSpec),
    /// Removes a publication and its subscriptions.
    DeletePublication(PublicationId),
    /// Adds a subscription.
    CreateSubscription(SubscriptionSpec),
    /// Removes a subscription.
    DeleteSubscription(SubscriptionId),
    /// Stops sending to a subscription.
    Pause(SubscriptionId),
    /// Sends to a paused subscription again.
    Resume(SubscriptionId),
    /// Adds a 5-tuple that ICE has validated for a session.
    OpenPair(PairSpec, Placement),
    /// Says how the packets of a pair leave from now on.
    PlacePair(PairId, Placement),
    /// Says who opens what comes in by a pair from now on.
    SteerPair(PairId, Steer),
    /// Lets the session of a pair send until this time, in nanoseconds of CLOCK_BOOTTIME.
    RenewPair(PairId, u64),
    /// Removes a pair.
    ClosePair(PairId),
    /// Takes packets of sessions at a local address and port, behind an interface with this MAC.
    OpenPort(SocketAddr, [u8; 6]),
    /// Takes packets of sessions there no more.
    ClosePort(SocketAddr),
    /// Lets in checks that name a local username fragment.
    AdmitUfrag(u64),
    /// Lets them in no more.
    ForgetUfrag(u64),
}

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// An endpoint was added.
    Endpoint(EndpointId),
    /// A publication was added.
    Publication(PublicationId),
    /// A subscription was added.
    Subscription(SubscriptionId),
    /// A pair was added.
    Pair(PairId),
    /// It was done.
    Done,
}

/// The number of the socket that stands for a local address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketUse {
    /// Bound already, for other endpoints.
    Bound(u32),
    /// To be bound before the next endpoint with this address is created.
    Fresh(u32),
}

/// The control plane.
#[derive(Debug)]
pub struct Core {
    settings: Settings,
    store: Store,
    endpoints: BTreeMap<EndpointId, EndpointState>,
    publications: BTreeMap<PublicationId, PublicationState>,
    subscriptions: BTreeMap<SubscriptionId, SubscriptionState>,
    /// Endpoints by local and remote address.
    pairs: HashMap<(EndpointKey, EndpointKey), EndpointId>,
    /// Local addresses in use.
    locals: HashMap<EndpointKey, Local>,
    /// Sockets that nobody uses any more.
    closed: VecDeque<u32>,
    /// Pairs of sessions.
    sealed: BTreeMap<PairId, PairState>,
    /// Those of each 5-tuple; it steers to the last one.
    steered: HashMap<PairKey, Vec<PairId>>,
    /// By number of the session.
    consents: HashMap<u32, Consent>,
    /// Local addresses of the media port, as they stand in the endpoints map.
    ports: HashMap<EndpointKey, Endpoint>,
    ufrags: HashSet<u64>,
    last_endpoint: u64,
    last_publication: u64,
    last_subscription: u64,
    last_pair: u64,
    renew_lease: u64,
}

impl Core {
    /// A core without anything. Its first timeout is due at once, and sets the lease.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            store: Store::new(&settings.sizes),
            endpoints: BTreeMap::new(),
            publications: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            pairs: HashMap::new(),
            locals: HashMap::new(),
            closed: VecDeque::new(),
            sealed: BTreeMap::new(),
            steered: HashMap::new(),
            consents: HashMap::new(),
            ports: HashMap::new(),
            ufrags: HashSet::new(),
            last_endpoint: 0,
            last_publication: 0,
            last_subscription: 0,
            last_pair: 0,
            renew_lease: 0,
        }
    }

    /// Carries out a command.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing of the command was carried out.
    pub fn handle(
        &mut self,
        now: u64,
        input: Input,
        tables: &mut dyn Tables,
    ) -> Result<Output, Refusal> {
        self.handle_timeout(now, tables);
        match input {
            Input::CreateEndpoint(spec, placement) => self
                .create_endpoint(now, spec, placement, tables)
                .map(Output::Endpoint),
            Input::DeleteEndpoint(id) => self.delete_endpoint(now, id, tables),
            Input::Placed(id, placement) => self.place(now, id, placement, tables),
            Input::CreatePublication(spec) => self
                .create_publication(now, spec, tables)
                .map(Output::Publication),
            Input::DeletePublication(id) => self.delete_publication(now, id, tables),
            Input::CreateSubscription(spec) => self
                .create_subscription(now, &spec, tables)
                .map(Output::Subscription),
            Input::DeleteSubscription(id) => self.delete_subscription(now, id, tables),
            Input::Pause(id) => self.set_paused(now, id, true, tables),
            Input::Resume(id) => self.set_paused(now, id, false, tables),
            Input::OpenPair(spec, placement) => self
                .open_pair(now, spec, placement, tables)
                .map(Output::Pair),
            Input::PlacePair(id, placement) => self.place_pair(now, id, placement, tables),
            Input::SteerPair(id, steer) => self.steer_pair(now, id, steer, tables),
            Input::RenewPair(id, deadline) => self.renew_pair(now, id, deadline, tables),
            Input::ClosePair(id) => self.close_pair(now, id, tables),
            Input::OpenPort(local, mac) => self.open_port(now, endpoint::key(local), mac, tables),
            Input::ClosePort(local) => self.close_port(now, endpoint::key(local), tables),
            Input::AdmitUfrag(ufrag) => self.admit_ufrag(now, ufrag, tables),
            Input::ForgetUfrag(ufrag) => self.forget_ufrag(now, ufrag, tables),
        }
    }

    /// Does what is due: renews the lease, makes rested numbers usable again.
    pub fn handle_timeout(&mut self, now: u64, tables: &mut dyn Tables) {
        if now >= self.renew_lease {
            let deadline = now.saturating_add(self.settings.lease);
            // A store that fails leaves the old deadline, and is tried again three times before that one passes.
            let _ = tables.apply(&TableOp::SetLease { lease: 0, deadline });
            self.renew_lease = now.saturating_add(self.settings.lease / 3);
        }
        for (hop, owner) in self.store.thaw(now, tables) {
            let subscription = self.subscriptions.get_mut(&owner.subscription);
            let Some(leg) = subscription.and_then(|held| held.legs.get_mut(owner.leg)) else {
                continue;
            };
            leg.replaced.retain(|replaced| *replaced != hop);
            add(&mut leg.carried, tables.hop_traffic(hop));
        }
    }

    /// When [`Core::handle_timeout`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> u64 {
        let due = self.store.next_due().unwrap_or(u64::MAX);
        due.min(self.renew_lease)
    }

    /// A socket that nobody uses any more; ask until there is none.
    pub fn poll_closed(&mut self) -> Option<u32> {
        self.closed.pop_front()
    }

    /// The socket for an endpoint that is to be created next.
    ///
    /// # Errors
    /// A [`Refusal`] where no number is left.
    pub fn socket_for(&self, spec: &EndpointSpec) -> Result<SocketUse, Refusal> {
        self.refuse_media_port(spec)?;
        if let Some(local) = self.locals.get(&spec.local_key()) {
            return Ok(SocketUse::Bound(local.socket));
        }
        let fresh = self.store.sockets.peek().map(SocketUse::Fresh);
        fresh.ok_or_else(|| {
            Refusal::full(
                "local",
                spec.local(),
                format!(
                    "at most {} local addresses, counting those given up in the last second",
                    self.store.sockets.capacity()
                ),
            )
        })
    }
}
