//! Pieces of descriptions that carry candidates: `application/trickle-ice-sdpfrag` (RFC 8840 §9).

use crate::{core::refusal::Refusal, sdp::RemoteCandidate};

/// What a fragment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// The ICE username fragment and password that its candidates belong to, where they are named.
    pub ice: Option<crate::transport::Credentials>,
    /// The candidates, of all lines.
    pub candidates: Vec<RemoteCandidate>,
    /// Whether these were the last ones.
    pub ended: bool,
}

/// Reads a fragment.
///
/// # Errors
/// A [`Refusal`] that names the line.
pub fn parse(_text: &str) -> Result<Fragment, Refusal> {
    todo!()
}
