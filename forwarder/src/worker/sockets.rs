//! The connected UDP sockets of a worker's sessions: the kernel finds the socket by the 5-tuple, so strangers never fill its buffer.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use crate::transport::Pair;

/// Full batches of one socket, one right after the other, after which its video is shed: a thousand packets have waited.
const FULL_BATCHES: u32 = 16;
/// Nanoseconds between two batches that follow right upon each other, the forwarding of the first included.
const AT_ONCE: u64 = 20_000_000;

/// A socket and whose it is.
#[derive(Debug)]
pub struct SessionSocket {
    /// Number of the session.
    pub session: u32,
    /// What it is connected to.
    pub pair: Pair,
    /// The socket.
    pub socket: Arc<OwnedFd>,
    /// Full batches on end, and when the last one was read.
    full: (u32, u64),
}

impl SessionSocket {
    /// Notes whether the batch read at `now` was full; gives whether its video is to be shed: the worker does not keep up.
    pub fn note_batch(&mut self, full: bool, now: u64) -> bool {
        let (before, last) = self.full;
        let on_end = now.saturating_sub(last) <= AT_ONCE;
        let count = match (full, on_end) {
            (true, true) => before + 1,
            (true, false) => 1,
            (false, _) => 0,
        };
        self.full = (count, now);
        count > FULL_BATCHES
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
            full: (0, 0),
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

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn video_is_shed_while_batches_are_full_on_end() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let local = socket.local_addr().unwrap();
        let mut socket = SessionSocket {
            session: 1,
            pair: Pair::udp(local, local),
            socket: Arc::new(socket.into()),
            full: (0, 0),
        };
        let batches = |socket: &mut SessionSocket, count: u64, apart: u64| {
            (0..count)
                .filter(|n| socket.note_batch(true, 1_000_000_000 + n * apart))
                .count()
        };
        assert_eq!(batches(&mut socket, 20, AT_ONCE), 4);
        assert!(!socket.note_batch(false, 2_000_000_000));
        // Bursts that happen to fill a batch are no overload.
        assert_eq!(batches(&mut socket, 100, AT_ONCE + 1), 0);
    }
}
