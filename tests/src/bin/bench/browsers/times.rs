//! Times of one kind, many of them, and in brief.

use serde::Serialize;

/// In brief, milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Times {
    pub rounds: usize,
    pub median: f64,
    pub worst: f64,
}

impl Times {
    pub fn of(mut all: Vec<f64>) -> Self {
        all.sort_by(f64::total_cmp);
        Self {
            rounds: all.len(),
            median: all.get(all.len() / 2).copied().unwrap_or(f64::NAN),
            worst: all.last().copied().unwrap_or(f64::NAN),
        }
    }
}

/// Steps on the way to a picture, each with the time that it was done since the way began.
#[derive(Debug, Default)]
pub struct Steps(Vec<(&'static str, Vec<f64>)>);

/// A step in brief.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Step {
    pub done: &'static str,
    #[serde(flatten)]
    pub after: Times,
}

impl Steps {
    /// One more round of a step. A step that did not happen in a round is left out of it.
    pub fn note(&mut self, done: &'static str, after: Option<f64>) {
        let Some(after) = after else {
            return;
        };
        match self.0.iter_mut().find(|(step, _)| *step == done) {
            Some((_, all)) => all.push(after),
            None => self.0.push((done, vec![after])),
        }
    }

    /// All of them, in the order in which they were first noted.
    pub fn in_brief(self) -> Vec<Step> {
        let all = self.0.into_iter();
        all.map(|(done, times)| Step {
            done,
            after: Times::of(times),
        })
        .collect()
    }
}
