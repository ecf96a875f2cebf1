//! What is printed.

use anyhow::Result;
use comfy_table::Cell;
use serde::Serialize;

use super::Stage;
use super::freezes::Watched;
use crate::goals::Goal;
use crate::rows::{number, plain};

/// From the POST to a picture, milliseconds.
const FIRST: f64 = 500.0;
/// From opening the page to a picture, milliseconds.
const JOIN: f64 = 1000.0;

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Figures {
    browser: String,
    first_picture_ms: Times,
    join_ms: Times,
    direct: Watched,
    forwarded: Watched,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Times {
    rounds: usize,
    median: f64,
    worst: f64,
}

impl Times {
    fn of(mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        Self {
            rounds: all.len(),
            median: all.get(all.len() / 2).copied().unwrap_or(f64::NAN),
            worst: all.last().copied().unwrap_or(f64::NAN),
        }
    }
}

impl Figures {
    pub fn new(
        stage: &Stage,
        direct: Watched,
        forwarded: Watched,
        first: Vec<f64>,
        joins: Vec<f64>,
    ) -> Self {
        Self {
            browser: stage.watcher.version().to_owned(),
            first_picture_ms: Times::of(first),
            join_ms: Times::of(joins),
            direct,
            forwarded,
        }
    }

    /// # Errors
    /// None that happens.
    pub fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        println!("{}", self.browser);
        let mut times = plain(&["until a picture", "rounds", "median ms", "worst ms"]);
        for (what, of) in [
            ("from the POST to WHEP", &self.first_picture_ms),
            ("from opening the page", &self.join_ms),
        ] {
            let cells = [
                Cell::new(what),
                number(of.rounds.to_string()),
                number(rounded(of.median)),
                number(rounded(of.worst)),
            ];
            times.add_row(cells);
        }
        println!("{times}\n");
        let mut watched = plain(&[
            "720p",
            "s",
            "freezes",
            "frozen ms",
            "pictures/s",
            "lines",
            "kbit/s",
        ]);
        for (what, of) in [("direct", &self.direct), ("forwarded", &self.forwarded)] {
            watched.add_row([
                Cell::new(what),
                number(rounded(of.seconds)),
                number(of.freezes.to_string()),
                number(rounded(of.frozen_ms)),
                number(rounded(of.pictures_per_second)),
                number(of.lines.to_string()),
                number(rounded(of.bitrate / 1000.0)),
            ]);
        }
        println!("{watched}\n");
        let goals = [
            (
                "first picture after the POST, median ms",
                self.first_picture_ms.median,
                FIRST,
            ),
            (
                "first picture after opening the page, median ms",
                self.join_ms.median,
                JOIN,
            ),
            (
                "freezes of the forwarded picture beyond the direct one's",
                self.forwarded.freezes.saturating_sub(self.direct.freezes) as f64,
                0.0,
            ),
        ];
        for (what, measured, limit) in goals {
            println!("{}", Goal::at_most(what.to_owned(), measured, limit));
        }
        Ok(())
    }
}

fn rounded(value: f64) -> String {
    format!("{value:.0}")
}
