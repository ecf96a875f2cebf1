//! Our own sender reports on each leg (RFC 3550 §6.4.1).
//!
//! A receiver plays sound and picture together by the two times in the sender reports. A publisher's reports say how its
//! RTP timestamps lie on its NTP clock; ours carry both forward by the same span, so that what they say about the two
//! clocks is what the publisher said. All streams of a publisher share its NTP clock: a stream whose own report has not
//! come yet is placed on it by its latest packet.

use arrayvec::ArrayVec;

use super::{
    ReportInterval, ntp,
    rtcp::{ReportBlock, SenderInfo},
};

/// How many of our last reports a receiver may refer to.
const REMEMBERED: usize = 8;

/// So long a leg waits for its publisher's clock. A report by another clock would be followed by one that contradicts it, and until all
/// streams of the publisher are reported by the same, receivers would not know how sound and picture belong together.
const PATIENCE: u64 = 5_000_000_000;

/// A leg that sent nothing for so long is not a sender (RFC 3550 §6.4: reports cover what was sent since the last).
const SILENT: u64 = 10_000_000_000;

/// The NTP clock of a publisher, as far as its reports told it.
#[derive(Clone, Copy, Debug, Default)]
pub struct PublisherClock {
    /// Its time less ours, wrapping, in units of NTP timestamps.
    ahead: u64,
    known: bool,
}

impl PublisherClock {
    /// A clock that is like ours until a report comes.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ahead: 0,
            known: false,
        }
    }

    /// Whether a report has come.
    #[must_use]
    pub const fn is_known(self) -> bool {
        self.known
    }

    /// What the clock shows.
    #[must_use]
    pub const fn ntp_at(self, now: u64) -> u64 {
        ntp::from_nanos(now).wrapping_add(self.ahead)
    }
}

/// How a publisher's stream lies on its NTP clock.
#[derive(Clone, Copy, Debug)]
pub struct StreamClock {
    clock_rate: u32,
    /// The last report's two times, and when it came.
    last: Option<(u64, u32, u64)>,
}

impl StreamClock {
    /// A stream of which no report has come yet, with its clock rate in Hz.
    #[must_use]
    pub const fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            last: None,
        }
    }

    /// A report about the stream came from its publisher.
    pub const fn handle_report(
        &mut self,
        now: u64,
        info: &SenderInfo,
        publisher: &mut PublisherClock,
    ) {
        // An NTP timestamp of 0 says that the sender has no clock (RFC 3550 §6.4.1).
        if info.ntp == 0 {
            return;
        }
        self.last = Some((info.ntp, info.rtp, now));
        publisher.ahead = info.ntp.wrapping_sub(ntp::from_nanos(now));
        publisher.known = true;
    }

    /// The two times at `now`, of a leg that sent what `progress` says.
    const fn at(&self, now: u64, publisher: PublisherClock, progress: &LegProgress) -> (u64, u32) {
        let (ntp, rtp, since) = match self.last {
            Some((ntp, rtp, at)) => {
                let since = now.saturating_sub(at);
                let rtp = rtp.wrapping_add(progress.timestamp_offset);
                (ntp.wrapping_add(ntp::from_nanos(since)), rtp, since)
            }
            None => (
                publisher.ntp_at(now),
                progress.last_rtp,
                now.saturating_sub(progress.last_sent),
            ),
        };
        let ahead = ntp::media_units(since, self.clock_rate);
        (ntp, rtp.wrapping_add(ahead))
    }
}

/// What a leg has sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct LegProgress {
    /// RTP packets.
    pub packets: u64,
    /// Bytes of payload, without headers and padding (RFC 3550 §6.4.1).
    pub octets: u64,
    /// The RTP timestamp of the last packet as it was sent.
    pub last_rtp: u32,
    /// When it was sent, in nanoseconds.
    pub last_sent: u64,
    /// What is added to the publisher's RTP timestamps, modulo 2^32.
    pub timestamp_offset: u32,
}

/// The sender reports of a leg, and the round trip that receivers of them measure.
#[derive(Clone, Debug)]
pub struct SenderReports {
    ssrc: u32,
    since: u64,
    /// Whether the last report was by the publisher's clock.
    by_publisher: bool,
    interval: ReportInterval,
    /// Middle bits of our last reports' NTP timestamps, and when they were sent; the latest last.
    sent: ArrayVec<(u32, u64), REMEMBERED>,
    round_trip: Option<u64>,
}

impl SenderReports {
    /// The reports of a leg with this SSRC, which exists since `now`.
    #[must_use]
    pub fn new(now: u64, ssrc: u32) -> Self {
        Self {
            ssrc,
            since: now,
            by_publisher: false,
            interval: ReportInterval::new(now, ssrc),
            sent: ArrayVec::new(),
            round_trip: None,
        }
    }

    /// When the next report is due.
    #[must_use]
    pub const fn poll_timeout(&self) -> u64 {
        self.interval.poll_timeout()
    }

    /// The report that is due, if one is and the leg is sending.
    pub fn poll(
        &mut self,
        now: u64,
        stream: &StreamClock,
        publisher: PublisherClock,
        progress: &LegProgress,
    ) -> Option<SenderInfo> {
        if !publisher.is_known() && now.saturating_sub(self.since) < PATIENCE {
            return None;
        }
        let newly_known = publisher.is_known() && !self.by_publisher;
        if !self.interval.handle_timeout(now) && !newly_known {
            return None;
        }
        if progress.packets == 0 || now.saturating_sub(progress.last_sent) > SILENT {
            return None;
        }
        self.by_publisher = publisher.is_known();
        let (ntp, rtp) = stream.at(now, publisher, progress);
        if self.sent.is_full() {
            self.sent.remove(0);
        }
        self.sent.push((ntp::middle(ntp), now));
        Some(SenderInfo {
            ssrc: self.ssrc,
            ntp,
            rtp,
            packets: progress.packets as u32,
            octets: progress.octets as u32,
        })
    }

    /// A receiver's report about the leg. Gives the round trip in nanoseconds if it refers to a report of ours. Found
    /// by that report, not computed from its NTP timestamp: that is the publisher's clock.
    pub fn handle_block(&mut self, now: u64, block: &ReportBlock) -> Option<u64> {
        if block.ssrc != self.ssrc || block.last_report == 0 {
            return None;
        }
        let mut latest_first = self.sent.iter().rev();
        let (_, at) = latest_first.find(|(middle, _)| *middle == block.last_report)?;
        let since = now.saturating_sub(*at);
        let round_trip = since.saturating_sub(ntp::nanos_from_short(block.delay));
        self.round_trip = Some(round_trip);
        self.round_trip
    }

    /// The last round trip in nanoseconds.
    #[must_use]
    pub const fn round_trip(&self) -> Option<u64> {
        self.round_trip
    }
}
