//! Commands on pairs. Open: lease, hop, steering entry. Close: steering entry, hops, lease.
//!
//! A hop that changes is a new hop; the one before stays valid through the grace period, because slots that name it may be
//! under way. A 5-tuple steers to one session only: the last one that ICE let in, or, once that has closed it, the one before.

use forwarder_common::tables::{MAX_PAIRS_PER_SESSION, Member, PairKey, Steer};

use super::{
    Core, Output,
    ids::PairId,
    mirror::Mirror,
    ops::{TableOp, Tables},
    pair::{Consent, PairSpec, PairState},
    placement::Placement,
    refusal::Refusal,
    store::{Item, Work},
};

/// What a pair that is not there is answered with.
pub(super) fn unknown_pair(id: PairId) -> Refusal {
    Refusal::unknown("pair", id, "a pair that is open")
}

impl Core {
    pub(super) fn open_pair(
        &mut self,
        now: u64,
        spec: PairSpec,
        placement: Placement,
        tables: &mut dyn Tables,
    ) -> Result<PairId, Refusal> {
        let key = spec.key();
        let session = spec.session();
        let owner = self.steered(&key).and_then(|id| self.sealed.get(&id));
        if owner.is_some_and(|owner| owner.spec.session() == session) {
            let allowed = "a pair that the session has not opened";
            return Err(Refusal::duplicate("pair", spec.remote(), allowed));
        }
        let held = self.consents.get(&session).copied();
        if let Some(held) = held.filter(|held| held.pairs >= MAX_PAIRS_PER_SESSION) {
            let allowed = format!("at most {MAX_PAIRS_PER_SESSION} pairs of one session");
            return Err(Refusal::full("pairs", held.pairs + 1, allowed));
        }
        let sessions = self.settings.limits.sessions;
        if held.is_none() && self.consents.len() >= sessions as usize {
            let allowed = format!(
                "at most {sessions} sessions; close one, or start the forwarder with a larger --max-sessions"
            );
            return Err(Refusal::full("sessions", self.consents.len() + 1, allowed));
        }
        let settings = &self.settings;
        let until = held.map_or(spec.until(), |held| held.until.max(spec.until()));
        let (lease, member) = self.store.transact(now, tables, |work| {
            let lease = match held {
                Some(held) => held.lease,
                None => work.take_lease()?,
            };
            if held.is_none_or(|held| held.until < until) {
                work.emit(TableOp::SetLease {
                    lease,
                    deadline: until,
                })?;
            }
            let hop = spec.hop(settings, &placement, lease);
            let member = hop.map(|hop| work.put_hop(hop)).transpose()?;
            let steer = spec.steer();
            work.emit(TableOp::PutSteer { key, steer })?;
            Ok((lease, member))
        })?;
        let consent = Consent {
            lease,
            until,
            pairs: held.map_or(1, |held| held.pairs + 1),
        };
        self.consents.insert(session, consent);
        self.last_pair += 1;
        let id = PairId(self.last_pair);
        self.steered.entry(key).or_default().push(id);
        self.sealed.insert(
            id,
            PairState {
                spec,
                placement,
                member,
                lease,
                replaced: Vec::new(),
            },
        );
        Ok(id)
    }

    /// Follows a new placement.
    pub(super) fn place_pair(
        &mut self,
        now: u64,
        id: PairId,
        placement: Placement,
        tables: &mut dyn Tables,
    ) -> Result<Output, Refusal> {
        let pair = self.sealed.get_mut(&id).ok_or_else(|| unknown_pair(id))?;
        let hop = pair.spec.hop(&self.settings, &placement, pair.lease);
        let before = pair.spec.hop(&self.settings, &pair.placement, pair.lease);
        if hop != before {
            let (old, mirror) = (pair.member, &self.store.mirror);
            pair.replaced.retain(|held| is_valid(mirror, *held));
            let member = self.store.transact(now, tables, |work| {
                let member = hop.map(|hop| work.put_hop(hop)).transpose()?;
                if let Some(old) = old {
                    work.give_back(Item::Hop(old.hop, None));
                }
                Ok(member)
            })?;
            pair.replaced.extend(old);
            pair.member = member;
        }
        pair.placement = placement;
        Ok(Output::Done)
    }

    /// Changes who reads a pair, or which payload types are audio.
    pub(super) fn steer_pair(
        &mut self,
        now: u64,
        id: PairId,
        steer: Steer,
        tables: &mut dyn Tables,
    ) -> Result<Output, Refusal> {
        let pair = self.sealed.get_mut(&id).ok_or_else(|| unknown_pair(id))?;
        if steer.session != pair.spec.session() {
            let allowed = format!("the session of the pair, {}", pair.spec.session());
            return Err(Refusal::conflict("session", steer.session, allowed));
        }
        let key = pair.spec.key();
        if self.steered.get(&key).and_then(|held| held.last()) == Some(&id)
            && pair.spec.steer() != steer
        {
            self.store.transact(now, tables, |work| {
                Ok(work.emit(TableOp::PutSteer { key, steer })?)
            })?;
        }
        pair.spec = pair.spec.steered(steer);
        Ok(Output::Done)
    }

    /// Lets a session send until `deadline`. Consent is never taken back this way: closing does that.
    pub(super) fn renew_pair(
        &mut self,
        now: u64,
        id: PairId,
        deadline: u64,
        tables: &mut dyn Tables,
    ) -> Result<Output, Refusal> {
        let pair = self.sealed.get(&id).ok_or_else(|| unknown_pair(id))?;
        let lease = pair.lease;
        let consent = self.consents.get_mut(&pair.spec.session());
        if let Some(consent) = consent.filter(|consent| consent.until < deadline) {
            self.store.transact(now, tables, |work| {
                Ok(work.emit(TableOp::SetLease { lease, deadline })?)
            })?;
            consent.until = deadline;
        }
        Ok(Output::Done)
    }

    pub(super) fn close_pair(
        &mut self,
        now: u64,
        id: PairId,
        tables: &mut dyn Tables,
    ) -> Result<Output, Refusal> {
        let pair = self.sealed.get(&id).ok_or_else(|| unknown_pair(id))?;
        let (key, session) = (pair.spec.key(), pair.spec.session());
        let others = self.steered.get(&key).map_or(&[][..], Vec::as_slice);
        let (owner, before) = match others {
            [rest @ .., last] => (*last == id, rest.last()),
            [] => (false, None),
        };
        let before = before.and_then(|id| self.sealed.get(id));
        let last = self
            .consents
            .get(&session)
            .is_none_or(|held| held.pairs <= 1);
        self.store.transact(now, tables, |work| {
            if owner {
                work.emit(match before {
                    Some(before) => TableOp::PutSteer {
                        key,
                        steer: before.spec.steer(),
                    },
                    None => TableOp::DropSteer { key },
                })?;
            }
            void(work, pair)?;
            if last {
                work.emit(TableOp::SetLease {
                    lease: pair.lease,
                    deadline: 0,
                })?;
                work.give_back(Item::Lease(pair.lease));
            }
            Ok(())
        })?;
        if let Some(held) = self.steered.get_mut(&key) {
            held.retain(|held| *held != id);
            if held.is_empty() {
                self.steered.remove(&key);
            }
        }
        self.sealed.remove(&id);
        if last {
            self.consents.remove(&session);
        } else if let Some(held) = self.consents.get_mut(&session) {
            held.pairs -= 1;
        }
        Ok(Output::Done)
    }

    /// One pair.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none with this id.
    pub fn pair(&self, id: PairId) -> Result<&PairState, Refusal> {
        self.sealed.get(&id).ok_or_else(|| unknown_pair(id))
    }

    /// All pairs, the oldest first.
    pub fn pairs(&self) -> impl Iterator<Item = (PairId, &PairState)> {
        self.sealed.iter().map(|(id, state)| (*id, state))
    }

    /// The pair that a 5-tuple steers to.
    #[must_use]
    pub fn steered(&self, key: &PairKey) -> Option<PairId> {
        self.steered.get(key)?.last().copied()
    }
}

/// Ends the validity of a pair's hops. The ones before the last rest already.
fn void(work: &mut Work<'_>, pair: &PairState) -> Result<(), Refusal> {
    for held in pair.replaced.iter().chain(&pair.member) {
        if is_valid(&work.store.mirror, *held) {
            work.emit(TableOp::VoidHop { hop: held.hop })?;
        }
    }
    if let Some(member) = pair.member {
        work.give_back(Item::Hop(member.hop, None));
    }
    Ok(())
}

/// Whether a hop is still the one that it was: a number whose grace is over may have become another's.
fn is_valid(mirror: &Mirror, member: Member) -> bool {
    mirror.hop(member.hop).generation == member.generation
}
