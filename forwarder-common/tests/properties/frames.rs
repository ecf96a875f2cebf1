//! Frames of every kind, built by etherparse, and the tables that know their addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{
    EtherType, Ethernet2Header, IpFragOffset, IpNumber, Ipv4Header, Ipv4Options, Ipv6Header,
    SingleVlanHeader, UdpHeader, VlanId,
};
use forwarder_common::{
    ingress::Lookup,
    tables::{Address, Endpoint, EndpointKey, PairKey, RouteKey, Steer, mac_words},
    wire::ip::mapped,
};
use proptest::{collection::vec, prelude::*};

/// The MAC of the interface that media comes in by.
pub const LOCAL_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const REMOTE_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
pub const LOCAL_PORT: u16 = 5000;
pub const REMOTE_PORT: u16 = 6000;
pub const SSRC: u32 = 0x1234_5678;
/// The route of [`SSRC`].
pub const ROUTE: u32 = 7;

/// A frame to our media address.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Outer to inner: EtherType and identifier.
    pub tags: Vec<(u16, u16)>,
    pub ipv6: bool,
    pub payload: Vec<u8>,
    /// Bytes after the IP packet.
    pub padding: Vec<u8>,
    /// IPv4 options or an IPv6 extension header.
    pub options: Options,
    pub fragment: Option<(u16, bool)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Options {
    None,
    /// Multiples of 4 bytes.
    V4(Vec<u8>),
    /// Number of an extension header of 8 bytes.
    V6(u8),
}

pub fn local(ipv6: bool) -> IpAddr {
    if ipv6 {
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1).into()
    } else {
        Ipv4Addr::new(10, 0, 0, 1).into()
    }
}

pub fn remote(ipv6: bool) -> IpAddr {
    if ipv6 {
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2).into()
    } else {
        Ipv4Addr::new(10, 0, 0, 2).into()
    }
}

fn address(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(v4) => mapped(v4.octets()),
        IpAddr::V6(v6) => v6.octets(),
    }
}

impl Frame {
    pub fn plain(ipv6: bool, payload: Vec<u8>) -> Self {
        Self {
            tags: Vec::new(),
            ipv6,
            payload,
            padding: Vec::new(),
            options: Options::None,
            fragment: None,
        }
    }

    /// Bytes in front of the UDP payload.
    pub fn header_len(&self) -> usize {
        let options = match &self.options {
            Options::None => 0,
            Options::V4(bytes) => bytes.len(),
            Options::V6(_) => 8,
        };
        14 + 4 * self.tags.len() + if self.ipv6 { 40 } else { 20 } + options + 8
    }

    pub fn build(&self) -> Vec<u8> {
        let last = if self.ipv6 {
            EtherType::IPV6
        } else {
            EtherType::IPV4
        };
        let mut types: Vec<EtherType> = self.tags.iter().map(|tag| EtherType(tag.0)).collect();
        types.push(last);
        let ethernet = Ethernet2Header {
            source: REMOTE_MAC,
            destination: LOCAL_MAC,
            ether_type: types[0],
        };
        let mut bytes = ethernet.to_bytes().to_vec();
        for ((_, id), ether_type) in self.tags.iter().zip(&types[1..]) {
            let tag = SingleVlanHeader {
                vlan_id: VlanId::try_new(*id).unwrap(),
                ether_type: *ether_type,
                ..Default::default()
            };
            bytes.extend_from_slice(&tag.to_bytes());
        }
        let udp = UdpHeader {
            source_port: REMOTE_PORT,
            destination_port: LOCAL_PORT,
            length: 8 + self.payload.len() as u16,
            checksum: 0,
        };
        match (remote(self.ipv6), local(self.ipv6)) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let (source, destination) = (source.octets(), destination.octets());
                let mut ip =
                    Ipv4Header::new(udp.length, 64, IpNumber::UDP, source, destination).unwrap();
                if let Options::V4(options) = &self.options {
                    ip.options = Ipv4Options::try_from(options.as_slice()).unwrap();
                    ip.total_len += options.len() as u16;
                }
                if let Some((offset, more)) = self.fragment {
                    ip.dont_fragment = false;
                    ip.fragment_offset = IpFragOffset::try_new(offset).unwrap();
                    ip.more_fragments = more;
                }
                ip.header_checksum = ip.calc_header_checksum();
                bytes.extend_from_slice(&ip.to_bytes());
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let mut extension = Vec::new();
                let mut next_header = IpNumber::UDP;
                if let Options::V6(number) = self.options {
                    extension = vec![IpNumber::UDP.0, 0, 1, 4, 0, 0, 0, 0];
                    next_header = IpNumber(number);
                }
                let ip = Ipv6Header {
                    payload_length: udp.length + extension.len() as u16,
                    next_header,
                    hop_limit: 64,
                    source: source.octets(),
                    destination: destination.octets(),
                    ..Default::default()
                };
                bytes.extend_from_slice(&ip.to_bytes());
                bytes.extend_from_slice(&extension);
            }
            _ => unreachable!("both are of one family"),
        }
        bytes.extend_from_slice(&udp.to_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes.extend_from_slice(&self.padding);
        bytes
    }
}

/// The endpoints and the stream of these tests.
pub struct Tables;

impl Lookup for Tables {
    fn endpoint(&self, key: &EndpointKey) -> Option<Endpoint> {
        [false, true]
            .iter()
            .any(|&ipv6| *key == EndpointKey::new(address(local(ipv6)), LOCAL_PORT))
            .then(|| Endpoint::new(LOCAL_MAC))
    }

    fn steer(&self, _key: &PairKey) -> Option<Steer> {
        None
    }

    fn is_own_mac(&self, mac: [u32; 2]) -> bool {
        mac == mac_words(LOCAL_MAC)
    }

    fn knows_ufrag(&self, _ufrag: u64) -> bool {
        false
    }

    fn meter(&self, _source: &Address) -> bool {
        false
    }

    fn meter_pair(&self, _pair: &PairKey) -> bool {
        false
    }

    fn route(&self, key: &RouteKey) -> Option<u32> {
        [false, true]
            .iter()
            .any(|&ipv6| {
                let (source, destination) = (address(remote(ipv6)), address(local(ipv6)));
                *key == RouteKey::new((source, REMOTE_PORT), (destination, LOCAL_PORT), SSRC)
            })
            .then_some(ROUTE)
    }
}

/// Zero, one or two tags.
pub fn tags() -> impl Strategy<Value = Vec<(u16, u16)>> {
    let ether_type = || prop_oneof![Just(0x8100_u16), Just(0x88a8)];
    vec((ether_type(), 0..4096_u16), 0..=2)
}

/// A whole RTP packet of [`SSRC`]: with contributing sources and an extension, `12..=longest` bytes.
pub fn rtp(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    let second = prop_oneof![0..64_u8, 96..192_u8, 224..=255_u8];
    (
        any::<bool>(),
        0..16_u8,
        0..8_u16,
        second,
        vec(any::<u8>(), 12..=longest),
    )
        .prop_map(|(padding, sources, extension, second, mut bytes)| {
            let mut first = 0x80 | u8::from(padding) << 5;
            let mut len = 12;
            if bytes.len() >= len + 4 * usize::from(sources) {
                first |= sources;
                len += 4 * usize::from(sources);
            }
            if bytes.len() >= len + 4 + 4 * usize::from(extension) {
                first |= 0x10;
                bytes[len + 2..len + 4].copy_from_slice(&extension.to_be_bytes());
            }
            bytes[0] = first;
            bytes[1] = second;
            bytes[8..12].copy_from_slice(&SSRC.to_be_bytes());
            bytes
        })
}

/// Frames that are to be forwarded.
pub fn media() -> impl Strategy<Value = Frame> {
    (tags(), any::<bool>(), rtp(1480), vec(any::<u8>(), 0..50)).prop_map(
        |(tags, ipv6, payload, padding)| Frame {
            tags,
            padding,
            ..Frame::plain(ipv6, payload)
        },
    )
}
