//! Transport-wide feedback: when the packets of a publisher arrived, as its worker tells.

use super::Sessions;
use crate::feedback::TransportCc;

/// How often workers' notes are looked at while publishers number their packets, in nanoseconds. Arrivals wake nobody, being
/// as many as the packets are, and feedback may be 100 ms old.
const LOOK: u64 = 50_000_000;

impl Sessions {
    /// A session's worker was told whether to tell arrivals.
    pub(super) fn listen(&mut self, now: u64, number: u32, transport_cc: bool) {
        if transport_cc {
            self.listening.insert(number);
            self.arrivals_due.get_or_insert(now.saturating_add(LOOK));
        } else {
            self.listening.remove(&number);
            self.arrivals_due.take_if(|_| self.listening.is_empty());
        }
    }

    /// Sets the time of the next look, if this one is due.
    pub(super) fn look_for_arrivals(&mut self, now: u64) {
        if let Some(due) = &mut self.arrivals_due
            && *due <= now
        {
            *due = now.saturating_add(LOOK);
        }
    }

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
