//! Offers of ours, for what a session wants and has no m-line for.

use std::collections::BTreeSet;

use super::{
    Event, Rooms, What,
    lines::{publisher, told},
    member::{Offer, Plan, Signalling, Told, sent},
    negotiating::with_local,
};
use crate::{
    core::refusal::Refusal,
    jsep::{OfferedLine, State, Wanted},
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
/// M-lines of one session. A browser takes long over descriptions with more.
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
        let member = self.named_mut(id)?;
        let signalling = member.signalling_mut(id)?;
        let mut draft = Draft::default();
        let mut taken = BTreeSet::new();
        let mut added = 0;
        for kind in receive {
            draft.add(
                *kind,
                None,
                true,
                Wanted {
                    receiving: true,
                    ..Wanted::default()
                },
            );
            added += 1;
        }
        for publication in missing {
            let mut lines = signalling.lines.iter();
            let free = lines.find(|(at, line)| {
                let open = line.receiving.is_some() || line.ours;
                open && !taken.contains(*at)
                    && line.suits(publication.kind, sessions.codecs(publication.id))
            });
            let free = free.map(|(at, line)| (*at, line.publication.is_some()));
            if free.is_none() && signalling.lines.len() + added >= MAX_LINES {
                continue;
            }
            let ssrc = match &mut signalling.promise {
                Some(promise) => promise.reserve_ssrc(),
                None => sessions.reserve_ssrc(id)?,
            };
            let carry = Told::This(publication.id, ssrc);
            let wanted = Wanted {
                receiving: free.is_some_and(|(_, receiving)| receiving),
                sending: Some(sent(carry, publisher(sessions, carry), "")),
                codecs: sessions.codecs(publication.id).to_vec(),
            };
            let carry = Some((publication.id, ssrc));
            match free {
                Some((at, _)) => {
                    taken.insert(at);
                    draft.change(at, publication.kind, carry, wanted);
                }
                None => {
                    added += 1;
                    draft.add(publication.kind, carry, true, wanted);
                }
            }
        }
        for (at, line) in signalling
            .lines
            .iter()
            .filter(|(at, _)| !taken.contains(*at))
        {
            let told = told(line, true);
            if line.told != told {
                let wanted = Wanted {
                    receiving: line.publication.is_some(),
                    sending: told.map(|told| sent(told, publisher(sessions, told), "")),
                    codecs: Vec::new(),
                };
                let carry = line.carries.map(|it| (it.publication, it.ssrc));
                draft.change(*at, line.kind, carry, wanted);
            }
        }
        if draft.lines.is_empty() && signalling.promise.is_none() {
            return Ok(());
        }
        let Draft { mut plans, lines } = draft;
        let promised = signalling.promise.as_ref().map(|it| it.ice().clone());
        let jsep = &mut signalling.jsep;
        let offered = with_local(sessions, id, promised.as_ref(), |local| {
            jsep.offer(local, &lines)
        })?;
        for (plan, line) in plans.iter_mut().zip(offered.lines) {
            plan.line = line;
        }
        let first = signalling.promise.is_some();
        let due = now.saturating_add(if first { SET_UP } else { ANSWERED_WITHIN });
        let (sdp, version) = (offered.sdp, offered.version);
        signalling.offer = Some(Offer {
            sdp: sdp.clone(),
            version,
            due,
            plans,
        });
        let room = member.room.clone();
        self.deadlines.insert((due, id));
        self.touch(id);
        // The first is what whoever joins gets as an answer.
        if !first {
            self.events.push_back(Event {
                what: What::Offer { sdp, version },
                room,
                session: Some(id),
            });
        }
        Ok(())
    }
}

impl Draft {
    fn add(&mut self, kind: Kind, carry: Option<(PublicationId, u32)>, ours: bool, wanted: Wanted) {
        self.lines.push(OfferedLine::Add(kind, wanted));
        self.plans.push(Plan {
            line: usize::MAX,
            kind,
            ours,
            carry,
        });
    }

    fn change(
        &mut self,
        line: usize,
        kind: Kind,
        carry: Option<(PublicationId, u32)>,
        wanted: Wanted,
    ) {
        self.lines.push(OfferedLine::Change(line, wanted));
        self.plans.push(Plan {
            line,
            kind,
            ours: false,
            carry,
        });
    }
}
