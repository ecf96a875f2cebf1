//! The listeners of the media port, as the node's task reads them: datagrams in batches, TCP connections one by one, never more
//! in one turn than leaves time for everything else.

use std::{
    future::poll_fn,
    io,
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::{AsFd, AsRawFd},
    task::Poll,
};

use tokio::io::{Interest, unix::AsyncFd};

use crate::dataplane::socket::Inbox;

/// System calls in one turn of one listener: a batch of datagrams each.
const BATCHES: usize = 4;
/// Connections that are accepted in one turn.
const ACCEPTS: usize = 16;

/// The sockets of one local address.
#[derive(Debug)]
pub struct Listener {
    /// The address.
    pub local: SocketAddr,
    /// For datagrams.
    pub udp: UdpSocket,
    /// For connections.
    pub tcp: TcpListener,
}

struct Waiting {
    local: SocketAddr,
    udp: AsyncFd<UdpSocket>,
    tcp: AsyncFd<TcpListener>,
}

/// Watches for a descriptor to become readable, in the tokio runtime of the caller.
///
/// # Errors
/// What the system says.
pub(super) fn watch<T: AsRawFd>(watched: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: what is watched, the standard library's sockets and descriptors, has one descriptor all its life, and closes
    // it when it is dropped, which the `AsyncFd` does after it has ceased to watch.
    Ok(unsafe { AsyncFd::register_with_interest(watched, Interest::READABLE) }?)
}

/// A listener with something to read.
#[derive(Clone, Copy, Debug)]
pub enum Ready {
    /// Datagrams of the listener with this number.
    Udp(usize),
    /// Connections of the listener with this number.
    Tcp(usize),
}

/// All listeners.
pub struct Strangers {
    listeners: Vec<Waiting>,
    /// Where the next turn begins, so that a flood at one address does not starve another.
    turn: usize,
}

impl Strangers {
    /// Takes the listeners over. In a tokio runtime.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(listeners: Vec<Listener>) -> io::Result<Self> {
        let wait = |Listener { local, udp, tcp }| {
            udp.set_nonblocking(true)?;
            tcp.set_nonblocking(true)?;
            Ok(Waiting {
                local,
                udp: watch(udp)?,
                tcp: watch(tcp)?,
            })
        };
        Ok(Self {
            listeners: listeners.into_iter().map(wait).collect::<io::Result<_>>()?,
            turn: 0,
        })
    }

    /// The local addresses.
    pub fn locals(&self) -> impl Iterator<Item = SocketAddr> {
        self.listeners.iter().map(|listener| listener.local)
    }

    /// Waits until a listener has something to read. Cancel safe.
    pub async fn ready(&self) -> Ready {
        poll_fn(|context| {
            let count = self.listeners.len();
            for at in (0..count).map(|step| (self.turn + step) % count) {
                let Some(listener) = self.listeners.get(at) else {
                    continue;
                };
                // An error shows again when the socket is read.
                if listener.udp.poll_read_ready(context).is_ready() {
                    return Poll::Ready(Ready::Udp(at));
                }
                if listener.tcp.poll_read_ready(context).is_ready() {
                    return Poll::Ready(Ready::Tcp(at));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Reads what waits, up to a turn's worth; `take` gets every datagram with its addresses.
    pub fn receive(
        &mut self,
        at: usize,
        inbox: &mut Inbox,
        mut take: impl FnMut(SocketAddr, SocketAddr, &[u8]),
    ) {
        self.turn = at + 1;
        let Some(listener) = self.listeners.get(at) else {
            return;
        };
        for _ in 0..BATCHES {
            let received = listener
                .udp
                .try_io(Interest::READABLE, |socket| inbox.receive(socket.as_fd()));
            match received {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Of a datagram sent before (ICMP); it is used up, and the next call receives.
                Err(_) => continue,
            }
            for datagram in inbox.datagrams() {
                if let (Some((ip, port)), Some(payload)) = (datagram.source, datagram.payload) {
                    take(listener.local, SocketAddr::new(ip, port), payload);
                }
            }
        }
    }

    /// Accepts what waits, up to a turn's worth.
    pub fn accept(&mut self, at: usize) -> Vec<(SocketAddr, SocketAddr, TcpStream)> {
        self.turn = at + 1;
        let mut accepted = Vec::new();
        let Some(listener) = self.listeners.get(at) else {
            return accepted;
        };
        while accepted.len() < ACCEPTS {
            let next = listener.tcp.try_io(Interest::READABLE, |socket| {
                socket.accept().map_err(|error| {
                    log::debug!(
                        "a connection to {} was not accepted: {error}",
                        listener.local
                    );
                    match error.kind() {
                        // It was reset while it waited: on to the next one.
                        io::ErrorKind::ConnectionAborted => error,
                        // Without file descriptors those that wait do so until the next one comes, rather than in a circle.
                        _ => io::ErrorKind::WouldBlock.into(),
                    }
                })
            });
            match next {
                Ok((stream, remote)) => accepted.push((listener.local, remote, stream)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {}
            }
        }
        accepted
    }

    /// Sends a datagram from a local address. One that finds no room is lost: its sender sends it again.
    pub fn send(&self, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
        let Some(listener) = self.listeners.iter().find(|held| held.local == local) else {
            return;
        };
        if let Err(error) = listener.udp.get_ref().send_to(bytes, remote) {
            log::debug!(
                "{} bytes from {local} to {remote} were not sent: {error}",
                bytes.len()
            );
        }
    }
}

/// Makes an accepted connection ready for a worker.
///
/// # Errors
/// What the system says.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    // Frames are small and wait for nobody.
    stream.set_nodelay(true)?;
    Ok(())
}
