//! What the core is told at start: limits, table sizes, and what every packet carries.

use forwarder_common::tables::MAX_PAIRS_PER_SESSION;

/// How many of each the node takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Endpoints.
    pub endpoints: u32,
    /// Publications.
    pub publications: u32,
    /// Subscriptions.
    pub subscriptions: u32,
    /// Sessions, at most [`forwarder_common::tables::MAX_SESSIONS`].
    pub sessions: u32,
}

impl Limits {
    /// Limits with room for an endpoint per publication and per subscription.
    #[must_use]
    pub const fn new(publications: u32, subscriptions: u32, sessions: u32) -> Self {
        Self {
            endpoints: publications.saturating_add(subscriptions),
            publications,
            subscriptions,
            sessions,
        }
    }
}

/// Local addresses with a socket and an entry in the endpoints map, entry 0 included. Endpoints may share one.
pub const MAX_SOCKETS: u32 = 4096;

/// Entries of each table. Entry 0 is never used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Hops: one per leg and per pair of a session, and those that rest.
    pub hops: u32,
    /// Chunks: at least one per route and device that it leads to, and those that rest.
    pub chunks: u32,
    /// Routes: one per SSRC of a publication.
    pub routes: u32,
    /// Local addresses.
    pub sockets: u32,
}

impl Sizes {
    /// Sizes for full use of `limits` with two SSRCs (sound and picture) each on average, and as much again resting. Sessions
    /// have at most [`MAX_PAIRS_PER_SESSION`] hops, and as many resting.
    #[must_use]
    pub const fn of(limits: &Limits) -> Self {
        let routes = limits.publications.saturating_mul(4).saturating_add(1);
        let pairs = limits.sessions.saturating_mul(MAX_PAIRS_PER_SESSION);
        let legs = limits.subscriptions.saturating_mul(4).saturating_add(1);
        Self {
            hops: legs.saturating_add(pairs.saturating_mul(2)),
            chunks: routes.saturating_mul(2).saturating_add(legs / 4),
            routes,
            sockets: if limits.endpoints < MAX_SOCKETS {
                limits.endpoints + 1
            } else {
                MAX_SOCKETS
            },
        }
    }
}

/// What the core is told at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many of each the node takes.
    pub limits: Limits,
    /// Entries of each table.
    pub sizes: Sizes,
    /// How long the data plane goes on sending without the control plane, in nanoseconds.
    pub lease: u64,
    /// Differentiated services code point of endpoints that name none, 0-63.
    pub dscp: u8,
    /// TTL or hop limit.
    pub ttl: u8,
}
