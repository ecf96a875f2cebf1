//! The netlink sockets: one for questions (dumps, route lookups, probes), one for notifications.
//!
//! They are apart so that a flood of notifications never delays an answer, and an overrun never loses one. Both belong to the
//! network namespace of the thread that opens them.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use anyhow::Context as _;
use futures::StreamExt as _;
use futures::channel::mpsc::UnboundedReceiver;
use netlink_packet_core::{
    ErrorMessage, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage,
};
use netlink_packet_route::route::{RouteAttribute, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{AsyncSocket as _, SocketAddr};
use rtnetlink::{Handle, MulticastGroup};
use tokio::task::AbortHandle;

use super::facts::{Fact, Neighbour, Resolved, Route, Target};
use super::hop::{Query, Unreachable};
use super::parse;

/// Notifications and whom they are from.
pub type Notifications = UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>;

/// The kernel answers at once; should it not, a caller of the control API must not hang.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the answer of [`Kernel::catch_up`] may take before it counts as lost.
const CATCH_UP_PATIENCE: Duration = Duration::from_millis(200);

/// Bytes of notifications that the socket may hold while the task does not run; the kernel caps it at `net.core.rmem_max`.
const NOTIFICATION_BUFFER: libc::c_int = 4 << 20;

/// A dump during which the tables changed may be incomplete and is repeated, but not for ever.
const DUMP_ATTEMPTS: usize = 5;

/// `NLM_F_DUMP_INTR` of linux/netlink.h.
const DUMP_INTERRUPTED: u16 = 0x10;

/// Everything that the next hop of a packet can depend on.
const GROUPS: [MulticastGroup; 8] = [
    MulticastGroup::Link,
    MulticastGroup::Neigh,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
    MulticastGroup::Ipv4Rule,
    MulticastGroup::Ipv6Rule,
];

/// Why the kernel did not take a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeError {
    /// `CAP_NET_ADMIN` is missing. Harmless on the socket path, whose own packets keep neighbours fresh.
    NotPermitted,
    /// Any other error, such as a device that is gone.
    Other(String),
}

impl std::error::Error for ProbeError {}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPermitted => {
                f.write_str("asking the kernel to resolve neighbours needs CAP_NET_ADMIN")
            }
            Self::Other(error) => write!(f, "the kernel did not probe the neighbour: {error}"),
        }
    }
}

/// The socket for questions. Closes both connections when dropped.
#[derive(Debug)]
pub struct Kernel {
    handle: Handle,
    listening: Handle,
    connections: [AbortHandle; 2],
}

impl Drop for Kernel {
    fn drop(&mut self) {
        for connection in &self.connections {
            connection.abort();
        }
    }
}

impl Kernel {
    /// Opens both sockets in the namespace of the calling thread. Notifications gather from now on, so that a dump made
    /// afterwards misses nothing.
    pub fn open() -> io::Result<(Self, Notifications)> {
        let (mut listener, listening, notifications) =
            rtnetlink::new_multicast_connection(&GROUPS)?;
        listener
            .socket_mut()
            .socket_mut()
            .set_rx_buf_sz(NOTIFICATION_BUFFER)?;
        let (asking, handle, _) = rtnetlink::new_connection()?;
        let connections = [
            tokio::spawn(listener).abort_handle(),
            tokio::spawn(asking).abort_handle(),
        ];
        Ok((
            Self {
                handle,
                listening,
                connections,
            },
            notifications,
        ))
    }

    /// All links, addresses and neighbours.
    pub async fn dump(&self) -> anyhow::Result<Vec<Fact>> {
        let mut v4 = NeighbourMessage::default();
        v4.header.family = AddressFamily::Inet;
        let mut v6 = NeighbourMessage::default();
        v6.header.family = AddressFamily::Inet6;
        let questions = [
            (
                "links",
                RouteNetlinkMessage::GetLink(LinkMessage::default()),
            ),
            (
                "addresses",
                RouteNetlinkMessage::GetAddress(AddressMessage::default()),
            ),
            ("IPv4 neighbours", RouteNetlinkMessage::GetNeighbour(v4)),
            ("IPv6 neighbours", RouteNetlinkMessage::GetNeighbour(v6)),
        ];
        let mut facts = Vec::new();
        for (what, question) in questions {
            facts.extend(
                self.dump_one(question)
                    .await
                    .with_context(|| format!("dump of {what} from the kernel"))?,
            );
        }
        Ok(facts)
    }

    async fn dump_one(&self, question: RouteNetlinkMessage) -> anyhow::Result<Vec<Fact>> {
        for _ in 0..DUMP_ATTEMPTS {
            let messages = self
                .ask(question.clone(), NLM_F_REQUEST | NLM_F_DUMP)
                .await?;
            let interrupted = messages
                .iter()
                .any(|m| m.header.flags & DUMP_INTERRUPTED != 0);
            let mut facts = Vec::with_capacity(messages.len());
            for message in messages {
                match message.payload {
                    NetlinkPayload::InnerMessage(inner) => facts.extend(parse::fact(&inner)),
                    NetlinkPayload::Error(error) if error.code.is_some() => {
                        return Err(error.to_io().into());
                    }
                    _ => {}
                }
            }
            if !interrupted {
                return Ok(facts);
            }
        }
        anyhow::bail!("the tables changed during each of {DUMP_ATTEMPTS} attempts")
    }

    /// Returns when every notification that was sent before the call waits in [`Notifications`]. The proof is a question asked on
    /// the listening socket itself: its answer queues up behind them.
    pub async fn catch_up(&self) {
        const LO: u32 = 1;
        let mut question = LinkMessage::default();
        question.header.index = LO;
        loop {
            let mut request = NetlinkMessage::from(RouteNetlinkMessage::GetLink(question.clone()));
            request.header.flags = NLM_F_REQUEST;
            let Ok(answers) = self.listening.clone().request(request) else {
                return;
            };
            // The answer itself is lost when the buffer is full once more. And a notification may pass for an answer, since it
            // carries the sequence number of whoever caused it: hence the look at what it says.
            let answers: Vec<_> = tokio::time::timeout(CATCH_UP_PATIENCE, answers.collect())
                .await
                .unwrap_or_default();
            let about_lo = |m: &NetlinkMessage<RouteNetlinkMessage>| matches!(&m.payload, NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(l)) if l.header.index == LO);
            if answers.iter().any(about_lo) {
                return;
            }
        }
    }

    /// Asks which route packets of `query` take.
    pub async fn look_up(&self, query: &Query) -> Result<Route, Unreachable> {
        let mut question = RouteMessage::default();
        let bits = if query.remote.is_ipv4() { 32 } else { 128 };
        question.header.address_family = family(query.remote);
        question.header.destination_prefix_length = bits;
        question
            .attributes
            .push(RouteAttribute::Destination(query.remote.into()));
        if !query.local.is_unspecified() {
            question.header.source_prefix_length = bits;
            question
                .attributes
                .push(RouteAttribute::Source(query.local.into()));
        }
        question
            .attributes
            .extend(query.device.map(RouteAttribute::Oif));
        let messages = self
            .ask(RouteNetlinkMessage::GetRoute(question), NLM_F_REQUEST)
            .await
            .map_err(|error| Unreachable::Kernel(error.to_string()))?;
        for message in messages {
            match message.payload {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(answer)) => {
                    return parse::route(&answer).ok_or_else(|| {
                        Unreachable::Kernel(format!(
                            "route of unknown type {:?}",
                            answer.header.kind
                        ))
                    });
                }
                NetlinkPayload::Error(error) => return Err(why_no_route(query, &error)),
                _ => {}
            }
        }
        Err(Unreachable::Kernel("no answer".into()))
    }

    /// Whether `address` is one of this host, though it may be on no device (a whole network routed as local).
    pub async fn is_local(&self, address: IpAddr) -> bool {
        let query = Query::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), address);
        matches!(
            self.look_up(&query).await,
            Ok(Route {
                target: Target::Local,
                ..
            })
        )
    }

    /// Asks the kernel to resolve a neighbour, or to check that a known one is still there, as if a packet were sent to it
    /// (`NTF_USE`).
    ///
    /// Permanent entries are left alone: the kernel takes the mark for a request to make them ordinary ones (`__neigh_update`:
    /// `new = old & ~NUD_PERMANENT`) and forgets their address. The copy of the table may not know yet that somebody pinned the
    /// entry, so the kernel is asked first.
    pub async fn probe(&self, neighbour: Neighbour) -> Result<(), ProbeError> {
        let mut message = NeighbourMessage::default();
        message.header.family = family(neighbour.address);
        message.header.ifindex = neighbour.device;
        let address = match neighbour.address {
            IpAddr::V4(v4) => NeighbourAddress::Inet(v4),
            IpAddr::V6(v6) => NeighbourAddress::Inet6(v6),
        };
        message
            .attributes
            .push(NeighbourAttribute::Destination(address));
        let known = self
            .ask(
                RouteNetlinkMessage::GetNeighbour(message.clone()),
                NLM_F_REQUEST,
            )
            .await
            .map_err(|error| ProbeError::Other(error.to_string()))?;
        let pinned = |answer: &NetlinkMessage<RouteNetlinkMessage>| match &answer.payload {
            NetlinkPayload::InnerMessage(inner) => {
                matches!(
                    parse::fact(inner),
                    Some(Fact::Neighbour(_, Some(Resolved { fixed: true, .. })))
                )
            }
            _ => false,
        };
        if known.iter().any(pinned) {
            return Ok(());
        }
        message.header.flags = NeighbourFlags::Use;
        let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
        let answers = self
            .ask(RouteNetlinkMessage::NewNeighbour(message), flags)
            .await
            .map_err(|error| ProbeError::Other(error.to_string()))?;
        for answer in answers {
            if let NetlinkPayload::Error(error) = answer.payload
                && error.code.is_some()
            {
                return Err(match -error.raw_code() {
                    libc::EPERM => ProbeError::NotPermitted,
                    _ => ProbeError::Other(error.to_io().to_string()),
                });
            }
        }
        Ok(())
    }

    async fn ask(
        &self,
        question: RouteNetlinkMessage,
        flags: u16,
    ) -> anyhow::Result<Vec<NetlinkMessage<RouteNetlinkMessage>>> {
        let mut request = NetlinkMessage::from(question);
        request.header.flags = flags;
        let answers = self
            .handle
            .clone()
            .request(request)
            .context("the netlink connection is closed")?;
        tokio::time::timeout(PATIENCE, answers.collect())
            .await
            .with_context(|| format!("no answer over netlink within {} s", PATIENCE.as_secs()))
    }
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

/// The kernel answers a lookup that ends in a special route with the error that a socket would get (`fib_props` in
/// net/ipv4/fib_semantics.c, `ip6_rt_type_to_error` in net/ipv6/route.c).
fn why_no_route(query: &Query, error: &ErrorMessage) -> Unreachable {
    match -error.raw_code() {
        libc::ENETUNREACH => Unreachable::NoRoute(*query),
        libc::EHOSTUNREACH => Unreachable::Unreachable(query.remote),
        libc::EACCES => Unreachable::Prohibited(query.remote),
        libc::EINVAL => Unreachable::Blackhole(query.remote),
        libc::ENODEV => Unreachable::DeviceGone(query.device.unwrap_or_default()),
        _ => Unreachable::Kernel(error.to_io().to_string()),
    }
}
