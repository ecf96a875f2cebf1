//! Bounded numbers for table entries: given out once, taken back, given out again after the grace period.

use std::collections::VecDeque;

/// The numbers of one table: 1 up to, but not including, its size. Number 0 means "none" everywhere.
#[derive(Debug)]
pub struct Numbers {
    fresh: u32,
    size: u32,
    free: VecDeque<u32>,
}

impl Numbers {
    /// The numbers of a table with `size` entries.
    #[must_use]
    pub const fn new(size: u32) -> Self {
        Self {
            fresh: 1,
            size,
            free: VecDeque::new(),
        }
    }

    /// The number that [`Numbers::take`] gives next.
    #[must_use]
    pub fn peek(&self) -> Option<u32> {
        let fresh = (self.fresh < self.size).then_some(self.fresh);
        self.free.front().copied().or(fresh)
    }

    /// Gives out a number: the one longest unused, or one never used.
    pub fn take(&mut self) -> Option<u32> {
        let number = self.peek()?;
        if self.free.pop_front().is_none() {
            self.fresh += 1;
        }
        Some(number)
    }

    /// Takes a number back, after its grace period.
    pub fn give_back(&mut self, number: u32) {
        debug_assert!(number != 0 && number < self.fresh && !self.free.contains(&number));
        self.free.push_back(number);
    }

    /// How many numbers can be given out now.
    #[must_use]
    pub fn available(&self) -> usize {
        self.free.len() + self.size.saturating_sub(self.fresh) as usize
    }

    /// How many numbers there are in all.
    #[must_use]
    pub const fn capacity(&self) -> u32 {
        self.size.saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_start_at_one_end_at_the_size_and_come_back_in_order() {
        let mut numbers = Numbers::new(4);
        assert_eq!(numbers.capacity(), 3);
        assert_eq!(
            [numbers.take(), numbers.take(), numbers.take()],
            [Some(1), Some(2), Some(3)]
        );
        assert_eq!((numbers.peek(), numbers.take()), (None, None));
        numbers.give_back(2);
        numbers.give_back(1);
        assert_eq!(numbers.available(), 2);
        assert_eq!(numbers.peek(), Some(2));
        assert_eq!(
            [numbers.take(), numbers.take(), numbers.take()],
            [Some(2), Some(1), None]
        );
    }

    #[test]
    fn a_table_without_room_gives_nothing() {
        assert_eq!(Numbers::new(1).take(), None);
        assert_eq!(Numbers::new(0).take(), None);
        assert_eq!(Numbers::new(0).capacity(), 0);
    }
}
