//! What came of it: the verdict, the final table, and the same as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cpu::Used;
use super::decoder::Decoded;
use crate::table::{align, microseconds, plain_table};

/// All of it. Field names are those of the JSON.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// Whether every receiver got every packet that it should, and nothing else, and every decoder all frames without an error.
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
    /// How long media flowed, seconds.
    pub seconds: f64,
    /// Video codec.
    pub codec: &'static str,
    /// `ipv4` or `ipv6`.
    pub family: &'static str,
    /// Receivers that checked every packet.
    pub receivers: usize,
    /// Of them, those that got every packet of both their streams, once each.
    pub complete_receivers: usize,
    /// Packets that left the publisher.
    pub packets_in: u64,
    /// Packets that the node says it took.
    pub node_packets_in: u64,
    /// Replicas that should have come to checking receivers.
    pub replicas_due: u64,
    /// Replicas that came and were right to the bit.
    pub replicas: u64,
    /// Replicas that the node says it sent, to decoding receivers too.
    pub node_replicas: u64,
    /// Replicas that did not come.
    pub lost: u64,
    /// Packets that differed from their original, or belonged to nobody.
    pub wrong: u64,
    /// Replicas that came more than once.
    pub duplicates: u64,
    /// Replicas that came after a later one.
    pub reordered: u64,
    /// Per publication.
    pub streams: Vec<Stream>,
    /// Per decoding receiver.
    pub decoders: Vec<Decoded>,
    /// CPU time.
    pub cpu: Used,
    /// The most CPU time that forwarding a replica can have taken, its way through the receiver's network stack included.
    pub cpu_per_replica_at_most_ns: f64,
    /// What the node counted under each reason, where not zero.
    pub reasons: BTreeMap<String, u64>,
}

/// One publication.
#[derive(Clone, Debug, Serialize)]
pub struct Stream {
    /// What it is.
    pub name: String,
    /// Packets that left the publisher.
    pub packets: u64,
    /// Bytes of RTP in them.
    pub bytes: u64,
    /// Frames, for video: packets with the marker.
    pub frames: Option<u64>,
    /// Receivers that checked it.
    pub receivers: u64,
    /// Replicas that came and were right.
    pub replicas: u64,
    /// Replicas that did not come.
    pub lost: u64,
    /// Half of the replicas took less from the publisher's interface to the receiver's socket, microseconds.
    pub latency_p50_us: f64,
    /// 99 of 100 took less.
    pub latency_p99_us: f64,
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
        let mut table = plain_table(&[
            "stream",
            "packets",
            "kbit/s",
            "receivers",
            "replicas",
            "lost",
            "p50",
            "p99",
        ]);
        for stream in &self.streams {
            let rate = stream.bytes as f64 * 8.0 / 1000.0 / self.seconds.max(1e-3);
            table.add_row([
                stream.name.clone(),
                stream.packets.to_string(),
                format!("{rate:.0}"),
                stream.receivers.to_string(),
                stream.replicas.to_string(),
                stream.lost.to_string(),
                microseconds(stream.latency_p50_us * 1e3),
                microseconds(stream.latency_p99_us * 1e3),
            ]);
        }
        align(&mut table);
        let mut lines = vec![table.to_string()];
        let legs: Vec<String> = self
            .legs
            .iter()
            .map(|(path, count)| format!("{count} legs {path}"))
            .collect();
        let why = self
            .why
            .as_ref()
            .map_or(String::new(), |why| format!(" ({why})"));
        lines.push(format!(
            "path       {}{why}: {}",
            self.path,
            legs.join(", ")
        ));
        lines.push(format!(
            "packets    {} left the publisher, the node took {} and sent {} replicas",
            self.packets_in, self.node_packets_in, self.node_replicas
        ));
        lines.push(format!(
            "receivers  {} of {} got every packet, {} of {} replicas right to the bit; {} lost, {} wrong, {} twice, {} out of order",
            self.complete_receivers,
            self.receivers,
            self.replicas,
            self.replicas_due,
            self.lost,
            self.wrong,
            self.duplicates,
            self.reordered
        ));
        for decoder in &self.decoders {
            lines.push(format!(
                "decoder    {}: {} pictures, {} blocks of sound, {} errors",
                decoder.name,
                decoder.video_frames,
                decoder.audio_frames,
                decoder.errors.len()
            ));
        }
        let in_sends = if self.path == "kernel" {
            "XDP and the receivers' network stack run in them"
        } else {
            "up to the forwarder's socket"
        };
        lines.push(format!(
            "CPU        per replica at most {}: {:.2} s in the forwarder's process, {:.2} s in the publishers' sends ({in_sends}), \
             {:.2} s in ksoftirqd",
            microseconds(self.cpu_per_replica_at_most_ns),
            self.cpu.forwarder_s,
            self.cpu.publishers_system_s,
            self.cpu.ksoftirqd_s,
        ));
        lines.push(format!(
            "           the whole machine, which also encodes, decodes and checks: {:.1} s",
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
            "ok: every receiver got every packet, and the decoders all frames without an error"
                .to_owned()
        } else {
            "not ok".to_owned()
        });
        lines.join("\n")
    }
}
