//! Which of the newest packets were there before (RFC 3711 §3.3.2), as a ring of bits that moves by words (RFC 6479).

use super::OpenError;

/// A window behind the newest index. It tells apart at least `64 * (WORDS - 1)` indices: the word that the newest index
/// is in loses what it held a turn before.
#[derive(Clone, Debug)]
pub struct ReplayWindow<const WORDS: usize> {
    /// One more than the newest index, zero before the first.
    next: u64,
    bits: [u64; WORDS],
}

impl<const WORDS: usize> ReplayWindow<WORDS> {
    /// How far behind the newest index a packet may be.
    const REACH: u64 = 64 * (WORDS as u64 - 1);

    /// A window that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            next: 0,
            bits: [0; WORDS],
        }
    }

    /// A window that has seen everything up to `index`.
    #[must_use]
    pub fn resuming_at(index: u64) -> Self {
        let mut window = Self {
            next: index.saturating_add(1),
            bits: [u64::MAX; WORDS],
        };
        // The bits behind it in its own word are of indices that are still to come.
        let (word, _) = Self::place(index);
        if let Some(bits) = window.bits.get_mut(word) {
            *bits >>= 63 - index % 64;
        }
        window
    }

    /// The newest index.
    #[must_use]
    pub const fn newest(&self) -> Option<u64> {
        self.next.checked_sub(1)
    }

    /// Whether a packet with this index is worth opening.
    ///
    /// # Errors
    ///
    /// [`OpenError::Replayed`] or [`OpenError::TooOld`].
    #[inline]
    pub fn check(&self, index: u64) -> Result<(), OpenError> {
        if index >= self.next {
            return Ok(());
        }
        if self.next - index > Self::REACH {
            return Err(OpenError::TooOld);
        }
        let (word, bit) = Self::place(index);
        match self.bits.get(word) {
            Some(bits) if bits & bit == 0 => Ok(()),
            _ => Err(OpenError::Replayed),
        }
    }

    /// Notes an authentic packet that [`check`](Self::check) let pass.
    #[inline]
    pub fn accept(&mut self, index: u64) {
        if index >= self.next {
            // Words that the window enters are of a former turn; without a newest index they are empty.
            let entered = (index / 64)
                .saturating_sub(self.next.saturating_sub(1) / 64)
                .min(WORDS as u64);
            for back in 0..entered {
                let (word, _) = Self::place(index - 64 * back);
                if let Some(bits) = self.bits.get_mut(word) {
                    *bits = 0;
                }
            }
            self.next = index + 1;
        }
        let (word, bit) = Self::place(index);
        if let Some(bits) = self.bits.get_mut(word) {
            *bits |= bit;
        }
    }

    /// Word and bit of an index.
    #[inline]
    const fn place(index: u64) -> (usize, u64) {
        ((index / 64) as usize % WORDS, 1 << (index % 64))
    }
}

impl<const WORDS: usize> Default for ReplayWindow<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}
