//! The floor under every fan-out by sockets: a bare loop of `sendmmsg`, nothing rewritten.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use forwarder_tests::{Family, Leaf, Netns};

use crate::subscribers::{SUBSCRIBER_PORT, v4};

/// Packets per system call.
const BATCH: usize = 64;

/// A socket, and one message for each of some addresses.
pub struct Flood {
    socket: UdpSocket,
    headers: Vec<libc::mmsghdr>,
    // What the headers point at; the boxes keep it in place.
    _payload: Box<[u8]>,
    _vector: Box<libc::iovec>,
    _addresses: Box<[libc::sockaddr_in]>,
}

impl Flood {
    /// A socket in the forwarder's namespace and messages of `payload` bytes to the first `fan_out` addresses of a receiver.
    ///
    /// # Errors
    /// The system's.
    pub fn new(netns: &Netns, receiver: &Leaf, fan_out: u32, payload: usize) -> Result<Self> {
        let from = SocketAddr::new(receiver.fwd_addr(Family::V4), 0);
        let socket = netns
            .enter(|| UdpSocket::bind(from))
            .context("the socket of the floor")?;
        let mut payload = vec![0x80; payload].into_boxed_slice();
        let mut vector = Box::new(libc::iovec {
            iov_base: payload.as_mut_ptr().cast(),
            iov_len: payload.len(),
        });
        let mut addresses = (0..fan_out)
            .map(|n| {
                let address = v4(receiver.pool_addr(Family::V4, n as usize))?;
                Ok(libc::sockaddr_in {
                    sin_family: libc::AF_INET as u16,
                    sin_port: SUBSCRIBER_PORT.to_be(),
                    sin_addr: libc::in_addr {
                        s_addr: u32::from(address).to_be(),
                    },
                    sin_zero: [0; 8],
                })
            })
            .collect::<Result<Box<[_]>>>()?;
        // Whole packets that make up whole batches, so that fewer addresses than a batch are no disadvantage.
        let count = (fan_out as usize).max(BATCH);
        let headers = (0..count)
            .map(|n| {
                // SAFETY: mmsghdr is plain data for which all zeroes is a value.
                let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
                let address = &raw mut addresses[n % fan_out as usize];
                header.msg_hdr.msg_name = address.cast();
                header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as u32;
                header.msg_hdr.msg_iov = &raw mut *vector;
                header.msg_hdr.msg_iovlen = 1;
                header
            })
            .collect();
        Ok(Self {
            socket,
            headers,
            _payload: payload,
            _vector: vector,
            _addresses: addresses,
        })
    }

    /// Messages of one run.
    pub fn len(&self) -> u64 {
        self.headers.len() as u64
    }

    /// Sends all messages once.
    ///
    /// # Errors
    /// The system's.
    pub fn run(&mut self) -> io::Result<()> {
        for batch in self.headers.chunks_mut(BATCH) {
            let mut done = 0;
            while done < batch.len() {
                let rest = &mut batch[done..];
                // SAFETY: the headers point at memory that `self` owns and does not move, which sendmmsg only reads.
                let sent = unsafe {
                    libc::sendmmsg(
                        self.socket.as_raw_fd(),
                        rest.as_mut_ptr(),
                        rest.len() as u32,
                        0,
                    )
                };
                done += usize::try_from(sent).map_err(|_| io::Error::last_os_error())?;
            }
        }
        Ok(())
    }
}
