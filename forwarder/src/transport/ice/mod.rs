//! The ICE-lite agent of a session (RFC 8445 §2.5): it answers checks and starts none.
//!
//! A lite agent has no check list, no timers of its own and one role, controlled. What is left is here: who is authentic, which
//! 5-tuples were heard of, which one the peer nominated, and until when it consents. docs/decisions/0009-ice-lite.md says why it is
//! not the full agent of the `is` crate, whose wire format it uses.

mod pairs;
mod request;
mod transactions;

#[cfg(test)]
mod tests;

use std::fmt;

use forwarder_common::stun;

use super::{Credentials, Pair};
use pairs::Pairs;
use transactions::{Seen, Transactions};

/// How long a peer's authenticated check allows sending to its pair: 30 seconds in nanoseconds (RFC 7675 §5.1).
pub const CONSENT: u64 = 30_000_000_000;

/// What an authentic request did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IceEvent {
    /// It was answered; the selected pair is what it was.
    Answered {
        /// Whether the pair had not been heard of before.
        new_pair: bool,
    },
    /// It was answered, and nominated this pair, which is the selected one from now on.
    Selected(Pair),
    /// The peer claims our role. It was answered with 487 (RFC 8445 §7.3.1.1), and nothing was stored.
    RoleConflict,
}

/// Why a datagram was dropped. It is not answered: whoever cannot authenticate could not authenticate an error either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IceError {
    /// No binding request with one of our username fragments.
    Unknown,
    /// Not what RFC 8489 and RFC 8445 §7 make a check.
    Malformed,
    /// FINGERPRINT is missing or wrong (RFC 8489 §14.7).
    Fingerprint,
    /// The other half of USERNAME names another peer.
    Username,
    /// MESSAGE-INTEGRITY does not fit the password (RFC 8489 §9.1.3).
    Integrity,
    /// A request that was seen before, from another 5-tuple.
    Replayed,
}

impl fmt::Display for IceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no check of this session",
            Self::Malformed => "a malformed check",
            Self::Fingerprint => "a check with a wrong fingerprint",
            Self::Username => "a check of another peer",
            Self::Integrity => "a check with a wrong password",
            Self::Replayed => "a replayed check",
        })
    }
}

impl std::error::Error for IceError {}

/// The peer has not been heard of on the selected pair for [`CONSENT`]: nothing may be sent there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentLost {
    /// The pair that was selected until now.
    pub pair: Pair,
}

/// Credentials of both sides between two restarts.
#[derive(Debug, Clone)]
struct Generation {
    local: Credentials,
    /// `None` until signalling brings them. Checks may be quicker (RFC 8445 §7.3); our password alone authenticates them.
    remote: Option<Credentials>,
}

impl Generation {
    fn is_named(&self, ufrag: [u8; stun::UFRAG]) -> bool {
        self.local.ufrag_key() == Some(ufrag)
    }
}

/// The ICE-lite agent of one session.
#[derive(Debug)]
pub struct IceLite {
    current: Generation,
    /// What was valid before a restart, until the peer nominates a pair under the current credentials.
    previous: Option<Generation>,
    retired: Vec<[u8; stun::UFRAG]>,
    pairs: Pairs,
    transactions: Transactions,
}

impl IceLite {
    /// An agent with credentials from [`Credentials::generate`]; the peer's may come later, by [`Self::set_remote`].
    #[must_use]
    pub fn new(local: Credentials, remote: Option<Credentials>) -> Self {
        Self {
            current: Generation { local, remote },
            previous: None,
            retired: Vec::new(),
            pairs: Pairs::default(),
            transactions: Transactions::default(),
        }
    }

    /// Our credentials.
    #[must_use]
    pub const fn local(&self) -> &Credentials {
        &self.current.local
    }

    /// The peer's credentials, once they are known: checks that name another peer are refused from then on.
    pub fn set_remote(&mut self, remote: Credentials) {
        self.current.remote = Some(remote);
    }

    /// ICE restart (RFC 8445 §9): new credentials on both sides. The selected pair stays, with the credentials that hold it, until a
    /// check under the new ones nominates a pair.
    pub fn restart(&mut self, local: Credentials, remote: Option<Credentials>) {
        let before = std::mem::replace(&mut self.current, Generation { local, remote });
        if self.selected().is_some() && self.previous.is_none() {
            self.previous = Some(before);
        } else {
            self.retire(&before);
        }
    }

    /// Whether a restart waits for its first nomination.
    #[must_use]
    pub const fn is_restarting(&self) -> bool {
        self.previous.is_some()
    }

    /// A username fragment of ours that is no longer answered, once each: XDP and the listener may forget it.
    pub fn take_retired(&mut self) -> Option<[u8; stun::UFRAG]> {
        self.retired.pop()
    }

    fn retire(&mut self, generation: &Generation) {
        self.retired.extend(generation.local.ufrag_key());
    }

    /// A datagram that looks like STUN and came over `pair`. `out` becomes the answer to send back over it, and stays empty where there
    /// is none. `now` in nanoseconds of CLOCK_BOOTTIME.
    ///
    /// # Errors
    ///
    /// Whatever is not an authentic check of this session changes nothing and is not answered.
    pub fn handle_request(
        &mut self,
        now: u64,
        pair: Pair,
        datagram: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<IceEvent, IceError> {
        out.clear();
        let ufrag = ufrag_of(datagram).ok_or(IceError::Unknown)?;
        let restarted = self.current.is_named(ufrag);
        let generation = if restarted {
            &self.current
        } else {
            let named = |generation: &&Generation| generation.is_named(ufrag);
            self.previous
                .as_ref()
                .filter(named)
                .ok_or(IceError::Unknown)?
        };
        let request = request::verify(datagram, &generation.local, generation.remote.as_ref())?;
        let seen = self
            .transactions
            .seen(request.transaction, self.pairs.number(pair));
        if seen == Seen::Elsewhere {
            return Err(IceError::Replayed);
        }
        if request.claims_controlled {
            request::write_role_conflict(request.transaction, &generation.local, out);
            return Ok(IceEvent::RoleConflict);
        }
        request::write_success(request.transaction, pair.remote, &generation.local, out);
        if seen == Seen::Here {
            // A retransmission: the answer was lost. The time and the nomination of its first arrival count.
            return Ok(IceEvent::Answered { new_pair: false });
        }
        let new_pair = self.pairs.heard(now, pair, request.priority);
        if let Some(number) = self.pairs.number(pair) {
            self.transactions.insert(request.transaction, number);
        }
        if !request.nominates {
            // What was nominated before a restart is not nominated under the new credentials (RFC 8445 §9).
            let began_anew = restarted && self.previous.is_some();
            let goes_on = !began_anew && self.pairs.goes_on_over(now, pair);
            return Ok(match goes_on {
                true => IceEvent::Selected(pair),
                false => IceEvent::Answered { new_pair },
            });
        }
        let retired = if restarted {
            self.previous.take()
        } else {
            None
        };
        if let Some(generation) = &retired {
            self.retire(generation);
        }
        if self.pairs.nominate(now, pair, retired.is_some()) {
            Ok(IceEvent::Selected(pair))
        } else {
            Ok(IceEvent::Answered { new_pair })
        }
    }

    /// The pair to send over.
    #[must_use]
    pub fn selected(&self) -> Option<Pair> {
        self.pairs.selected()
    }

    /// Whether an authentic check came over a pair in the last 30 seconds: only then is DTLS taken from it.
    #[must_use]
    pub fn is_valid(&self, pair: Pair) -> bool {
        self.pairs.contains(pair)
    }

    /// Until when the peer consents to being sent to over the selected pair.
    #[must_use]
    pub fn consent_until(&self) -> Option<u64> {
        self.pairs.selected_until()
    }

    /// Forgets a pair whose TCP connection has closed. Returns whether it was the selected one; then none is.
    pub fn forget(&mut self, pair: Pair) -> bool {
        self.pairs.forget(pair)
    }

    /// Forgets the pairs that have not been heard of for [`CONSENT`].
    pub fn handle_timeout(&mut self, now: u64) -> Option<ConsentLost> {
        let pair = self.pairs.expire(now)?;
        if let Some(previous) = self.previous.take() {
            self.retire(&previous);
        }
        Some(ConsentLost { pair })
    }

    /// When [`Self::handle_timeout`] has something to do; `u64::MAX` if never.
    #[must_use]
    pub fn poll_timeout(&self) -> u64 {
        self.pairs.poll_timeout()
    }
}

/// The local username fragment that a datagram names if it is a binding request for one of our sessions.
#[must_use]
pub fn ufrag_of(datagram: &[u8]) -> Option<[u8; stun::UFRAG]> {
    stun::ufrag(datagram, 0, datagram.len()).map(u64::to_ne_bytes)
}
