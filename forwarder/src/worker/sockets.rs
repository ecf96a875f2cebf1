//! The connected UDP sockets of a worker's sessions: the kernel finds the socket by the 5-tuple, so strangers never fill its buffer.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use crate::transport::Pair;

/// Full batches of one socket, one after the other, after which its video is shed.
const FULL_BATCHES: u32 = 4;

/// A socket and whose it is.
#[derive(Debug)]
pub struct SessionSocket {
    /// Number of the session.
    pub session: u32,
    /// What it is connected to.
    pub pair: Pair,
    /// The socket.
    pub socket: Arc<OwnedFd>,
    full: u32,
}

impl SessionSocket {
    /// Notes whether a batch was full; gives whether video is to be shed: the worker does not keep up with what arrives.
    pub fn note_batch(&mut self, full: bool) -> bool {
        self.full = if full { self.full + 1 } else { 0 };
        self.full > FULL_BATCHES
    }
}

/// Sockets by number.
#[derive(Debug, Default)]
pub struct SessionSockets {
    sockets: Vec<Option<SessionSocket>>,
    numbers: HashMap<Pair, usize>,
}

impl SessionSockets {
    /// Reads a socket from now on; a former one of the same pair is let go.
    ///
    /// # Errors
    /// epoll's.
    pub fn add(
        &mut self,
        epoll: &Epoll,
        session: u32,
        pair: Pair,
        socket: Arc<OwnedFd>,
    ) -> io::Result<()> {
        self.remove(epoll, &pair);
        let free = self.sockets.iter().position(Option::is_none);
        let number = free.unwrap_or(self.sockets.len());
        epoll.add(
            socket.as_fd(),
            EpollEvent::new(EpollFlags::EPOLLIN, number as u64),
        )?;
        let added = Some(SessionSocket {
            session,
            pair,
            socket,
            full: 0,
        });
        match self.sockets.get_mut(number) {
            Some(place) => *place = added,
            None => self.sockets.push(added),
        }
        self.numbers.insert(pair, number);
        Ok(())
    }

    /// Reads a socket no longer.
    pub fn remove(&mut self, epoll: &Epoll, pair: &Pair) {
        let Some(number) = self.numbers.remove(pair) else {
            return;
        };
        if let Some(removed) = self.sockets.get_mut(number).and_then(Option::take) {
            // Others may hold the socket, so it would stay in epoll.
            let _there = epoll.delete(removed.socket.as_fd());
        }
    }

    /// The socket with this number.
    pub fn find(&mut self, number: u64) -> Option<&mut SessionSocket> {
        self.sockets
            .get_mut(usize::try_from(number).ok()?)?
            .as_mut()
    }
}
