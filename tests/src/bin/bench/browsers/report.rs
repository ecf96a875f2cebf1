//! What is printed.

use anyhow::Result;
use comfy_table::Cell;
use serde::Serialize;

use super::freezes::Watched;
use super::times::{Step, Times};
use crate::goals::Goal;
use crate::rows::{number, plain};

/// From the POST to a picture, milliseconds.
const FIRST: f64 = 500.0;
/// From opening the page to a picture, milliseconds.
const JOIN: f64 = 1000.0;

/// All that was measured. What was not asked for is left out.
#[derive(Debug, Default, Serialize)]
pub struct Figures {
    browser: String,
    /// Since the POST to WHEP.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub first_picture: Vec<Step>,
    /// Since the page was opened.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub join: Vec<Step>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct: Option<Watched>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<Watched>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct_ramp_ms: Option<Times>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded_ramp_ms: Option<Times>,
}

impl Figures {
    pub fn new(browser: &str) -> Self {
        Self {
            browser: browser.to_owned(),
            ..Self::default()
        }
    }

    /// # Errors
    /// None that happens.
    pub fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        println!("{}\n", self.browser);
        self.print_times();
        self.print_watched();
        self.goals().iter().for_each(|goal| println!("{goal}"));
        Ok(())
    }

    fn print_times(&self) {
        let steps = |from: &'static str, steps: &[Step]| -> Vec<(String, Times)> {
            let steps = steps.iter();
            steps
                .map(|step| (format!("{from}: {}", step.done), step.after))
                .collect()
        };
        let ramp = |what: &str, times: Option<Times>| {
            times.map(|times| {
                (
                    format!("from the first picture to 720 lines, {what}"),
                    times,
                )
            })
        };
        let rows = [
            steps("from the POST to WHEP", &self.first_picture),
            steps("from opening the page", &self.join),
            ramp("direct", self.direct_ramp_ms).into_iter().collect(),
            ramp("forwarded", self.forwarded_ramp_ms)
                .into_iter()
                .collect(),
        ];
        let mut table = plain(&["until", "rounds", "median ms", "worst ms"]);
        for (what, times) in rows.into_iter().flatten() {
            table.add_row([
                Cell::new(what),
                number(times.rounds.to_string()),
                number(rounded(times.median)),
                number(rounded(times.worst)),
            ]);
        }
        if !table.is_empty() {
            println!("{table}\n");
        }
    }

    fn print_watched(&self) {
        let header = [
            "720p",
            "s",
            "freezes",
            "frozen ms",
            "pictures/s",
            "lines",
            "kbit/s",
        ];
        let mut table = plain(&header);
        for (what, of) in [("direct", &self.direct), ("forwarded", &self.forwarded)] {
            let Some(of) = of else {
                continue;
            };
            table.add_row([
                Cell::new(what),
                number(rounded(of.seconds)),
                number(of.freezes.to_string()),
                number(rounded(of.frozen_ms)),
                number(rounded(of.pictures_per_second)),
                number(of.lines.to_string()),
                number(rounded(of.bitrate / 1000.0)),
            ]);
        }
        if !table.is_empty() {
            println!("{table}\n");
        }
    }

    fn goals(&self) -> Vec<Goal> {
        let median = |steps: &[Step]| steps.last().map(|step| step.after.median);
        let times = [
            (
                "first picture after the POST, median ms",
                &self.first_picture,
                FIRST,
            ),
            (
                "first picture after opening the page, median ms",
                &self.join,
                JOIN,
            ),
        ];
        let times = times.into_iter().filter_map(|(what, steps, limit)| {
            Some(Goal::at_most(what.to_owned(), median(steps)?, limit))
        });
        let freezes = self.forwarded.map(|forwarded| {
            let what = format!(
                "freezes of the forwarded picture in {:.0} s",
                forwarded.seconds
            );
            Goal::at_most(what, forwarded.freezes as f64, 0.0)
        });
        times.chain(freezes).collect()
    }
}

fn rounded(value: f64) -> String {
    format!("{value:.0}")
}
