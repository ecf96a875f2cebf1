//! What a client tells about itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::rtp::RtpHeader;

use super::inbound::InboundReport;
use super::suite::Suite;
use super::wire::Wire;

/// All that a client saw.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its name.
    pub name: String,
    /// From the start of ICE to both ICE and DTLS being done.
    pub setup: Option<Duration>,
    /// Whether ICE holds the connection for alive.
    pub connected: bool,
    /// Whether the other side closed it.
    pub closed: bool,
    /// The SRTP suite.
    pub suite: Option<Suite>,
    /// The DTLS version, such as `DTLS1_2`.
    pub dtls: Option<String>,
    /// Round trip of the last connectivity check.
    pub round_trip: Option<Duration>,
    /// What the way to the other side can carry, by its feedback, in bits per second: the last estimate, if it makes any.
    pub estimate: Option<f64>,
    /// Own address.
    pub local: SocketAddr,
    /// Per track that it receives, by mid.
    pub inbound: BTreeMap<String, InboundReport>,
    /// Per track that it publishes, by mid.
    pub outbound: BTreeMap<String, OutboundReport>,
    /// Datagrams.
    pub wire: Wire,
    /// RTCP, as the client decrypted it.
    pub rtcp: RtcpReport,
    /// RTP headers, as the client decrypted them, if it looks into them.
    pub headers: HeaderReport,
    /// What went wrong in the client itself.
    pub error: Option<String>,
}

/// A track that a client publishes.
#[derive(Clone, Debug)]
pub struct OutboundReport {
    /// Frames that left.
    pub frames: u64,
    /// When PLI or FIR came.
    pub keyframe_requests: Vec<Instant>,
    /// How many of those were FIR.
    pub full_intra_requests: u64,
    /// Round trip by receiver reports (RFC 3550 §6.4.1).
    pub round_trip: Option<Duration>,
}

/// RTCP that came in, counted by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RtcpReport {
    /// Sender reports.
    pub sender_reports: u64,
    /// Receiver reports.
    pub receiver_reports: u64,
    /// CNAMEs by SSRC.
    pub names: BTreeMap<u32, String>,
    /// SSRCs that said BYE.
    pub goodbyes: Vec<u32>,
    /// Transport-wide feedback.
    pub transport_cc: u64,
    /// REMB, bits per second: the last one.
    pub remb: Option<u64>,
}

/// Header extensions of the RTP packets that came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderReport {
    /// Packets.
    pub packets: u64,
    /// Packets without a MID, by SSRC.
    pub without_mid: BTreeMap<u32, u64>,
    /// Packets without a send time.
    pub without_send_time: u64,
    /// Transport-wide sequence numbers that came; every packet has one, and none comes twice.
    pub transport_sequences: Vec<u16>,
    /// Packets with an audio level.
    pub audio_levels: u64,
    /// Packets with contributing sources.
    pub with_sources: u64,
}

impl HeaderReport {
    /// Notes a packet.
    pub fn note(&mut self, header: &RtpHeader) {
        self.packets += 1;
        let values = &header.ext_vals;
        if values.mid.is_none() {
            *self.without_mid.entry(*header.ssrc).or_default() += 1;
        }
        self.without_send_time += u64::from(values.abs_send_time.is_none());
        self.transport_sequences.extend(values.transport_cc);
        self.audio_levels += u64::from(values.audio_level.is_some());
        self.with_sources += u64::from(header.csrc_count > 0);
    }

    /// Transport-wide sequence numbers that came twice.
    #[must_use]
    pub fn repeated_transport_sequences(&self) -> usize {
        let distinct: BTreeSet<u16> = self.transport_sequences.iter().copied().collect();
        self.transport_sequences.len() - distinct.len()
    }
}

impl Report {
    /// Frames that came on all tracks.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.inbound.values().map(|track| track.frames).sum()
    }

    /// Everything that should not be, in words; nothing for a call without a fault. Frames that are still on their way are no fault.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = self.error.iter().cloned().collect();
        for (mid, track) in &self.inbound {
            let counts = [
                ("wrong", track.wrong),
                ("doubled", track.doubled),
                ("misnumbered", track.misnumbered),
                ("before a keyframe", track.before_keyframe),
                ("missing", track.missing()),
            ];
            for (what, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
                let told = track.faults.join("; ");
                faults.push(format!("mid {mid}: {count} frames {what} ({told})"));
            }
        }
        for (ssrc, stream) in &self.wire.streams {
            let counts = [
                ("lost", stream.lost()),
                ("doubled", stream.duplicates),
                ("out of order", stream.reordered),
            ];
            for (what, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
                faults.push(format!("ssrc {ssrc:#x}: {count} packets {what}"));
            }
        }
        if self.wire.other > 0 {
            faults.push(format!(
                "{} datagrams that are no STUN, DTLS or SRTP",
                self.wire.other
            ));
        }
        faults
            .into_iter()
            .map(|fault| format!("{}: {fault}", self.name))
            .collect()
    }
}
