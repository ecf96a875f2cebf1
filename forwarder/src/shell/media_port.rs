//! The media port at start: which local addresses it has, its sockets there, and what peers are told of them.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use anyhow::{Result, bail};

use crate::{
    config::{Config, MAX_MEDIA_ADDRESSES},
    net::Resolver,
    node::media::{
        sockets::{Marks, listen_tcp, listen_udp},
        strangers::Listener,
    },
    sessions::candidate::Candidate,
    transport::Protocol,
};

/// The media port, open.
pub struct MediaPort {
    /// Its sockets.
    pub listeners: Vec<Listener>,
    /// What peers are told, the preferred first.
    pub candidates: Vec<Candidate>,
}

/// Opens the media port at the addresses that were configured, or at those of the host.
///
/// # Errors
/// An address that was named cannot be had, or none of the host can.
pub fn open(config: &Config, resolver: &Resolver, marks: Marks) -> Result<MediaPort> {
    let detected = config.media_addresses.is_empty();
    let addresses = if detected {
        detect(up(resolver))
    } else {
        config.media_addresses.clone()
    };
    let mut listeners = Vec::new();
    for ip in addresses {
        let local = SocketAddr::new(ip, config.media_port);
        match listen(local, marks) {
            Ok(listener) => listeners.push(listener),
            // An IPv6 address that is still being checked for duplicates, say, was not asked for by name.
            Err(error) if detected && error.kind() == io::ErrorKind::AddrNotAvailable => {
                log::warn!("sessions are not served at {ip}: {error}");
            }
            Err(error) => return Err(refuse(local, &error)),
        }
    }
    if listeners.is_empty() {
        bail!(
            "media-address: none of the host's addresses can be used; allowed: one that `ip address` shows"
        );
    }
    let locals = listeners.iter().map(|listener| listener.local);
    let candidates = candidates(config, &locals.collect::<Vec<_>>());
    Ok(MediaPort {
        listeners,
        candidates,
    })
}

/// TCP first: its sockets are not shared, so that a second node on the same port is noticed.
fn listen(local: SocketAddr, marks: Marks) -> io::Result<Listener> {
    let tcp = listen_tcp(local)?;
    let udp = listen_udp(local, marks)?;
    Ok(Listener { local, udp, tcp })
}

fn refuse(local: SocketAddr, error: &io::Error) -> anyhow::Error {
    let (field, value) = match error.kind() {
        io::ErrorKind::AddrNotAvailable => ("media-address", local.ip().to_string()),
        _ => ("media-port", local.port().to_string()),
    };
    let allowed = match error.kind() {
        io::ErrorKind::AddrNotAvailable => "an address of this host, as `ip address` shows it",
        io::ErrorKind::AddrInUse => {
            "a UDP and TCP port that no other program has, another node among them"
        }
        io::ErrorKind::PermissionDenied => "a port above 1023, or CAP_NET_BIND_SERVICE",
        _ => "a port that can be opened",
    };
    anyhow::anyhow!("{field} cannot be {value} at {local}: {error}; allowed: {allowed}")
}

/// Addresses of interfaces that are up.
fn up(resolver: &Resolver) -> Vec<IpAddr> {
    let is_up = |index: &u32| resolver.link(*index).is_some_and(|link| link.up);
    let addresses = resolver.local_addresses().into_iter();
    addresses
        .filter(|(_, devices)| devices.iter().any(is_up))
        .map(|(address, _)| address)
        .collect()
}

/// The addresses that other hosts may reach, IPv6 first (RFC 6724 §2.1); those of loopback if there are none.
fn detect(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.retain(|address| is_global(*address));
    addresses.sort_by_key(|address| (address.is_ipv4(), *address));
    addresses.dedup();
    if addresses.len() > MAX_MEDIA_ADDRESSES {
        log::warn!(
            "of {} addresses the first {MAX_MEDIA_ADDRESSES} serve sessions; choose them with --media-address",
            addresses.len()
        );
        addresses.truncate(MAX_MEDIA_ADDRESSES);
    }
    if addresses.is_empty() {
        addresses.extend([
            IpAddr::from(Ipv6Addr::LOCALHOST),
            Ipv4Addr::LOCALHOST.into(),
        ]);
    }
    addresses
}

/// Whether an address means the same host beyond the link.
fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            !(v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_unspecified())
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
                || v6.is_unspecified()
                || v6.to_ipv4_mapped().is_some())
        }
    }
}

/// A candidate over UDP and one over TCP for every address, as it is announced.
fn candidates(config: &Config, locals: &[SocketAddr]) -> Vec<Candidate> {
    let told = |local: &SocketAddr| {
        let mut announced = config.announced.iter();
        let entry = announced.find(|entry| entry.local == local.ip());
        SocketAddr::new(entry.map_or(local.ip(), |entry| entry.public), local.port())
    };
    let told: Vec<_> = (0..).zip(locals.iter().map(told)).collect();
    let of = |protocol| {
        told.iter()
            .map(move |(rank, address)| Candidate::host(protocol, *address, *rank))
    };
    of(Protocol::Udp).chain(of(Protocol::Tcp)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Announced;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn global_addresses_are_found_and_loopback_only_without_any() {
        let all = ips(&[
            "127.0.0.1",
            "10.0.0.2",
            "169.254.1.1",
            "::1",
            "fe80::1",
            "fd00::2",
            "2001:db8::1",
        ]);
        assert_eq!(detect(all), ips(&["2001:db8::1", "fd00::2", "10.0.0.2"]));
        assert_eq!(
            detect(ips(&["127.0.0.1", "fe80::1"])),
            ips(&["::1", "127.0.0.1"])
        );
        let many = (0..40_u8).map(|at| IpAddr::from([10, 0, 0, at])).collect();
        assert_eq!(detect(many).len(), MAX_MEDIA_ADDRESSES);
    }

    #[test]
    fn peers_are_told_announced_addresses_over_both_protocols() {
        let config = Config {
            announced: vec![Announced {
                local: "10.0.0.1".parse().unwrap(),
                public: "203.0.113.5".parse().unwrap(),
            }],
            ..Config::default()
        };
        let locals = [
            "[fd00::1]:7700".parse().unwrap(),
            "10.0.0.1:7700".parse().unwrap(),
        ];
        let told: Vec<_> = candidates(&config, &locals)
            .into_iter()
            .map(|candidate| (candidate.protocol, candidate.address.to_string()))
            .collect();
        let wanted = [
            (Protocol::Udp, "[fd00::1]:7700"),
            (Protocol::Udp, "203.0.113.5:7700"),
            (Protocol::Tcp, "[fd00::1]:7700"),
            (Protocol::Tcp, "203.0.113.5:7700"),
        ];
        assert_eq!(
            told,
            wanted.map(|(protocol, address)| (protocol, address.to_owned()))
        );
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let marks = Marks { dscp: 0, ttl: 64 };
        let first = listen(SocketAddr::from(([127, 0, 0, 1], 0)), marks).unwrap();
        let local = first.tcp.local_addr().unwrap();
        let error = listen(local, marks).map(drop).unwrap_err();
        let text = refuse(local, &error).to_string();
        assert!(
            text.contains(&format!("media-port cannot be {}", local.port())),
            "{text}"
        );
    }
}
