//! Thousands of receivers behind one UDP socket: every address of a leaf's pool is local there (AnyIP), and the socket tells for
//! each packet which of them it was for. A receiver is a number; see [`Leaf::pool_addr`].

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, socket};

use crate::capture::{settle, wait_until};
use crate::mmsg::{self, RecvBatch};
use crate::plan::{Family, Leaf};
use crate::rtp::{self, Stream};
use crate::tally::{Expected, Report, Tally};

/// Receive buffer of the socket, bytes; the kernel doubles it.
pub const BUFFER: usize = 256 << 20;

/// Most faults that are kept in words.
const FAULTS_KEPT: usize = 8;

/// Stands for the leaf's own address, where receivers of the pool have numbers from 0.
pub const LEAF_ITSELF: usize = usize::MAX;

/// The receivers of one leaf on one port, both families or one. Stops when dropped.
pub struct Receivers {
    leaf: Leaf,
    port: u16,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

struct Shared {
    stop: AtomicBool,
    received: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    report: Report,
    /// Packets that each family's socket lost.
    lost: HashMap<Family, u64>,
}

impl Receivers {
    /// Opens the port on every address of the leaf, IPv4 and IPv6.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn start(leaf: &Leaf, port: u16) -> Result<Self> {
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            received: AtomicU64::new(0),
            state: Mutex::default(),
        });
        let mut receivers = Self {
            leaf: leaf.clone(),
            port,
            shared,
            threads: Vec::new(),
        };
        for family in [Family::V4, Family::V6] {
            let socket = leaf
                .netns
                .enter(|| open_socket(family, port))
                .with_context(|| format!("receivers on port {port} of {}", leaf.netns.name()))?;
            let (leaf, shared) = (leaf.clone(), Arc::clone(&receivers.shared));
            let thread = std::thread::Builder::new()
                .name(format!("receivers {}", leaf.role))
                .spawn(move || receive(&leaf, family, &socket, &shared))?;
            receivers.threads.push(thread);
        }
        Ok(receivers)
    }

    /// The address of receiver `n`, to subscribe with; [`LEAF_ITSELF`] for the leaf's own.
    #[must_use]
    pub fn socket(&self, family: Family, n: usize) -> SocketAddr {
        if n == LEAF_ITSELF {
            self.leaf.socket(family, self.port)
        } else {
            self.leaf.pool_socket(family, n, self.port)
        }
    }

    /// From now on receiver `n` is to get this stream. A packet that nobody expects is a fault, so say so before subscribing. What
    /// it got of the same SSRC before is kept; pass the stream as the receiver must see it ([`Stream::rewritten`]).
    pub fn expect(&self, n: usize, stream: Stream) {
        let mut state = self
            .shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let fresh = || Expected {
            stream,
            tally: Tally::default(),
        };
        state
            .report
            .streams
            .entry((n, stream.ssrc))
            .or_insert_with(fresh)
            .stream = stream;
    }

    /// Packets read so far, right or wrong.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.shared.received.load(Ordering::Acquire)
    }

    /// Waits until `packets` were read in all, or the time is over; returns whether they were.
    #[must_use]
    pub fn wait_for(&self, packets: u64, timeout: Duration) -> bool {
        wait_until(timeout, || self.received() >= packets)
    }

    /// Waits until nothing more arrived for `quiet`.
    pub fn settle(&self, quiet: Duration) {
        settle(quiet, || self.received());
    }

    /// What came up to now.
    #[must_use]
    pub fn report(&self) -> Report {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .report()
    }

    /// Stops after reading what has arrived, and reports.
    ///
    /// # Errors
    /// Of the sockets.
    pub fn finish(mut self) -> Result<Report> {
        self.shared.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            thread
                .join()
                .map_err(|_| anyhow::anyhow!("a receiver's thread panicked"))?
                .context("receiving")?;
        }
        Ok(self.report())
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl State {
    fn report(&self) -> Report {
        Report {
            lost: self.lost.values().sum(),
            ..self.report.clone()
        }
    }

    fn note(&mut self, receiver: Option<usize>, addr: IpAddr, packet: &[u8], now_ns: u64) {
        let report = &mut self.report;
        let expected = receiver
            .zip(rtp::ssrc_of(packet))
            .and_then(|key| report.streams.get_mut(&key));
        let outcome = match expected {
            None => Err(format!(
                "nobody at {addr} expects ssrc {:#x?} ({} bytes)",
                rtp::ssrc_of(packet),
                packet.len()
            )),
            Some(expected) => match expected.stream.check(packet) {
                Ok(arrival) => {
                    expected.tally.note(arrival.index, packet.len());
                    Ok(arrival.sent_ns)
                }
                Err(fault) => Err(format!("{addr}: {fault}")),
            },
        };
        match outcome {
            Ok(Some(sent_ns)) => report.latency.note(now_ns.saturating_sub(sent_ns)),
            Ok(None) => {}
            Err(fault) => {
                report.faulty += 1;
                if report.faults.len() < FAULTS_KEPT {
                    report.faults.push(fault);
                }
            }
        }
    }
}

fn receive(leaf: &Leaf, family: Family, socket: &OwnedFd, shared: &Shared) -> io::Result<()> {
    let mut batch = RecvBatch::new(9216);
    loop {
        let stopping = shared.stop.load(Ordering::Acquire);
        let received = batch.recv(socket.as_fd())?;
        let now_ns = rtp::now_ns();
        if received > 0 {
            let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            for n in 0..received {
                let Some(addr) = destination(&batch, n, family) else {
                    return Err(io::Error::other(
                        "the socket did not say whom a packet was for",
                    ));
                };
                let receiver = if addr == leaf.addr(family) {
                    Some(LEAF_ITSELF)
                } else {
                    leaf.pool_index(addr)
                };
                state.note(receiver, addr, batch.packet(n), now_ns);
            }
            drop(state);
            shared.received.fetch_add(received as u64, Ordering::AcqRel);
        }
        if received < mmsg::BATCH {
            // Nearly idle, or the end: the time to ask what the socket lost.
            let lost = mmsg::socket_drops(socket.as_fd())?;
            let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.lost.insert(family, lost.into());
        }
        if stopping && received == 0 {
            return Ok(());
        }
    }
}

/// A socket of the calling thread's namespace that takes what is sent to the port on any local address, with room for a burst, and
/// tells whom each packet was for ([`destination`]).
///
/// # Errors
/// When the port is taken.
pub fn open_socket(family: Family, port: u16) -> io::Result<OwnedFd> {
    let domain = if family == Family::V4 {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    };
    let socket = socket(domain, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    if family == Family::V6 {
        // Leaves IPv4 to the socket of its own.
        mmsg::set_flag(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
    }
    bind(
        socket.as_raw_fd(),
        &SockaddrStorage::from(SocketAddr::new(family.any(), port)),
    )?;
    mmsg::set_receive_buffer(&socket, BUFFER)?;
    mmsg::set_receive_timeout(&socket, Duration::from_millis(20))?;
    match family {
        Family::V4 => mmsg::set_flag(socket.as_fd(), libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?,
        Family::V6 => mmsg::set_flag(
            socket.as_fd(),
            libc::IPPROTO_IPV6,
            libc::IPV6_RECVPKTINFO,
            1,
        )?,
    }
    Ok(socket)
}

/// The address that packet `n` from such a socket was sent to.
#[must_use]
pub fn destination(batch: &RecvBatch, n: usize, family: Family) -> Option<IpAddr> {
    match family {
        Family::V4 => {
            // SAFETY: in_pktinfo is plain data.
            let info = unsafe {
                batch.control::<libc::in_pktinfo>(n, libc::IPPROTO_IP, libc::IP_PKTINFO)
            }?;
            Some(IpAddr::from(info.ipi_addr.s_addr.to_ne_bytes()))
        }
        Family::V6 => {
            // SAFETY: in6_pktinfo is plain data.
            let info = unsafe {
                batch.control::<libc::in6_pktinfo>(n, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO)
            }?;
            Some(IpAddr::from(info.ipi6_addr.s6_addr))
        }
    }
}
