//! What is to be reached, against what was measured. Ratios, since they mean the same on every machine.

use std::fmt;

use crate::cases::Path;
use crate::rows::Row;

/// A goal and how far it was reached.
#[derive(Debug)]
pub struct Goal {
    what: String,
    measured: f64,
    limit: f64,
    at_least: bool,
    valid: bool,
}

impl Goal {
    /// At most so much.
    pub fn at_most(what: String, measured: f64, limit: f64) -> Self {
        Self {
            what,
            measured,
            limit,
            at_least: false,
            valid: true,
        }
    }

    /// At least so much.
    pub fn at_least(what: String, measured: f64, limit: f64) -> Self {
        Self {
            at_least: true,
            ..Self::at_most(what, measured, limit)
        }
    }

    /// The same, which counts only if nothing was lost.
    pub fn valid_if(self, valid: bool) -> Self {
        Self { valid, ..self }
    }

    fn is_reached(&self) -> bool {
        let right = if self.at_least {
            self.measured >= self.limit
        } else {
            self.measured <= self.limit
        };
        self.valid && right
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match (self.valid, self.is_reached()) {
            (false, _) => "invalid, packets were lost",
            (true, true) => "reached",
            (true, false) => "missed",
        };
        let relation = if self.at_least { "at least" } else { "at most" };
        write!(
            f,
            "{:<62} {:.2} ({relation} {:.2}): {verdict}",
            self.what, self.measured, self.limit
        )
    }
}

/// The goals for fan-outs that were measured.
pub fn of_fan_out(rows: &[Row]) -> Vec<Goal> {
    let wanted = [
        (64, Path::FloorBroadcast, 1.5),
        (64, Path::FloorSendmmsg, 0.25),
        (1024, Path::FloorBroadcast, 1.8),
    ];
    let find = |path, fan_out| {
        rows.iter()
            .find(|row| (row.path, row.fan_out, row.payload_bytes) == (path, fan_out, 1200))
    };
    wanted
        .into_iter()
        .filter_map(|(fan_out, floor, limit)| {
            let (ours, floor_row) = (find(Path::Kernel, fan_out)?, find(floor, fan_out)?);
            let what = format!("1200 bytes, fan-out {fan_out}: kernel / {floor}");
            let ratio = ours.ns_per_replica / floor_row.ns_per_replica;
            let valid = ours.lost + floor_row.lost == 0;
            Some(Goal::at_most(what, ratio, limit).valid_if(valid))
        })
        .collect()
}
