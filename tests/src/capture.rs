//! Captures every frame that arrives at an interface, as it was on the wire, and verifies it.
//!
//! A packet socket sees a frame after the kernel took its outer VLAN tag off and put it into the socket's auxiliary data; it
//! is put back here. Frames that the device sends are not seen: capture at the other end of the wire.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use crate::frame::{self, Flaw, Parsed};
use crate::mmsg::{self, RecvBatch};
use crate::netns::Netns;
use crate::plan::{LEAF_INTERFACE, Leaf};

/// Receive buffer of a capture unless told, bytes.
pub const BUFFER: usize = 256 << 20;

/// Most faulty frames that are kept for the report.
const FAULTS_KEPT: usize = 8;

/// One frame that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// The frame from the destination MAC on, tags in place.
    pub bytes: Vec<u8>,
    /// When it was read, CLOCK_MONOTONIC nanoseconds (not when it arrived).
    pub read_ns: u64,
}

impl Captured {
    /// The frame's fields.
    ///
    /// # Panics
    /// When the frame is not whole UDP, which those of [`Capture::finish`] are.
    #[must_use]
    pub fn parsed(&self) -> Parsed<'_> {
        frame::check(&self.bytes).expect("frames of a finished capture have been checked")
    }
}

/// What a capture counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Whole UDP frames.
    pub udp: u64,
    /// Frames that are something else: ARP, ICMPv6, other EtherTypes.
    pub other: u64,
    /// UDP frames in which something is wrong, or that were cut.
    pub faulty: u64,
    /// The first of them, and what is wrong with each.
    pub faults: Vec<(Vec<u8>, String)>,
    /// Frames that the kernel lost for lack of room in the socket.
    pub lost: u64,
}

/// A capture that runs until [`Capture::finish`] or [`Capture::count`]; dropped without, it stops and says nothing.
pub struct Capture {
    where_: String,
    stop: Arc<AtomicBool>,
    seen: Arc<AtomicU64>,
    reader: Option<JoinHandle<Outcome>>,
}

/// Whole UDP frames that were kept, and what was counted.
type Outcome = io::Result<(Vec<Captured>, Count)>;

/// What to do with a frame that is whole UDP; `None` keeps it.
type EachFrame = Box<dyn FnMut(&Parsed<'_>) + Send>;

impl Capture {
    /// Starts to collect what arrives at the leaf. Frames are kept, and checked at the end.
    ///
    /// # Errors
    /// When the interface is not there or the user may not.
    pub fn start(leaf: &Leaf) -> Result<Self> {
        Self::on(&leaf.netns, LEAF_INTERFACE)
    }

    /// Starts to collect what arrives at any interface of any namespace.
    ///
    /// # Errors
    /// When the interface is not there or the user may not.
    pub fn on(netns: &Netns, interface: &str) -> Result<Self> {
        Self::open(netns, interface, BUFFER, None)
    }

    /// Starts to verify what arrives at the leaf and calls `each` for every whole UDP frame, keeping none: for bursts of many
    /// thousand frames. `each` runs on the reader's thread, so what it takes is taken from the room for the burst.
    ///
    /// # Errors
    /// When the interface is not there or the user may not.
    pub fn each(leaf: &Leaf, each: impl FnMut(&Parsed<'_>) + Send + 'static) -> Result<Self> {
        Self::open(&leaf.netns, LEAF_INTERFACE, BUFFER, Some(Box::new(each)))
    }

    /// As the others, with a receive buffer of `buffer` bytes.
    ///
    /// # Errors
    /// When the interface is not there or the user may not.
    pub fn open(
        netns: &Netns,
        interface: &str,
        buffer: usize,
        each: Option<EachFrame>,
    ) -> Result<Self> {
        let where_ = format!("{} of {}", interface, netns.name());
        let socket = netns
            .enter(|| open_socket(interface, buffer))
            .with_context(|| format!("capturing on {where_}"))?;
        let (stop, seen) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let reader = Reader {
            socket,
            stop: Arc::clone(&stop),
            seen: Arc::clone(&seen),
            each,
        };
        let reader = std::thread::Builder::new()
            .name(format!("capture {where_}"))
            .spawn(move || reader.run())?;
        Ok(Self {
            where_,
            stop,
            seen,
            reader: Some(reader),
        })
    }

    /// Frames read so far that are UDP or look like it.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    /// Waits until `frames` were read, or the time is over; returns whether they were.
    #[must_use]
    pub fn wait_for(&self, frames: u64, timeout: Duration) -> bool {
        wait_until(timeout, || self.seen() >= frames)
    }

    /// Waits until nothing more arrived for `quiet`.
    pub fn settle(&self, quiet: Duration) {
        settle(quiet, || self.seen());
    }

    /// Stops, and returns the UDP frames in the order of arrival.
    ///
    /// # Errors
    /// When a frame was not whole or had a bad checksum, or the kernel lost one: exact statements cannot be made then.
    pub fn finish(self) -> Result<Vec<Captured>> {
        let where_ = self.where_.clone();
        let (frames, count) = self.stop()?;
        count
            .flawless()
            .with_context(|| format!("capture on {where_}"))?;
        Ok(frames)
    }

    /// Stops, and returns what was counted, faults included.
    ///
    /// # Errors
    /// Of the socket.
    pub fn count(self) -> Result<Count> {
        Ok(self.stop()?.1)
    }

    fn stop(mut self) -> Result<(Vec<Captured>, Count)> {
        self.stop.store(true, Ordering::Release);
        let reader = self.reader.take().context("the capture runs")?;
        let outcome = reader
            .join()
            .map_err(|_| anyhow!("the reader of the capture panicked"))?;
        outcome.with_context(|| format!("capturing on {}", self.where_))
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Count {
    /// Nothing lost, nothing faulty.
    ///
    /// # Errors
    /// With what was.
    pub fn flawless(&self) -> Result<()> {
        ensure!(
            self.lost == 0,
            "the socket lost {} frames: nothing exact can be said",
            self.lost
        );
        ensure!(
            self.faulty == 0,
            "{} faulty frames:\n{}",
            self.faulty,
            self.describe_faults()
        );
        Ok(())
    }

    fn describe_faults(&self) -> String {
        let line = |(bytes, why): &(Vec<u8>, String)| {
            let start: String = bytes
                .iter()
                .take(80)
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!("  {why} ({} bytes: {start})", bytes.len())
        };
        self.faults.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

struct Reader {
    socket: OwnedFd,
    stop: Arc<AtomicBool>,
    seen: Arc<AtomicU64>,
    each: Option<EachFrame>,
}

impl Reader {
    fn run(mut self) -> Outcome {
        let mut batch = RecvBatch::new(9216);
        let mut count = Count::default();
        let mut raw = Vec::new();
        let mut joined = Vec::new();
        loop {
            // Looked at before the socket is: what had arrived by then is read in this round or a later one.
            let stopping = self.stop.load(Ordering::Acquire);
            let received = batch.recv(self.socket.as_fd())?;
            let mut udp = 0;
            for n in 0..received {
                if batch.packet_type(n) == libc::PACKET_OUTGOING {
                    continue;
                }
                let bytes = whole_frame(&batch, n, &mut joined);
                let cut = batch.truncated(n);
                match &mut self.each {
                    _ if cut => count.fault(bytes, "longer than the capture's buffers".to_owned()),
                    Some(each) => udp += judge(bytes, &mut count, |parsed| each(parsed)),
                    // Keeping first and judging later empties the socket sooner.
                    None => {
                        udp += u64::from(may_be_udp(bytes));
                        raw.push(Captured {
                            bytes: bytes.to_vec(),
                            read_ns: crate::rtp::now_ns(),
                        });
                    }
                }
            }
            self.seen.fetch_add(udp, Ordering::AcqRel);
            if stopping && received == 0 {
                break;
            }
        }
        count.lost = mmsg::packet_statistics(self.socket.as_fd())?.1.into();
        raw.retain(|captured| {
            let before = count.udp;
            judge(&captured.bytes, &mut count, |_| ());
            count.udp > before
        });
        Ok((raw, count))
    }
}

impl Count {
    fn fault(&mut self, bytes: &[u8], why: String) {
        self.faulty += 1;
        if self.faults.len() < FAULTS_KEPT {
            self.faults.push((bytes.to_vec(), why));
        }
    }
}

/// Counts a frame as what it is; 1 if it is UDP, whole or not.
fn judge(bytes: &[u8], count: &mut Count, each: impl FnOnce(&Parsed<'_>)) -> u64 {
    match frame::check(bytes) {
        Ok(parsed) => {
            count.udp += 1;
            each(&parsed);
        }
        Err(Flaw::NotUdp) => {
            count.other += 1;
            return 0;
        }
        Err(flaw) => count.fault(bytes, flaw.to_string()),
    }
    1
}

/// Whether a frame is worth waiting for: all that is not evidently something else.
fn may_be_udp(bytes: &[u8]) -> bool {
    let mut at = 12;
    while matches!(bytes.get(at..at + 2), Some([0x81, 0] | [0x88, 0xa8])) {
        at += 4;
    }
    match bytes.get(at..at + 2) {
        Some([8, 0]) => bytes.get(at + 11) == Some(&17),
        Some([0x86, 0xdd]) => bytes.get(at + 8) == Some(&17),
        _ => false,
    }
}

/// The frame with the tag that the kernel took off put back.
fn whole_frame<'a>(batch: &'a RecvBatch, n: usize, joined: &'a mut Vec<u8>) -> &'a [u8] {
    let bytes = batch.packet(n);
    // SAFETY: tpacket_auxdata is plain data.
    let auxiliary = unsafe {
        batch.control::<libc::tpacket_auxdata>(n, libc::SOL_PACKET, libc::PACKET_AUXDATA)
    };
    match auxiliary {
        Some(tag) if tag.tp_status & libc::TP_STATUS_VLAN_VALID != 0 && bytes.len() >= 12 => {
            let has_type = tag.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
            let ethertype = if has_type { tag.tp_vlan_tpid } else { 0x8100 };
            joined.clear();
            joined.extend_from_slice(&bytes[..12]);
            joined.extend_from_slice(&ethertype.to_be_bytes());
            joined.extend_from_slice(&tag.tp_vlan_tci.to_be_bytes());
            joined.extend_from_slice(&bytes[12..]);
            joined
        }
        _ => bytes,
    }
}

fn open_socket(interface: &str, buffer: usize) -> io::Result<OwnedFd> {
    let socket = mmsg::packet_socket(interface, libc::ETH_P_ALL as u16)?;
    mmsg::set_receive_buffer(&socket, buffer)?;
    mmsg::set_receive_timeout(&socket, Duration::from_millis(20))?;
    mmsg::set_flag(socket.as_fd(), libc::SOL_PACKET, libc::PACKET_AUXDATA, 1)?;
    // See frames to strangers' MACs as well: a frame to a wrong MAC is a finding.
    promiscuous(&socket, interface)?;
    Ok(socket)
}

fn promiscuous(socket: &OwnedFd, interface: &str) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let index = nix::net::if_::if_nametoindex(interface)?;
    let request = libc::packet_mreq {
        mr_ifindex: index as i32,
        mr_type: libc::PACKET_MR_PROMISC as u16,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    // SAFETY: the kernel reads a packet_mreq of the stated size.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_ADD_MEMBERSHIP,
            (&raw const request).cast(),
            std::mem::size_of::<libc::packet_mreq>() as libc::socklen_t,
        )
    };
    if outcome < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Waits for a condition, looking every millisecond.
pub(crate) fn wait_until(timeout: Duration, mut reached: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + timeout;
    loop {
        if reached() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until a count has not changed for `quiet`.
pub(crate) fn settle(quiet: Duration, mut count: impl FnMut() -> u64) {
    let mut last = count();
    let mut since = Instant::now();
    while since.elapsed() < quiet {
        std::thread::sleep(Duration::from_millis(2));
        let now = count();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
}
