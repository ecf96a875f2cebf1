//! The last checks of a session by transaction id, so that a copy of one is worth nothing elsewhere.
//!
//! MESSAGE-INTEGRITY does not cover the source address. Whoever overhears a check could send it again from an address of his
//! choice, and a lite agent, which never checks back, would nominate that address. A transaction counts once, on one 5-tuple.

use is::stun::TransId;

/// How many are remembered: over five minutes of consent checks at one in 2.5 seconds.
const REMEMBERED: usize = 128;

/// Whether a transaction was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// No.
    Never,
    /// On the same 5-tuple: the peer retransmits (RFC 8489 §6.2.1).
    Here,
    /// On another 5-tuple.
    Elsewhere,
}

/// A ring of transactions. It grows to its bound, since most sessions that never connect see few.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// With the number of the pair ([`super::pairs`]), which is far shorter than its addresses.
    ring: Vec<(TransId, u32)>,
    next: usize,
}

impl Transactions {
    pub(super) fn seen(&self, transaction: TransId, pair: Option<u32>) -> Seen {
        let entry = self.ring.iter().find(|(known, _)| *known == transaction);
        match entry {
            None => Seen::Never,
            Some((_, on)) if Some(*on) == pair => Seen::Here,
            Some(_) => Seen::Elsewhere,
        }
    }

    pub(super) fn insert(&mut self, transaction: TransId, pair: u32) {
        if self.ring.len() < REMEMBERED {
            self.ring.push((transaction, pair));
        } else if let Some(oldest) = self.ring.get_mut(self.next) {
            *oldest = (transaction, pair);
            self.next = (self.next + 1) % REMEMBERED;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_and_the_oldest_goes() {
        let ids: Vec<_> = (0..=REMEMBERED).map(|_| TransId::new()).collect();
        let mut transactions = Transactions::default();
        for id in &ids {
            assert_eq!(transactions.seen(*id, Some(1)), Seen::Never);
            transactions.insert(*id, 1);
            assert_eq!(transactions.seen(*id, Some(1)), Seen::Here);
            assert_eq!(transactions.seen(*id, None), Seen::Elsewhere);
        }
        assert_eq!(transactions.seen(ids[0], Some(2)), Seen::Never);
        assert_eq!(transactions.seen(ids[1], Some(2)), Seen::Elsewhere);
        assert_eq!(transactions.ring.len(), REMEMBERED);
    }
}
