//! Offers and answers of one session (RFC 9429, RFC 3264), as one that knows how to give way: where both sides offer at the
//! same time, ours is rolled back.
//!
//! A peer's offer is taken by [`Negotiation::handle_offer`], which says what it changes; whoever holds the session carries
//! that out and says what became of it by [`Negotiation::answer`]. Offers of ours go out by [`Negotiation::offer`] and come
//! back by [`Negotiation::handle_answer`]. Until then nothing that was agreed changes, so that a rollback only forgets.
//!
//! What cannot be done is answered, not refused: an m-line is closed, a codec or an extension left out. Simulcast is not
//! answered, so that the peer sends one stream. No IO, no clock and no randomness.

mod codecs;
pub mod fragment;
mod incoming;
mod line;
mod numbers;
mod outgoing;
mod transport;
mod types;

pub use codecs::{ANSWERS_NACK, is_known};
pub use types::{
    Change, Incoming, LineChange, LineView, Local, Offered, OfferedLine, Outcome, Receiving,
    Remote, Sent, State, Wanted,
};

use crate::{
    core::refusal::Refusal,
    sdp::{self, Written, candidate_lines, malformed},
    sessions::specs::PeerRole,
};
use fragment::Fragment;
use line::Line;
use numbers::Given;

/// Offers and answers of one session.
#[derive(Clone, Debug, Default)]
pub struct Negotiation {
    agreed: Agreed,
    pending: Pending,
    /// Of our last description.
    version: u64,
    /// Mids that were given out.
    mids: u64,
    /// Ids of header extensions that were.
    given: Given,
}

/// What both sides hold to.
#[derive(Clone, Debug, Default)]
struct Agreed {
    lines: Vec<Line>,
    remote: Option<Remote>,
    /// Whether header extensions of one and two bytes may stand side by side.
    mixes_extensions: bool,
    /// Of a peer's offer, the line whose transport all of the bundle is to have.
    tagged: Option<usize>,
}

/// What one side proposes.
#[derive(Clone, Debug, Default)]
enum Pending {
    #[default]
    Nothing,
    Local(Vec<Line>),
    Remote(Agreed),
}

impl Negotiation {
    /// Nothing was negotiated yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        match self.pending {
            Pending::Nothing => State::Stable,
            Pending::Local(_) => State::HaveLocalOffer,
            Pending::Remote(_) => State::HaveRemoteOffer,
        }
    }

    /// Number of our last description (`o=`); 0 before the first.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The peer's transport, as agreed.
    #[must_use]
    pub const fn remote(&self) -> Option<&Remote> {
        self.agreed.remote.as_ref()
    }

    /// The m-lines that are open, as agreed.
    pub fn lines(&self) -> impl Iterator<Item = LineView<'_>> {
        let lines = self.agreed.lines.iter().enumerate();
        lines
            .filter(|(_, line)| line.is_open)
            .filter_map(|(at, line)| {
                Some(LineView {
                    line: at,
                    mid: line.mid.as_deref(),
                    kind: line.kind?,
                    sends: line.publication.as_ref(),
                    receives: line.receiving.as_ref(),
                    sending: line.sending.as_ref(),
                })
            })
    }

    /// Takes a peer's offer, up to [`answer`](Self::answer) or [`abandon`](Self::abandon). An offer of ours that is
    /// outstanding is rolled back.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn handle_offer(&mut self, sdp: &str) -> Result<Incoming, Refusal> {
        if let Pending::Remote(_) = self.pending {
            return Err(Refusal::conflict(
                "sdp",
                "an offer",
                "nothing before the offer that came first is answered",
            ));
        }
        let (proposed, mut incoming) = incoming::offer(&self.agreed, &sdp::read(sdp)?)?;
        incoming.rolled_back = self.state() == State::HaveLocalOffer;
        self.pending = Pending::Remote(proposed);
        Ok(incoming)
    }

    /// Answers the peer's offer. `outcomes` are by m-line; a line without one keeps what it has, as far as the offer
    /// allows it, and carries nothing if it is new.
    ///
    /// # Errors
    /// A [`Refusal`] where no offer waits for an answer.
    pub fn answer(
        &mut self,
        local: &Local<'_>,
        outcomes: &[(usize, Outcome)],
    ) -> Result<String, Refusal> {
        let Pending::Remote(mut proposed) = std::mem::take(&mut self.pending) else {
            return Err(none_outstanding("an answer", "a peer's offer before it"));
        };
        let tagged = proposed.tagged;
        let mut rejected = None;
        for (at, line) in proposed.lines.iter_mut().enumerate() {
            let mut outcomes = outcomes.iter().rev();
            let outcome = outcomes
                .find(|(of, _)| *of == at)
                .map(|(_, outcome)| outcome);
            if tagged == Some(at) && matches!(outcome, Some(Outcome::Rejected)) {
                rejected = Some((at, line.carrying_nothing()));
            }
            if line.is_open {
                line.settle(self.agreed.lines.get(at), outcome);
            }
        }
        // A line that only carries the bundle's transport is for others to flow on.
        let mut lines = proposed.lines.iter_mut();
        let is_needed = lines.any(|line| line.is_open && !line.is_bare);
        if !is_needed {
            let bare = proposed.lines.iter_mut().filter(|line| line.is_bare);
            bare.for_each(|line| line.is_open = false);
        }
        if let Some((at, line)) = rejected.filter(|_| is_needed)
            && let Some(place) = proposed.lines.get_mut(at)
        {
            *place = line;
        }
        self.agreed = proposed;
        self.given.remember(&self.agreed.lines);
        self.version += 1;
        let begins = self
            .remote()
            .is_some_and(|remote| remote.role == PeerRole::Passive);
        let setup = if begins { "active" } else { "passive" };
        let mixes = self.agreed.mixes_extensions;
        Ok(self.write(local, setup, mixes, &self.agreed.lines))
    }

    /// Gives up a peer's offer that could not be carried out: everything is as agreed before. An offer of ours that it
    /// rolled back stays so.
    pub fn abandon(&mut self) {
        if let Pending::Remote(_) = self.pending {
            self.pending = Pending::Nothing;
        }
    }

    /// Makes an offer: the lines as they are, and what `wanted` changes. With other credentials than before in `local` it
    /// asks for an ICE restart.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn offer(&mut self, local: &Local<'_>, wanted: &[OfferedLine]) -> Result<Offered, Refusal> {
        if self.state() != State::Stable {
            return Err(Refusal::conflict(
                "sdp",
                "an offer",
                "nothing before the one that is outstanding is answered or rolled back",
            ));
        }
        let mut mids = self.mids;
        let (proposed, lines) =
            outgoing::propose(&self.agreed.lines, &self.given, &mut mids, wanted)?;
        self.mids = mids;
        // Whatever becomes of the offer: the peer has seen it.
        self.given.remember(&proposed);
        self.version += 1;
        let sdp = self.write(local, "actpass", true, &proposed);
        self.pending = Pending::Local(proposed);
        Ok(Offered {
            sdp,
            lines,
            version: self.version,
        })
    }

    /// Takes the peer's answer to our offer.
    ///
    /// # Errors
    /// A [`Refusal`]; the offer is still outstanding.
    pub fn handle_answer(&mut self, sdp: &str) -> Result<Incoming, Refusal> {
        let Pending::Local(offered) = &self.pending else {
            return Err(none_outstanding(
                "an answer",
                "an offer of the forwarder before it",
            ));
        };
        let (agreed, incoming) = incoming::answer(&self.agreed, offered, &sdp::read(sdp)?)?;
        self.agreed = agreed;
        self.given.remember(&self.agreed.lines);
        self.pending = Pending::Nothing;
        Ok(incoming)
    }

    /// Rolls our offer back.
    ///
    /// # Errors
    /// A [`Refusal`] where none is outstanding.
    pub fn rollback(&mut self) -> Result<(), Refusal> {
        let Pending::Local(_) = self.pending else {
            return Err(none_outstanding(
                "a rollback",
                "an offer of the forwarder before it",
            ));
        };
        self.pending = Pending::Nothing;
        Ok(())
    }

    /// Takes candidates that come by themselves. With other credentials than before they ask for an ICE restart
    /// (RFC 9725 §4.3.3), and what comes back is the peer's transport from now on.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn handle_fragment(&mut self, fragment: &Fragment) -> Result<Option<Remote>, Refusal> {
        let Some(remote) = &mut self.agreed.remote else {
            return Err(none_outstanding("candidates", "a description before them"));
        };
        match (&fragment.ice, &fragment.ufrag) {
            (Some(ice), _) if *ice != remote.ice => {
                remote.ice = ice.clone();
                let restarted = true;
                Ok(Some(Remote {
                    restarted,
                    ..remote.clone()
                }))
            }
            (None, Some(ufrag)) if ufrag != remote.ice.ufrag() => Err(malformed(
                "ice.ufrag",
                ufrag,
                "that of the last description, or another together with a=ice-pwd",
            )),
            _ => Ok(None),
        }
    }

    /// Our side of an ICE restart that a fragment asked for: our credentials and candidates as a fragment.
    #[must_use]
    pub fn fragment(&self, local: &Local<'_>) -> String {
        let mut lines = self.agreed.lines.iter();
        let first = lines.find(|line| line.is_open);
        let media = first.map_or("audio", |line| line.media.as_str());
        let mid = first.and_then(|line| line.mid.as_deref());
        fragment::write(local.ice, &candidate_lines(local.candidates), media, mid)
    }

    fn write(
        &self,
        local: &Local<'_>,
        setup: &'static str,
        mixes_extensions: bool,
        lines: &[Line],
    ) -> String {
        sdp::write(&Written {
            session: local.session,
            version: self.version,
            ice: local.ice,
            candidates: local.candidates,
            fingerprint: local.fingerprint,
            setup,
            mixes_extensions,
            lines: lines.iter().map(Line::written).collect(),
        })
    }
}

fn none_outstanding(what: &str, allowed: &str) -> Refusal {
    Refusal::conflict("sdp", what, allowed)
}

#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod fixture_tests;
#[cfg(test)]
mod fragment_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod offer_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod renegotiation_tests;
#[cfg(test)]
mod samples;
