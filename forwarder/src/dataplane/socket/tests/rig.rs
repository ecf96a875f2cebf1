//! A worker with tables, and what tests need to publish, subscribe and listen.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use forwarder_common::{
    hop::{Addresses, Leg},
    reason::Reason,
    rewrite::Rewrite,
    tables::{DEVICE_SOCKET, Member, NONE, Route, RouteKey},
};

use crate::{
    core::ops::{TableOp, Tables},
    dataplane::{
        memory::Sizes,
        socket::{Handle, Punt, SocketWorker, destination::mapped},
        soft::SoftTables,
    },
};

pub const V4: &str = "127.0.0.1";
pub const V6: &str = "::1";

const SIZES: Sizes = Sizes {
    hops: 4096,
    chunks: 256,
    routes: 64,
    leases: 8,
    cpus: 1,
};

pub struct Rig {
    pub tables: SoftTables,
    pub handle: Handle,
    /// Where sockets 0 (IPv4) and 1 (IPv6) are bound.
    pub local: [SocketAddr; 2],
    hops: u32,
    chunks: u32,
    routes: u32,
}

/// A stream that can be subscribed to, with its chunks and the members in each.
pub struct Stream {
    pub route: u32,
    pub from: UdpSocket,
    pub to: SocketAddr,
    pub ssrc: u32,
    chunks: Vec<(u32, u64)>,
}

/// Where a leg stands in the tables.
#[derive(Clone, Copy)]
pub struct Seat {
    pub hop: u32,
    pub chunk: u32,
    pub slot: u32,
}

impl Rig {
    pub fn new() -> Self {
        Self::with_punt(None)
    }

    pub fn with_punt(punt: Option<Box<dyn Punt>>) -> Self {
        let mut tables = SoftTables::new(SIZES, 16).unwrap();
        let lease = TableOp::SetLease {
            lease: 0,
            deadline: u64::MAX,
        };
        tables.apply(&lease).unwrap();
        let handle = SocketWorker::spawn(tables.shared(), punt).unwrap();
        let bind = |number, ip: &str| {
            let address = SocketAddr::new(ip.parse().unwrap(), 0);
            handle.bind(number, address).unwrap()
        };
        let local = [bind(0, V4), bind(1, V6)];
        Self {
            tables,
            handle,
            local,
            hops: 1,
            chunks: 1,
            routes: 1,
        }
    }

    pub fn apply(&mut self, op: TableOp) {
        self.tables.apply(&op).unwrap();
    }

    /// A publisher at `ip`.
    pub fn publish(&mut self, ip: &str, ssrc: u32) -> Stream {
        let from = listen(ip);
        let to = self.local[usize::from(ip == V6)];
        let stream = Stream {
            route: self.routes,
            ssrc,
            to,
            chunks: Vec::new(),
            from,
        };
        self.routes += 1;
        let source = stream.from.local_addr().unwrap();
        let key = RouteKey::new(
            (mapped(source.ip()), source.port()),
            (mapped(to.ip()), to.port()),
            ssrc,
        );
        self.apply(TableOp::PutRoute {
            key,
            route: stream.route,
        });
        stream
    }

    /// The leg of a subscriber, sent from the socket of its family.
    pub fn leg(&self, to: SocketAddr, rewrite: Option<Rewrite>) -> Leg {
        let socket = u32::from(to.is_ipv6());
        let source = self.local[socket as usize];
        let addresses = match (source.ip(), to.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Addresses::V4 {
                source: source.octets(),
                destination: destination.octets(),
            },
            (IpAddr::V6(source), IpAddr::V6(destination)) => Addresses::V6 {
                source: source.octets(),
                destination: destination.octets(),
            },
            _ => unreachable!(),
        };
        Leg {
            source_mac: [0; 6],
            destination_mac: None,
            vlan: None,
            addresses,
            source_port: source.port(),
            destination_port: to.port(),
            dscp: 0,
            ttl: 64,
            mtu: 65535,
            rewrite,
            lease: 0,
            socket,
        }
    }

    /// Subscribes in the order that the control plane does: hop, slot, mask.
    pub fn subscribe(&mut self, stream: &mut Stream, leg: &Leg) -> Seat {
        let hop = self.hops;
        self.hops += 1;
        let generation = hop + 1000;
        self.apply(TableOp::PutHop {
            hop,
            value: leg.to_hop(generation),
        });
        if stream
            .chunks
            .last()
            .is_none_or(|&(_, mask)| mask == u64::MAX)
        {
            let next = stream.chunks.last().map_or(NONE, |&(chunk, _)| chunk);
            let chunk = self.chunks;
            self.chunks += 1;
            self.apply(TableOp::InitChunk {
                chunk,
                device: DEVICE_SOCKET,
                next,
            });
            self.apply(TableOp::SetRoute {
                route: stream.route,
                value: Route {
                    head: NONE,
                    socket_head: chunk,
                },
            });
            stream.chunks.push((chunk, 0));
        }
        let (chunk, mask) = stream.chunks.last_mut().unwrap();
        let slot = mask.trailing_ones();
        *mask |= 1 << slot;
        let seat = Seat {
            hop,
            chunk: *chunk,
            slot,
        };
        let mask = *mask;
        let member = Member { hop, generation };
        self.apply(TableOp::SetSlot {
            chunk: seat.chunk,
            slot,
            member,
        });
        self.apply(TableOp::SetMask {
            chunk: seat.chunk,
            mask,
        });
        seat
    }

    /// Clears or sets the bit of a member, by one store.
    pub fn set_member(&mut self, stream: &mut Stream, seat: Seat, on: bool) {
        let entry = stream
            .chunks
            .iter_mut()
            .find(|(chunk, _)| *chunk == seat.chunk);
        let (chunk, mask) = entry.unwrap();
        *mask = if on {
            *mask | 1 << seat.slot
        } else {
            *mask & !(1 << seat.slot)
        };
        let op = TableOp::SetMask {
            chunk: *chunk,
            mask: *mask,
        };
        self.apply(op);
    }

    pub fn count(&self, reason: Reason) -> u64 {
        self.tables.reasons()[reason as usize]
    }

    /// Waits until a reason was counted `times`, and fails if it ever is more.
    #[track_caller]
    pub fn wait(&self, reason: Reason, times: u64) {
        let until = Instant::now() + Duration::from_secs(20);
        while self.count(reason) < times {
            assert!(
                Instant::now() < until,
                "{reason:?}: {} of {times}; all: {:?}",
                self.count(reason),
                self.counts()
            );
            std::thread::sleep(Duration::from_micros(200));
        }
        assert_eq!(self.count(reason), times, "{reason:?}");
    }

    /// All reasons that were counted.
    pub fn counts(&self) -> Vec<(Reason, u64)> {
        let counted = Reason::ALL
            .iter()
            .map(|&reason| (reason, self.count(reason)));
        counted.filter(|&(_, count)| count > 0).collect()
    }
}

impl Stream {
    pub fn send(&self, packet: &[u8]) {
        assert_eq!(self.from.send_to(packet, self.to).unwrap(), packet.len());
    }

    /// Sends a packet with this sequence number; gives what was sent.
    pub fn send_rtp(&self, sequence: u16, len: usize) -> Vec<u8> {
        let packet = rtp(self.ssrc, 96, sequence, u32::from(sequence) * 3000, len);
        self.send(&packet);
        packet
    }
}

/// An RTP packet of `len` bytes whose payload depends on its sequence number.
pub fn rtp(ssrc: u32, payload_type: u8, sequence: u16, timestamp: u32, len: usize) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend((12..len).map(|i| (i as u8).wrapping_mul(7).wrapping_add(sequence as u8)));
    packet.truncate(len);
    packet
}

/// A socket that waits at most a short while.
pub fn listen(ip: &str) -> UdpSocket {
    let socket = UdpSocket::bind((ip.parse::<IpAddr>().unwrap(), 0)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    socket
}

/// The next packet and its sender.
#[track_caller]
pub fn take(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 70_000];
    let (len, from) = socket.recv_from(&mut buffer).expect("a packet");
    buffer.truncate(len);
    (buffer, from)
}

/// Fails if another packet waits, or comes within a short while.
#[track_caller]
pub fn nothing_more(socket: &UdpSocket) {
    socket
        .set_read_timeout(Some(Duration::from_millis(30)))
        .unwrap();
    let error = socket.recv_from(&mut [0; 1]).expect_err("no packet");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
}
