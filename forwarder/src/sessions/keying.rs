//! DTLS of a session, from the first flight to the keys, and what the workers are told then.

use std::sync::Arc;

use super::{
    Sessions,
    output::{CloseReason, Event, Output},
    session::Keys,
};
use crate::{
    srtp::{ReceiveKeys, SendKeys, SrtcpReceiver, SrtcpSender},
    transport::{CONSENT, Connected, DtlsEvent, Pair},
    worker::command::{Command, Receiver, TransportSequence},
};

impl Sessions {
    /// A datagram that looks like DTLS. Only a 5-tuple on which a session's peer has proved itself has a session.
    pub(super) fn handle_dtls(&mut self, now: u64, pair: Pair, bytes: &[u8]) {
        let owner = self.pairs.get(&pair).map(|holder| holder.session);
        let Some(session) = owner.and_then(|number| self.table.at_mut(number)) else {
            self.strangers += 1;
            return;
        };
        let number = session.number;
        session.dtls_pair = Some(pair);
        session.dtls.handle(now, bytes);
        self.run_dtls(now, number);
    }

    /// Sends what DTLS has to send, and follows what it tells.
    pub(super) fn run_dtls(&mut self, now: u64, number: u32) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        session.send_dtls(&mut self.outputs);
        while let Some(event) = self
            .table
            .at_mut(number)
            .and_then(|session| session.dtls.poll_event())
        {
            match event {
                DtlsEvent::Connected(connected) => self.connect(now, number, &connected),
                DtlsEvent::Failed(error) => self.end(now, number, CloseReason::Dtls(error)),
                DtlsEvent::Closed => self.end(now, number, CloseReason::Peer),
            }
        }
        self.reschedule(number);
    }

    /// The peer is who was signalled: its keys go to its worker, and the way to it to all workers.
    fn connect(&mut self, now: u64, number: u32, connected: &Connected) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        let suite = connected.send.suite();
        session.keys = Some(Box::new(Keys {
            suite,
            version: connected.version,
            send: Arc::new(SendKeys::new(&connected.send)),
            transport_sequence: Arc::new(TransportSequence::default()),
            srtcp_sender: SrtcpSender::new(&connected.send),
            srtcp_receiver: SrtcpReceiver::new(&connected.receive),
        }));
        session.set_up_by = None;
        if session.ice.selected().is_none() {
            // Without a nomination there is no consent whose end would end the session.
            session.found_by = Some(now.saturating_add(CONSENT));
        }
        let (ids, transport_cc) = session.negotiated();
        session.told = Some((ids.clone(), transport_cc));
        session.start_reports(now);
        let command = Command::PutReceiver {
            session: number,
            receiver: Receiver {
                keys: ReceiveKeys::new(&connected.receive),
                ids,
                transport_cc,
                counters: Arc::clone(&session.counters),
            },
        };
        let (id, reach) = (session.id, session.pairs.reach().cloned());
        self.outputs
            .push_back(Output::Command(session.worker, command));
        self.listen(now, number, transport_cc);
        self.outputs
            .push_back(Output::Event(Event::Connected { session: id, suite }));
        if let Some(reach) = reach {
            self.send_over(now, number, reach);
        }
    }
}
