//! DTLS of a session, from the first flight to the keys, and what the workers are told then.

use std::sync::Arc;

use super::{
    Sessions,
    output::{CloseReason, Event, Output},
    session::Keys,
};
use crate::{
    srtp::ReceiveKeys,
    transport::{CONSENT, Connected, DtlsEvent, Pair},
    worker::command::{Command, Receiver},
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
        // There is a state for every number that a session can have.
        let (Some(session), Some(state)) =
            (self.table.at_mut(number), self.send_state.session(number))
        else {
            return;
        };
        let keys = Keys::new(connected, state);
        let suite = keys.suite;
        session.keys = Some(Box::new(keys));
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

#[cfg(test)]
mod tests {
    use crate::{
        sessions::session::Keys,
        srtp::{MasterKey, SrtcpReceiver, Suite},
        transport::{Connected, Version},
        worker::send_state::SendState,
    };
    use std::sync::Arc;

    #[test]
    fn another_process_goes_on_with_the_same_keys() {
        let master = |suite: Suite| {
            let salt = vec![2; suite.salt_len()];
            MasterKey::new(suite, &vec![1; suite.key_len()], &salt).unwrap()
        };
        for suite in [Suite::AeadAes128Gcm, Suite::Aes128CmHmacSha1_80] {
            let connected = Connected {
                version: Version::Dtls12,
                send: master(suite),
                receive: master(suite),
            };
            let memory = Arc::new(SendState::heap(0, 2).unwrap());
            let mut peer = SrtcpReceiver::new(&master(suite));
            let mut numbers = Vec::new();
            let receiver_report = [0x80, 201, 0, 1, 0, 0, 0, 9];
            for process in 0..3 {
                let place = memory.session(1).unwrap();
                let mut keys = match process {
                    0 => Keys::new(&connected, place),
                    _ => Keys::resume(&connected, place),
                };
                for _ in 0..5 {
                    let mut sealed = Vec::new();
                    keys.protect(&receiver_report, &mut sealed).unwrap();
                    // An index that was there before is a replay.
                    assert!(peer.unprotect(&mut sealed).is_ok(), "{process}");
                    numbers.push(keys.send_state.next_transport_sequence().number());
                }
                // A process that dies before the packet has left has used the index up.
                let next = memory.session(1).unwrap().next_srtcp();
                assert_eq!(next, 5 * (process + 1));
            }
            assert_eq!(numbers, (0..15).collect::<Vec<u16>>());
            // Other keys begin anew.
            let keys = Keys::new(&connected, memory.session(1).unwrap());
            assert_eq!(keys.send_state.next_srtcp(), 0);
        }
    }
}
