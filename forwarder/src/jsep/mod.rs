//! Offers and answers of one session (RFC 9429, RFC 3264), as one that knows how to give way: where both sides offer at the
//! same time, ours is rolled back.
//!
//! No IO, no clock and no randomness.

pub mod fragment;
mod types;

pub use types::{
    Change, Incoming, LineChange, Local, Offered, OfferedLine, Outcome, Receiving, Remote, Sent,
    State, Wanted,
};

use crate::core::refusal::Refusal;
use fragment::Fragment;

/// Whether we answer generic NACK (RFC 4585 §6.2.1): not before losses can be made good.
pub const ANSWERS_NACK: bool = false;

/// Offers and answers of one session.
#[derive(Clone, Debug, Default)]
pub struct Negotiation {}

impl Negotiation {
    /// Nothing was negotiated yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        todo!()
    }

    /// Number of the last description of ours (`o=`); 0 before the first.
    #[must_use]
    pub fn version(&self) -> u64 {
        todo!()
    }

    /// Takes a peer's offer, up to [`answer`](Self::answer) or [`abandon`](Self::abandon). An offer of ours that is
    /// outstanding is rolled back.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn handle_offer(&mut self, _sdp: &str) -> Result<Incoming, Refusal> {
        todo!()
    }

    /// Answers the peer's offer. `outcomes` are by m-line; a line without one keeps what it has, as far as the offer
    /// allows it, and carries nothing if it is new.
    ///
    /// # Errors
    /// A [`Refusal`] where no offer waits for an answer.
    pub fn answer(
        &mut self,
        _local: &Local<'_>,
        _outcomes: &[(usize, Outcome)],
    ) -> Result<String, Refusal> {
        todo!()
    }

    /// Gives up a peer's offer that could not be carried out: everything is as before it.
    pub fn abandon(&mut self) {
        todo!()
    }

    /// Makes an offer: the lines as they are, and what `lines` changes.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn offer(
        &mut self,
        _local: &Local<'_>,
        _lines: &[OfferedLine],
    ) -> Result<Offered, Refusal> {
        todo!()
    }

    /// Takes the peer's answer to our offer.
    ///
    /// # Errors
    /// A [`Refusal`]; the offer is still outstanding.
    pub fn handle_answer(&mut self, _sdp: &str) -> Result<Incoming, Refusal> {
        todo!()
    }

    /// Rolls our offer back.
    ///
    /// # Errors
    /// A [`Refusal`] where none is outstanding.
    pub fn rollback(&mut self) -> Result<(), Refusal> {
        todo!()
    }

    /// Takes candidates that come by themselves. With other credentials than before they ask for an ICE restart
    /// (RFC 9725 §4.3.2), and what comes back is the peer's transport.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn handle_fragment(&mut self, _fragment: &Fragment) -> Result<Option<Remote>, Refusal> {
        todo!()
    }

    /// Our side of an ICE restart that a fragment asked for: our credentials and candidates as a fragment.
    #[must_use]
    pub fn fragment(&self, _local: &Local<'_>) -> String {
        todo!()
    }
}
