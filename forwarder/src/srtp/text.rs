//! What is encrypted or decrypted: where it is read, and where it is written.

/// A text, in place or on its way from one place to another.
#[derive(Debug)]
pub(super) struct Text<'t> {
    /// Where it is read, as long as `to`; `None` where it is written.
    pub(super) from: Option<&'t [u8]>,
    /// Where it is written.
    pub(super) to: &'t mut [u8],
}

impl<'t> Text<'t> {
    /// Read where it is written.
    #[inline]
    pub(super) fn in_place(to: &'t mut [u8]) -> Self {
        Self { from: None, to }
    }

    /// Read elsewhere; `None` if both are not of one length.
    #[inline]
    pub(super) fn between(from: &'t [u8], to: &'t mut [u8]) -> Option<Self> {
        (from.len() == to.len()).then_some(Self {
            from: Some(from),
            to,
        })
    }

    /// For who works in place: it is there now.
    #[inline]
    pub(super) fn moved(self) -> &'t mut [u8] {
        if let Some(from) = self.from {
            self.to.copy_from_slice(from);
        }
        self.to
    }
}
