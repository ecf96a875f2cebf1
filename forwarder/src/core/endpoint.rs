//! Endpoints: a local and a remote address between which RTP flows, in one mode.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, SocketAddr},
};

use forwarder_common::tables::{EndpointKey, RouteKey, port_words};

use super::{
    ids::{PublicationId, SubscriptionId},
    placement::Placement,
    refusal::Refusal,
};

/// What is done to the RTP of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// RTP in the clear: SSRC, payload type, sequence and timestamp are rewritten per subscription.
    Clear,
    /// SRTP under keys that the receivers share: only Ethernet, IP and UDP headers change.
    Opaque,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear => "clear",
            Self::Opaque => "opaque",
        })
    }
}

/// An endpoint as asked for, checked as far as it can be without asking the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointSpec {
    local: SocketAddr,
    remote: SocketAddr,
    mode: Mode,
    vlan: Option<u16>,
    dscp: Option<u8>,
}

const ONE_HOST: &str = "the IP address of one host and a port from 1 to 65535, such as 192.0.2.1:5000 or [2001:db8::1]:5000";

/// Whether an address names one host, in the one way that packets name it.
#[must_use]
pub fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_unspecified() && !v4.is_multicast() && !v4.is_broadcast(),
        // A mapped address is IPv4 on the wire.
        IpAddr::V6(v6) => {
            !v6.is_unspecified() && !v6.is_multicast() && v6.to_ipv4_mapped().is_none()
        }
    }
}

impl EndpointSpec {
    /// Checks what is asked for.
    ///
    /// # Errors
    /// A [`Refusal`] that names the field.
    pub fn new(
        local: SocketAddr,
        remote: SocketAddr,
        mode: Mode,
        vlan: Option<u16>,
        dscp: Option<u8>,
    ) -> Result<Self, Refusal> {
        for (field, address) in [("local", local), ("remote", remote)] {
            if !is_unicast(address.ip()) || address.port() == 0 {
                return Err(Refusal::invalid(field, address, ONE_HOST));
            }
        }
        if local.is_ipv4() != remote.is_ipv4() {
            return Err(Refusal::invalid(
                "remote",
                remote,
                format!("an address of the same family as local, {local}"),
            ));
        }
        if (local.ip(), local.port()) == (remote.ip(), remote.port()) {
            return Err(Refusal::invalid(
                "remote",
                remote,
                "another address or port than local",
            ));
        }
        if let Some(vlan) = vlan.filter(|id| !(1..=4094).contains(id)) {
            return Err(Refusal::invalid("vlan", vlan, "a VLAN id from 1 to 4094"));
        }
        if let Some(dscp) = dscp.filter(|dscp| *dscp > 63) {
            return Err(Refusal::invalid("dscp", dscp, "a number from 0 to 63"));
        }
        Ok(Self {
            local,
            remote,
            mode,
            vlan,
            dscp,
        })
    }

    /// Our address.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// The other side's address.
    #[must_use]
    pub const fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// What is done to its RTP.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The VLAN that was asked for.
    #[must_use]
    pub const fn vlan(&self) -> Option<u16> {
        self.vlan
    }

    /// The code point that was asked for.
    #[must_use]
    pub const fn dscp(&self) -> Option<u8> {
        self.dscp
    }

    /// The key of the local address in the endpoints map.
    #[must_use]
    pub fn local_key(&self) -> EndpointKey {
        key(self.local)
    }

    /// Both addresses, without what packets do not carry (scopes and flow labels).
    #[must_use]
    pub(super) fn pair(&self) -> (EndpointKey, EndpointKey) {
        (key(self.local), key(self.remote))
    }

    /// The key of a stream that the other side sends.
    #[must_use]
    pub fn route_key(&self, ssrc: u32) -> RouteKey {
        let (local, remote) = self.pair();
        RouteKey {
            source: remote.address,
            destination: local.address,
            ports: port_words(self.remote.port(), self.local.port()),
            ssrc: ssrc.to_be(),
        }
    }
}

/// The bytes of an address, IPv4 mapped into IPv6 (RFC 4291 §2.5.5.2).
pub(super) fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The key of a local address in the endpoints map.
#[must_use]
pub fn key(address: SocketAddr) -> EndpointKey {
    EndpointKey::new(mapped(address.ip()), address.port())
}

/// An endpoint of the node.
#[derive(Clone, Debug)]
pub struct EndpointState {
    /// As asked for.
    pub spec: EndpointSpec,
    /// How it is reached.
    pub placement: Placement,
    /// Number of the socket of its local address.
    pub socket: u32,
    /// What it publishes.
    pub(super) publications: BTreeSet<PublicationId>,
    /// The SSRCs that it publishes.
    pub(super) published: BTreeSet<u32>,
    /// What it is subscribed to.
    pub(super) subscriptions: BTreeSet<SubscriptionId>,
    /// The SSRCs that are sent to it.
    pub(super) outgoing: BTreeMap<u32, SubscriptionId>,
}

/// A local address that endpoints share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local {
    /// Number of its socket.
    pub socket: u32,
    /// Endpoints that use it.
    pub users: u32,
    /// MAC in the endpoints map.
    pub mac: [u8; 6],
}
