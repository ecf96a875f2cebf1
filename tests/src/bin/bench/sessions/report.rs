//! What is printed.

use anyhow::Result;
use comfy_table::Cell;
use serde::Serialize;

use super::NodePath;
use super::room::{Figures, Room};
use super::setups::SetUps;
use crate::goals::Goal;
use crate::rows::{number, plain};

/// Set-ups per second and core, at least.
const SETUPS: f64 = 300.0;
/// Memory of an idle session, KiB, at most.
const SESSION: f64 = 64.0;
/// Memory of a subscription, KiB, at most.
const SUBSCRIPTION: f64 = 16.0;

/// What was measured on a path.
#[derive(Debug, Serialize)]
pub struct Row {
    path: NodePath,
    setups: Vec<SetUpRow>,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Debug, Serialize)]
struct SetUpRow {
    dtls: &'static str,
    suite: String,
    /// CPU time of the node.
    cpu_us: f64,
    /// What one core could do.
    per_second_and_core: f64,
    /// What the clock said, with clients on another core that were not always as fast.
    per_second: f64,
    /// From the client's first check to its keys, of half of them at most.
    p50_ms: f64,
}

impl Row {
    /// The row of a path.
    pub fn new(path: NodePath, setups: &[SetUps], figures: Figures) -> Self {
        let setups = setups.iter().map(|of| {
            let cpu = of.cpu().as_secs_f64();
            SetUpRow {
                dtls: of.version(),
                suite: of.suite().to_owned(),
                cpu_us: (cpu * 1e6).round(),
                per_second_and_core: (1.0 / cpu).round(),
                per_second: of.rate().round(),
                p50_ms: (of.half().as_secs_f64() * 1e4).round() / 10.0,
            }
        });
        Self {
            path,
            setups: setups.collect(),
            figures,
        }
    }

    /// Whether media reached every leg; otherwise the last figure says nothing.
    pub const fn is_valid(&self) -> bool {
        Room::is_full(&self.figures)
    }
}

/// Prints all rows.
///
/// # Errors
/// None that happens.
pub fn print(json: bool, rows: &[Row]) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(rows)?);
        return Ok(());
    }
    let mut setups = plain(&[
        "path",
        "DTLS",
        "CPU us",
        "set-ups/s and core",
        "by the clock",
        "p50 ms",
    ]);
    let mut memory = plain(&[
        "path",
        "sessions",
        "KiB each",
        "anonymous",
        "kernel, both ends",
        "CPU % per 1000",
        "KiB/publication",
        "subscriptions",
        "KiB each",
        "after media",
    ]);
    let mut calls = plain(&["path", "call", "p50 us", "p99 us"]);
    for row in rows {
        let path = || Cell::new(row.path.name());
        for of in &row.setups {
            setups.add_row([
                path(),
                number(format!("{} {}", of.dtls, of.suite)),
                number(format!("{:.0}", of.cpu_us)),
                number(format!("{:.0}", of.per_second_and_core)),
                number(format!("{:.0}", of.per_second)),
                number(format!("{:.1}", of.p50_ms)),
            ]);
        }
        let of = &row.figures;
        memory.add_row([
            path(),
            number(of.sessions.to_string()),
            number(kib(of.session_bytes)),
            number(kib(of.session_anonymous_bytes)),
            number(kib(of.session_kernel_bytes)),
            number(format!("{:.1}", of.idle_percent)),
            number(kib(of.publication_bytes)),
            number(of.subscriptions.to_string()),
            number(kib(of.subscription_bytes)),
            number(if row.is_valid() {
                kib(of.subscription_bytes_after_media)
            } else {
                format!("invalid: {} packets", of.packets)
            }),
        ]);
        for of in &of.calls {
            calls.add_row([
                path(),
                Cell::new(format!("{} {}", of.method, of.path)),
                number(of.p50_us.to_string()),
                number(of.p99_us.to_string()),
            ]);
        }
    }
    println!("{setups}\n\n{memory}\n\n{calls}\n");
    rows.iter()
        .flat_map(goals)
        .for_each(|goal| println!("{goal}"));
    Ok(())
}

fn goals(row: &Row) -> Vec<Goal> {
    let path = row.path.name();
    let of = &row.figures;
    let setups = row.setups.iter().map(|of| {
        let what = format!("{path} path: set-ups per second and core, {}", of.dtls);
        Goal::at_least(what, of.per_second_and_core, SETUPS)
    });
    let largest = of.subscription_bytes.max(of.subscription_bytes_after_media);
    let memory = [
        ("idle session", of.session_bytes, SESSION),
        ("subscription", largest, SUBSCRIPTION),
    ];
    let memory = memory.map(|(what, bytes, limit)| {
        Goal::at_most(
            format!("{path} path: KiB per {what}"),
            bytes as f64 / 1024.0,
            limit,
        )
    });
    setups.chain(memory).collect()
}

fn kib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1024.0)
}
