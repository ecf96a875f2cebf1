//! What a client receives on a track, each frame compared with the one that was published.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use str0m::media::MediaData;
use str0m::rtp::rtcp::SenderInfo;

use super::clip::Clip;
use super::outbound::{Ledger, Sent, Track};

/// What should come on a track.
#[derive(Clone, Debug)]
pub struct Expected {
    /// What is published.
    pub clip: Arc<Clip>,
    /// What left the publisher when.
    pub ledger: Ledger,
    /// The payload type that this receiver negotiated.
    pub payload_type: u8,
}

impl Expected {
    /// Everything of a published track.
    #[must_use]
    pub fn of(track: &Track, payload_type: u8) -> Self {
        Self {
            clip: Arc::clone(&track.clip),
            ledger: track.ledger.clone(),
            payload_type,
        }
    }
}

/// What came on a track.
#[derive(Clone, Debug, Default, Serialize)]
pub struct InboundReport {
    /// Frames that are right to the bit.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames whose bytes are none that was published then.
    pub wrong: u64,
    /// Frames that came twice.
    pub doubled: u64,
    /// Frames with a payload type that was not negotiated.
    pub misnumbered: u64,
    /// Frames of a video that came before its first keyframe.
    pub before_keyframe: u64,
    /// Number, at the publisher, of the first frame that came.
    pub first: Option<u64>,
    /// Number of the last one.
    pub last: Option<u64>,
    /// From the wish to receive the track to its first keyframe.
    pub keyframe_wait: Option<Duration>,
    /// From the publisher's library being given a frame to the receiver's giving it out, per frame.
    #[serde(skip)]
    pub latencies: Latencies,
    /// How far the capture time of the last frame, as the sender report before it tells (RFC 3550 §6.4.1), is from the true one,
    /// microseconds. Of the last frame: str0m's first report may come before it knows the clock rate, and says RTP time 0.
    pub clock_error_us: Option<u64>,
    /// Sender reports that came.
    pub sender_reports: u64,
    /// What is wrong, in words: the first few.
    pub faults: Vec<String>,
}

/// Durations, told by their quantiles.
#[derive(Clone, Default)]
pub struct Latencies(pub Vec<Duration>);

impl Latencies {
    /// What this part of them does not exceed, such as 0.5 for the median; zero if there are none.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = (sorted.len() as f64 * part) as usize;
        let last = sorted.len().saturating_sub(1);
        sorted.get(at.min(last)).copied().unwrap_or_default()
    }
}

impl std::fmt::Debug for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (median, most) = (self.quantile(0.5), self.quantile(0.99));
        write!(f, "{} (p50 {median:?}, p99 {most:?})", self.0.len())
    }
}

impl InboundReport {
    /// Frames that were published between the first and the last that came, and did not come.
    #[must_use]
    pub fn missing(&self) -> u64 {
        match (self.first, self.last) {
            (Some(first), Some(last)) => (last - first + 1).saturating_sub(self.frames),
            _ => 0,
        }
    }
}

/// A track at its receiver.
#[derive(Debug)]
pub struct Inbound {
    /// What came.
    pub report: InboundReport,
    /// Its SSRC at this receiver, once it was told.
    pub ssrc: Option<u32>,
    expected: Expected,
    since: Instant,
    /// The publisher's number and the RTP time of the first frame.
    anchor: Option<(u64, u64)>,
    came: BTreeSet<u64>,
    keep: Option<Vec<Arc<[u8]>>>,
}

/// Faults that are told in words.
const TOLD: usize = 5;

impl Inbound {
    /// A track that is wanted from `now` on. With `keep` its frames are kept, for a decoder.
    #[must_use]
    pub fn new(expected: Expected, keep: bool, now: Instant) -> Self {
        Self {
            report: InboundReport::default(),
            ssrc: None,
            expected,
            since: now,
            anchor: None,
            came: BTreeSet::new(),
            keep: keep.then(Vec::new),
        }
    }

    /// Takes the next frame for the first one of another source: only a keyframe will do.
    pub fn begin_anew(&mut self) {
        self.anchor = None;
        self.report.keyframe_wait = None;
        self.since = Instant::now();
    }

    /// Frames that were kept.
    pub fn take_kept(&mut self) -> Vec<Arc<[u8]>> {
        self.keep.take().unwrap_or_default()
    }

    /// Whether every frame from the first that came up to the publisher's last is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let sent = self.expected.ledger.len();
        self.report.last.is_some_and(|last| last + 1 == sent) && self.report.missing() == 0
    }

    /// Judges a frame.
    pub fn check(&mut self, data: &MediaData, now: Instant) {
        if *data.pt != self.expected.payload_type {
            self.report.misnumbered += 1;
            self.fault(format!("payload type {}", *data.pt));
        }
        let Some(index) = self.expected.clip.find(&data.data) else {
            self.wrong(format!(
                "{} bytes at RTP time {} that were never published",
                data.data.len(),
                data.time.numer()
            ));
            return;
        };
        let Some((n, sent)) = self.number(index, data.time.numer()) else {
            self.wrong(format!(
                "frame {index} of the clip at RTP time {}, where another belongs",
                data.time.numer()
            ));
            return;
        };
        if !self.came.insert(n) {
            self.report.doubled += 1;
            self.fault(format!("frame {n} twice"));
            return;
        }
        let report = &mut self.report;
        report.frames += 1;
        report.bytes += data.data.len() as u64;
        report.first = Some(report.first.map_or(n, |first| first.min(n)));
        report.last = Some(report.last.map_or(n, |last| last.max(n)));
        report
            .latencies
            .0
            .push(now.saturating_duration_since(sent.sent));
        if report.keyframe_wait.is_none() {
            if self.expected.clip.is_keyframe(index) {
                report.keyframe_wait = Some(now.saturating_duration_since(self.since));
            } else {
                report.before_keyframe += 1;
            }
        }
        if let Some(info) = data.last_sender_info {
            self.compare_clocks(&info, data.time.numer(), sent);
        }
        if let Some(kept) = &mut self.keep {
            kept.push(Arc::clone(&data.data));
        }
    }

    /// Counts a sender report.
    pub fn note_sender_report(&mut self) {
        self.report.sender_reports += 1;
    }

    /// The publisher's number of a frame: for the first one the latest place where it was published, for all others what the RTP time
    /// says. `None` if another frame was published there.
    fn number(&mut self, index: usize, time: u64) -> Option<(u64, Sent)> {
        let ledger = self.expected.ledger.read();
        let Some((first, at)) = self.anchor else {
            let n = ledger.iter().rposition(|sent| sent.index == index)?;
            self.anchor = Some((n as u64, time));
            return Some((n as u64, ledger[n]));
        };
        let ticks = i64::from(self.expected.clip.codec.ticks());
        let elapsed = time.wrapping_sub(at).cast_signed();
        if elapsed % ticks != 0 {
            return None;
        }
        let n = first.checked_add_signed(elapsed / ticks)?;
        let sent = *ledger.get(usize::try_from(n).ok()?)?;
        (sent.index == index).then_some((n, sent))
    }

    /// The sender report says which wall clock time an RTP time is. All clocks here are this machine's, so the truth is known.
    fn compare_clocks(&mut self, info: &SenderInfo, time: u64, sent: Sent) {
        let clock_rate = f64::from(self.expected.clip.codec.clock_rate());
        let ahead = time.wrapping_sub(info.rtp_time.numer()) as u32 as i32;
        let offset = f64::from(ahead) / clock_rate;
        let truth = SystemTime::now() - sent.captured.elapsed();
        let told = seconds_between(truth, info.ntp_time) + offset;
        self.report.clock_error_us = Some((told.abs() * 1e6) as u64);
    }

    fn wrong(&mut self, what: String) {
        self.report.wrong += 1;
        self.fault(what);
    }

    fn fault(&mut self, what: String) {
        if self.report.faults.len() < TOLD {
            self.report.faults.push(what);
        }
    }
}

/// From one time to another, negative if the other is earlier.
fn seconds_between(from: SystemTime, to: SystemTime) -> f64 {
    match to.duration_since(from) {
        Ok(later) => later.as_secs_f64(),
        Err(earlier) => -earlier.duration().as_secs_f64(),
    }
}
