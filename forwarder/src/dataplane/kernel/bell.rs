//! The bell of one worker: a tap device of its own, whose program `bell` the kernel runs on what is written to it.
//!
//! A native XDP program on a tap runs inside of `write`, on the bytes written: no socket buffer is made and no poll is scheduled
//! (`tun_build_skb`, drivers/net/tun.c), which makes a bell half as dear as one by a packet socket and a veth pair
//! (`docs/decisions/0016-bells-by-tap.md`). The broadcast is flushed there too, so XDP has read all slots when `write` returns, unless the
//! kernel had no memory for a clone.

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    os::unix::fs::OpenOptionsExt,
};

use anyhow::{Context, Result};
use forwarder_common::slots::Bell;

use super::{loop_pair::bring_up, namespace::Namespace};

/// Where taps come from.
pub const TUN: &str = "/dev/net/tun";

/// The end that rings.
#[derive(Debug)]
pub struct BellDevice {
    tap: OwnedFd,
}

impl BellDevice {
    /// Makes the device of a worker; gives it, and its interface index for the program. It goes with this process.
    ///
    /// # Errors
    /// No taps in this kernel or container, or no privilege.
    pub fn make(namespace: &Namespace, worker: u32) -> Result<(Self, u32)> {
        namespace.run(|| {
            let tap = OpenOptions::new()
                .read(true)
                .write(true)
                // Also since the kernel has its quick way only for who does not wait (`tun_can_build_skb`).
                .custom_flags(libc::O_NONBLOCK)
                .open(TUN)
                .with_context(|| {
                    format!(
                        "cannot open {TUN}: load the module tun, or give the container this device"
                    )
                })?;
            let name = format!("bell{worker}");
            attach(&tap, &name).with_context(|| format!("cannot make the tap {name}"))?;
            let index = nix::net::if_::if_nametoindex(name.as_str())?;
            bring_up(index)?;
            Ok((Self { tap: tap.into() }, index))
        })
    }

    /// Rings: when this returns, XDP has read the slots.
    ///
    /// # Errors
    /// The kernel's: there is no memory. XDP has not heard it then.
    #[inline]
    pub fn ring(&self, bell: &Bell) -> io::Result<()> {
        nix::unistd::write(self.tap.as_fd(), &bell.frame())?;
        Ok(())
    }
}

#[cfg(test)]
impl From<socket2::Socket> for BellDevice {
    /// Whatever is at its other end hears the bells.
    fn from(socket: socket2::Socket) -> Self {
        Self { tap: socket.into() }
    }
}

/// Makes the file a tap of this name: Ethernet frames, with nothing in front (Documentation/networking/tuntap.rst).
fn attach(tap: &File, name: &str) -> io::Result<()> {
    // SAFETY: all zeroes are a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // A zero stays behind the name.
    let room = libc::IFNAMSIZ - 1;
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(room)) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: the kernel reads and writes a request of this type, which lives through the call.
    let outcome = unsafe { libc::ioctl(tap.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if outcome < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
