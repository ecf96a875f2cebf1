//! What a client learns from its WebRTC library, and tells in its report.

use std::net::SocketAddr;
use std::time::Instant;

use str0m::Event;
use str0m::bwe::BweKind;
use str0m::media::KeyframeRequestKind;
use str0m::rtp::RawPacket;
use str0m::rtp::rtcp::{Rtcp, SdesType};

use super::Agent;
use crate::rtc::reports::{OutboundReport, Report};
use crate::rtc::road::Road;

impl Agent {
    /// All that it saw.
    pub fn report(&mut self) -> Report {
        let outbound = self.outbound.iter().map(|outbound| {
            let mid = outbound.track.mid;
            let report = OutboundReport {
                frames: outbound.track.ledger.len(),
                keyframe_requests: outbound.keyframe_requests.clone(),
                full_intra_requests: outbound.full_intra_requests,
                round_trip: self.egress_round_trip.get(&mid).copied(),
            };
            (mid.to_string(), report)
        });
        Report {
            name: self.options.name.clone(),
            setup: self.setup,
            connected: self.connected,
            closed: self.closed,
            suite: self.noted.suite(),
            round_trip: self.round_trip,
            estimate: self.estimate,
            local: self
                .roads
                .last()
                .map_or_else(|| SocketAddr::new(self.options.address, 0), Road::local),
            inbound: self
                .inbound
                .iter()
                .map(|(mid, track)| (mid.to_string(), track.report.clone()))
                .collect(),
            outbound: outbound.collect(),
            wire: self.wire.clone(),
            rtcp: self.rtcp.clone(),
            headers: self.headers.clone(),
            error: self.error.clone(),
            dtls: self
                .rtc
                .direct_api()
                .dtls_protocol_version()
                .map(|version| format!("{version:?}")),
        }
    }

    pub(super) fn note(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Connected => {
                self.setup = self.started.map(|started| now - started);
                self.connected = true;
            }
            Event::IceConnectionStateChange(state) => {
                self.connected = self.setup.is_some() && !state.is_disconnected();
            }
            Event::Closed => self.closed = true,
            Event::MediaData(data) => {
                if let Some(track) = self.inbound.get_mut(&data.mid) {
                    track.check(&data, now);
                }
            }
            Event::KeyframeRequest(request) => {
                let track = self
                    .outbound
                    .iter_mut()
                    .find(|outbound| outbound.track.mid == request.mid);
                if let Some(track) = track {
                    track.restart_clip(now);
                    let full_intra = request.kind == KeyframeRequestKind::Fir;
                    track.full_intra_requests += u64::from(full_intra);
                }
            }
            Event::SenderFeedback(feedback) => {
                if let Some(track) = self.inbound.get_mut(&feedback.mid) {
                    track.note_sender_report();
                }
            }
            Event::PeerStats(stats) => {
                let pair = stats.selected_candidate_pair;
                self.round_trip = pair.and_then(|pair| pair.current_round_trip_time);
            }
            Event::MediaEgressStats(stats) => {
                if let Some(round_trip) = stats.rtt {
                    self.egress_round_trip.insert(stats.mid, round_trip);
                }
            }
            Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => {
                self.estimate = Some(estimate.as_f64());
            }
            Event::RawPacket(packet) => match *packet {
                RawPacket::RtcpRx(rtcp) => self.note_rtcp(&rtcp),
                RawPacket::RtpRx(header, _) => self.headers.note(&header),
                RawPacket::RtcpTx(_) | RawPacket::RtpTx(..) => {}
            },
            _ => {}
        }
    }

    fn note_rtcp(&mut self, rtcp: &Rtcp) {
        let seen = &mut self.rtcp;
        match rtcp {
            Rtcp::SenderReport(_) => seen.sender_reports += 1,
            Rtcp::ReceiverReport(_) => seen.receiver_reports += 1,
            Rtcp::SourceDescription(descriptions) => {
                for source in descriptions.reports.iter() {
                    let names = source.values.iter();
                    for (_, name) in names.filter(|(kind, _)| *kind == SdesType::CNAME) {
                        seen.names.insert(*source.ssrc, name.clone());
                    }
                }
            }
            Rtcp::Goodbye(goodbye) => seen
                .goodbyes
                .extend(goodbye.reports.iter().map(|ssrc| **ssrc)),
            Rtcp::Twcc(_) => seen.transport_cc += 1,
            Rtcp::Remb(remb) => seen.remb = Some(remb.bitrate as u64),
            _ => {}
        }
    }
}
