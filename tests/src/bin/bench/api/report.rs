//! What is printed.

use anyhow::Result;
use comfy_table::Cell;
use serde::Serialize;

use super::Size;
use super::hall::Account;
use crate::goals::Goal;
use crate::rows::{number, plain};
use crate::sessions::calls::CallRow;

/// Median of each kind of call, milliseconds.
const MEDIAN: f64 = 1.0;
/// 99 of 100 of each kind, milliseconds.
const SLOWEST: f64 = 5.0;
/// Answers of the whole node: their size is what takes the time, and no goal is set for them.
const LARGE: [&str; 2] = ["/v0/sessions", "/v0/state"];

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    #[serde(flatten)]
    account: Account,
    alone: Vec<CallRow>,
    beside_state: Vec<CallRow>,
}

impl Report {
    pub const fn new(account: Account, alone: Vec<CallRow>, beside_state: Vec<CallRow>) -> Self {
        Self {
            account,
            alone,
            beside_state,
        }
    }

    /// Whether the node was as full as was asked for.
    pub const fn is_full(&self, size: Size) -> bool {
        let wanted = size.rooms * size.subscribers * size.videos;
        self.account.subscriptions >= wanted as usize
    }

    /// # Errors
    /// None that happens.
    pub fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        let Account {
            sessions,
            subscriptions,
        } = self.account;
        println!("{sessions} sessions, {subscriptions} subscriptions");
        let mut table = plain(&["call", "calls", "p50 us", "p99 us", "slowest us", "bytes"]);
        for (beside, rows) in [("", &self.alone), (" beside state", &self.beside_state)] {
            for row in rows {
                table.add_row([
                    Cell::new(format!("{} {}{beside}", row.method, row.path)),
                    number(row.calls.to_string()),
                    number(row.p50_us.to_string()),
                    number(row.p99_us.to_string()),
                    number(row.slowest_us.to_string()),
                    number(row.bytes.to_string()),
                ]);
            }
        }
        println!("{table}\n");
        self.goals().iter().for_each(|goal| println!("{goal}"));
        Ok(())
    }

    /// Of all kinds of call the worst.
    fn goals(&self) -> Vec<Goal> {
        let small = |rows: &[CallRow], of: fn(&CallRow) -> u64| {
            let is_large = |row: &&CallRow| row.method == "GET" && LARGE.contains(&row.path);
            let rows = rows.iter().filter(|row| !is_large(row));
            rows.map(of).max().unwrap_or_default() as f64 / 1000.0
        };
        let each = [
            ("alone", &self.alone),
            ("beside GET /v0/state", &self.beside_state),
        ];
        each.into_iter()
            .flat_map(|(how, rows)| {
                let median = small(rows, |row| row.p50_us);
                let slowest = small(rows, |row| row.p99_us);
                [
                    Goal::at_most(
                        format!("slowest kind of call, median ms, {how}"),
                        median,
                        MEDIAN,
                    ),
                    Goal::at_most(
                        format!("slowest kind of call, p99 ms, {how}"),
                        slowest,
                        SLOWEST,
                    ),
                ]
            })
            .collect()
    }
}
