//! What came of it: the final table, and the same as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::decode::Decoded;
use crate::cpu::Used;
use crate::table::{align, microseconds, plain_table};

/// All of it. Field names are those of the JSON.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Whether every subscriber got every frame from its first on, and nothing else, and decoders all without an error.
    pub ok: bool,
    /// What was not as it should be, in words.
    pub failures: Vec<String>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
    /// Path that the node takes: `kernel` or `socket`.
    pub path: String,
    /// Why it is not a faster one.
    pub why: Option<String>,
    /// Legs by path, as the node shows each.
    pub legs: BTreeMap<String, u64>,
    /// Subscribers by SRTP suite.
    pub suites: BTreeMap<String, u64>,
    /// How long media flowed with everybody there, seconds.
    pub seconds: f64,
    /// Video codec.
    pub codec: &'static str,
    /// `ipv4` or `ipv6`.
    pub family: &'static str,
    /// Clients that published.
    pub publishers: usize,
    /// Clients that subscribed.
    pub subscribers: usize,
    /// Of them, those that got everything, once, in order.
    pub complete_subscribers: usize,
    /// SRTP packets that subscribers received.
    pub packets: u64,
    /// Packets that they did not receive.
    pub lost: u64,
    /// Packets that they received more than once.
    pub duplicates: u64,
    /// Packets that they received after a later one.
    pub reordered: u64,
    /// Packets per second with everybody there.
    pub packets_per_second: f64,
    /// Per published track.
    pub tracks: Vec<Track>,
    /// From the start of ICE to the end of DTLS: half of the subscribers took less, milliseconds.
    pub setup_p50_ms: f64,
    /// The longest.
    pub setup_most_ms: f64,
    /// Round trip of connectivity checks, milliseconds.
    pub round_trip_p50_ms: f64,
    /// What decoders made of it.
    pub decoders: Vec<Decoded>,
    /// CPU time of the forwarder's process per packet that subscribers received, nanoseconds. XDP's sends run in it.
    pub forwarder_cpu_per_packet_ns: f64,
    /// CPU time with everybody there.
    pub cpu: Used,
    /// What the node counted under each reason, where not zero.
    pub reasons: BTreeMap<String, u64>,
}

/// A published track.
#[derive(Debug, Serialize)]
pub struct Track {
    /// What it is.
    pub name: String,
    /// Frames that were published.
    pub frames: u64,
    /// Frames that subscribers received, each right to the bit.
    pub received: u64,
    /// Frames that they missed after their first.
    pub missing: u64,
    /// Frames that differ from what was published, or came twice.
    pub wrong: u64,
    /// From subscribing to the first keyframe: half of the subscribers waited less, milliseconds.
    pub keyframe_wait_p50_ms: f64,
    /// The longest.
    pub keyframe_wait_most_ms: f64,
    /// From publisher's library to subscriber's, the clients' own time included: half of the frames took less, milliseconds.
    pub latency_p50_ms: f64,
    /// 99 of 100 took less.
    pub latency_p99_ms: f64,
}

impl Summary {
    /// As one line of JSON.
    ///
    /// # Errors
    /// Never, for such plain data; the signature is serde's.
    pub fn json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut lines = vec![self.table()];
        let why = self
            .why
            .as_ref()
            .map_or(String::new(), |why| format!(" ({why})"));
        lines.push(format!(
            "path       {}{why}: {}",
            self.path,
            listed(&self.legs, "legs")
        ));
        lines.push(format!("suites     {}", listed(&self.suites, "subscribers")));
        lines.push(format!(
            "clients    {} of {} subscribers got every frame of {} publishers; ready after {:.0} ms (the slowest {:.0} ms), \
             round trip {:.2} ms",
            self.complete_subscribers,
            self.subscribers,
            self.publishers,
            self.setup_p50_ms,
            self.setup_most_ms,
            self.round_trip_p50_ms
        ));
        lines.push(format!(
            "packets    {} received ({:.0} per second), {} lost, {} twice, {} out of order",
            self.packets, self.packets_per_second, self.lost, self.duplicates, self.reordered
        ));
        for decoder in &self.decoders {
            lines.push(format!(
                "decoder    {}: {} pictures of {}, {} errors",
                decoder.name,
                decoder.pictures,
                decoder.frames,
                decoder.errors.len()
            ));
        }
        lines.push(format!(
            "CPU        {} per packet in the forwarder's process, {:.2} s in all; the whole machine, all clients included: {:.1} s",
            microseconds(self.forwarder_cpu_per_packet_ns),
            self.cpu.forwarder_s,
            self.cpu.machine_s
        ));
        lines.extend(
            self.left_out
                .iter()
                .map(|what| format!("left out   {what}")),
        );
        lines.extend(
            self.failures
                .iter()
                .map(|what| format!("FAILED     {what}")),
        );
        lines.push(if self.ok {
            "ok: every subscriber got every frame, right to the bit, each under keys of its own".to_owned()
        } else {
            "not ok".to_owned()
        });
        lines.join("\n")
    }

    fn table(&self) -> String {
        let mut table = plain_table(&[
            "track",
            "frames",
            "received",
            "missing",
            "wrong",
            "keyframe p50",
            "slowest",
            "latency p50",
            "p99",
        ]);
        let milliseconds = |value: f64| format!("{value:.1} ms");
        for track in &self.tracks {
            table.add_row([
                track.name.clone(),
                track.frames.to_string(),
                track.received.to_string(),
                track.missing.to_string(),
                track.wrong.to_string(),
                milliseconds(track.keyframe_wait_p50_ms),
                milliseconds(track.keyframe_wait_most_ms),
                milliseconds(track.latency_p50_ms),
                milliseconds(track.latency_p99_ms),
            ]);
        }
        align(&mut table);
        table.to_string()
    }
}

fn listed(counts: &BTreeMap<String, u64>, of: &str) -> String {
    let all: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{count} {of} {name}"))
        .collect();
    all.join(", ")
}
