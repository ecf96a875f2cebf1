//! Results as they are printed.

use comfy_table::{Cell, CellAlignment, Table, presets};
use serde::Serialize;

use crate::cases::Path;

/// The result of one case.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// How replicas came about.
    pub path: Path,
    /// Subscribers.
    pub fan_out: u32,
    /// Bytes of UDP payload.
    pub payload_bytes: u32,
    /// Cost of one replica, nanoseconds of one core.
    pub ns_per_replica: f64,
    /// Replicas that one core could send, millions a second.
    pub mpps_per_core: f64,
    /// Replicas that did not arrive, in all rounds together: a row with any is invalid.
    pub lost: u64,
    /// What the cost is made of.
    #[serde(skip)]
    pub parts: Parts,
}

/// What the cost is made of, nanoseconds per replica: `wall` less the others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts {
    /// From the first frame to the last replica's arrival.
    pub wall: f64,
    /// Making and receiving the publisher's packets.
    pub generator: f64,
    /// Receiving the replicas.
    pub sink: f64,
}

impl Row {
    /// The row of a case.
    pub fn new(path: Path, fan_out: u32, payload_bytes: u32, parts: Parts, lost: u64) -> Self {
        let cost = parts.wall - parts.generator - parts.sink;
        let tenths = |value: f64| (value * 10.0).round() / 10.0;
        Self {
            path,
            fan_out,
            payload_bytes,
            ns_per_replica: tenths(cost),
            mpps_per_core: (1e5 / cost).round() / 100.0,
            lost,
            parts,
        }
    }
}

/// The table of all rows.
pub fn table(rows: &[Row]) -> Table {
    let mut table = plain(&[
        "payload",
        "fan-out",
        "path",
        "wall",
        "- generator",
        "- sink",
        "= ns/replica",
        "Mpps/core",
        "",
    ]);
    let mut last = None;
    for row in rows {
        let group = (row.payload_bytes, row.fan_out);
        if last.is_some_and(|last| last != group) {
            table.add_row([""]);
        }
        let first = last != Some(group);
        last = Some(group);
        let label = |value: u32| {
            if first {
                value.to_string()
            } else {
                String::new()
            }
        };
        let verdict = match row.lost {
            0 => String::new(),
            lost => format!("invalid: lost {lost}"),
        };
        table.add_row([
            number(label(row.payload_bytes)),
            number(label(row.fan_out)),
            Cell::new(row.path.name()),
            number(format!("{:.1}", row.parts.wall)),
            number(format!("{:.1}", row.parts.generator)),
            number(format!("{:.1}", row.parts.sink)),
            number(format!("{:.1}", row.ns_per_replica)),
            number(format!("{:.2}", row.mpps_per_core)),
            Cell::new(verdict),
        ]);
    }
    table
}

/// A table without lines; numbers stand at the right, names at the left.
pub fn plain(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(header.iter().map(|text| match *text {
        "path" | "egress" | "call" | "until" | "720p" => Cell::new(text),
        _ => number((*text).to_owned()),
    }));
    table
}

/// A cell at the right.
pub fn number(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}
