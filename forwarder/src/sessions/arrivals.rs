//! Transport-wide feedback: when the packets of a publisher arrived, as its worker tells.

use super::Sessions;
use crate::feedback::TransportCc;

impl Sessions {
    /// A packet with a transport-wide sequence number arrived.
    pub(super) fn arrived(&mut self, number: u32, ssrc: u32, sequence: u16, at: u64) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        let sender = session.report_ssrc;
        let feedback = session
            .reporting
            .transport_cc
            .get_or_insert_with(|| Box::new(TransportCc::new(sender)));
        let before = feedback.poll_timeout();
        feedback.arrived(ssrc, sequence, at);
        if feedback.poll_timeout() != before {
            self.reschedule(number);
        }
    }

    /// Sends the feedback of a session, if it is due.
    pub(super) fn send_arrivals(&mut self, now: u64, number: u32) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        let Some(feedback) = &mut session.reporting.transport_cc else {
            return;
        };
        let mut packet = Vec::new();
        if feedback.poll(now, &mut packet) && !packet.is_empty() {
            session.send_rtcp(&packet, &mut self.outputs);
        }
    }
}
