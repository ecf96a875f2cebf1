//! A thousand clients in one thread: only those that something came for, or whose time has come, get a turn.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use forwarder_tests::rtc::{Agent, AgentOptions, DtlsVersion};
use forwarder_tests::{Family, Leaf};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// Clients that are ready at once.
const EVENTS: usize = 128;

/// Clients of one leaf.
pub struct Clients {
    leaf: Leaf,
    agents: Vec<Option<Agent>>,
    epoll: Epoll,
    /// When who wants a turn; entries that [`Self::wanted`] has no more are stale.
    wakes: BinaryHeap<Reverse<(Instant, usize)>>,
    wanted: Vec<Option<Instant>>,
    free: Vec<usize>,
}

impl Clients {
    /// None yet.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new(leaf: &Leaf) -> Result<Self> {
        Ok(Self {
            leaf: leaf.clone(),
            agents: Vec::new(),
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            wakes: BinaryHeap::new(),
            wanted: Vec::new(),
            free: Vec::new(),
        })
    }

    /// Adds a client with an address of its own; gives its seat.
    ///
    /// # Errors
    /// It cannot have its socket.
    pub fn add(&mut self, version: DtlsVersion) -> Result<usize> {
        let seat = self.free.pop().unwrap_or_else(|| {
            self.agents.push(None);
            self.wanted.push(None);
            self.agents.len() - 1
        });
        let address = self.leaf.pool_addr(Family::V4, seat);
        let options = AgentOptions {
            dtls: version,
            ..AgentOptions::new(format!("client {seat}"), address)
        };
        let agent = Agent::new(options, Instant::now())?;
        for road in agent.roads() {
            self.epoll
                .add(road.fd(), EpollEvent::new(EpollFlags::EPOLLIN, seat as u64))?;
        }
        self.agents[seat] = Some(agent);
        Ok(seat)
    }

    /// The client in this seat, to do something with, after which it is asked when it wants its next turn.
    ///
    /// # Errors
    /// There is none.
    pub fn ask<T>(
        &mut self,
        seat: usize,
        work: impl FnOnce(&mut Agent, Instant) -> T,
    ) -> Result<T> {
        let agent = self.agents.get_mut(seat).and_then(Option::as_mut);
        let agent = agent.context("an empty seat")?;
        let outcome = work(agent, Instant::now());
        let next = agent.next_wake();
        if self.wanted[seat] != Some(next) {
            self.wanted[seat] = Some(next);
            self.wakes.push(Reverse((next, seat)));
        }
        Ok(outcome)
    }

    /// Whether ICE and DTLS of a client are done.
    pub fn is_connected(&self, seat: usize) -> bool {
        let agent = self.agents.get(seat).and_then(Option::as_ref);
        agent.is_some_and(Agent::is_connected)
    }

    /// Ends a client on the spot.
    pub fn dismiss(&mut self, seat: usize) {
        self.agents[seat] = None;
        self.wanted[seat] = None;
        self.free.push(seat);
    }

    /// Lets the kernel drop what clients are sent of SRTP and SRTCP from now on: they need not decrypt what is only to be sent.
    ///
    /// # Errors
    /// The kernel's.
    pub fn deafen(&self) -> Result<()> {
        let mut roads = self.agents.iter().flatten().flat_map(Agent::roads);
        roads.try_for_each(|road| drop_rtp(road.fd()))
    }

    /// Serves all whose turn it is; waits for the first of them, at most as long as told.
    ///
    /// # Errors
    /// The system's.
    pub fn turn(&mut self, at_most: Duration) -> Result<()> {
        let now = Instant::now();
        let first = self.wakes.peek().map_or(at_most, |Reverse((at, _))| {
            at.saturating_duration_since(now)
        });
        let timeout = EpollTimeout::try_from(first.min(at_most))?;
        let mut events = [EpollEvent::empty(); EVENTS];
        let ready = match self.epoll.wait(&mut events, timeout) {
            Err(nix::errno::Errno::EINTR) => 0,
            other => other?,
        };
        for event in events.iter().take(ready) {
            self.ask(event.data() as usize, |agent, now| {
                while agent.receive() {}
                agent.advance(now);
            })?;
        }
        let now = Instant::now();
        while let Some(&Reverse((at, seat))) = self.wakes.peek() {
            if at > now {
                break;
            }
            self.wakes.pop();
            if self.wanted[seat] == Some(at) {
                self.wanted[seat] = None;
                self.ask(seat, Agent::advance)?;
            }
        }
        Ok(())
    }

    /// Serves them for a while.
    ///
    /// # Errors
    /// The system's.
    pub fn run_for(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn(Duration::from_millis(20))?;
        }
        Ok(())
    }
}

/// Attaches a classic filter (Documentation/networking/filter.rst) that drops datagrams whose first byte is 128 to 191, those of RTP
/// and RTCP (RFC 7983 §7). Of a UDP socket it sees the datagram from the UDP header on.
fn drop_rtp(socket: BorrowedFd<'_>) -> Result<()> {
    const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
    const JUMP_IF_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut steps = [
        step(LOAD_BYTE, 0, 0, 8),
        step(JUMP_IF_AT_LEAST, 0, 1, 128),
        step(JUMP_IF_AT_LEAST, 0, 1, 192),
        step(RETURN, 0, 0, u32::MAX),
        step(RETURN, 0, 0, 0),
    ];
    let program = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: the kernel copies the program, which is alive until the call returns.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of_val(&program) as libc::socklen_t,
        )
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error()).context("cannot attach a filter to a client's socket")
    }
}
