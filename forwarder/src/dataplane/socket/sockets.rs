//! The sockets that the worker serves, by number.

use std::{
    io,
    net::UdpSocket,
    os::fd::{AsFd, BorrowedFd},
};

use super::destination::mapped;

/// Numbers are below this.
pub const MAX_SOCKETS: u32 = 4096;

/// A socket, and its address as the keys of the tables hold it.
#[derive(Debug)]
pub struct Bound {
    socket: UdpSocket,
    /// IPv4 mapped into IPv6.
    pub address: [u8; 16],
    /// In network order.
    pub port: [u8; 2],
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
            address: mapped(local.ip()),
            port: local.port().to_be_bytes(),
        })
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
