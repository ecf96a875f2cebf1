//! Where the replicas of a hop go, and how they are marked, read back from the headers that XDP would put in front of them.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use forwarder_common::{
    hop::Shape,
    packet::Packet,
    tables::Hop,
    wire::{ip, udp},
};

/// Offsets in the headers (RFC 791 §3.1, RFC 8200 §3, RFC 768), from the start of the IP header.
mod at {
    pub const V4_TYPE_OF_SERVICE: usize = 1;
    pub const V4_TTL: usize = 8;
    pub const V4_DESTINATION: usize = 16;
    pub const V6_HOP_LIMIT: usize = 7;
    pub const V6_DESTINATION: usize = 24;
    /// From the start of the UDP header.
    pub const DESTINATION_PORT: usize = 2;
}

/// What the IP header says beside the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// DSCP and ECN: the type of service of IPv4, the traffic class of IPv6.
    pub traffic_class: u8,
    /// TTL or hop limit; at least 1, since the socket takes no other.
    pub hop_limit: u8,
}

/// The subscriber's address.
#[must_use]
pub fn hop_destination(hop: &Hop) -> SocketAddr {
    let shape = Shape::from_number(hop.shape);
    let ip_at = shape.ip_at();
    let port = field(hop, ip_at + shape.ip_len() + at::DESTINATION_PORT);
    let address = match shape {
        Shape::V4 | Shape::V4Vlan => {
            Ipv4Addr::from(field::<4>(hop, ip_at + at::V4_DESTINATION)).into()
        }
        Shape::V6 | Shape::V6Vlan => {
            Ipv6Addr::from(field::<16>(hop, ip_at + at::V6_DESTINATION)).into()
        }
    };
    SocketAddr::new(address, u16::from_be_bytes(port))
}

/// How replicas are marked.
#[must_use]
pub fn hop_marks(hop: &Hop) -> Marks {
    let shape = Shape::from_number(hop.shape);
    let ip_at = shape.ip_at();
    let (traffic_class, [hop_limit]) = match shape {
        Shape::V4 | Shape::V4Vlan => {
            let [class] = field(hop, ip_at + at::V4_TYPE_OF_SERVICE);
            (class, field(hop, ip_at + at::V4_TTL))
        }
        Shape::V6 | Shape::V6Vlan => {
            // Four bits of version, eight of class, the flow label.
            let [first, second] = field(hop, ip_at);
            (
                first << 4 | second >> 4,
                field(hop, ip_at + at::V6_HOP_LIMIT),
            )
        }
    };
    Marks {
        traffic_class,
        hop_limit: hop_limit.max(1),
    }
}

/// Bytes of the IP packet that carries `payload_len` bytes to this hop, as the MTU counts them.
#[must_use]
pub fn ip_packet_len(hop: &Hop, payload_len: usize) -> usize {
    Shape::from_number(hop.shape).ip_len() + udp::LEN + payload_len
}

/// An address as the keys of the tables hold it: IPv4 mapped into IPv6.
#[must_use]
pub fn mapped(address: std::net::IpAddr) -> [u8; 16] {
    match address {
        std::net::IpAddr::V4(v4) => ip::mapped(v4.octets()),
        std::net::IpAddr::V6(v6) => v6.octets(),
    }
}

/// A field of the template. Every shape's headers lie in it, so it is never missing.
#[inline]
fn field<const N: usize>(hop: &Hop, at: usize) -> [u8; N] {
    hop.template.as_slice().read(at).unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use forwarder_common::hop::{Addresses, Leg};

    use super::*;

    fn leg(addresses: Addresses, vlan: Option<u16>) -> Leg {
        Leg {
            source_mac: [0x11; 6],
            destination_mac: None,
            vlan,
            addresses,
            source_port: 0x1234,
            destination_port: 0x5678,
            dscp: 46,
            ttl: 63,
            mtu: 1500,
            rewrite: None,
            lease: 0,
            socket: 0,
        }
    }

    #[test]
    fn all_shapes_give_back_what_the_leg_said() {
        let v4 = Addresses::V4 {
            source: [10, 0, 0, 1],
            destination: [10, 9, 8, 7],
        };
        let mut far = [0xfd; 16];
        far[15] = 9;
        let v6 = Addresses::V6 {
            source: [0xfc; 16],
            destination: far,
        };
        let expected = Marks {
            traffic_class: 46 << 2,
            hop_limit: 63,
        };
        for vlan in [None, Some(7)] {
            let hop = leg(v4, vlan).to_hop(1);
            let expected_v4 = SocketAddr::from(([10, 9, 8, 7], 22136));
            assert_eq!(hop_destination(&hop), expected_v4);
            assert_eq!(hop_marks(&hop), expected);
            assert_eq!(ip_packet_len(&hop, 100), 128);
            let hop = leg(v6, vlan).to_hop(1);
            assert_eq!(hop_destination(&hop), SocketAddr::new(far.into(), 0x5678));
            assert_eq!(hop_marks(&hop), expected);
            assert_eq!(ip_packet_len(&hop, 100), 148);
        }
    }

    #[test]
    fn a_void_hop_is_harmless() {
        let nowhere = SocketAddr::from(([0; 4], 0));
        assert_eq!(hop_destination(&Hop::VOID), nowhere);
        assert_eq!(hop_marks(&Hop::VOID).hop_limit, 1);
    }
}
