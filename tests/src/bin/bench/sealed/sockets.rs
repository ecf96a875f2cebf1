//! Connected UDP sockets: one local address and port for all, as the media port has them.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, setsockopt, socket, sockopt,
};

/// Bytes of the receive buffer: a burst that waits until the worker runs.
const RECEIVE_BUFFER: usize = 8 << 20;

/// A socket between two addresses.
///
/// # Errors
/// The system's.
pub fn connected(local: SocketAddr, remote: SocketAddr) -> Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let fd = socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    setsockopt(&fd, sockopt::ReusePort, &true)?;
    setsockopt(&fd, sockopt::RcvBufForce, &RECEIVE_BUFFER)?;
    bind(fd.as_raw_fd(), &SockaddrStorage::from(local)).with_context(|| format!("bind {local}"))?;
    connect(fd.as_raw_fd(), &SockaddrStorage::from(remote))
        .with_context(|| format!("connect {remote}"))?;
    Ok(fd)
}

/// Lets this process have a socket for each subscriber.
///
/// # Errors
/// The system's.
pub fn allow_many() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

/// Sends one datagram on a connected socket, as the worker does.
///
/// # Errors
/// The system's.
pub fn send(socket: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: the kernel reads `bytes.len()` bytes of `bytes`.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
