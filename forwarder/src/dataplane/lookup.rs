//! Finds the route of a stream, and whether a local address takes media, without a lock: for whoever forwards in
//! userspace. With XDP the same entries stand in BPF hashes too.

use forwarder_common::tables::{
    Endpoint, EndpointKey, MAX_PAIRS, MAX_SESSIONS, PairKey, RouteKey, Steer,
};
use papaya::{HashMap, HashMapRef, LocalGuard};

use crate::core::ops::TableError;

/// Routes by stream, as seen under one pin: take it once per batch, not per packet.
pub type Routes<'a> = HashMapRef<'a, RouteKey, u32, std::hash::RandomState, LocalGuard<'a>>;

/// The hashes. Written by the control plane only, so that a check before an insertion holds.
#[derive(Debug)]
pub struct Lookup {
    routes: HashMap<RouteKey, u32>,
    endpoints: HashMap<EndpointKey, Endpoint>,
    pairs: HashMap<PairKey, Steer>,
    ufrags: HashMap<u64, ()>,
    max_routes: u32,
    max_endpoints: u32,
}

impl Lookup {
    /// Empty hashes.
    #[must_use]
    pub fn new(max_routes: u32, max_endpoints: u32) -> Self {
        Self {
            routes: HashMap::new(),
            endpoints: HashMap::new(),
            pairs: HashMap::new(),
            ufrags: HashMap::new(),
            max_routes,
            max_endpoints,
        }
    }

    /// A view of the routes to look several streams up in; each look-up sees what is there at that moment.
    #[must_use]
    pub fn routes(&self) -> Routes<'_> {
        self.routes.pin()
    }

    /// The endpoint of a local address.
    #[must_use]
    pub fn endpoint(&self, key: &EndpointKey) -> Option<Endpoint> {
        self.endpoints.pin().get(key).copied()
    }

    /// Who opens the packets of a 5-tuple.
    #[must_use]
    pub fn steer(&self, key: &PairKey) -> Option<Steer> {
        self.pairs.pin().get(key).copied()
    }

    /// Whether a session has this local username fragment.
    #[must_use]
    pub fn knows_ufrag(&self, ufrag: u64) -> bool {
        self.ufrags.pin().contains_key(&ufrag)
    }

    /// Adds a 5-tuple or changes who opens its packets.
    ///
    /// # Errors
    /// [`TableError::Full`].
    pub fn put_steer(&self, key: PairKey, steer: Steer) -> Result<(), TableError> {
        let pairs = self.pairs.pin();
        if pairs.len() >= MAX_PAIRS as usize && !pairs.contains_key(&key) {
            return Err(full("pairs", MAX_PAIRS));
        }
        pairs.insert(key, steer);
        Ok(())
    }

    /// Removes a 5-tuple, if it is there.
    pub fn drop_steer(&self, key: &PairKey) {
        self.pairs.pin().remove(key);
    }

    /// Lets checks that name this local username fragment in.
    ///
    /// # Errors
    /// [`TableError::Full`].
    pub fn admit_ufrag(&self, ufrag: u64) -> Result<(), TableError> {
        let ufrags = self.ufrags.pin();
        if ufrags.len() >= 2 * MAX_SESSIONS as usize && !ufrags.contains_key(&ufrag) {
            return Err(full("ufrags", 2 * MAX_SESSIONS));
        }
        ufrags.insert(ufrag, ());
        Ok(())
    }

    /// Takes a username fragment back, if it is there.
    pub fn forget_ufrag(&self, ufrag: u64) {
        self.ufrags.pin().remove(&ufrag);
    }

    /// Adds a stream or changes its route.
    ///
    /// # Errors
    /// [`TableError::Full`].
    pub fn put_route(&self, key: RouteKey, route: u32) -> Result<(), TableError> {
        let routes = self.routes.pin();
        if routes.len() >= self.max_routes as usize && !routes.contains_key(&key) {
            return Err(full("routes", self.max_routes));
        }
        routes.insert(key, route);
        Ok(())
    }

    /// Removes a stream, if it is there.
    pub fn drop_route(&self, key: &RouteKey) {
        self.routes.pin().remove(key);
    }

    /// Adds a local address or changes its MAC.
    ///
    /// # Errors
    /// [`TableError::Full`].
    pub fn put_endpoint(&self, key: EndpointKey, endpoint: Endpoint) -> Result<(), TableError> {
        let endpoints = self.endpoints.pin();
        if endpoints.len() >= self.max_endpoints as usize && !endpoints.contains_key(&key) {
            return Err(full("endpoints", self.max_endpoints));
        }
        endpoints.insert(key, endpoint);
        Ok(())
    }

    /// Removes a local address, if it is there.
    pub fn drop_endpoint(&self, key: &EndpointKey) {
        self.endpoints.pin().remove(key);
    }
}

fn full(table: &'static str, allowed: u32) -> TableError {
    TableError::Full {
        table,
        allowed: u64::from(allowed),
    }
}
