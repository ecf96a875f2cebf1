//! Candidates of peers (RFC 8839 §5.1). A lite agent does not check them (RFC 8445 §2.5), but what is no candidate is refused.

use crate::core::refusal::Refusal;

/// A peer's candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteCandidate {
    /// The transport protocol, in small letters.
    pub protocol: String,
    /// An IP address, or the name that a browser puts in its place.
    pub address: String,
    /// The port.
    pub port: u16,
}

impl RemoteCandidate {
    /// Reads the value of a candidate attribute, with `candidate:` before it or without.
    ///
    /// # Errors
    /// A [`Refusal`] that says what is missing.
    pub fn parse(_text: &str) -> Result<Self, Refusal> {
        todo!()
    }
}
