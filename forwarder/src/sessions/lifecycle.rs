//! Sessions from their creation to their end.

use std::sync::Arc;

use super::{
    Sessions,
    ids::SessionId,
    output::{CloseReason, Event, Output},
    session::Session,
    specs::{PeerRole, SessionSpec},
    ssrcs::Ssrcs,
};
use crate::{
    core::refusal::Refusal,
    srtp::{self, Suite},
    transport::{self, Credentials, Dtls, IceLite, Role},
    worker::command::Command,
};

impl Sessions {
    /// Adds a session. What its peer is to be told is in [`Sessions::session`](Self::session).
    ///
    /// # Errors
    /// A [`Refusal`] where there is no room; nothing was changed.
    pub fn create(&mut self, now: u64, spec: SessionSpec) -> Result<SessionId, Refusal> {
        let Some(number) = self.numbers.take(now) else {
            return Err(Refusal::full(
                "session",
                "one more",
                format!(
                    "at most {} on this node; close one first",
                    self.settings.max_sessions
                ),
            ));
        };
        let local = self.fresh_credentials();
        let worker = self.least_loaded();
        let role = match spec.role {
            PeerRole::Auto | PeerRole::Active => Role::Passive,
            PeerRole::Passive => Role::Active,
        };
        self.last_session += 1;
        let id = SessionId(self.last_session);
        let mut ssrcs = Ssrcs::new(self.random_u32(), self.random_u32());
        let session = Session {
            report_ssrc: ssrcs.take(|_| false),
            ssrcs,
            cname: self.random_name(),
            set_up_by: Some(now.saturating_add(self.settings.set_up)),
            dtls: Dtls::new(&self.dtls, role, spec.fingerprints),
            ..Session::new(
                id,
                number,
                worker,
                now,
                IceLite::new(local, Some(spec.ice)),
            )
        };
        self.table.insert(Box::new(session));
        self.admit(number);
        self.reschedule(number);
        Ok(id)
    }
}
