//! Next hops: the bytes that stand in front of every replica of one leg, built once by userspace.

use crate::{
    checksum::Sum,
    rewrite::Rewrite,
    tables::{HOP_CLEAR, HOP_RESOLVED, Hop, TEMPLATE_LEN},
    wire::{eth, ip, udp},
};

/// Which headers a replica carries. The numbers stand in [`Hop::shape`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Shape {
    /// Ethernet, IPv4, UDP.
    V4 = 0,
    /// Ethernet, VLAN tag, IPv4, UDP.
    V4Vlan = 1,
    /// Ethernet, IPv6, UDP.
    V6 = 2,
    /// Ethernet, VLAN tag, IPv6, UDP.
    V6Vlan = 3,
}

impl Shape {
    /// The shape with this number; numbers are taken modulo 4.
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number & 3 {
            0 => Self::V4,
            1 => Self::V4Vlan,
            2 => Self::V6,
            _ => Self::V6Vlan,
        }
    }

    /// Bytes of all headers: where the UDP payload starts.
    #[inline(always)]
    #[must_use]
    pub const fn header_len(self) -> usize {
        self.ip_at() + self.ip_len() + udp::LEN
    }

    /// Where the IP header starts.
    #[inline(always)]
    #[must_use]
    pub const fn ip_at(self) -> usize {
        match self {
            Self::V4 | Self::V6 => eth::LEN,
            Self::V4Vlan | Self::V6Vlan => eth::LEN + eth::TAG_LEN,
        }
    }

    /// Bytes of the IP header.
    #[inline(always)]
    #[must_use]
    pub const fn ip_len(self) -> usize {
        match self {
            Self::V4 | Self::V4Vlan => ip::V4_LEN,
            Self::V6 | Self::V6Vlan => ip::V6_LEN,
        }
    }
}

/// Source and destination of a leg, of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// IPv4.
    V4 {
        /// Our address.
        source: [u8; 4],
        /// The subscriber's.
        destination: [u8; 4],
    },
    /// IPv6.
    V6 {
        /// Our address.
        source: [u8; 16],
        /// The subscriber's.
        destination: [u8; 16],
    },
}

/// Everything that decides what a replica of a leg looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// MAC of the egress interface.
    pub source_mac: [u8; 6],
    /// MAC of the next hop; `None` while the neighbour is unresolved.
    pub destination_mac: Option<[u8; 6]>,
    /// VLAN id, 1-4094.
    pub vlan: Option<u16>,
    /// IP addresses.
    pub addresses: Addresses,
    /// Our UDP port.
    pub source_port: u16,
    /// The subscriber's UDP port.
    pub destination_port: u16,
    /// Differentiated services code point, 0-63 (RFC 2474).
    pub dscp: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Largest IP packet, in bytes.
    pub mtu: u16,
    /// How the RTP header changes; `None` leaves the UDP payload untouched.
    pub rewrite: Option<Rewrite>,
    /// Number of the lease.
    pub lease: u32,
    /// Number of the socket of the local address.
    pub socket: u32,
}

/// Writes consecutive header fields into the template.
struct Writer {
    bytes: [u8; TEMPLATE_LEN],
    at: usize,
}

impl Writer {
    fn put(&mut self, field: &[u8]) {
        for (to, from) in self.bytes.iter_mut().skip(self.at).zip(field) {
            *to = *from;
        }
        self.at = self.at.saturating_add(field.len());
    }
}

impl Leg {
    /// The hop as it stands in the table.
    #[must_use]
    pub fn to_hop(&self, generation: u32) -> Hop {
        let mut out = Writer {
            bytes: [0; TEMPLATE_LEN],
            at: 0,
        };
        out.put(&self.destination_mac.unwrap_or_default());
        out.put(&self.source_mac);
        if let Some(vlan) = self.vlan {
            out.put(&eth::VLAN.to_be_bytes());
            out.put(&(vlan & 0x0fff).to_be_bytes());
        }
        let ports = (
            self.source_port.to_be_bytes(),
            self.destination_port.to_be_bytes(),
        );
        let udp_base = Sum::default()
            .word(ports.0)
            .word(ports.1)
            .number(u16::from(ip::UDP));
        let (shape, ip_sum, udp_sum) = match self.addresses {
            Addresses::V4 {
                source,
                destination,
            } => {
                out.put(&eth::IPV4.to_be_bytes());
                // Identification 0 with "don't fragment": an atomic datagram (RFC 6864 §4.1).
                let fixed = [0x45, self.dscp << 2, 0, 0, 0, 0, 0x40, 0, self.ttl, ip::UDP];
                out.put(&fixed);
                out.put(&[0, 0]);
                out.put(&source);
                out.put(&destination);
                let addresses = Sum::default().bytes(&source).bytes(&destination);
                let header = Sum::default().bytes(&fixed).plus(addresses);
                let shape = if self.vlan.is_some() {
                    Shape::V4Vlan
                } else {
                    Shape::V4
                };
                (shape, header.fold(), udp_base.plus(addresses).fold())
            }
            Addresses::V6 {
                source,
                destination,
            } => {
                out.put(&eth::IPV6.to_be_bytes());
                let class = self.dscp << 2;
                out.put(&[0x60 | class >> 4, class << 4, 0, 0, 0, 0, ip::UDP, self.ttl]);
                out.put(&source);
                out.put(&destination);
                let addresses = Sum::default().bytes(&source).bytes(&destination);
                let shape = if self.vlan.is_some() {
                    Shape::V6Vlan
                } else {
                    Shape::V6
                };
                (shape, 0, udp_base.plus(addresses).fold())
            }
        };
        out.put(&ports.0);
        out.put(&ports.1);
        let mut flags = 0;
        if self.rewrite.is_some() {
            flags |= HOP_CLEAR;
        }
        if self.destination_mac.is_some() {
            flags |= HOP_RESOLVED;
        }
        let rewrite = self.rewrite.unwrap_or(Rewrite {
            ssrc: 0,
            timestamp_offset: 0,
            sequence_offset: 0,
            payload_type_from: 0,
            payload_type_to: 0,
        });
        Hop {
            generation,
            lease: self.lease,
            mtu: self.mtu,
            shape: shape as u8,
            flags,
            ip_sum,
            udp_sum,
            ssrc: rewrite.ssrc,
            timestamp_offset: rewrite.timestamp_offset,
            sequence_offset: rewrite.sequence_offset,
            payload_type_from: rewrite.payload_type_from,
            payload_type_to: rewrite.payload_type_to,
            socket: self.socket,
            template: out.bytes,
            zero: [0; 24],
        }
    }
}

impl Hop {
    /// The RTP rewrite of a clear leg.
    #[inline(always)]
    #[must_use]
    pub const fn rewrite(&self) -> Option<Rewrite> {
        if self.flags & HOP_CLEAR == 0 {
            return None;
        }
        Some(Rewrite {
            ssrc: self.ssrc,
            timestamp_offset: self.timestamp_offset,
            sequence_offset: self.sequence_offset,
            payload_type_from: self.payload_type_from,
            payload_type_to: self.payload_type_to,
        })
    }
}
