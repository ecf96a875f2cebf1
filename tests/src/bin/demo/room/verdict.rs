//! Puts the summary together and judges it.

use std::collections::BTreeMap;
use std::time::Duration;

use forwarder_tests::rtc::Report;
use forwarder_tests::rtc::inbound::Latencies;

use super::account::Account;
use super::decode::Decoded;
use super::live::name;
use super::stage::Stage;
use super::summary::{Summary, Track};
use crate::cpu::Used;
use crate::options::{Options, Path};

/// Faults of one client that are told in words.
const TOLD: usize = 3;

/// What the summary is made from.
pub struct Findings<'a> {
    /// What was asked for.
    pub options: &'a Options,
    /// Path that the node takes.
    pub path: &'a str,
    /// Who was there.
    pub stage: &'a Stage,
    /// What subscribers saw.
    pub reports: Vec<Report>,
    /// What was made of it by decoders.
    pub decoded: Vec<Decoded>,
    /// What the forwarder says.
    pub account: Account,
    /// CPU time while everybody was there.
    pub used: Used,
    /// Packets that subscribers received in that time.
    pub packets: u64,
    /// How long that was.
    pub seconds: f64,
    /// What was left out.
    pub left_out: Vec<String>,
}

impl Findings<'_> {
    /// Judges.
    pub fn summary(self) -> Summary {
        let tracks = self.tracks();
        let mut suites = BTreeMap::new();
        let mut packets = [0; 4];
        for report in &self.reports {
            let suite = report.suite.map_or("none", |suite| suite.name());
            *suites.entry(suite.to_owned()).or_default() += 1;
            for stream in report.wire.streams.values() {
                let counts = [
                    stream.packets,
                    stream.lost(),
                    stream.duplicates,
                    stream.reordered,
                ];
                for (sum, count) in packets.iter_mut().zip(counts) {
                    *sum += count;
                }
            }
        }
        let setups = Latencies(
            self.reports
                .iter()
                .filter_map(|report| report.setup)
                .collect(),
        );
        let trips = Latencies(
            self.reports
                .iter()
                .filter_map(|report| report.round_trip)
                .collect(),
        );
        let failures = self.failures();
        Summary {
            ok: failures.is_empty(),
            failures,
            left_out: self.left_out.clone(),
            path: self.path.to_owned(),
            why: self.account.node_why.clone(),
            legs: self.account.legs.clone(),
            suites,
            seconds: self.seconds,
            codec: self.options.codec.name(),
            family: if self.options.ipv6 { "ipv6" } else { "ipv4" },
            publishers: self.stage.publishers.len(),
            subscribers: self.reports.len(),
            complete_subscribers: self
                .reports
                .iter()
                .filter(|report| report.faults().is_empty() && self.is_complete(report))
                .count(),
            packets: packets[0],
            lost: packets[1],
            duplicates: packets[2],
            reordered: packets[3],
            packets_per_second: self.packets as f64 / self.seconds.max(1e-3),
            tracks,
            setup_p50_ms: milliseconds(setups.quantile(0.5)),
            setup_most_ms: milliseconds(setups.quantile(1.0)),
            round_trip_p50_ms: milliseconds(trips.quantile(0.5)),
            decoders: self.decoded,
            forwarder_cpu_per_packet_ns: if self.packets == 0 {
                0.0
            } else {
                self.used.forwarder_s * 1e9 / self.packets as f64
            },
            cpu: self.used,
            reasons: self.account.reasons,
        }
    }

    fn tracks(&self) -> Vec<Track> {
        let published = self.stage.published.iter().enumerate();
        published
            .map(|(n, published)| {
                let mid = n.to_string();
                let inbound: Vec<_> = self
                    .reports
                    .iter()
                    .filter_map(|report| report.inbound.get(&mid))
                    .collect();
                let latencies = Latencies(
                    inbound
                        .iter()
                        .flat_map(|track| track.latencies.0.iter().copied())
                        .collect(),
                );
                let waits = Latencies(
                    inbound
                        .iter()
                        .filter_map(|track| track.keyframe_wait)
                        .collect(),
                );
                Track {
                    name: name(n, published),
                    frames: published.track.ledger.len(),
                    received: inbound.iter().map(|track| track.frames).sum(),
                    missing: inbound.iter().map(|track| track.missing()).sum(),
                    wrong: inbound
                        .iter()
                        .map(|track| track.wrong + track.doubled)
                        .sum(),
                    keyframe_wait_p50_ms: milliseconds(waits.quantile(0.5)),
                    keyframe_wait_most_ms: milliseconds(waits.quantile(1.0)),
                    latency_p50_ms: milliseconds(latencies.quantile(0.5)),
                    latency_p99_ms: milliseconds(latencies.quantile(0.99)),
                }
            })
            .collect()
    }

    /// Whether a subscriber has everything up to the last frame.
    fn is_complete(&self, report: &Report) -> bool {
        self.stage
            .published
            .iter()
            .enumerate()
            .all(|(n, published)| {
                let last = report
                    .inbound
                    .get(&n.to_string())
                    .and_then(|track| track.last);
                last.is_some_and(|last| last + 1 == published.track.ledger.len())
            })
    }

    fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for report in &self.reports {
            let faults = report.faults();
            failures.extend(faults.into_iter().take(TOLD));
            if !self.is_complete(report) {
                failures.push(format!(
                    "{} did not get everything up to the last frame",
                    report.name
                ));
            }
        }
        for publisher in &self.stage.publishers {
            failures.extend(publisher.report().error);
        }
        for (path, count) in &self.account.legs {
            if self.options.path == Path::Kernel && path != "sealed" {
                failures.push(format!(
                    "the kernel path was asked for, and {count} legs take {path}: {}",
                    self.account.why.join("; ")
                ));
            }
        }
        for decoded in &self.decoded {
            if decoded.pictures != decoded.frames || !decoded.errors.is_empty() {
                failures.push(format!(
                    "{}: {} of {} pictures decoded; {}",
                    decoded.name,
                    decoded.pictures,
                    decoded.frames,
                    decoded.errors.join("; ")
                ));
            }
        }
        failures
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
