//! Our own receiver reports about a publisher's streams (RFC 3550 §6.4.1, computed as in its appendices A.3 and A.8).

use super::{ntp, rtcp::ReportBlock};

/// What a worker counted of one source.
#[derive(Clone, Copy, Debug, Default)]
pub struct SourceCounters {
    /// Packets that arrived.
    pub packets: u64,
    /// The extended sequence number of the first packet.
    pub base: u64,
    /// The highest extended sequence number; packet indices of SRTP are such numbers.
    pub highest_extended: u64,
    /// As [`Jitter`] keeps it: units of the stream's clock, times 16.
    pub jitter: u32,
}

/// The reports about one source.
#[derive(Clone, Debug)]
pub struct ReceiverReports {
    ssrc: u32,
    expected_before: u64,
    received_before: u64,
    /// Middle bits of the last sender report's NTP timestamp, and when it came.
    last_report: Option<(u32, u64)>,
}

impl ReceiverReports {
    /// The reports about the source with this SSRC.
    #[must_use]
    pub const fn new(ssrc: u32) -> Self {
        Self {
            ssrc,
            expected_before: 0,
            received_before: 0,
            last_report: None,
        }
    }

    /// A sender report of the source came, with this NTP timestamp.
    pub const fn handle_sender_report(&mut self, now: u64, ntp: u64) {
        self.last_report = Some((ntp::middle(ntp), now));
    }

    /// The block for the next report; `None` while nothing has arrived. What was lost since the last block counts from
    /// this one.
    pub fn poll(&mut self, now: u64, counters: &SourceCounters) -> Option<ReportBlock> {
        if counters.packets == 0 {
            return None;
        }
        let expected = counters.highest_extended.saturating_sub(counters.base) + 1;
        let lost = expected.cast_signed() - counters.packets.cast_signed();
        let expected_now = expected.saturating_sub(self.expected_before);
        let received_now = counters.packets.saturating_sub(self.received_before);
        (self.expected_before, self.received_before) = (expected, counters.packets);
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction = (lost_now << 8).checked_div(expected_now).unwrap_or(0);
        let (last_report, delay) = self.last_report.map_or((0, 0), |(middle, at)| {
            (middle, ntp::short_from_nanos(now.saturating_sub(at)))
        });
        Some(ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: fraction.min(255) as u8,
            cumulative_lost: lost.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest: counters.highest_extended as u32,
            jitter: counters.jitter >> 4,
            last_report,
            delay,
        })
    }
}

/// Interarrival jitter of one source, estimated packet by packet (RFC 3550 §6.4.1 and A.8).
#[derive(Clone, Copy, Debug, Default)]
pub struct Jitter {
    /// Arrival less timestamp of the last packet, in units of the stream's clock.
    transit: Option<u32>,
    scaled: u32,
}

impl Jitter {
    /// A packet with this RTP timestamp arrived; the clock rate is in Hz. Gives the estimate times 16.
    #[inline]
    pub fn arrived(&mut self, now: u64, timestamp: u32, clock_rate: u32) -> u32 {
        let transit = ntp::media_units(now, clock_rate).wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let change = transit.wrapping_sub(before).cast_signed().unsigned_abs();
            // Every new difference counts 1/16.
            let fading = (self.scaled + 8) >> 4;
            self.scaled = (self.scaled - fading).saturating_add(change);
        }
        self.scaled
    }
}
