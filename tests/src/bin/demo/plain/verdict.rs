//! Puts the summary together and judges it: every number that must agree with another is compared here.

use std::collections::BTreeMap;

use forwarder_tests::model::State as Account;

use super::checker::State;
use crate::cpu::Used;
use super::decoder::Decoded;
use super::live::sum;
use super::media::{self, Kind, Publication};
use crate::options::{Options, Path};
use super::summary::{Stream, Summary};

/// Faults of one kind that are told in words.
const TOLD: usize = 5;

/// Pictures that an ffmpeg which is asked to end may have decoded, and counted, without passing them on to its output.
const UNSHOWN: u64 = 10;

/// What the summary is made from.
pub struct Findings<'a> {
    /// What was asked for.
    pub options: &'a Options,
    /// What was published.
    pub publications: &'a [Publication; media::COUNT],
    /// Ids of the publications at the node.
    pub ids: [&'a str; media::COUNT],
    /// What the checking receivers saw.
    pub state: &'a State,
    /// What the decoding receivers made of it.
    pub decoded: Vec<Decoded>,
    /// What the node counted.
    pub account: &'a Account,
    /// CPU time.
    pub used: Used,
    /// How long media flowed, seconds.
    pub seconds: f64,
    /// What went wrong before.
    pub failures: Vec<String>,
    /// What was left out.
    pub left_out: Vec<String>,
}

impl Findings<'_> {
    /// Judges.
    pub fn summary(self) -> Summary {
        let state = self.state;
        let sent = state.reference.counts();
        let missing = state.missing(sent);
        let received = state.received();
        let streams = self.streams(&received, &missing);
        let due: u64 = streams.iter().map(|s| s.packets * s.receivers).sum();
        let text = |name: &str| {
            let value = self.account.node.get(name)?;
            value.as_str().map(str::to_owned)
        };
        let mut legs = BTreeMap::new();
        let mut node_replicas = 0;
        for leg in self.account.subscriptions.iter().flat_map(|s| &s.legs) {
            *legs.entry(leg.path.clone()).or_default() += 1;
            node_replicas += leg.packets;
        }
        let mut summary = Summary {
            path: text("path").unwrap_or_default(),
            why: text("why"),
            legs,
            seconds: self.seconds,
            codec: self.options.codec.name(),
            family: if self.options.ipv6 { "ipv6" } else { "ipv4" },
            receivers: state.receivers.len(),
            complete_receivers: state.complete(),
            packets_in: sum(&sent),
            node_packets_in: self.account.publications.iter().map(|p| p.packets).sum(),
            replicas_due: due,
            replicas: sum(&received),
            node_replicas,
            lost: sum(&missing),
            wrong: state.faulty,
            duplicates: state.legs().map(|leg| leg.tally.duplicates).sum(),
            reordered: state.legs().map(|leg| leg.tally.reordered).sum(),
            streams,
            cpu: self.used,
            cpu_per_replica_at_most_ns: self.used.per_replica_ns(node_replicas),
            reasons: (self.account.reasons.iter())
                .filter(|(_, count)| **count > 0)
                .map(|(name, count)| (name.clone(), *count))
                .collect(),
            ..Summary::default()
        };
        let mut failures = self.failures.clone();
        failures.extend(self.of_receivers(&summary));
        failures.extend(self.of_node(&summary));
        failures.extend(self.of_decoders());
        summary.ok = failures.is_empty();
        summary.failures = failures;
        summary.left_out = self.left_out;
        summary.decoders = self.decoded;
        summary
    }

    fn streams(
        &self,
        received: &[u64; media::COUNT],
        missing: &[u64; media::COUNT],
    ) -> Vec<Stream> {
        let one = |(n, publication): (usize, &Publication)| {
            let sent = self.state.reference.stream(n);
            let latency = &self.state.latency[n];
            Stream {
                name: publication.to_string(),
                packets: sent.packets,
                bytes: sent.bytes,
                frames: (publication.kind == Kind::Video).then_some(sent.markers),
                receivers: self.state.legs().filter(|leg| leg.publication == n).count() as u64,
                replicas: received[n],
                lost: missing[n],
                latency_p50_us: latency.quantile(0.5) as f64 / 1e3,
                latency_p99_us: latency.quantile(0.99) as f64 / 1e3,
            }
        };
        self.publications.iter().enumerate().map(one).collect()
    }

    fn of_receivers(&self, summary: &Summary) -> Vec<String> {
        let mut failures = Vec::new();
        for (n, stream) in summary.streams.iter().enumerate() {
            if stream.packets == 0 {
                failures.push(format!("the publisher sent nothing of {}", stream.name));
            }
            let irregular = self.state.reference.stream(n).irregular;
            if irregular > 0 {
                failures.push(format!(
                    "{irregular} packets of {} left out of sequence or too long",
                    stream.name
                ));
            }
        }
        if summary.complete_receivers < summary.receivers {
            failures.push(format!(
                "{} of {} receivers did not get every packet once: {} lost, {} twice",
                summary.receivers - summary.complete_receivers,
                summary.receivers,
                summary.lost,
                summary.duplicates
            ));
        }
        if summary.wrong > 0 {
            let told = self.state.faults.join("; ");
            failures.push(format!("{} wrong packets: {told}", summary.wrong));
        }
        if self.state.unseen > 0 {
            failures.push(format!(
                "the checkers' own sockets lost {} packets, so nothing exact can be said: this machine cannot check so many \
                 receivers, ask for fewer (--receivers)",
                self.state.unseen
            ));
        }
        failures
    }

    /// The node's counters must tell the same as what was seen from outside.
    fn of_node(&self, summary: &Summary) -> Vec<String> {
        let mut failures = Vec::new();
        if self.options.path == Path::Kernel && summary.legs.keys().any(|path| path != "kernel") {
            failures.push(format!("the kernel path was asked for: {:?}", summary.legs));
        }
        for (n, id) in self.ids.iter().enumerate() {
            let sent = self.state.reference.stream(n).packets;
            let name = self.publications[n].to_string();
            let taken = self.account.publications.iter().find(|p| p.id == *id);
            let taken = taken.map_or(0, |publication| publication.packets);
            if taken != sent {
                failures.push(format!(
                    "{sent} packets of {name} left the publisher, and the node took {taken}"
                ));
            }
            let of_publication = self
                .account
                .subscriptions
                .iter()
                .filter(|s| s.publication == *id);
            let legs = of_publication.flat_map(|subscription| &subscription.legs);
            let short = legs.filter(|leg| leg.packets != sent).count();
            if short > 0 {
                failures.push(format!(
                    "the node counted another number than {sent} on {short} legs of {name}"
                ));
            }
        }
        failures
    }

    fn of_decoders(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for decoded in &self.decoded {
            let [video, audio] = media::of_mode(decoded.mode);
            let frames = self.state.reference.stream(video).markers;
            let blocks = self.state.reference.stream(audio).packets;
            let name = &decoded.name;
            if (decoded.video_frames, decoded.audio_frames) != (frames, blocks) {
                failures.push(format!(
                    "{name} decoded {} pictures and {} blocks of sound, {frames} and {blocks} were sent",
                    decoded.video_frames, decoded.audio_frames
                ));
            }
            if !decoded.errors.is_empty() {
                let told: Vec<&str> = decoded
                    .errors
                    .iter()
                    .take(TOLD)
                    .map(String::as_str)
                    .collect();
                failures.push(format!(
                    "{name} met {} errors: {}",
                    decoded.errors.len(),
                    told.join("; ")
                ));
            }
            let shown = decoded.pictures.len() as u64;
            if shown + UNSHOWN < frames {
                failures.push(format!("{name} showed only {shown} pictures of {frames}"));
            }
            let same_stream = |other: &&Decoded| other.mode == decoded.mode;
            let difference = self.decoded.iter().filter(same_stream).find_map(|other| {
                Some((other, first_difference(&decoded.pictures, &other.pictures)?))
            });
            if let Some((other, at)) = difference {
                failures.push(format!(
                    "{name} and {} decoded picture {at} of the same stream differently",
                    other.name
                ));
            }
        }
        failures
    }
}

/// The first picture that two have and that differs.
fn first_difference(one: &[u32], other: &[u32]) -> Option<usize> {
    one.iter().zip(other).position(|(a, b)| a != b)
}
