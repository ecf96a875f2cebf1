//! The sockets that the worker serves, by number.

use std::{
    cell::Cell,
    io,
    net::{SocketAddr, UdpSocket},
    os::fd::{AsFd, BorrowedFd},
};

use forwarder_common::tables::{Address, address_words};
use nix::sys::socket::{setsockopt, sockopt};

use super::destination::{Marks, mapped};

/// Numbers are below this.
pub use crate::core::settings::MAX_SOCKETS;

/// A socket, and its address as the keys of the tables hold it.
#[derive(Debug)]
pub struct Bound {
    socket: UdpSocket,
    /// As it lies in memory, IPv4 mapped into IPv6.
    pub address: Address,
    /// The local port.
    pub port: u16,
    /// How the system marks what is sent without saying how; set once, by the first leg.
    marks: Cell<Option<Marks>>,
}

/// Where a message is to be marked otherwise than its socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// DSCP and ECN.
    pub traffic_class: Option<u8>,
    /// TTL or hop limit.
    pub hop_limit: Option<u8>,
}

impl Bound {
    /// A socket that is bound.
    ///
    /// # Errors
    /// Where the system does not say to which address.
    pub fn new(socket: UdpSocket) -> io::Result<Self> {
        let local = socket.local_addr()?;
        Ok(Self {
            socket,
            address: address_words(mapped(local.ip())),
            port: local.port(),
            marks: Cell::new(None),
        })
    }

    /// What a message must say to be marked like this.
    ///
    /// Mostly nothing: the first leg's marks become the socket's own, and legs of one socket tend to be marked alike.
    /// That matters, since for the ancillary data of both marks the kernel allocates memory (`____sys_sendmsg` has room
    /// for one).
    #[inline]
    pub fn differences(&self, wanted: Marks) -> Differences {
        let own = self.marks.get().unwrap_or_else(|| self.adopt(wanted));
        Differences {
            traffic_class: (wanted.traffic_class != own.traffic_class)
                .then_some(wanted.traffic_class),
            hop_limit: (wanted.hop_limit != own.hop_limit).then_some(wanted.hop_limit),
        }
    }

    #[cold]
    fn adopt(&self, wanted: Marks) -> Marks {
        let (class, limit) = (wanted.traffic_class.into(), wanted.hop_limit.into());
        let done = match self.socket.local_addr() {
            Ok(SocketAddr::V4(_)) => setsockopt(self, sockopt::Ipv4Tos, &class)
                .and_then(|()| setsockopt(self, sockopt::Ipv4Ttl, &limit)),
            _ => setsockopt(self, sockopt::Ipv6TClass, &class)
                .and_then(|()| setsockopt(self, sockopt::Ipv6Ttl, &limit)),
        };
        // No leg is marked like this (ECN is never set, a hop limit never 0), so each says how it is to be marked.
        let unknown = Marks {
            traffic_class: u8::MAX,
            hop_limit: 0,
        };
        let own = done.map_or(unknown, |()| wanted);
        self.marks.set(Some(own));
        own
    }
}

impl AsFd for Bound {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The sockets.
#[derive(Debug, Default)]
pub struct Sockets {
    slots: Vec<Option<Bound>>,
}

impl Sockets {
    /// The socket with this number.
    #[inline]
    #[must_use]
    pub fn find(&self, number: u32) -> Option<&Bound> {
        self.slots.get(number as usize)?.as_ref()
    }

    /// Takes a socket in.
    ///
    /// # Errors
    /// `InvalidInput` for a number out of range, `AlreadyExists` for one in use.
    pub fn insert(&mut self, number: u32, bound: Bound) -> io::Result<&Bound> {
        if number >= MAX_SOCKETS {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "socket number {number}: allowed are 0 to {}",
                    MAX_SOCKETS - 1
                ),
            ));
        }
        let index = number as usize;
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, || None);
        }
        match self.slots.get_mut(index) {
            Some(slot @ None) => Ok(slot.insert(bound)),
            _ => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("socket number {number} is in use: close it first"),
            )),
        }
    }

    /// Gives a socket up.
    pub fn remove(&mut self, number: u32) -> Option<Bound> {
        self.slots.get_mut(number as usize)?.take()
    }
}
