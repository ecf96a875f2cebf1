//! Who is let in to the media port: its local addresses, and the username fragments that strangers have to name.

use forwarder_common::tables::{Endpoint, EndpointKey};

use super::{
    Core, Output,
    endpoint::EndpointSpec,
    ops::{TableOp, Tables},
    refusal::Refusal,
};

/// Username fragments that one session can have: its own, and the next one while ICE restarts.
const UFRAGS_PER_SESSION: u32 = 2;

impl Core {
    /// Takes packets to the media port at a local address whose interface has this MAC, or follows a new MAC.
    pub(super) fn open_port(
        &mut self,
        now: u64,
        key: EndpointKey,
        mac: [u8; 6],
        tables: &mut dyn Tables,
    ) -> Result<Output, Refusal> {
        if self.locals.contains_key(&key) {
            let allowed = "an address and port that no endpoint uses";
            return Err(Refusal::duplicate("media-port", "in use", allowed));
        }
        let endpoint = Endpoint::sealed(mac);
        if self.ports.get(&key) != Some(&endpoint) {
            self.store.transact(now, tables, |work| {
                Ok(work.emit(TableOp::PutEndpoint { key, endpoint })?)
            })?;
            self.ports.insert(key, endpoint);
        }
        Ok(Output::Done)
    }

    /// Takes no more packets to the media port at a local address.
    pub(super) fn close_port(
        &mut self,
        now: u64,
        key: EndpointKey,
        tables: &mut dyn Tables,
    ) -> Result<Output, Refusal> {
        if self.ports.contains_key(&key) {
            self.store.transact(now, tables, |work| {
                Ok(work.emit(TableOp::DropEndpoint { key })?)
            })?;
            self.ports.remove(&key);
        }
        Ok(Output::Done)
    }

    /// Endpoints have addresses of their own: the media port takes only what ICE has let in.
    pub(super) fn refuse_media_port(&self, spec: &EndpointSpec) -> Result<(), Refusal> {
        if self.ports.contains_key(&spec.local_key()) {
            let allowed = "an address and port other than those of sessions (--media-port)";
            return Err(Refusal::duplicate("local", spec.local(), allowed));
        }
        Ok(())
    }

    /// Lets in connectivity checks that name this fragment.
    pub(super) fn admit_ufrag(
        &mut self,
        now: u64,
        ufrag: u64,
        tables: &mut dyn Tables,
    ) -> Result<Output, Refusal> {
        let allowed = self
            .settings
            .limits
            .sessions
            .saturating_mul(UFRAGS_PER_SESSION);
        if self.ufrags.contains(&ufrag) {
            return Ok(Output::Done);
        }
        if self.ufrags.len() >= allowed as usize {
            let allowed = format!("at most {allowed} username fragments");
            return Err(Refusal::full("ufrags", self.ufrags.len() + 1, allowed));
        }
        self.store.transact(now, tables, |work| {
            Ok(work.emit(TableOp::AdmitUfrag { ufrag })?)
        })?;
        self.ufrags.insert(ufrag);
        Ok(Output::Done)
    }

    /// Lets in no more checks that name this fragment.
    pub(super) fn forget_ufrag(
        &mut self,
        now: u64,
        ufrag: u64,
        tables: &mut dyn Tables,
    ) -> Result<Output, Refusal> {
        if self.ufrags.contains(&ufrag) {
            self.store.transact(now, tables, |work| {
                Ok(work.emit(TableOp::ForgetUfrag { ufrag })?)
            })?;
            self.ufrags.remove(&ufrag);
        }
        Ok(Output::Done)
    }

    /// Whether a session has this username fragment: what the listener asks before it looks further.
    #[must_use]
    pub fn is_admitted(&self, ufrag: u64) -> bool {
        self.ufrags.contains(&ufrag)
    }
}
