//! The 48-bit packet index: how a receiver guesses it from 16 bits (RFC 3711 §3.3.1).

use super::{OpenError, ReplayWindow};

/// The largest packet index: 32 bits of rollover counter and 16 of sequence number.
pub const MAX_INDEX: u64 = (1 << 48) - 1;

/// Words of a stream's replay window: of 1024 bits at least 960 count.
const WORDS: usize = 16;

/// What a receiver knows about the packets of one SSRC under one key.
#[derive(Clone, Debug)]
pub struct ReceiveStream {
    /// Newest authenticated index, or where the stream is taken to start.
    highest: u64,
    window: ReplayWindow<WORDS>,
}

impl ReceiveStream {
    /// A stream before its first packet, which has this sequence number: its rollover counter is zero. If it had wrapped
    /// before anything arrived, nothing would authenticate; so senders do well to start in the lower half.
    #[must_use]
    pub fn starting_at(sequence: u16) -> Self {
        Self {
            highest: sequence.into(),
            window: ReplayWindow::new(),
        }
    }

    /// A stream of which everything up to `index` has been there, in another process or under other hands.
    #[must_use]
    pub fn resuming_at(index: u64) -> Self {
        Self {
            highest: index,
            window: ReplayWindow::resuming_at(index),
        }
    }

    /// The newest authenticated index, or the one that the stream is taken to start at.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// The index that a packet with this sequence number has most likely: the nearest to the newest. Where that were below
    /// zero it is taken to be of the first turn, since no sender starts in the last one.
    #[inline]
    #[must_use]
    pub fn guess(&self, sequence: u16) -> u64 {
        const HALF: u16 = 0x8000;
        let (roc, newest) = (self.highest >> 16, self.highest as u16);
        let roc = if newest < HALF {
            let behind = sequence > newest && sequence - newest > HALF;
            if behind { roc.saturating_sub(1) } else { roc }
        } else if newest - HALF > sequence {
            roc + 1
        } else {
            roc
        };
        roc << 16 | u64::from(sequence)
    }

    /// Whether a packet with this index is worth opening.
    ///
    /// # Errors
    ///
    /// [`OpenError::Replayed`] or [`OpenError::TooOld`].
    #[inline]
    pub fn check(&self, index: u64) -> Result<(), OpenError> {
        self.window.check(index)
    }

    /// Notes a packet that [`check`](Self::check) let pass and that was authentic.
    #[inline]
    pub fn accept(&mut self, index: u64) {
        self.highest = self.highest.max(index);
        self.window.accept(index);
    }
}
