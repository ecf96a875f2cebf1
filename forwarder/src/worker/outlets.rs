//! The three ways out of a worker: XDP's slots, connected UDP sockets, and TCP connections.

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
};

use forwarder_common::{reason::Reason, slots::SLOT_PAYLOAD};

use super::{
    command::Reach,
    relay::Relays,
    slots::SlotSender,
    tally::Tally,
    tcp::{Frame, TcpConnections},
};
use crate::dataplane::kernel::worker_port::SlotPort;

/// All ways out of one worker.
pub struct Outlets {
    worker: u32,
    /// XDP's, where there is XDP.
    pub xdp: Option<(SlotPort, SlotSender)>,
    /// The TCP connections that this worker serves.
    pub tcp: TcpConnections,
    /// To the TCP connections of other workers.
    pub relays: Relays,
    scratch: Box<[u8; SLOT_PAYLOAD]>,
}

impl Outlets {
    /// The ways out of the worker with this number.
    #[must_use]
    pub fn new(worker: u32, port: Option<SlotPort>, tcp: TcpConnections, relays: Relays) -> Self {
        Self {
            worker,
            xdp: port.map(|port| {
                let sender = SlotSender::new(worker, port.window);
                (port, sender)
            }),
            tcp,
            relays,
            scratch: Box::new([0; SLOT_PAYLOAD]),
        }
    }

    /// Sees to it that there is room for a replica, as far as that can be known before it is sealed.
    ///
    /// # Errors
    /// There is none: the replica is to be dropped unsealed.
    #[inline]
    pub fn admit(&mut self, reach: &Reach, video: bool, tally: &mut Tally) -> Result<(), Reason> {
        let (Reach::Xdp { device, .. }, Some((port, slots))) = (reach, &mut self.xdp) else {
            return Ok(());
        };
        if slots.sheds(port, video) {
            return Err(Reason::VideoShed);
        }
        slots.make_room(port, *device, tally)
    }

    /// Sends what `seal` writes, once it is [admitted](Self::admit); gives its length in bytes. By XDP it leaves with [`Self::flush`], at the latest.
    ///
    /// # Errors
    /// That of `seal`, and why the way did not take it.
    #[inline]
    pub fn send(
        &mut self,
        reach: &Reach,
        video: bool,
        tally: &mut Tally,
        seal: &impl Fn(&mut [u8; SLOT_PAYLOAD]) -> Result<u16, Reason>,
    ) -> Result<u16, Reason> {
        let socket = match reach {
            Reach::Xdp { member, socket, .. } => {
                if let Some((port, slots)) = &mut self.xdp {
                    let sent = slots.push(port, *member, seal);
                    if sent.is_ok() {
                        tally.count(Reason::Sealed);
                    }
                    return sent;
                }
                socket
            }
            Reach::Socket(socket) => socket,
            Reach::Tcp { connection, worker } => {
                let len = seal(&mut self.scratch)?;
                tally.count(Reason::Sealed);
                let bytes = self
                    .scratch
                    .get(..usize::from(len))
                    .ok_or(Reason::SealFailed)?;
                let frame = if video { Frame::Video } else { Frame::Audio };
                let taken = if *worker == self.worker {
                    self.tcp.queue(*connection, frame, bytes)
                } else {
                    self.relays.push(*worker, *connection, frame, bytes)
                };
                return taken.map(|()| len).ok_or(Reason::TcpFull);
            }
        };
        let len = seal(&mut self.scratch)?;
        tally.count(Reason::Sealed);
        let bytes = self
            .scratch
            .get(..usize::from(len))
            .ok_or(Reason::SealFailed)?;
        send_datagram(socket.as_raw_fd(), bytes).map_err(|_| Reason::SendFailed)?;
        tally.count(Reason::Sent);
        Ok(len)
    }

    /// Lets go of what waits to be sent.
    #[inline]
    pub fn flush(&mut self, tally: &mut Tally) {
        if let Some((port, slots)) = &mut self.xdp {
            slots.flush(port, tally);
        }
        self.tcp.flush();
        self.relays.flush();
    }
}

/// How often a datagram is handed to a socket that has answers to earlier ones to tell.
const TRIES: usize = 8;

/// Sends on a connected socket, without waiting for room.
fn send_datagram(socket: RawFd, bytes: &[u8]) -> io::Result<()> {
    for _ in 0..TRIES {
        // SAFETY: the kernel reads `bytes.len()` bytes of `bytes`.
        let sent = unsafe {
            libc::send(
                socket,
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        };
        if sent >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        // An ICMP answer to an earlier packet: having told of it, the socket sends again. The answer to another one may come in
        // between, where packets wait for the CPU that answers.
        if error.raw_os_error() != Some(libc::ECONNREFUSED) {
            return Err(error);
        }
    }
    Err(io::ErrorKind::ConnectionRefused.into())
}
