//! Subscriptions, written into the tables by hand: clear mode, with all of the RTP header rewritten, which is the dearest
//! that the kernel path does.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, Result, bail};
use forwarder::core::ops::{TableOp, Tables};
use forwarder::dataplane::memory::Sizes;
use forwarder_common::hop::{Addresses, Leg};
use forwarder_common::rewrite::Rewrite;
use forwarder_common::tables::{CHUNK_SLOTS, Endpoint, EndpointKey, Member, NONE, Route, RouteKey};
use forwarder_common::wire::ip::mapped;
use forwarder_tests::{Family, Leaf};

/// Port of publishers.
pub const REMOTE_PORT: u16 = 4000;
/// Port that they send to.
pub const LOCAL_PORT: u16 = 5000;
/// Port that replicas come from.
pub const SOURCE_PORT: u16 = 7000;
/// Port of subscribers.
pub const SUBSCRIBER_PORT: u16 = 6000;
/// Payload type of publishers.
pub const PAYLOAD_TYPE: u8 = 96;
/// Number of the socket that replicas are sent from, where sockets send.
pub const SOCKET: u32 = 1;

/// Sizes of the tables: enough for every fan-out of every path at once.
pub const fn sizes(cpus: u32) -> Sizes {
    Sizes {
        hops: 8192,
        chunks: 512,
        routes: 64,
        leases: 16,
        cpus,
    }
}

/// A stream to be forwarded.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    /// From here.
    pub publisher: &'a Leaf,
    /// Its SSRC.
    pub ssrc: u32,
    /// To here.
    pub receiver: &'a Leaf,
    /// The receiver's device number.
    pub device: u32,
    /// To how many addresses there.
    pub fan_out: u32,
}

/// Hands out hops, chunks and routes.
pub struct Subscribers {
    hops: u32,
    chunks: u32,
    routes: u32,
}

impl Subscribers {
    /// None yet; the node's lease never ends.
    ///
    /// # Errors
    /// The tables'.
    pub fn new(tables: &mut impl Tables) -> Result<Self> {
        apply(
            tables,
            TableOp::SetLease {
                lease: 0,
                deadline: u64::MAX,
            },
        )?;
        Ok(Self {
            hops: 0,
            chunks: 0,
            routes: 0,
        })
    }

    /// Subscribes `fan_out` addresses to a new stream.
    ///
    /// # Errors
    /// The tables'.
    pub fn add(&mut self, tables: &mut impl Tables, stream: &Stream<'_>) -> Result<()> {
        let head = self.chunks + 1;
        let chunks = stream.fan_out.div_ceil(CHUNK_SLOTS as u32);
        self.chunks += chunks;
        for chunk in head..=self.chunks {
            let next = if chunk == self.chunks {
                NONE
            } else {
                chunk + 1
            };
            apply(
                tables,
                TableOp::InitChunk {
                    chunk,
                    device: stream.device,
                    next,
                },
            )?;
        }
        for n in 0..stream.fan_out {
            self.hops += 1;
            let member = Member {
                hop: self.hops,
                generation: 1,
            };
            let (chunk, slot) = (head + n / CHUNK_SLOTS as u32, n % CHUNK_SLOTS as u32);
            let value = leg(stream, n)?.to_hop(member.generation);
            apply(
                tables,
                TableOp::PutHop {
                    hop: member.hop,
                    value,
                },
            )?;
            apply(
                tables,
                TableOp::SetSlot {
                    chunk,
                    slot,
                    member,
                },
            )?;
            apply(
                tables,
                TableOp::SetMask {
                    chunk,
                    mask: u64::MAX >> (63 - slot),
                },
            )?;
        }
        self.routes += 1;
        self.publish(tables, stream, head)
    }

    fn publish(&self, tables: &mut impl Tables, stream: &Stream<'_>, head: u32) -> Result<()> {
        let local = v4(stream.publisher.fwd_addr(Family::V4))?.octets();
        let remote = v4(stream.publisher.addr(Family::V4))?.octets();
        let value = Route {
            head,
            socket_head: NONE,
        };
        apply(
            tables,
            TableOp::SetRoute {
                route: self.routes,
                value,
            },
        )?;
        apply(
            tables,
            TableOp::PutEndpoint {
                key: EndpointKey::new(mapped(local), LOCAL_PORT),
                endpoint: Endpoint::new(stream.publisher.fwd_mac.0),
            },
        )?;
        let key = RouteKey::new(
            (mapped(remote), REMOTE_PORT),
            (mapped(local), LOCAL_PORT),
            stream.ssrc,
        );
        apply(
            tables,
            TableOp::PutRoute {
                key,
                route: self.routes,
            },
        )
    }
}

fn leg(stream: &Stream<'_>, n: u32) -> Result<Leg> {
    let receiver = stream.receiver;
    Ok(Leg {
        source_mac: receiver.fwd_mac.0,
        destination_mac: Some(receiver.mac.0),
        vlan: None,
        addresses: Addresses::V4 {
            source: v4(receiver.fwd_addr(Family::V4))?.octets(),
            destination: v4(receiver.pool_addr(Family::V4, n as usize))?.octets(),
        },
        source_port: SOURCE_PORT,
        destination_port: SUBSCRIBER_PORT,
        dscp: 46,
        ttl: 64,
        mtu: 1500,
        rewrite: Some(Rewrite {
            ssrc: stream.ssrc + 0x1000 + n,
            timestamp_offset: 90_000 + n,
            sequence_offset: 7,
            payload_type_from: PAYLOAD_TYPE,
            payload_type_to: 100,
        }),
        lease: 0,
        socket: SOCKET,
    })
}

fn apply(tables: &mut impl Tables, op: TableOp) -> Result<()> {
    tables
        .apply(&op)
        .with_context(|| format!("the tables refuse {op:?}"))
}

/// The lab's addresses, as IPv4.
pub fn v4(address: IpAddr) -> Result<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(address) => bail!("{address} is not IPv4"),
    }
}
