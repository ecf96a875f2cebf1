//! Results as they are printed.

use comfy_table::{Cell, Table};
use serde::Serialize;

use super::cases::{Case, Path, SuiteName};
use super::packet;
use crate::goals::Goal;
use crate::rows::{Parts, number, plain};

/// The result of one case.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// How replicas came about.
    pub path: Path,
    /// With what they are sealed; `None` where nothing is.
    pub suite: Option<SuiteName>,
    /// Subscribers.
    pub fan_out: u32,
    /// Bytes of RTP payload: what is encrypted.
    pub payload_bytes: u32,
    /// Bytes of UDP payload: with the RTP header and the suite's tag, or a GCM's.
    pub udp_payload_bytes: u32,
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

impl Row {
    /// The row of a case.
    pub fn new(case: Case, parts: Parts, lost: u64) -> Self {
        let suite = case
            .suite
            .map_or(forwarder::srtp::Suite::AeadAes128Gcm, |suite| suite.0);
        let cost = parts.wall - parts.generator - parts.sink;
        Self {
            path: case.path,
            suite: case.suite,
            fan_out: case.fan_out,
            payload_bytes: case.payload,
            udp_payload_bytes: packet::udp_payload(case.payload, suite) as u32,
            ns_per_replica: (cost * 10.0).round() / 10.0,
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
        "suite",
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
        let label = |value: u32| {
            number(match last == Some(group) {
                true => String::new(),
                false => value.to_string(),
            })
        };
        let verdict = match row.lost {
            0 => String::new(),
            lost => format!("invalid: lost {lost}"),
        };
        table.add_row([
            label(row.payload_bytes),
            label(row.fan_out),
            Cell::new(row.path.name()),
            Cell::new(row.suite.map(|suite| suite.to_string()).unwrap_or_default()),
            number(format!("{:.1}", row.parts.wall)),
            number(format!("{:.1}", row.parts.generator)),
            number(format!("{:.1}", row.parts.sink)),
            number(format!("{:.1}", row.ns_per_replica)),
            number(format!("{:.2}", row.mpps_per_core)),
            Cell::new(verdict),
        ]);
        last = Some(group);
    }
    table
}

/// The goals for what was measured.
pub fn goals(rows: &[Row]) -> Vec<Goal> {
    use forwarder::srtp::Suite::{AeadAes128Gcm, Aes128CmHmacSha1_80};
    let find = |path: Path, suite, fan_out| {
        let suite = path.has_suite().then_some(SuiteName(suite));
        rows.iter()
            .find(|row| {
                (row.path, row.suite, row.fan_out, row.payload_bytes)
                    == (path, suite, fan_out, 1200)
            })
            .map(|row| (row.ns_per_replica, row.lost))
    };
    let goal = |what: &str, limit: f64, ours: Option<(f64, u64)>, floors: &[Option<(f64, u64)>]| {
        let (ours, mut lost) = ours?;
        let mut floor = 0.0;
        for part in floors {
            let (ns, lost_too) = (*part)?;
            floor += ns;
            lost += lost_too;
        }
        let measured = if floors.is_empty() {
            ours
        } else {
            ours / floor
        };
        let what = format!("1200 bytes, {what}");
        Some(Goal::at_most(what, measured, limit).valid_if(lost == 0))
    };
    let sealed = find(Path::Sealed, AeadAes128Gcm, 64);
    let seal = find(Path::FloorSeal, AeadAes128Gcm, 64);
    let slots = find(Path::FloorSlots, AeadAes128Gcm, 64);
    let flood = find(Path::FloorSendmmsg, AeadAes128Gcm, 64);
    let many = find(Path::Sealed, AeadAes128Gcm, 1000);
    let counter_mode = find(Path::Sealed, Aes128CmHmacSha1_80, 64);
    [
        goal(
            "fan-out 64: sealed / (floor-seal + floor-slots)",
            1.25,
            sealed,
            &[seal, slots],
        ),
        goal("fan-out 64: sealed, nanoseconds", 500.0, sealed, &[]),
        goal(
            "fan-out 64: sealed / (floor-sendmmsg + floor-seal)",
            0.5,
            sealed,
            &[flood, seal],
        ),
        goal("sealed, fan-out 1000 / fan-out 64", 1.3, many, &[sealed]),
        goal(
            "fan-out 64: AES128_CM_HMAC_SHA1_80, nanoseconds",
            1250.0,
            counter_mode,
            &[],
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}
