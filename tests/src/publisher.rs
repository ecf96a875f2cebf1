//! Publishers: RTP through a UDP socket, at full speed or paced, and frames of any shape through a packet socket.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;

use crate::mmsg;
use crate::netns::Netns;
use crate::plan::{Family, LEAF_INTERFACE, Leaf};
use crate::rtp::Stream;

/// Keeps the calling thread on one CPU, as a NIC keeps a flow on one queue: on a veth, XDP runs on the CPU of the sender, and
/// the forwarder keeps the order of packets only where they arrive on one CPU.
struct OneCpu {
    before: Option<CpuSet>,
}

impl OneCpu {
    /// Stays on `cpu` until dropped. Where the system does not let it, the order is left to luck.
    fn stay(cpu: usize) -> Self {
        let this_thread = Pid::from_raw(0);
        let pinned = || {
            let before = sched_getaffinity(this_thread)?;
            let mut one = CpuSet::new();
            one.set(cpu)?;
            sched_setaffinity(this_thread, &one)?;
            nix::Result::Ok(before)
        };
        Self {
            before: pinned().ok(),
        }
    }
}

impl Drop for OneCpu {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _stays_pinned = sched_setaffinity(Pid::from_raw(0), before);
        }
    }
}

/// How fast packets go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as the socket takes them, [`mmsg::BATCH`] per system call.
    Full,
    /// `burst` packets at once, then nothing until `every` has passed since the last burst began.
    Bursts {
        /// Packets per burst.
        burst: usize,
        /// From one burst's begin to the next.
        every: Duration,
    },
}

impl Pace {
    /// This many packets a second, one by one up to 10,000, then in bursts every 100 microseconds.
    #[must_use]
    pub fn per_second(packets: u64) -> Self {
        let burst = (packets / 10_000).max(1);
        Self::Bursts {
            burst: burst as usize,
            every: Duration::from_nanos(1_000_000_000 * burst / packets),
        }
    }
}

/// A UDP socket inside a leaf's namespace that sends RTP to one address.
#[derive(Debug)]
pub struct Publisher {
    socket: UdpSocket,
    /// All that it ever sends comes from there.
    cpu: usize,
}

impl Publisher {
    /// A publisher on `port` of the leaf, sending to `remote`.
    ///
    /// # Errors
    /// When the port is taken or there is no route.
    pub fn open(leaf: &Leaf, port: u16, remote: SocketAddr) -> Result<Self> {
        let family = if remote.is_ipv4() {
            Family::V4
        } else {
            Family::V6
        };
        Self::between(&leaf.netns, leaf.socket(family, port), remote)
    }

    /// A publisher in any namespace, from any local address of it.
    ///
    /// # Errors
    /// When the address is not local or taken, or there is no route.
    pub fn between(netns: &Netns, local: SocketAddr, remote: SocketAddr) -> Result<Self> {
        let socket = netns
            .enter(|| {
                let socket = mmsg::bind_udp(local)?;
                socket.connect(remote)?;
                io::Result::Ok(socket)
            })
            .with_context(|| format!("publisher {local} to {remote} in {}", netns.name()))?;
        let cpu = sched_getcpu()?;
        Ok(Self { socket, cpu })
    }

    /// Where the packets come from.
    ///
    /// # Errors
    /// Of the system call.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Sends the packets `range` of the stream. Returns when the socket has taken the last.
    ///
    /// # Errors
    /// Of the system call.
    pub fn send(&self, stream: &Stream, range: Range<u64>, pace: Pace) -> Result<()> {
        let packets = |range: Range<u64>| -> Vec<Vec<u8>> {
            range.map(|index| stream.packet(index)).collect()
        };
        let _one_cpu = OneCpu::stay(self.cpu);
        in_bursts(range, pace, |burst| {
            mmsg::send_all(self.socket.as_fd(), &packets(burst))
        })
        .with_context(|| format!("sending stream {}", stream.id))
    }

    /// Sends the packets `range` of several streams, interleaved: packet n of all, then n + 1 of all. A burst counts per stream.
    ///
    /// # Errors
    /// Of the system call.
    pub fn send_interleaved(
        &self,
        streams: &[Stream],
        range: Range<u64>,
        pace: Pace,
    ) -> Result<()> {
        let packets = |range: Range<u64>| -> Vec<Vec<u8>> {
            range
                .flat_map(|index| streams.iter().map(move |stream| stream.packet(index)))
                .collect()
        };
        let _one_cpu = OneCpu::stay(self.cpu);
        in_bursts(range, pace, |burst| {
            mmsg::send_all(self.socket.as_fd(), &packets(burst))
        })
        .context("sending streams")
    }

    /// Sends these datagrams, whatever they are.
    ///
    /// # Errors
    /// Of the system call.
    pub fn send_datagrams(&self, datagrams: &[impl AsRef<[u8]>]) -> io::Result<()> {
        let _one_cpu = OneCpu::stay(self.cpu);
        mmsg::send_all(self.socket.as_fd(), datagrams)
    }

    /// The socket, to receive answers or set options.
    #[must_use]
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }
}

/// A packet socket that sends whole Ethernet frames: tagged, padded, fragmented, to wrong MACs.
#[derive(Debug)]
pub struct RawSender {
    socket: OwnedFd,
}

impl RawSender {
    /// Sends from the leaf's interface.
    ///
    /// # Errors
    /// Without CAP_NET_RAW.
    pub fn open(leaf: &Leaf) -> Result<Self> {
        Self::on(&leaf.netns, LEAF_INTERFACE)
    }

    /// Sends from any interface of any namespace.
    ///
    /// # Errors
    /// When there is no such interface, or without CAP_NET_RAW.
    pub fn on(netns: &Netns, interface: &str) -> Result<Self> {
        let socket = netns
            .enter(|| mmsg::packet_socket(interface, 0))
            .with_context(|| format!("packet socket on {interface} of {}", netns.name()))?;
        Ok(Self { socket })
    }

    /// Sends the frames in order.
    ///
    /// # Errors
    /// Of the system call; EMSGSIZE for a frame beyond the MTU.
    pub fn send(&self, frames: &[impl AsRef<[u8]>]) -> io::Result<()> {
        mmsg::send_all(self.socket.as_fd(), frames)
    }
}

/// Cuts the range into bursts and sends each when its time has come. A late burst is not caught up with by a faster one.
fn in_bursts(
    range: Range<u64>,
    pace: Pace,
    mut send: impl FnMut(Range<u64>) -> io::Result<()>,
) -> io::Result<()> {
    let (burst, every) = match pace {
        Pace::Full => (mmsg::BATCH as u64, Duration::ZERO),
        Pace::Bursts { burst, every } => (burst.max(1) as u64, every),
    };
    let mut at = range.start;
    let mut due = Instant::now();
    while at < range.end {
        wait_for(due);
        let end = (at + burst).min(range.end);
        send(at..end)?;
        at = end;
        due = (due + every).max(Instant::now().checked_sub(every).unwrap_or(due));
    }
    Ok(())
}

/// Sleeps until shortly before the time, then yields: a sleep is some 60 microseconds late.
fn wait_for(due: Instant) {
    loop {
        match due.checked_duration_since(Instant::now()) {
            None => return,
            Some(left) if left > Duration::from_micros(150) => {
                std::thread::sleep(left - Duration::from_micros(100))
            }
            Some(_) => std::thread::yield_now(),
        }
    }
}
