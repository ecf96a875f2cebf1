//! Generates packets, from this thread's core.

use std::sync::Mutex;

use anyhow::{Context, Result, anyhow};
use aya::maps::{Array, MapData};
use aya::programs::{TestRun, TestRunAttrs, TestRunOptions};
use forwarder_tests::frame::Frame;
use forwarder_tests::{Family, Leaf};

use crate::layout::{Aim, HEADER_LEN};
use crate::programs::Programs;
use crate::subscribers::{LOCAL_PORT, PAYLOAD_TYPE, REMOTE_PORT};

/// Frames that one run may have in flight at a time: what the kernel allows.
const MAX_BATCH: u32 = 256;
/// The program that makes frames.
pub const GENERATE: &str = "generate";
/// The program that sends prepared ones.
pub const PLAY: &str = "play";

/// The frames of one stream.
#[derive(Clone, Debug)]
pub struct Packets {
    frame: Vec<u8>,
    out: u32,
    first: u32,
    program: &'static str,
}

impl Packets {
    /// A stream of a publisher, as many bytes of UDP payload in each packet, sent into output number `out`.
    ///
    /// The UDP checksum is 0 (RFC 768: none), as nobody on the way looks at it: offloads would have done so.
    pub fn new(publisher: &Leaf, ssrc: u32, payload: usize, out: u32) -> Self {
        let mut rtp = vec![0x80, PAYLOAD_TYPE, 0, 0, 0, 0, 0, 0];
        rtp.extend_from_slice(&ssrc.to_be_bytes());
        rtp.extend((rtp.len()..payload).map(|n| n as u8));
        let frame = Frame::udp(
            publisher.mac,
            publisher.fwd_mac,
            publisher.socket(Family::V4, REMOTE_PORT),
            publisher.fwd_socket(Family::V4, LOCAL_PORT),
            &rtp,
        );
        Self {
            frame: frame.without_checksum().build(),
            out,
            first: 0,
            program: GENERATE,
        }
    }

    /// The prepared frames from number `first` on, all as long as `frame`.
    pub fn prepared(frame: Vec<u8>, out: u32, first: u32) -> Self {
        Self {
            frame,
            out,
            first,
            program: PLAY,
        }
    }
}

/// How frames are sent: `calls` times `frames` in batches of `batch`, all of one batch in one NAPI poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bursts {
    /// System calls.
    pub calls: u32,
    /// Frames of each.
    pub frames: u32,
    /// Frames that are sent before softirqs run.
    pub batch: u32,
}

impl Bursts {
    /// Frames altogether.
    pub fn total(self) -> u64 {
        u64::from(self.calls) * u64::from(self.frames)
    }
}

/// When frames are sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pacing {
    /// Nanoseconds from frame to frame; 0 for as fast as can be.
    pub interval: u64,
    /// Whether the time of sending is written into frames.
    pub stamp: bool,
}

/// The generator.
pub struct Generator {
    /// Each core's aim is set by one thread, but the map's type wants to be changed by one at a time.
    aims: Mutex<Array<MapData, Aim>>,
}

impl Generator {
    /// Loads the program, [`GENERATE`] or [`PLAY`].
    ///
    /// # Errors
    /// The kernel's.
    pub fn new(programs: &mut Programs, program: &str) -> Result<Self> {
        programs.xdp(program)?;
        Ok(Self {
            aims: Mutex::new(programs.take_array("AIMS")?),
        })
    }

    /// Sets what the core `core` generates from now on.
    ///
    /// # Errors
    /// The core's number is too high.
    pub fn aim(&self, core: usize, packets: &Packets, pacing: Pacing) -> Result<()> {
        let mut header = [0; 56];
        header
            .iter_mut()
            .zip(packets.frame.iter().take(HEADER_LEN))
            .for_each(|(to, from)| *to = *from);
        let aim = Aim {
            header,
            sent: 0,
            interval: pacing.interval,
            due: 0,
            out: packets.out,
            stamp: pacing.stamp.into(),
            first: packets.first,
            len: u32::try_from(packets.frame.len())?,
            zero: [0; 4],
        };
        let core = u32::try_from(core).context("number of the core")?;
        let mut aims = self.aims.lock().map_err(|_| anyhow!("a thread panicked"))?;
        aims.set(core, aim, 0)
            .with_context(|| format!("core {core}"))
    }
}

/// Sends `frames` frames in batches of `batch` from this thread's core; returns when the last batch's softirq has returned.
///
/// # Errors
/// The kernel's.
pub fn send(programs: &Programs, packets: &Packets, frames: u32, batch: u32) -> Result<()> {
    let options = TestRunOptions {
        data_in: Some(&packets.frame),
        repeat: frames,
        attrs: TestRunAttrs::new().xdp_live_frames(batch.min(MAX_BATCH)),
        ..TestRunOptions::new()
    };
    programs
        .loaded(packets.program)?
        .test_run(options)
        .context("cannot generate live frames (kernel 5.18 or later)")?;
    Ok(())
}

/// Carries out this core's pending softirqs.
///
/// The kernel gives up after ten rounds in one go and leaves the rest to ksoftirqd, which does not get to run before this
/// thread. Leaving a section without softirqs, as any run of a program is, continues.
///
/// # Errors
/// The kernel's.
pub fn serve_softirqs(programs: &Programs) -> Result<()> {
    let options = TestRunOptions {
        data_in: Some(&[0; 64]),
        ..TestRunOptions::new()
    };
    programs.loaded("swallow")?.test_run(options)?;
    Ok(())
}
