//! What the lab does to its veth devices: offloads, generic receive offload as the way to NAPI, and a queue that holds a
//! publisher back.
//!
//! Why offloads are off: a veth sender with transmit checksumming hands its peer frames whose UDP checksum is a partial one,
//! and a capture could not tell a right checksum from a wrong one. Why GRO is on at the receiving end: `ndo_xdp_xmit` of a
//! veth refuses frames unless its peer polls (kernel commit d3256efd8e8b), and the peer polls when it has an XDP program or
//! GRO. UDP is not coalesced by it: that takes `rx-udp-gro-forwarding` or a socket that asks.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::netns::Netns;

// The `ethtool` requests of linux/ethtool.h that take a single on-off value.
const ETHTOOL_STXCSUM: u32 = 0x17;
const ETHTOOL_SSG: u32 = 0x19;
const ETHTOOL_STSO: u32 = 0x1f;
const ETHTOOL_SGSO: u32 = 0x24;
const ETHTOOL_GGRO: u32 = 0x2b;
const ETHTOOL_SGRO: u32 = 0x2c;
const ETHTOOL_GTXCSUM: u32 = 0x16;
const ETHTOOL_SFLAGS: u32 = 0x26;
const ETHTOOL_GFLAGS: u32 = 0x25;
const ETH_FLAG_TXVLAN: u32 = 1 << 7;
const ETH_FLAG_RXVLAN: u32 = 1 << 8;
const ETHTOOL_GLINK: u32 = 0x0a;
const SIOCETHTOOL: u64 = 0x8946;

#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

#[repr(C)]
struct InterfaceRequest {
    name: [u8; libc::IFNAMSIZ],
    value: *mut EthtoolValue,
    // ifreq is a union of up to 24 bytes after the name.
    rest: [u8; 16],
}

/// Turns every transmit offload off, so that frames leave with real checksums, whole and unsegmented, and VLAN tags stay in
/// the frame.
///
/// # Errors
/// When the interface is not there or refuses.
pub fn offloads_off(netns: &Netns, interface: &str) -> Result<()> {
    netns.enter(|| {
        for command in [ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_STXCSUM, ETHTOOL_SSG] {
            ethtool(interface, command, 0)
                .with_context(|| format!("ethtool request {command:#x} on {interface}"))?;
        }
        let flags = ethtool(interface, ETHTOOL_GFLAGS, 0)
            .with_context(|| format!("ethtool flags of {interface}"))?;
        ethtool(
            interface,
            ETHTOOL_SFLAGS,
            flags & !(ETH_FLAG_TXVLAN | ETH_FLAG_RXVLAN),
        )
        .with_context(|| format!("turning VLAN offloads of {interface} off"))?;
        Ok(())
    })
}

/// Turns generic receive offload on or off, and with it NAPI on a veth that has no XDP program.
///
/// # Errors
/// When the interface is not there or refuses.
pub fn set_gro(netns: &Netns, interface: &str, on: bool) -> Result<()> {
    netns
        .enter(|| ethtool(interface, ETHTOOL_SGRO, u32::from(on)))
        .with_context(|| format!("setting gro of {interface}"))?;
    Ok(())
}

/// Whether (transmit checksumming, generic receive offload) are on.
///
/// # Errors
/// When the interface is not there.
pub fn offloads(netns: &Netns, interface: &str) -> Result<(bool, bool)> {
    netns.enter(|| {
        let tx = ethtool(interface, ETHTOOL_GTXCSUM, 0)?;
        let gro = ethtool(interface, ETHTOOL_GGRO, 0)?;
        Ok((tx != 0, gro != 0))
    })
}

/// Makes sure that the interface transmits. The end of a veth that came up first gets its queue in a deferred work of the kernel
/// (`net/core/link_watch.c`), and until then all it sends is lost without a word. Asking for its link state runs that work.
///
/// # Errors
/// When the interface is not there, or has no carrier: its peer is down.
pub fn settle_link(netns: &Netns, interface: &str) -> Result<()> {
    let carrier = netns
        .enter(|| ethtool(interface, ETHTOOL_GLINK, 0))
        .with_context(|| format!("link state of {interface}"))?;
    anyhow::ensure!(
        carrier == 1,
        "{interface} of {} has no carrier",
        netns.name()
    );
    Ok(())
}

/// Gives the interface a transmit queue of `packets`. With it a full ring of the peer stops the queue instead of losing the
/// packet (kernel commit dc82a33297fc, 6.16), so what a publisher sends arrives: its socket blocks on its send buffer.
///
/// # Errors
/// When `tc`, of the package iproute2, is missing or refuses.
pub fn set_queue(netns: &Netns, interface: &str, packets: u32) -> Result<()> {
    let limit = packets.to_string();
    let output = netns
        .command("tc")
        .args([
            "qdisc", "replace", "dev", interface, "root", "pfifo", "limit", &limit,
        ])
        .output()
        .context("cannot run tc: install the package iproute2")?;
    anyhow::ensure!(
        output.status.success(),
        "tc on {interface}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// One request of the calling thread's namespace; returns the value that the kernel left.
fn ethtool(interface: &str, command: u32, data: u32) -> io::Result<u32> {
    let socket: OwnedFd = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    let mut value = EthtoolValue { command, data };
    let mut request = InterfaceRequest {
        name: [0; libc::IFNAMSIZ],
        value: &raw mut value,
        rest: [0; 16],
    };
    if interface.len() >= libc::IFNAMSIZ {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("interface name {interface} has more than 15 characters"),
        ));
    }
    request.name[..interface.len()].copy_from_slice(interface.as_bytes());
    // SAFETY: `request` has the layout and size of ifreq with its data pointer set, `value` that of ethtool_value; both
    // outlive the call.
    let outcome = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) };
    if outcome < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(value.data)
    }
}
