//! The socket of a client: UDP, or TCP with the framing of RFC 4571 as RFC 6544 has it for ICE. Non-blocking both.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::socket::{setsockopt, sockopt};

use crate::mmsg;

/// Room in a UDP socket's receive buffer, bytes: what comes in while the thread of many clients is at the others.
const RECEIVE_BUFFER: usize = 4 << 20;

/// How long a TCP connection may take to come about.
const CONNECT: Duration = Duration::from_secs(20);

/// Bytes that a TCP connection may have waiting to be sent.
const WAITING: usize = 1 << 20;

/// What carries a client's datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// UDP.
    #[default]
    Udp,
    /// TCP, the client being the active side.
    Tcp,
}

/// A socket with its own address.
#[derive(Debug)]
pub struct Road {
    local: SocketAddr,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Udp(UdpSocket),
    Tcp {
        stream: TcpStream,
        remote: SocketAddr,
        waiting: VecDeque<u8>,
        partial: Vec<u8>,
    },
}

impl Road {
    /// A UDP socket at this address, in the calling thread's namespace.
    ///
    /// # Errors
    /// When the address is not to be had.
    pub fn udp(address: SocketAddr) -> Result<Self> {
        let socket = mmsg::bind_udp(address)
            .with_context(|| format!("cannot open a UDP socket at {address}"))?;
        socket.set_nonblocking(true)?;
        // Past the system's limit with the capability, up to it without.
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
        }
        Ok(Self {
            local: socket.local_addr()?,
            kind: Kind::Udp(socket),
        })
    }

    /// A TCP connection to `remote`.
    ///
    /// # Errors
    /// When it does not come about.
    pub fn tcp(remote: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&remote, CONNECT)
            .with_context(|| format!("cannot connect to {remote}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            local: stream.local_addr()?,
            kind: Kind::Tcp {
                stream,
                remote,
                waiting: VecDeque::new(),
                partial: Vec::new(),
            },
        })
    }

    /// Own address.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// UDP or TCP.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        match self.kind {
            Kind::Udp(_) => Protocol::Udp,
            Kind::Tcp { .. } => Protocol::Tcp,
        }
    }

    /// For waiting.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        match &self.kind {
            Kind::Udp(socket) => socket.as_fd(),
            Kind::Tcp { stream, .. } => stream.as_fd(),
        }
    }

    /// Whether it waits to send.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        match &self.kind {
            Kind::Udp(_) => false,
            Kind::Tcp { waiting, .. } => !waiting.is_empty(),
        }
    }

    /// Sends a datagram. One that finds no route, or a full buffer, is lost, as it would be further on.
    ///
    /// # Errors
    /// When a TCP connection has ended or does not move any more.
    pub fn send(&mut self, datagram: &[u8], to: SocketAddr) -> Result<()> {
        match &mut self.kind {
            Kind::Udp(socket) => {
                let _ = socket.send_to(datagram, to);
                Ok(())
            }
            Kind::Tcp { waiting, .. } => {
                let length = u16::try_from(datagram.len()).context("a datagram fits a frame")?;
                if waiting.len() > WAITING {
                    bail!("a TCP connection has not taken anything for {WAITING} bytes");
                }
                waiting.extend(length.to_be_bytes());
                waiting.extend(datagram);
                self.flush()
            }
        }
    }

    /// Sends what waits.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn flush(&mut self) -> Result<()> {
        let Kind::Tcp {
            stream, waiting, ..
        } = &mut self.kind
        else {
            return Ok(());
        };
        while !waiting.is_empty() {
            match stream.write(waiting.as_slices().0) {
                Ok(sent) => drop(waiting.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("sending on a TCP connection"),
            }
        }
        Ok(())
    }

    /// The next datagram that has come, into `buffer`: its length and where it is from.
    ///
    /// # Errors
    /// When a TCP connection has ended.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<(usize, SocketAddr)>> {
        match &mut self.kind {
            Kind::Udp(socket) => match socket.recv_from(buffer) {
                Ok(received) => Ok(Some(received)),
                // Also an ICMP error for something sent before: nothing has come.
                Err(_) => Ok(None),
            },
            Kind::Tcp {
                stream,
                remote,
                partial,
                ..
            } => loop {
                if let Some(length) = take_frame(partial, buffer)? {
                    return Ok(Some((length, *remote)));
                }
                let mut chunk = [0; 16 * 1024];
                match stream.read(&mut chunk) {
                    Ok(0) => bail!("the TCP connection was closed by the other side"),
                    Ok(length) => partial.extend_from_slice(&chunk[..length]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                    Err(error) => return Err(error).context("reading a TCP connection"),
                }
            },
        }
    }
}

/// Takes the first whole frame off what has come.
fn take_frame(partial: &mut Vec<u8>, buffer: &mut [u8]) -> Result<Option<usize>> {
    let Some((prefix, rest)) = partial.split_first_chunk::<2>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes(*prefix));
    let Some(frame) = rest.get(..length) else {
        return Ok(None);
    };
    buffer
        .get_mut(..length)
        .context("a frame is longer than any datagram")?
        .copy_from_slice(frame);
    partial.drain(..2 + length);
    Ok(Some(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_of_a_tcp_stream_as_they_went_in() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut road = Road::tcp(listener.local_addr().unwrap()).unwrap();
        let (mut other, _) = listener.accept().unwrap();
        road.send(&[7; 1200], listener.local_addr().unwrap())
            .unwrap();
        let mut frame = [0; 1202];
        other.read_exact(&mut frame).unwrap();
        assert_eq!(frame[..2], 1200u16.to_be_bytes());

        // In pieces, two frames, the second one empty.
        let mut buffer = [0; 2000];
        for byte in [0, 3, 1, 2] {
            other.write_all(&[byte]).unwrap();
            assert!(road.receive(&mut buffer).unwrap().is_none());
        }
        other.write_all(&[3, 0, 0]).unwrap();
        let mut lengths = Vec::new();
        while lengths.len() < 2 {
            if let Some((length, _)) = road.receive(&mut buffer).unwrap() {
                lengths.push(length);
            }
        }
        assert_eq!(lengths, [3, 0]);
        drop(other);
        assert!((0..1000).any(|_| road.receive(&mut buffer).is_err()));
    }
}
