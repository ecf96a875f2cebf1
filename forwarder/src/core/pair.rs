//! Pairs: 5-tuples that ICE has validated for a session. What the data plane needs of them is who opens the packets that come
//! in by one, and what stands in front of the packets that leave by it.

use std::net::{IpAddr, SocketAddr};

use forwarder_common::{
    hop::{Addresses, Leg},
    tables::{Hop, Member, PairKey, Steer},
};

use super::{
    endpoint::{is_unicast, mapped},
    placement::Placement,
    refusal::Refusal,
    settings::Settings,
};

/// A pair as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairSpec {
    local: SocketAddr,
    remote: SocketAddr,
    steer: Steer,
    until: u64,
}

impl PairSpec {
    /// Checks what is asked for. `steer` names session and worker; `until` is when consent to send ends (RFC 7675), in
    /// nanoseconds of CLOCK_BOOTTIME.
    ///
    /// # Errors
    /// A [`Refusal`] that names the address at fault.
    pub fn new(
        local: SocketAddr,
        remote: SocketAddr,
        steer: Steer,
        until: u64,
    ) -> Result<Self, Refusal> {
        for (field, address) in [("local", local), ("remote", remote)] {
            if !is_unicast(address.ip()) || address.port() == 0 {
                let allowed = "the address of one host and a port from 1 to 65535";
                return Err(Refusal::invalid(field, address, allowed));
            }
        }
        if local.is_ipv4() != remote.is_ipv4() {
            let allowed = format!("an address of the same family as local, {local}");
            return Err(Refusal::invalid("remote", remote, allowed));
        }
        Ok(Self {
            local,
            remote,
            steer,
            until,
        })
    }

    /// Our address.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// The peer's address.
    #[must_use]
    pub const fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Number of the session.
    #[must_use]
    pub const fn session(&self) -> u32 {
        self.steer.session
    }

    /// Who opens what comes in by it.
    #[must_use]
    pub const fn steer(&self) -> Steer {
        self.steer
    }

    /// When consent to send ended at the time of asking.
    #[must_use]
    pub const fn until(&self) -> u64 {
        self.until
    }

    /// The key of the 5-tuple in the steering map.
    #[must_use]
    pub fn key(&self) -> PairKey {
        PairKey::new(
            (mapped(self.remote.ip()), self.remote.port()),
            (mapped(self.local.ip()), self.local.port()),
        )
    }

    /// The same pair, with another reader.
    #[must_use]
    pub(super) const fn steered(self, steer: Steer) -> Self {
        Self { steer, ..self }
    }

    /// The hop of packets that leave by it, without a generation; `None` where XDP cannot send them.
    pub(super) fn hop(
        &self,
        settings: &Settings,
        placement: &Placement,
        lease: u32,
    ) -> Option<Hop> {
        if placement.on_socket() {
            return None;
        }
        let addresses = match (self.local.ip(), self.remote.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Addresses::V4 {
                source: source.octets(),
                destination: destination.octets(),
            },
            (source, destination) => Addresses::V6 {
                source: mapped(source),
                destination: mapped(destination),
            },
        };
        let leg = Leg {
            source_mac: placement.source_mac,
            // Until it is known the connected socket sends, and the kernel resolves.
            destination_mac: Some(placement.destination_mac?),
            vlan: placement.vlan,
            addresses,
            source_port: self.local.port(),
            destination_port: self.remote.port(),
            dscp: settings.dscp,
            ttl: settings.ttl,
            mtu: placement.mtu,
            rewrite: None,
            lease,
            socket: 0,
        };
        Some(leg.to_hop(0))
    }
}

/// A pair of the node.
#[derive(Clone, Debug)]
pub struct PairState {
    /// As asked for.
    pub spec: PairSpec,
    /// How its packets leave.
    pub placement: Placement,
    /// The hop that XDP sends by, as senders name it; `None` where the connected socket sends.
    pub member: Option<Member>,
    /// Number of the lease that all pairs of the session live by.
    pub lease: u32,
    /// Hops that it had before, which may still be valid for packets under way.
    pub(super) replaced: Vec<Member>,
}

/// The consent of one session, and how many pairs share it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Consent {
    /// Number of the lease.
    pub lease: u32,
    /// Its deadline, in nanoseconds of CLOCK_BOOTTIME.
    pub until: u64,
    /// Pairs that are open.
    pub pairs: u32,
}
