//! Builds a frame around a UDP payload, right in every field unless told to be wrong in one.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    EtherType, Ethernet2Header, IpFragOffset, IpNumber, Ipv4Header, Ipv4Options, Ipv6Header,
    SingleVlanHeader, UdpHeader, VlanId, VlanPcp,
};

use super::{Mac, Tag};

/// A frame to be built. Methods change one thing each; [`Frame::build`] returns the bytes.
#[derive(Clone, Debug)]
pub struct Frame {
    destination: Mac,
    source: Mac,
    tags: Vec<Tag>,
    from: SocketAddr,
    to: SocketAddr,
    payload: Vec<u8>,
    hop_limit: u8,
    traffic_class: u8,
    identification: u16,
    dont_fragment: bool,
    fragment: Option<(u16, bool)>,
    options: Vec<u8>,
    extension: Option<(u8, Vec<u8>)>,
    udp_checksum: Checksum,
    ip_checksum: Checksum,
    pad_to: usize,
    trailer: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checksum {
    Right,
    Wrong,
    Zero,
}

impl Frame {
    /// A plain frame: no tag, hop limit 64, traffic class 0, right checksums, no padding.
    ///
    /// # Panics
    /// When the two addresses differ in family.
    #[must_use]
    pub fn udp(
        source: Mac,
        destination: Mac,
        from: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
    ) -> Self {
        assert_eq!(
            from.is_ipv4(),
            to.is_ipv4(),
            "a frame's addresses are of one family"
        );
        Self {
            destination,
            source,
            tags: Vec::new(),
            from,
            to,
            payload: payload.to_vec(),
            hop_limit: 64,
            traffic_class: 0,
            identification: 0,
            dont_fragment: true,
            fragment: None,
            options: Vec::new(),
            extension: None,
            udp_checksum: Checksum::Right,
            ip_checksum: Checksum::Right,
            pad_to: 0,
            trailer: Vec::new(),
        }
    }

    /// Adds a customer tag, inside those that are there.
    #[must_use]
    pub fn vlan(self, id: u16) -> Self {
        self.tag(Tag::customer(id))
    }

    /// Adds a tag, inside those that are there.
    #[must_use]
    pub fn tag(mut self, tag: Tag) -> Self {
        self.tags.push(tag);
        self
    }

    /// TTL or hop limit.
    #[must_use]
    pub fn hop_limit(mut self, hops: u8) -> Self {
        self.hop_limit = hops;
        self
    }

    /// DSCP (6 bits) and ECN (2 bits).
    #[must_use]
    pub fn traffic_class(mut self, dscp: u8, ecn: u8) -> Self {
        self.traffic_class = dscp << 2 | (ecn & 3);
        self
    }

    /// IPv4 identification, and whether Don't Fragment is set (it is unless told).
    #[must_use]
    pub fn identification(mut self, identification: u16, dont_fragment: bool) -> Self {
        self.identification = identification;
        self.dont_fragment = dont_fragment;
        self
    }

    /// Makes it a fragment: offset in units of 8 bytes, and whether more follow. The UDP header stays at the payload's
    /// start, so this is what a first fragment looks like; for later ones the bytes there mean nothing.
    #[must_use]
    pub fn fragment(mut self, offset: u16, more: bool) -> Self {
        self.fragment = Some((offset, more));
        self.dont_fragment = false;
        self
    }

    /// IPv4 options, a multiple of 4 bytes, at most 40.
    #[must_use]
    pub fn options(mut self, bytes: &[u8]) -> Self {
        self.options = bytes.to_vec();
        self
    }

    /// An IPv6 extension header of this number before UDP. `body` is what follows next-header and length: 6 bytes plus a
    /// multiple of 8.
    #[must_use]
    pub fn extension(mut self, number: u8, body: &[u8]) -> Self {
        assert_eq!(
            body.len() % 8,
            6,
            "an IPv6 extension header is a multiple of 8 bytes"
        );
        self.extension = Some((number, body.to_vec()));
        self
    }

    /// Sends UDP without a checksum (zero), which only IPv4 allows.
    #[must_use]
    pub fn without_checksum(mut self) -> Self {
        self.udp_checksum = Checksum::Zero;
        self
    }

    /// Makes the UDP checksum wrong.
    #[must_use]
    pub fn wrong_udp_checksum(mut self) -> Self {
        self.udp_checksum = Checksum::Wrong;
        self
    }

    /// Makes the IPv4 header checksum wrong.
    #[must_use]
    pub fn wrong_ip_checksum(mut self) -> Self {
        self.ip_checksum = Checksum::Wrong;
        self
    }

    /// Pads with zeroes to this many bytes, as Ethernet does to 60.
    #[must_use]
    pub fn pad_to(mut self, length: usize) -> Self {
        self.pad_to = length;
        self
    }

    /// Bytes after the end of the IP packet.
    #[must_use]
    pub fn trailer(mut self, bytes: &[u8]) -> Self {
        self.trailer = bytes.to_vec();
        self
    }

    /// The frame's bytes, from the destination MAC on.
    ///
    /// # Panics
    /// When a part does not fit its field.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let mut bytes = self.ethernet();
        match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => self.ipv4(from.octets(), to.octets(), &mut bytes),
            (IpAddr::V6(from), IpAddr::V6(to)) => self.ipv6(from.octets(), to.octets(), &mut bytes),
            _ => unreachable!("checked when it was made"),
        }
        bytes.extend_from_slice(&self.trailer);
        bytes.resize(bytes.len().max(self.pad_to), 0);
        bytes
    }

    fn ethernet(&self) -> Vec<u8> {
        let last = if self.from.is_ipv4() {
            EtherType::IPV4
        } else {
            EtherType::IPV6
        };
        let types: Vec<EtherType> = self
            .tags
            .iter()
            .map(|tag| EtherType(tag.ethertype))
            .chain([last])
            .collect();
        let header = Ethernet2Header {
            source: self.source.0,
            destination: self.destination.0,
            ether_type: types[0],
        };
        let mut bytes = header.to_bytes().to_vec();
        for (tag, next) in self.tags.iter().zip(&types[1..]) {
            let header = SingleVlanHeader {
                pcp: VlanPcp::try_new((tag.control >> 13) as u8).expect("three bits"),
                drop_eligible_indicator: tag.control & 0x1000 != 0,
                vlan_id: VlanId::try_new(tag.id()).expect("twelve bits"),
                ether_type: *next,
            };
            bytes.extend_from_slice(&header.to_bytes());
        }
        bytes
    }

    fn ipv4(&self, from: [u8; 4], to: [u8; 4], bytes: &mut Vec<u8>) {
        let mut udp = self.udp_header();
        let right = udp
            .calc_checksum_ipv4_raw(from, to, &self.payload)
            .expect("a payload that fits IPv4");
        udp.checksum = self.udp_checksum.of(right);
        let length = u16::try_from(8 + self.payload.len()).expect("a payload that fits IPv4");
        let mut ip = Ipv4Header::new(length, self.hop_limit, IpNumber::UDP, from, to)
            .expect("a payload that fits IPv4");
        let [dscp, ecn] = [self.traffic_class >> 2, self.traffic_class & 3];
        ip.dscp = dscp.try_into().expect("six bits");
        ip.ecn = ecn.try_into().expect("two bits");
        ip.identification = self.identification;
        ip.dont_fragment = self.dont_fragment;
        if !self.options.is_empty() {
            ip.options = Ipv4Options::try_from(&self.options[..])
                .expect("options of up to 40 bytes, in fours");
            ip.total_len += u16::try_from(self.options.len()).expect("at most 40");
        }
        if let Some((offset, more)) = self.fragment {
            ip.fragment_offset = IpFragOffset::try_new(offset).expect("13 bits");
            ip.more_fragments = more;
        }
        ip.header_checksum = self.ip_checksum.of(ip.calc_header_checksum());
        bytes.extend_from_slice(&ip.to_bytes());
        bytes.extend_from_slice(&udp.to_bytes());
        bytes.extend_from_slice(&self.payload);
    }

    fn ipv6(&self, from: [u8; 16], to: [u8; 16], bytes: &mut Vec<u8>) {
        let mut udp = self.udp_header();
        let right = udp
            .calc_checksum_ipv6_raw(from, to, &self.payload)
            .expect("a payload that fits IPv6");
        udp.checksum = self.udp_checksum.of(right);
        let mut extensions = Vec::new();
        let mut first = IpNumber::UDP;
        if let Some((offset, more)) = self.fragment {
            // RFC 8200 §4.5: next header, reserved, offset and flags, identification.
            first = IpNumber::IPV6_FRAGMENTATION_HEADER;
            extensions.extend_from_slice(&[IpNumber::UDP.0, 0]);
            extensions.extend_from_slice(&(offset << 3 | u16::from(more)).to_be_bytes());
            extensions.extend_from_slice(&u32::from(self.identification).to_be_bytes());
        }
        if let Some((number, body)) = &self.extension {
            let units = u8::try_from((body.len() + 2) / 8 - 1)
                .expect("an extension header of at most 2048 bytes");
            extensions.splice(
                0..0,
                [first.0, units].into_iter().chain(body.iter().copied()),
            );
            first = IpNumber(*number);
        }
        let length = extensions.len() + 8 + self.payload.len();
        let ip = Ipv6Header {
            traffic_class: self.traffic_class,
            flow_label: Default::default(),
            payload_length: u16::try_from(length).expect("a payload that fits IPv6"),
            next_header: first,
            hop_limit: self.hop_limit,
            source: from,
            destination: to,
        };
        bytes.extend_from_slice(&ip.to_bytes());
        bytes.extend_from_slice(&extensions);
        bytes.extend_from_slice(&udp.to_bytes());
        bytes.extend_from_slice(&self.payload);
    }

    fn udp_header(&self) -> UdpHeader {
        let length = u16::try_from(8 + self.payload.len()).expect("a payload that fits UDP");
        UdpHeader {
            source_port: self.from.port(),
            destination_port: self.to.port(),
            length,
            checksum: 0,
        }
    }
}

impl Checksum {
    fn of(self, right: u16) -> u16 {
        match self {
            Self::Right => right,
            // Neither zero (none) nor the same in ones' complement (0 and 0xffff).
            Self::Wrong => {
                if right == 0x1234 {
                    0x4321
                } else {
                    0x1234
                }
            }
            Self::Zero => 0,
        }
    }
}
