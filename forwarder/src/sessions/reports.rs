//! Our own reports to a session's peer: sender reports of its subscriptions, receiver reports of its publications, and what
//! goes with them. They are terminated here, never forwarded (RFC 3550 §7.3).

use std::sync::atomic::Ordering::Relaxed;

use super::{Sessions, publication::Publication, session::Session, subscription::Subscription};
use crate::{
    feedback::{
        LegProgress, MAX_ITEMS, PublisherClock, ReferenceTimes, Remb, ReportBlock, ReportInterval,
        SenderReports, StreamClock, TransportCc, append,
    },
    media::{Extension, Kind},
};

/// How often a session looks which of its reports are due, in nanoseconds: those due in one interval share datagrams.
const ROUND: u64 = 250_000_000;

/// What publishers without transport-wide feedback are told to send at most, in bits per second: more than any camera
/// needs. Their network is not estimated.
const REMB: u64 = 100_000_000;

/// What a session keeps for its reports.
#[derive(Debug)]
pub struct Reporting {
    /// When it looks next.
    round: u64,
    /// Receiver reports and source description; `None` before the keys are there.
    interval: Option<ReportInterval>,
    remb: Remb,
    /// Arrivals not told yet, once there were any.
    pub transport_cc: Option<Box<TransportCc>>,
    /// The peer's times, to be answered.
    pub references: ReferenceTimes,
    /// The peer's clock.
    pub clock: PublisherClock,
}

impl Default for Reporting {
    fn default() -> Self {
        Self {
            round: 0,
            interval: None,
            remb: Remb::new(REMB),
            transport_cc: None,
            references: ReferenceTimes::default(),
            clock: PublisherClock::new(),
        }
    }
}

/// What is kept of one subscription's reports.
#[derive(Debug)]
pub struct Sending {
    reports: SenderReports,
    /// Packets that the subscriber asked for again.
    pub nacked: u64,
    lost: Option<i32>,
}

impl Sending {
    pub fn new(now: u64, ssrc: u32) -> Self {
        Self {
            reports: SenderReports::new(now, ssrc),
            nacked: 0,
            lost: None,
        }
    }

    /// The subscriber says what it has received.
    pub fn handle_block(&mut self, now: u64, block: &ReportBlock) {
        self.lost = Some(block.cumulative_lost);
        self.reports.handle_block(now, block);
    }

    /// Round trip to the subscriber in nanoseconds.
    pub const fn rtt(&self) -> Option<u64> {
        self.reports.round_trip()
    }

    /// Packets lost, as the subscriber last said.
    pub const fn lost(&self) -> Option<i32> {
        self.lost
    }
}

impl Session {
    /// The keys are there: reports begin.
    pub fn start_reports(&mut self, now: u64) {
        self.reporting.interval = Some(ReportInterval::new(now, self.report_ssrc));
        self.reporting.round = now.saturating_add(ROUND);
    }

    /// When reports are due.
    pub fn reports_due(&self) -> Option<u64> {
        self.reporting.interval.as_ref()?;
        let silent = self.publications.is_empty() && self.subscriptions.is_empty();
        let round = (!silent).then_some(self.reporting.round);
        let arrivals = self.reporting.transport_cc.as_ref();
        let arrivals = arrivals.map(|arrivals| arrivals.poll_timeout());
        round.into_iter().chain(arrivals).min()
    }
}

impl Sessions {
    /// Sends the reports of a session that are due.
    pub(super) fn send_reports(&mut self, now: u64, number: u32) {
        let Some(session) = self.table.at(number) else {
            return;
        };
        if session.reporting.interval.is_none() || now < session.reporting.round {
            return;
        }
        let clocks: Vec<_> = session
            .subscriptions
            .iter()
            .map(|subscription| self.clocks(subscription))
            .collect();
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        session.reporting.round = now.saturating_add(ROUND);
        let mut packet = Vec::new();
        session.append_receiver_reports(now, &self.settings.cname, &mut packet);
        for (at, clocks) in clocks.into_iter().enumerate() {
            let subscription = session.subscriptions.get_mut(at);
            let Some((subscription, (stream, publisher))) = subscription.zip(clocks) else {
                continue;
            };
            subscription.append_sender_report(now, &stream, publisher, &mut packet);
        }
        session.send_rtcp(&packet, &mut self.outputs);
    }

    /// How what is sent to a subscription lies on its publisher's clock.
    fn clocks(&self, subscription: &Subscription) -> Option<(StreamClock, PublisherClock)> {
        let publisher = self.table.at(subscription.publisher)?;
        let mut publications = publisher.publications.iter();
        let publication = publications.find(|it| it.track == subscription.track)?;
        Some((publication.clock, publisher.reporting.clock))
    }
}

impl Session {
    /// Receiver reports with source description, answers to reference times, and REMB.
    fn append_receiver_reports(&mut self, now: u64, cname: &str, packet: &mut Vec<u8>) {
        let reporting = &mut self.reporting;
        let Some(interval) = &mut reporting.interval else {
            return;
        };
        if !interval.handle_timeout(now) {
            return;
        }
        let publications = self.publications.iter_mut();
        let blocks: Vec<_> = publications
            .filter_map(|publication| publication.report_block(now))
            .collect();
        // Each with its source description, as they may go in different datagrams (RFC 3550 §6.1). One goes without blocks.
        let none: &[ReportBlock] = &[];
        let chunks = blocks.chunks(MAX_ITEMS);
        for blocks in chunks.chain(blocks.is_empty().then_some(none)) {
            append::receiver_report(packet, self.report_ssrc, blocks);
            append::source_description(packet, &[self.report_ssrc], cname);
        }
        let delays = reporting.references.take_delays(now);
        append::receiver_delays(packet, self.report_ssrc, &delays);
        let id = self.extensions.ids().id(Extension::TransportCc);
        let without = |it: &&Publication| {
            !it.feedback.transport_cc || id.is_none_or(|id| !it.extensions.contains(&id))
        };
        let publications = self.publications.iter();
        let ssrcs: Vec<u32> = publications
            .filter(|it| it.kind == Kind::Video && it.feedback.remb)
            .filter(without)
            .filter_map(|it| it.ssrc)
            .collect();
        reporting.remb.poll(now, self.report_ssrc, &ssrcs, packet);
    }
}

impl Subscription {
    /// The sender report of the leg with its source description, if it is due.
    fn append_sender_report(
        &mut self,
        now: u64,
        stream: &StreamClock,
        publisher: PublisherClock,
        packet: &mut Vec<u8>,
    ) {
        let progress = LegProgress {
            packets: self.counters.packets.load(Relaxed),
            octets: self.counters.octets.load(Relaxed),
            last_rtp: self.counters.last_rtp.load(Relaxed),
            last_sent: self.counters.last_sent.load(Relaxed),
            // Another after the track's source has changed.
            timestamp_offset: self.counters.timestamp_offset.load(Relaxed),
        };
        let reports = &mut self.sending.reports;
        if let Some(info) = reports.poll(now, stream, publisher, &progress) {
            append::sender_report(packet, &info);
            append::source_description(packet, &[self.ssrc], &self.cname);
        }
    }
}
