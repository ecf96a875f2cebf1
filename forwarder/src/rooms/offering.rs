//! Offers of ours, for what a session wants and has no m-line for.

use std::collections::BTreeSet;

use super::{
    Rooms, What,
    lines::{publisher, told},
    member::{Offer, Plan, Signalling, Told, sent},
    negotiating::with_local,
    reconciling::Wished,
};
use crate::{
    core::refusal::Refusal,
    jsep::{OfferedLine, State, Wanted, is_known},
    media::Kind,
    sessions::{
        Sessions,
        ids::{PublicationId, SessionId},
        settings::SET_UP,
    },
};

/// How long an offer of ours waits for its answer, in nanoseconds. The first one waits as long as a session may take to be set up.
pub const ANSWERED_WITHIN: u64 = 10_000_000_000;
/// Offers on end that nobody answers, after which no more are made until the peer offers or wishes something else.
pub const MOST_UNANSWERED: u32 = 3;
/// Open m-lines of one session. A browser takes long over descriptions with more.
pub const MAX_LINES: usize = 256;

impl Signalling {
    /// Whether an offer of ours can be made now.
    pub fn can_offer(&self) -> bool {
        self.takes_offers
            && self.offer.is_none()
            && self.unanswered < MOST_UNANSWERED
            && self.jsep.state() == State::Stable
    }
}

/// An offer in the making.
#[derive(Default)]
struct Draft {
    plans: Vec<Plan>,
    lines: Vec<OfferedLine>,
}

impl Rooms {
    /// Offers what the session wants and is not sent, and says what it is no longer sent; and lines on which it may send. Nothing is
    /// offered where that is nothing.
    pub(super) fn make_offer(
        &mut self,
        sessions: &mut Sessions,
        now: u64,
        id: SessionId,
        receive: &[Kind],
    ) -> Result<(), Refusal> {
        let missing = self.missing(sessions, id);
        let signalling = self.named_mut(id)?.signalling_mut(id)?;
        let mut draft = Draft::default();
        for kind in receive {
            let receiving = true;
            let wanted = Wanted {
                receiving,
                ..Wanted::default()
            };
            draft.add(*kind, None, wanted);
        }
        draft.place(sessions, id, signalling, &missing)?;
        draft.correct(sessions, signalling);
        let Draft { mut plans, lines } = draft;
        let first = signalling.promise.is_some();
        if lines.is_empty() && !first {
            return Ok(());
        }
        let promised = signalling.promise.as_ref().map(|it| it.ice().clone());
        let jsep = &mut signalling.jsep;
        let offered = with_local(sessions, id, promised.as_ref(), |local| {
            jsep.offer(local, &lines)
        });
        let offered = offered.inspect_err(|_| release(sessions, id, &plans))?;
        for (plan, line) in plans.iter_mut().zip(offered.lines) {
            plan.line = line;
        }
        let due = now.saturating_add(if first { SET_UP } else { ANSWERED_WITHIN });
        let (sdp, version) = (offered.sdp, offered.version);
        signalling.offer = Some(Offer {
            sdp: sdp.clone(),
            version,
            due,
            plans,
        });
        self.deadlines.insert((due, id));
        self.touch(id);
        // The first is what whoever joins gets as an answer.
        if !first {
            self.tell(id, What::Offer { sdp, version });
        }
        Ok(())
    }
}

/// Gives back the SSRCs of an offer that is none.
pub fn release(sessions: &mut Sessions, id: SessionId, plans: &[Plan]) {
    for (_, ssrc) in plans.iter().filter_map(|plan| plan.carry) {
        sessions.release_ssrc(id, ssrc);
    }
}

impl Draft {
    /// Gives each publication a line that carries nothing, or a new one.
    fn place(
        &mut self,
        sessions: &mut Sessions,
        id: SessionId,
        signalling: &mut Signalling,
        publications: &[Wished],
    ) -> Result<(), Refusal> {
        let mut taken = BTreeSet::new();
        // Those that ended leave their places to others (RFC 9429 §5.2.2).
        let open = signalling.jsep.lines().count();
        for publication in publications {
            let codecs = sessions.codecs(publication.id);
            if !codecs.iter().any(|codec| is_known(publication.kind, codec)) {
                signalling.declined.insert(publication.id);
                continue;
            }
            let free = signalling.lines.iter().find(|(at, line)| {
                line.receiving.is_some()
                    && !taken.contains(*at)
                    && line.suits(publication.kind, codecs)
            });
            let free = free.map(|(at, line)| (*at, line.publication.is_some()));
            if free.is_none() && open + self.lines.len() >= MAX_LINES {
                continue;
            }
            let codecs = codecs.to_vec();
            let ssrc = match &mut signalling.promise {
                Some(promise) => promise.reserve_ssrc(),
                None => sessions.reserve_ssrc(id)?,
            };
            let carry = Told::This(publication.id, ssrc);
            let wanted = Wanted {
                receiving: free.is_some_and(|(_, receiving)| receiving),
                sending: Some(sent(carry, publisher(sessions, carry), "")),
                codecs,
            };
            let carry = Some((publication.id, ssrc));
            match free {
                Some((at, _)) => {
                    taken.insert(at);
                    self.change(at, publication.kind, carry, wanted);
                }
                None => self.add(publication.kind, carry, wanted),
            }
        }
        Ok(())
    }

    /// Says of the other lines what they carry by now.
    fn correct(&mut self, sessions: &Sessions, signalling: &Signalling) {
        let placed: BTreeSet<usize> = self.plans.iter().map(|plan| plan.line).collect();
        let lines = signalling.lines.iter();
        for (at, line) in lines.filter(|(at, _)| !placed.contains(*at)) {
            let told = told(line, true);
            if line.told == told {
                continue;
            }
            let wanted = Wanted {
                receiving: line.publication.is_some(),
                sending: told.map(|told| sent(told, publisher(sessions, told), "")),
                codecs: Vec::new(),
            };
            let carry = line.carries.map(|it| (it.publication, it.ssrc));
            self.change(*at, line.kind, carry, wanted);
        }
    }

    fn add(&mut self, kind: Kind, carry: Option<(PublicationId, u32)>, wanted: Wanted) {
        self.lines.push(OfferedLine::Add(kind, wanted));
        // Which line it is comes out when it is offered.
        let line = usize::MAX;
        self.plans.push(Plan { line, kind, carry });
    }

    fn change(
        &mut self,
        line: usize,
        kind: Kind,
        carry: Option<(PublicationId, u32)>,
        wanted: Wanted,
    ) {
        self.lines.push(OfferedLine::Change(line, wanted));
        self.plans.push(Plan { line, kind, carry });
    }
}
