//! The tap: a packet socket on the publisher's interface that sees what leaves it, stamped by the kernel as it leaves.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result};
use forwarder_tests::mmsg::{self, BATCH, RecvBatch};
use forwarder_tests::plan::LEAF_INTERFACE;
use forwarder_tests::{Leaf, frame};
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::media::{COUNT, Publication};
use super::reference::{HEADER, Reference};

/// Receive buffer, bytes: the tap is read at least every 20 ms, so this is plenty.
const BUFFER: usize = 8 << 20;

/// Sees what leaves the publisher.
pub struct Tap {
    socket: OwnedFd,
    publisher: IpAddr,
    publications: [Publication; COUNT],
}

impl Tap {
    /// Opens the tap on the publisher's interface.
    ///
    /// # Errors
    /// When the user may not.
    pub fn open(
        leaf: &Leaf,
        publisher: IpAddr,
        publications: [Publication; COUNT],
    ) -> Result<Self> {
        let socket = leaf
            .netns
            .enter(open_socket)
            .with_context(|| format!("tapping {LEAF_INTERFACE} of {}", leaf.netns.name()))?;
        Ok(Self {
            socket,
            publisher,
            publications,
        })
    }

    /// Notes all that has left by now, through buffers of the caller's. A packet is at the tap before it is on the wire (`dev_queue_xmit_nit` comes before the
    /// driver), so whoever has a replica in hand finds the original noted after this.
    ///
    /// # Errors
    /// Of the system call.
    pub fn drain(&self, batch: &mut RecvBatch, reference: &mut Reference) -> io::Result<()> {
        loop {
            let received = batch.recv(self.socket.as_fd())?;
            for n in 0..received {
                let Ok(frame) = frame::check(batch.packet(n)) else {
                    continue; // ICMPv6 and the like; a broken one of the streams leaves a gap in them
                };
                if frame.src.ip() != self.publisher || frame.payload.len() < HEADER {
                    continue;
                }
                // RTCP goes from and to other ports.
                let number = self.publications.iter().position(|publication| {
                    (frame.src.port(), frame.dst.port())
                        == (publication.from_port, publication.to_port)
                });
                if let Some(number) = number {
                    let left_ns = stamp(batch, n)?;
                    reference.streams[number].note(frame.payload, left_ns);
                }
            }
            if received < BATCH {
                return Ok(());
            }
        }
    }

    /// Packets that the tap itself lost, ever since the last call. If any, nothing exact can be said.
    ///
    /// # Errors
    /// Of the system call.
    pub fn lost(&self) -> io::Result<u32> {
        Ok(mmsg::packet_statistics(self.socket.as_fd())?.1)
    }
}

/// When the kernel saw packet `n`, CLOCK_REALTIME nanoseconds (socket(7), SO_TIMESTAMPNS).
///
/// # Errors
/// When the socket was not told to say so.
pub fn stamp(batch: &RecvBatch, n: usize) -> io::Result<u64> {
    // SAFETY: timespec is plain data.
    let stamp =
        unsafe { batch.control::<libc::timespec>(n, libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) };
    stamp
        .map(|time| time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
        .ok_or_else(|| io::Error::other("the kernel put no time on a packet"))
}

fn open_socket() -> io::Result<OwnedFd> {
    let socket = mmsg::packet_socket(LEAF_INTERFACE, libc::ETH_P_ALL as u16)?;
    mmsg::set_receive_buffer(&socket, BUFFER)?;
    let fd = socket.as_fd();
    // The lab's captures look at what arrives; this one looks at what leaves.
    mmsg::set_flag(fd, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 0)?;
    mmsg::set_flag(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
    fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(socket)
}
