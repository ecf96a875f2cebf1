//! The bell of one worker: a packet socket on a veth pair of its own, whose far end runs the program `bell`.
//!
//! A pair per worker, pinned to its CPU: then XDP has read all slots by the time that `send` returns, nearly always (design notes in
//! `docs/sealed-path.md`). Two workers on one pair would wait for each other.

use std::{
    fs::OpenOptions,
    io,
    os::fd::{AsRawFd, OwnedFd},
    os::unix::fs::OpenOptionsExt,
};

use anyhow::Result;
use forwarder_common::slots::Bell;

use super::{loop_pair, namespace::Namespace};

/// The near end.
#[derive(Debug)]
pub struct BellSocket {
    tap: OwnedFd,
}

/// TUNSETIFF.
const TUNSETIFF: libc::c_ulong = 0x4004_54ca;

impl BellSocket {
    /// Makes the device of a worker; gives its interface index, for the program, and the end that rings.
    ///
    /// # Errors
    /// The kernel's.
    pub fn make(namespace: &Namespace, worker: u32) -> Result<(u32, Self)> {
        let (tap, index) = namespace.run(|| {
            let tap = OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(libc::O_NONBLOCK)
                .open("/dev/net/tun")?;
            // SAFETY: all zeroes are valid.
            let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
            let name = format!("bell{worker}");
            for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
                *to = from.cast_signed();
            }
            request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
            // SAFETY: TUNSETIFF reads an ifreq.
            check(unsafe { libc::ioctl(tap.as_raw_fd(), TUNSETIFF, &raw mut request) })?;
            let index = nix::net::if_::if_nametoindex(name.as_str())?;
            loop_pair::bring_up(index)?;
            Ok((OwnedFd::from(tap), index))
        })?;
        Ok((index, Self { tap }))
    }

    /// Rings: by the time that this returns XDP has mostly read the slots.
    ///
    /// # Errors
    /// The kernel's: the pair is down or out of memory.
    #[inline]
    pub fn ring(&self, bell: &Bell) -> io::Result<()> {
        nix::unistd::write(&self.tap, &bell.frame())?;
        Ok(())
    }
}

#[cfg(test)]
impl From<socket2::Socket> for BellSocket {
    /// Whatever is at its other end hears the bells.
    fn from(socket: socket2::Socket) -> Self {
        Self { tap: socket.into() }
    }
}

fn check(outcome: libc::c_int) -> io::Result<()> {
    if outcome < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
