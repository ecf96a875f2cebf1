//! What a leg's headers look like, apart from what is stamped into each.

use arrayvec::ArrayVec;

use super::{Extension, ExtensionIds, Kind};

/// How headers are written for a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The identifiers that the receiving session negotiated.
    pub ids: ExtensionIds,
    /// The m-line's MID, written into each packet if the extension was negotiated.
    pub mid: Option<ArrayVec<u8, 16>>,
    /// What the leg carries.
    pub kind: Kind,
}

impl Profile {
    /// The bytes of the MID, of which there are none where none is written: what [`Stamp::mid`](super::Stamp) takes.
    #[inline]
    #[must_use]
    pub fn mid(&self) -> &[u8] {
        match &self.mid {
            Some(mid) if self.ids.id(Extension::Mid).is_some() => mid,
            _ => &[],
        }
    }

    /// Whether a [`Template`](super::Template) built for one serves the other too: all but the letters of the MID
    /// is equal.
    #[must_use]
    pub fn shares_template(&self, other: &Self) -> bool {
        self.kind == other.kind && self.ids == other.ids && self.mid().len() == other.mid().len()
    }
}
