//! What the doctor found, as a table for people and as JSON for programs.

use std::fmt;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};
use serde::Serialize;

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// XDP works, but slower or riskier than it could.
    Warn,
    /// XDP does not work until this is mended.
    Fail,
    /// It could not be found out.
    Unknown,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked.
    pub check: &'static str,
    /// What was found.
    pub value: String,
    /// How serious it is.
    pub verdict: Verdict,
    /// Why it matters.
    pub why: String,
    /// The command that mends it.
    pub mend: Option<String>,
}

impl Finding {
    /// A finding that is as it should be. `why` may be empty.
    pub fn ok(check: &'static str, value: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            check,
            value: value.into(),
            verdict: Verdict::Ok,
            why: why.into(),
            mend: None,
        }
    }

    /// A finding that is not as it should be.
    pub fn bad(
        verdict: Verdict,
        check: &'static str,
        value: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self {
            verdict,
            ..Self::ok(check, value, why)
        }
    }

    /// Adds the command that mends it.
    #[must_use]
    pub fn mend(self, command: impl Into<String>) -> Self {
        Self {
            mend: Some(command.into()),
            ..self
        }
    }
}

/// Which path media can take on the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Path {
    /// Native XDP.
    Kernel,
    /// Only the UDP socket.
    Socket,
}

/// All findings, and what follows from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Name of the interface examined.
    pub interface: String,
    /// Which path media can take as things are.
    pub path: Path,
    /// The conclusion in a sentence or two.
    pub conclusion: String,
    /// Every check, in the order in which one would look.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Draws the conclusion from findings.
    #[must_use]
    pub fn new(interface: &str, findings: Vec<Finding>) -> Self {
        let named = |verdict| {
            let names: Vec<_> = findings
                .iter()
                .filter(|f| f.verdict == verdict)
                .map(|f| f.check)
                .collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        let (path, mut conclusion) = match named(Verdict::Fail) {
            None => (
                Path::Kernel,
                format!("{interface}: the native kernel path (XDP) is possible."),
            ),
            Some(failed) => (
                Path::Socket,
                format!("{interface}: only the socket path works, until this is mended: {failed}."),
            ),
        };
        if let Some(unknown) = named(Verdict::Unknown) {
            conclusion.push_str(&format!(" Not known: {unknown}."));
        }
        if let Some(warned) = named(Verdict::Warn) {
            conclusion.push_str(&format!(" Worth changing: {warned}."));
        }
        Self {
            interface: interface.into(),
            path,
            conclusion,
            findings,
        }
    }

    /// Adds a finding and draws the conclusion anew.
    #[must_use]
    pub fn with(mut self, finding: Finding) -> Self {
        self.findings.push(finding);
        Self::new(&self.interface, self.findings)
    }

    /// The finding of one check.
    #[must_use]
    pub fn finding(&self, check: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.check == check)
    }

    /// The report as JSON.
    ///
    /// # Errors
    /// Never for the types at hand; serde cannot know that.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table
            .load_preset(UTF8_HORIZONTAL_ONLY)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(["check", "found", "verdict", "what to do"]);
        if table.width().is_none() {
            // Not a terminal: wide enough that commands rarely break, narrow enough for a mail.
            table.set_width(140);
        }
        for finding in &self.findings {
            let (word, colour) = match finding.verdict {
                Verdict::Ok => ("ok", Color::Green),
                Verdict::Warn => ("warn", Color::Yellow),
                Verdict::Fail => ("FAIL", Color::Red),
                Verdict::Unknown => ("unknown", Color::Cyan),
            };
            let advice = match (&finding.mend, finding.why.as_str()) {
                (Some(mend), "") => mend.clone(),
                (Some(mend), why) => format!("{why}\n$ {mend}"),
                (None, why) => why.into(),
            };
            table.add_row([
                Cell::new(finding.check).add_attribute(Attribute::Bold),
                Cell::new(&finding.value),
                Cell::new(word).fg(colour),
                Cell::new(advice),
            ]);
        }
        write!(f, "{table}\n\n{}", self.conclusion)
    }
}
