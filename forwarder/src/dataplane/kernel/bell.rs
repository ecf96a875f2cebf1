//! The bell of one worker: a packet socket on a veth pair of its own, whose far end runs the program `bell`.
//!
//! A pair per worker, pinned to its CPU: then XDP has read all slots by the time that `send` returns, nearly always (design notes in
//! `docs/sealed-path.md`). Two workers on one pair would wait for each other.

use std::{io, os::fd::AsRawFd};

use anyhow::{Context, Result};
use forwarder_common::slots::{BELL_TYPE, Bell};
use socket2::{Domain, Protocol, Socket, Type};

use super::{loop_pair, namespace::Namespace};

/// `PACKET_QDISC_BYPASS`: frames go to the driver at once.
const QDISC_BYPASS: libc::c_int = libc::PACKET_QDISC_BYPASS;

/// The near end.
#[derive(Debug)]
pub struct BellSocket {
    socket: Socket,
}

/// Makes the pair of a worker; gives its far end, for the program, and the near one.
///
/// # Errors
/// The kernel's.
pub fn make_pair(namespace: &Namespace, worker: u32) -> Result<[u32; 2]> {
    loop_pair::make_pair(
        namespace,
        &format!("bell{worker}"),
        &format!("ring{worker}"),
    )
}

impl BellSocket {
    /// A socket on the near end of a pair.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(namespace: &Namespace, near: u32) -> Result<Self> {
        let socket = namespace.run(|| {
            // Protocol 0: it sends only.
            let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
            bind(&socket, near)?;
            set_flag(&socket, libc::SOL_PACKET, QDISC_BYPASS)?;
            Ok(socket)
        });
        Ok(Self {
            socket: socket.context("cannot open a worker's bell")?,
        })
    }

    /// Rings: by the time that this returns XDP has mostly read the slots.
    ///
    /// # Errors
    /// The kernel's: the pair is down or out of memory.
    #[inline]
    pub fn ring(&self, bell: &Bell) -> io::Result<()> {
        self.socket.send(&bell.frame()).map(drop)
    }
}

#[cfg(test)]
impl From<Socket> for BellSocket {
    /// Whatever is at its other end hears the bells.
    fn from(socket: Socket) -> Self {
        Self { socket }
    }
}

fn bind(socket: &Socket, interface: u32) -> io::Result<()> {
    // SAFETY: all zeroes are a valid address of this kind.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as libc::sa_family_t;
    address.sll_protocol = BELL_TYPE.to_be();
    address.sll_ifindex = interface.cast_signed();
    // SAFETY: the address is of the stated length and lives through the call.
    let outcome = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    check(outcome)
}

fn set_flag(socket: &Socket, level: libc::c_int, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: an int of the stated length, which the kernel copies.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    check(outcome)
}

fn check(outcome: libc::c_int) -> io::Result<()> {
    if outcome < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
