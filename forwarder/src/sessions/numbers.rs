//! Numbers of sessions, tracks and legs: places in the workers' tables, taken, given back, and taken again only after a
//! rest, because packets and notes on their way may still carry them.

use std::collections::VecDeque;

use crate::core::{GRACE, numbers::Numbers};

/// The numbers of one table, with those that rest.
#[derive(Debug)]
pub struct RestingNumbers {
    numbers: Numbers,
    /// Given back, in the order of the time when they can be used again.
    resting: VecDeque<(u64, u32)>,
}

impl RestingNumbers {
    /// The numbers 1 to `count`.
    pub const fn new(count: u32) -> Self {
        Self {
            numbers: Numbers::new(count.saturating_add(1)),
            resting: VecDeque::new(),
        }
    }

    /// Whether [`Self::take`] would give out a number at `now`.
    pub fn is_free(&self, now: u64) -> bool {
        let rested = self.resting.front().is_some_and(|(due, _)| *due <= now);
        rested || self.numbers.peek().is_some()
    }

    /// Gives out a number, if one is free at `now`.
    pub fn take(&mut self, now: u64) -> Option<u32> {
        while let Some((due, number)) = self.resting.front().copied()
            && due <= now
        {
            self.resting.pop_front();
            self.numbers.give_back(number);
        }
        self.numbers.take()
    }

    /// Takes a number back; it rests for [`GRACE`] from `now` on.
    pub fn give_back(&mut self, now: u64, number: u32) {
        self.resting.push_back((now.saturating_add(GRACE), number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_rests_before_it_is_given_out_again() {
        let mut numbers = RestingNumbers::new(1);
        assert_eq!((numbers.take(0), numbers.take(0)), (Some(1), None));
        numbers.give_back(5, 1);
        assert_eq!(numbers.take(4 + GRACE), None);
        assert_eq!(numbers.take(5 + GRACE), Some(1));
    }
}
