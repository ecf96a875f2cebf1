//! RTCP of a session's peer: opened, and each packet of it led to the m-line that it is about. What is unknown is ignored
//! (RFC 3550 §6.1), and so is what names a stream that is not this session's.

use super::{Sessions, ids::SubscriptionId};
use crate::{
    feedback::{Reason, ReportBlock, Rtcp, SenderInfo, parse_compound},
    transport::Pair,
};

impl Sessions {
    /// A datagram that looks like SRTCP.
    pub(super) fn handle_srtcp(&mut self, now: u64, pair: Pair, bytes: &mut [u8]) {
        let owner = self.pairs.get(&pair).map(|holder| holder.session);
        let Some(session) = owner.and_then(|number| self.table.at_mut(number)) else {
            self.strangers += 1;
            return;
        };
        let number = session.number;
        // Before the keys are there it can only be noise, or early by a round trip.
        let Some(keys) = &mut session.keys else {
            return;
        };
        let Some(packet) = keys
            .srtcp_receiver
            .unprotect(bytes)
            .ok()
            .and_then(|len| bytes.get(..len))
        else {
            session.control.rtcp_refused += 1;
            return;
        };
        session.control.rtcp_received += 1;
        self.heard_from(now, number, pair);
        for packet in parse_compound(packet) {
            self.handle_rtcp(now, number, &packet);
        }
        self.reschedule(number);
    }

    fn handle_rtcp(&mut self, now: u64, number: u32, packet: &Rtcp<'_>) {
        match packet {
            Rtcp::SenderReport { info, blocks } => {
                self.handle_sender_report(now, number, info);
                self.handle_blocks(now, number, blocks);
            }
            Rtcp::ReceiverReport { blocks, .. } => self.handle_blocks(now, number, blocks),
            Rtcp::PictureLoss { media, .. } => {
                if let Some(id) = self.sent_as(number, *media) {
                    self.ask_keyframe(now, number, id, Reason::Loss);
                }
            }
            Rtcp::FullIntra { entries, .. } => {
                for (media, _) in entries {
                    if let Some(id) = self.sent_as(number, *media) {
                        self.ask_keyframe(now, number, id, Reason::NewDecoder);
                    }
                }
            }
            Rtcp::Nack {
                media, sequences, ..
            } => {
                let session = self.table.at_mut(number);
                if let Some(leg) = session.and_then(|session| session.sent_as_mut(*media)) {
                    leg.sending.nacked = leg.sending.nacked.saturating_add(sequences.len() as u64);
                }
            }
            Rtcp::Goodbye(ssrcs) => {
                let Some(session) = self.table.at_mut(number) else {
                    return;
                };
                for ssrc in ssrcs {
                    if let Some(publication) = session.source_mut(*ssrc) {
                        publication.said_goodbye();
                    }
                }
            }
            Rtcp::ExtendedReport {
                sender,
                reference: Some(ntp),
                ..
            } => {
                if let Some(session) = self.table.at_mut(number) {
                    let references = &mut session.reporting.references;
                    references.handle_reference(now, *sender, *ntp);
                }
            }
            // We send no reference times. CNAMEs are ours on every leg, and what subscribers estimate of their networks is
            // for whoever chooses layers.
            Rtcp::ExtendedReport { .. }
            | Rtcp::SourceDescription(_)
            | Rtcp::Remb { .. }
            | Rtcp::TransportCc { .. } => {}
        }
    }

    /// How a publisher's stream lies on its clock.
    fn handle_sender_report(&mut self, now: u64, number: u32, info: &SenderInfo) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        let mut publications = session.publications.iter_mut();
        if let Some(publication) = publications.find(|it| it.ssrc == Some(info.ssrc)) {
            publication.handle_sender_report(now, info, &mut session.reporting.clock);
        }
    }

    /// What a subscriber says about what it receives.
    fn handle_blocks(&mut self, now: u64, number: u32, blocks: &[ReportBlock]) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        for block in blocks {
            if let Some(subscription) = session.sent_as_mut(block.ssrc) {
                subscription.sending.handle_block(now, block);
            }
        }
    }

    /// The subscription of a session that is sent with this SSRC.
    fn sent_as(&mut self, number: u32, ssrc: u32) -> Option<SubscriptionId> {
        let session = self.table.at_mut(number)?;
        Some(session.sent_as_mut(ssrc)?.id)
    }
}
