//! When which session wants to be woken: one deadline each, the earliest first.

use std::collections::BTreeSet;

/// Deadlines of sessions, by their numbers.
#[derive(Debug, Default)]
pub struct Schedule {
    queue: BTreeSet<(u64, u32)>,
}

impl Schedule {
    /// Moves the deadline of a session from `former` (if it had one) to `due`.
    pub fn set(&mut self, session: u32, former: Option<u64>, due: Option<u64>) {
        if former == due {
            return;
        }
        if let Some(former) = former {
            self.queue.remove(&(former, session));
        }
        if let Some(due) = due {
            self.queue.insert((due, session));
        }
    }

    /// The earliest deadline.
    pub fn first(&self) -> Option<u64> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// Takes out a session whose deadline has come.
    pub fn take_due(&mut self, now: u64) -> Option<u32> {
        let first = self.queue.first().copied()?;
        if first.0 > now {
            return None;
        }
        self.queue.remove(&first);
        Some(first.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_a_moved_deadline_leaves_nothing_behind() {
        let mut schedule = Schedule::default();
        schedule.set(1, None, Some(30));
        schedule.set(2, None, Some(20));
        schedule.set(1, Some(30), Some(10));
        assert_eq!(schedule.first(), Some(10));
        assert_eq!(schedule.take_due(9), None);
        assert_eq!(schedule.take_due(10), Some(1));
        assert_eq!(schedule.take_due(10), None);
        schedule.set(2, Some(20), None);
        assert_eq!(schedule.first(), None);
    }
}
