//! How far a bench has come: one line that is rewritten on a terminal, one line per round elsewhere.

use std::io::{IsTerminal, Write, stderr};

/// A line of progress on stderr.
pub struct Progress {
    terminal: bool,
    rounds: u32,
}

impl Progress {
    /// For so many rounds.
    pub fn new(rounds: u32) -> Self {
        Self {
            terminal: stderr().is_terminal(),
            rounds,
        }
    }

    /// Says what is done before the rounds.
    pub fn say(&self, what: &str) {
        if self.terminal {
            eprint!("\r\x1b[K{what}");
            let _only_decoration = stderr().flush();
        } else {
            eprintln!("{what}");
        }
    }

    /// A round begins, counted from 0.
    pub fn round(&self, round: u32) {
        if !self.terminal {
            eprintln!("round {} of {}", round + 1, self.rounds);
        }
    }

    /// A case of a round begins.
    pub fn step(&self, round: u32, what: &dyn std::fmt::Display) {
        if self.terminal {
            eprint!("\r\x1b[Kround {} of {}: {what}", round + 1, self.rounds);
            let _only_decoration = stderr().flush();
        }
    }

    /// All is done: clears the line.
    pub fn end(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}
