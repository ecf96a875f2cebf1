//! What one worker counts per reason: added up in its own memory, and given to the shared table once per batch.

use std::sync::Arc;

use forwarder_common::reason::{COUNT, Reason};

use crate::dataplane::counters::ReasonTable;

/// Counts of one worker.
#[derive(Debug)]
pub struct Tally {
    counts: [u32; COUNT],
    table: Arc<ReasonTable>,
    row: u32,
}

impl Tally {
    /// Counts into a row of `table`, whose only writer the caller is.
    #[must_use]
    pub fn new(table: Arc<ReasonTable>, row: u32) -> Self {
        Self {
            counts: [0; COUNT],
            table,
            row,
        }
    }

    /// Counts one.
    #[inline]
    pub fn count(&mut self, reason: Reason) {
        self.count_many(reason, 1);
    }

    /// Counts several.
    #[inline]
    pub fn count_many(&mut self, reason: Reason, number: u32) {
        if let Some(count) = self.counts.get_mut(reason as usize) {
            *count += number;
        }
    }

    /// Shows what was counted to others.
    pub fn publish(&mut self) {
        for (&reason, count) in Reason::ALL.iter().zip(&mut self.counts) {
            if *count != 0 {
                self.table.add(self.row, reason, u64::from(*count));
                *count = 0;
            }
        }
    }
}
