//! 16-bit sequence numbers as numbers that never come round.

/// Extends sequence numbers by how often they came round, as seen from the highest so far: each is taken to lie within
/// 2^15 of it, as in RFC 3711 §3.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwrapper {
    highest: u64,
}

impl Unwrapper {
    /// Begins with this number. It is given the second round, so that what is late from before it has a place too.
    #[inline]
    #[must_use]
    pub const fn starting_at(sequence: u16) -> Self {
        Self {
            highest: 1 << 16 | sequence as u64,
        }
    }

    /// Where this number lies; the highest so far becomes known with it.
    #[inline]
    pub fn extend(&mut self, sequence: u16) -> u64 {
        let extended = self.peek(sequence);
        self.highest = self.highest.max(extended);
        extended
    }

    /// Where this number lies.
    #[inline]
    #[must_use]
    pub const fn peek(&self, sequence: u16) -> u64 {
        let ahead = sequence.wrapping_sub(self.highest as u16) as i16;
        // Before the first round there is only number 0 itself, which no honest sender reaches.
        self.highest.saturating_add_signed(ahead as i64)
    }

    /// The highest so far.
    #[inline]
    #[must_use]
    pub const fn highest(&self) -> u64 {
        self.highest
    }
}
