//! The receivers that check every packet: hundreds of addresses behind one socket, each packet compared with its original.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use forwarder_tests::mmsg::{self, BATCH, RecvBatch};
use forwarder_tests::tally::Latency;
use forwarder_tests::{Family, Leaf, receiver, rtp};

use super::leg::Leg;
use super::media::{self, Publication};
use super::reference::{HEADER, Reference};
use super::tap::{self, Tap};

/// The port of all checking receivers.
pub const PORT: u16 = 7000;

/// Most faults that are kept in words.
const FAULTS_KEPT: usize = 5;

/// The checking receivers, and the tap they compare with. Stops when dropped.
pub struct Checker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

struct Shared {
    stop: AtomicBool,
    state: Mutex<State>,
}

/// What was sent, what came, and what was wrong with it.
#[derive(Default)]
pub struct State {
    /// What left the publisher.
    pub reference: Reference,
    /// Per receiver its two streams.
    pub receivers: Vec<[Leg; 2]>,
    /// Packets read, right or wrong.
    pub read: u64,
    /// Packets that differ from their original, or belong to nobody.
    pub faulty: u64,
    /// The first of them, in words.
    pub faults: Vec<String>,
    /// Packets that the checkers' own socket and tap lost: nothing exact can be said if there are any.
    pub unseen: u64,
    /// From the publisher's interface to the receiver's, over the whole run, by publication.
    pub latency: [Latency; media::COUNT],
    /// The same over all publications since the last look.
    pub latest: Latency,
}

impl State {
    /// Packets that came as they should, duplicates aside, by publication.
    pub fn received(&self) -> [u64; media::COUNT] {
        let mut received = [0; media::COUNT];
        for leg in self.legs() {
            received[leg.publication] += leg.tally.packets;
        }
        received
    }

    /// Packets that have not come, of the first `sent` of each publication.
    pub fn missing(&self, sent: [u64; media::COUNT]) -> [u64; media::COUNT] {
        let mut missing = [0; media::COUNT];
        for leg in self.legs() {
            missing[leg.publication] += leg.missing(sent[leg.publication]);
        }
        missing
    }

    /// The streams of all receivers.
    pub fn legs(&self) -> impl Iterator<Item = &Leg> {
        self.receivers.iter().flatten()
    }

    /// Receivers that got every packet of both their streams, once each.
    pub fn complete(&self) -> usize {
        let whole = |leg: &Leg| {
            let sent = self.reference.stream(leg.publication).packets;
            sent > 0 && leg.tally.differs_from(0..sent).is_none()
        };
        self.receivers
            .iter()
            .filter(|legs| legs.iter().all(whole))
            .count()
    }

    fn check(&mut self, receiver: usize, packet: &[u8], came_ns: u64) -> Result<(), String> {
        let ssrc = rtp::ssrc_of(packet).filter(|_| packet.len() >= HEADER);
        let ssrc = ssrc.ok_or_else(|| format!("{} bytes are no RTP", packet.len()))?;
        let mut legs = self.receivers.get_mut(receiver).into_iter().flatten();
        let leg = legs
            .find(|leg| leg.ssrc == ssrc)
            .ok_or_else(|| format!("SSRC {ssrc:#x} is not for this receiver"))?;
        let sequence = leg.sent_sequence(packet);
        let sent = self.reference.streams[leg.publication]
            .find(sequence)
            .ok_or_else(|| format!("never sent: SSRC {ssrc:#x}, originally {sequence}"))?;
        leg.compare(packet, sent)
            .map_err(|what| format!("SSRC {ssrc:#x}, originally {sequence}: {what}"))?;
        leg.tally.note(sent.index, packet.len());
        let took = came_ns.saturating_sub(sent.left_ns);
        self.latency[leg.publication].note(took);
        self.latest.note(took);
        Ok(())
    }

    fn note(&mut self, receiver: Option<usize>, packet: &[u8], came_ns: u64) {
        self.read += 1;
        let outcome = match receiver {
            Some(n) => self
                .check(n, packet, came_ns)
                .map_err(|what| format!("receiver {n}: {what}")),
            None => Err("a packet to an address that is no receiver's".to_owned()),
        };
        if let Err(fault) = outcome {
            self.faulty += 1;
            if self.faults.len() < FAULTS_KEPT {
                self.faults.push(fault);
            }
        }
    }
}

impl Checker {
    /// Starts `count` receivers behind the leaf.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn start(
        leaf: &Leaf,
        family: Family,
        count: usize,
        publications: &[Publication; media::COUNT],
        tap: Tap,
    ) -> Result<Self> {
        let socket = leaf
            .netns
            .enter(|| -> io::Result<OwnedFd> {
                let socket = receiver::open_socket(family, PORT)?;
                mmsg::set_flag(socket.as_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
                Ok(socket)
            })
            .with_context(|| format!("receivers on port {PORT} of {}", leaf.netns.name()))?;
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            state: Mutex::new(State {
                receivers: (0..count).map(|n| Leg::both(n, publications)).collect(),
                ..State::default()
            }),
        });
        let thread = std::thread::Builder::new()
            .name("checker".to_owned())
            .spawn({
                let (shared, leaf) = (Arc::clone(&shared), leaf.clone());
                move || run(&shared, &leaf, family, &socket, &tap)
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// The address of receiver `n`.
    pub fn address(leaf: &Leaf, family: Family, n: usize) -> SocketAddr {
        leaf.pool_socket(family, n, PORT)
    }

    /// What came up to now. Receiving waits while it is held.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops after reading what has arrived.
    ///
    /// # Errors
    /// Of the sockets.
    pub fn finish(&mut self) -> Result<()> {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread
                .join()
                .map_err(|_| anyhow!("the checkers' thread panicked"))?
                .context("receiving")?;
        }
        Ok(())
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

/// Reads replicas, then what left the publisher, then compares: so the original of a replica in hand is always known.
fn run(
    shared: &Shared,
    leaf: &Leaf,
    family: Family,
    socket: &OwnedFd,
    tap: &Tap,
) -> io::Result<()> {
    let (mut batch, mut originals) = (RecvBatch::new(2048), RecvBatch::new(2048));
    let mut lost_by_tap = 0;
    loop {
        let stopping = shared.stop.load(Ordering::Acquire);
        let received = batch.recv(socket.as_fd())?;
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        tap.drain(&mut originals, &mut state.reference)?;
        for n in 0..received {
            let receiver = receiver::destination(&batch, n, family)
                .and_then(|address| leaf.pool_index(address));
            let came_ns = tap::stamp(&batch, n)?;
            state.note(receiver, batch.packet(n), came_ns);
        }
        if received < BATCH {
            lost_by_tap += u64::from(tap.lost()?);
            state.unseen = lost_by_tap + u64::from(mmsg::socket_drops(socket.as_fd())?);
        }
        if stopping && received == 0 {
            return Ok(());
        }
    }
}
