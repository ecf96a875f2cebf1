//! Takes a frame apart and verifies all of it: tags, header checksum, UDP checksum, and that every length agrees with the next.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use etherparse::{
    EtherType, Ethernet2HeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6HeaderSlice,
    SingleVlanHeaderSlice, UdpHeaderSlice,
};

use super::{Mac, Tag};

/// A UDP frame in which everything was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// Destination MAC.
    pub eth_dst: Mac,
    /// Source MAC.
    pub eth_src: Mac,
    /// The outer tag.
    pub vlan: Option<Tag>,
    /// The inner tag, where there are two.
    pub inner_vlan: Option<Tag>,
    /// Source address and port.
    pub src: SocketAddr,
    /// Destination address and port.
    pub dst: SocketAddr,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// Differentiated services code point, 6 bits.
    pub dscp: u8,
    /// Explicit congestion notification, 2 bits.
    pub ecn: u8,
    /// IPv4 identification, 0 for IPv6.
    pub identification: u16,
    /// IPv4 Don't Fragment; true for IPv6, where nobody on the way fragments.
    pub dont_fragment: bool,
    /// What UDP carries.
    pub payload: &'a [u8],
}

/// What is wrong with a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is whole, as far as can be seen, and carries something else than UDP.
    NotUdp,
    /// It ends inside a header.
    Short(&'static str),
    /// A header contradicts itself or the next.
    Malformed(String),
    /// An IPv4 header with options, or a fragment: whoever sends media sends neither.
    Unusual(&'static str),
    /// Bytes after the end of the IP packet.
    Trailing(usize),
    /// The IPv4 header checksum: found, right.
    IpChecksum(u16, u16),
    /// The UDP checksum: found, right.
    UdpChecksum(u16, u16),
    /// The UDP checksum is zero, which says that there is none.
    NoUdpChecksum,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUdp => write!(f, "not UDP"),
            Self::Short(what) => write!(f, "ends inside {what}"),
            Self::Malformed(why) => write!(f, "malformed: {why}"),
            Self::Unusual(what) => write!(f, "has {what}"),
            Self::Trailing(n) => write!(f, "{n} bytes after the end of the IP packet"),
            Self::IpChecksum(found, right) => write!(
                f,
                "IPv4 header checksum {found:#06x}, right is {right:#06x}"
            ),
            Self::UdpChecksum(found, right) => {
                write!(f, "UDP checksum {found:#06x}, right is {right:#06x}")
            }
            Self::NoUdpChecksum => write!(f, "UDP checksum zero"),
        }
    }
}

impl std::error::Error for Flaw {}

/// Verifies a frame as it was on the wire, tags included, and returns what it says.
///
/// # Errors
/// The first flaw, from the outside in. [`Flaw::NotUdp`] for frames that are none of our business.
pub fn check(frame: &[u8]) -> Result<Parsed<'_>, Flaw> {
    let ethernet =
        Ethernet2HeaderSlice::from_slice(frame).map_err(|_| Flaw::Short("the Ethernet header"))?;
    let mut ethertype = ethernet.ether_type();
    let mut at = 14;
    let mut tags = [None; 2];
    for tag in &mut tags {
        if !matches!(
            ethertype,
            EtherType::VLAN_TAGGED_FRAME | EtherType::PROVIDER_BRIDGING
        ) {
            break;
        }
        let header = SingleVlanHeaderSlice::from_slice(&frame[at..])
            .map_err(|_| Flaw::Short("a VLAN tag"))?;
        let control = u16::from_be_bytes([header.slice()[0], header.slice()[1]]);
        *tag = Some(Tag {
            ethertype: ethertype.0,
            control,
        });
        ethertype = header.ether_type();
        at += 4;
    }
    let (eth_dst, eth_src) = (Mac(ethernet.destination()), Mac(ethernet.source()));
    let parsed = match ethertype {
        EtherType::IPV4 => ipv4(&frame[at..])?,
        EtherType::IPV6 => ipv6(&frame[at..])?,
        _ => return Err(Flaw::NotUdp),
    };
    Ok(Parsed {
        eth_dst,
        eth_src,
        vlan: tags[0],
        inner_vlan: tags[1],
        ..parsed
    })
}

fn ipv4(bytes: &[u8]) -> Result<Parsed<'_>, Flaw> {
    let ip =
        Ipv4HeaderSlice::from_slice(bytes).map_err(|error| Flaw::Malformed(error.to_string()))?;
    let right = header_checksum(ip.slice());
    if ip.header_checksum() != right {
        return Err(Flaw::IpChecksum(ip.header_checksum(), right));
    }
    if ip.protocol() != IpNumber::UDP {
        return Err(Flaw::NotUdp);
    }
    if ip.ihl() != 5 {
        return Err(Flaw::Unusual("IPv4 options"));
    }
    if ip.is_fragmenting_payload() {
        return Err(Flaw::Unusual("a fragment"));
    }
    let body = exactly(bytes, 20, usize::from(ip.total_len()))?;
    let (from, to) = (ip.source(), ip.destination());
    let (udp, payload) = udp(body)?;
    let right = udp
        .calc_checksum_ipv4_raw(from, to, payload)
        .map_err(|error| Flaw::Malformed(error.to_string()))?;
    verify(udp.checksum, right)?;
    Ok(Parsed {
        eth_dst: Mac([0; 6]),
        eth_src: Mac([0; 6]),
        vlan: None,
        inner_vlan: None,
        src: (IpAddr::from(Ipv4Addr::from(from)), udp.source_port).into(),
        dst: (IpAddr::from(Ipv4Addr::from(to)), udp.destination_port).into(),
        hop_limit: ip.ttl(),
        dscp: ip.dcp().value(),
        ecn: ip.ecn().value(),
        identification: ip.identification(),
        dont_fragment: ip.dont_fragment(),
        payload,
    })
}

/// RFC 791 §3.1, over the bytes themselves: etherparse's own forgets the reserved flag.
fn header_checksum(header: &[u8]) -> u16 {
    let words = header
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = words
        .enumerate()
        .filter(|(n, _)| *n != 5)
        .map(|(_, word)| word)
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

fn ipv6(bytes: &[u8]) -> Result<Parsed<'_>, Flaw> {
    let ip =
        Ipv6HeaderSlice::from_slice(bytes).map_err(|error| Flaw::Malformed(error.to_string()))?;
    if ip.next_header() != IpNumber::UDP {
        return Err(Flaw::NotUdp);
    }
    let body = exactly(bytes, 40, 40 + usize::from(ip.payload_length()))?;
    let (from, to) = (ip.source(), ip.destination());
    let (udp, payload) = udp(body)?;
    let right = udp
        .calc_checksum_ipv6_raw(from, to, payload)
        .map_err(|error| Flaw::Malformed(error.to_string()))?;
    verify(udp.checksum, right)?;
    Ok(Parsed {
        eth_dst: Mac([0; 6]),
        eth_src: Mac([0; 6]),
        vlan: None,
        inner_vlan: None,
        src: (IpAddr::from(Ipv6Addr::from(from)), udp.source_port).into(),
        dst: (IpAddr::from(Ipv6Addr::from(to)), udp.destination_port).into(),
        hop_limit: ip.hop_limit(),
        dscp: ip.traffic_class() >> 2,
        ecn: ip.traffic_class() & 3,
        identification: 0,
        dont_fragment: true,
        payload,
    })
}

/// The bytes after a header of `header` bytes, if the packet ends exactly at `total`.
fn exactly(bytes: &[u8], header: usize, total: usize) -> Result<&[u8], Flaw> {
    match bytes.len().checked_sub(total) {
        None => Err(Flaw::Short("the IP packet")),
        Some(0) if total >= header => Ok(&bytes[header..]),
        Some(0) => Err(Flaw::Malformed(format!("IP length {total}"))),
        Some(surplus) => Err(Flaw::Trailing(surplus)),
    }
}

fn udp(bytes: &[u8]) -> Result<(etherparse::UdpHeader, &[u8]), Flaw> {
    let header = UdpHeaderSlice::from_slice(bytes)
        .map_err(|_| Flaw::Short("the UDP header"))?
        .to_header();
    if usize::from(header.length) != bytes.len() {
        return Err(Flaw::Malformed(format!(
            "UDP length {} in an IP payload of {}",
            header.length,
            bytes.len()
        )));
    }
    Ok((header, &bytes[8..]))
}

fn verify(found: u16, right: u16) -> Result<(), Flaw> {
    match found {
        0 => Err(Flaw::NoUdpChecksum),
        _ if found == right => Ok(()),
        _ => Err(Flaw::UdpChecksum(found, right)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Frame;
    use super::*;

    const A: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const B: Mac = Mac([2, 0, 0, 0, 0, 2]);

    fn v4(payload: &[u8]) -> Frame {
        Frame::udp(
            A,
            B,
            "10.0.0.1:5000".parse().unwrap(),
            "10.0.0.2:6000".parse().unwrap(),
            payload,
        )
    }

    fn v6(payload: &[u8]) -> Frame {
        Frame::udp(
            A,
            B,
            "[fd00::1]:5000".parse().unwrap(),
            "[fd00::2]:6000".parse().unwrap(),
            payload,
        )
    }

    #[test]
    fn what_is_built_right_checks_out() {
        for frame in [v4(b"hello"), v6(b"hello"), v4(b""), v6(b"odd")] {
            let frame = frame
                .traffic_class(46, 1)
                .hop_limit(9)
                .tag(Tag::service(5))
                .vlan(7);
            let bytes = frame.build();
            let parsed = check(&bytes).unwrap();
            assert_eq!((parsed.eth_src, parsed.eth_dst), (A, B));
            assert_eq!(
                (parsed.vlan, parsed.inner_vlan),
                (Some(Tag::service(5)), Some(Tag::customer(7)))
            );
            assert_eq!((parsed.dscp, parsed.ecn, parsed.hop_limit), (46, 1, 9));
            assert_eq!((parsed.src.port(), parsed.dst.port()), (5000, 6000));
            assert!(matches!(parsed.payload, b"hello" | b"" | b"odd"));
        }
    }

    /// The checksum by the book, RFC 1071, so that not even etherparse is taken at its word.
    #[test]
    fn checksums_are_those_of_the_book() {
        let bytes = v4(b"abcde").build();
        let mut sum: u32 = 17 + 13;
        let mut covered = bytes[26..].to_vec();
        covered.push(0);
        for pair in covered.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        assert_eq!(
            sum, 0xffff,
            "a packet that carries its right checksum sums to all ones"
        );
    }

    #[test]
    fn a_computed_zero_is_sent_as_all_ones() {
        let zero = (0..=u16::MAX)
            .map(|n| v4(&n.to_be_bytes()).build())
            .find(|bytes| bytes[40..42] == [0xff, 0xff]);
        assert!(check(&zero.unwrap()).is_ok());
        assert!((0..=u16::MAX).all(|n| v4(&n.to_be_bytes()).build()[40..42] != [0, 0]));
    }

    #[test]
    fn every_flaw_is_found() {
        assert!(matches!(
            check(&v4(b"x").wrong_udp_checksum().build()),
            Err(Flaw::UdpChecksum(..))
        ));
        assert!(matches!(
            check(&v6(b"x").wrong_udp_checksum().build()),
            Err(Flaw::UdpChecksum(..))
        ));
        assert!(matches!(
            check(&v4(b"x").wrong_ip_checksum().build()),
            Err(Flaw::IpChecksum(..))
        ));
        assert_eq!(
            check(&v4(b"x").without_checksum().build()),
            Err(Flaw::NoUdpChecksum)
        );
        assert_eq!(check(&v4(b"x").pad_to(60).build()), Err(Flaw::Trailing(17)));
        assert_eq!(
            check(&v6(b"x").trailer(b"abc").build()),
            Err(Flaw::Trailing(3))
        );
        assert_eq!(
            check(&v4(b"x").options(&[1, 1, 1, 0]).build()),
            Err(Flaw::Unusual("IPv4 options"))
        );
        assert_eq!(
            check(&v4(b"x").fragment(0, true).build()),
            Err(Flaw::Unusual("a fragment"))
        );
        assert_eq!(
            check(&v6(b"x").fragment(0, true).build()),
            Err(Flaw::NotUdp)
        );
        assert_eq!(
            check(&v6(b"x").extension(60, &[1, 4, 0, 0, 0, 0]).build()),
            Err(Flaw::NotUdp)
        );
        let whole = v4(b"hello").vlan(3).build();
        for end in 0..whole.len() {
            assert!(check(&whole[..end]).is_err(), "cut at {end}");
        }
        for bit in 14 * 8 + 32..whole.len() * 8 {
            let mut bent = whole.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(check(&bent).is_err(), "bit {bit} turned");
        }
    }
}
