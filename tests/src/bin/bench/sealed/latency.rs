//! How late replicas are: from the publisher's interface to the receiver's, through ring, worker and slots.
//!
//! The method is that of `bench latency`, but that the time of sending is found by the sequence number, which replicas have in
//! common with the publisher's packets here: what is sealed holds no stamp. The worker shares the core with the generator and
//! goes before it, as it would before other threads; it sleeps between packets, and being woken is part of the figure.

use std::time::{Duration, Instant};

use anyhow::Result;
use comfy_table::{Cell, Table};
use forwarder::srtp::Suite;
use serde::Serialize;

use super::cases::{Path, SuiteName};
use super::room::{Group, Room, Way};
use crate::args::Common;
use crate::generator::{self, PLAY, Pacing};
use crate::goals::Goal;
use crate::one_core;
use crate::progress::Progress;
use crate::rows::{number, plain};
use crate::sink::Histogram;
use crate::stage::{Plan, Stage, Taker};

const FAN_OUTS: [u32; 3] = [1, 16, 64];
const PAYLOAD: u32 = 1200;
const SUITE: Suite = Suite::AeadAes128Gcm;
const CORE: usize = 0;
/// Frames by which the saturated rate is found.
const SATURATE: u32 = 512;
const ROUND: Duration = Duration::from_millis(100);
/// To reach at the last fan-out, nanoseconds: p50 and p99.
const LIMITS: [(f64, u64); 2] = [(0.5, 50_000), (0.99, 200_000)];

/// The result of one fan-out.
#[derive(Debug, Serialize)]
pub struct Row {
    path: Path,
    suite: SuiteName,
    fan_out: u32,
    payload_bytes: u32,
    packets_per_second: u64,
    p50_ns: u64,
    p99_ns: u64,
    /// Replicas that did not arrive.
    pub lost: u64,
}

#[derive(Default)]
struct Figures {
    latencies: Histogram,
    interval: u64,
    lost: u64,
}

/// Measures.
///
/// # Errors
/// The system's.
pub fn run(flags: &Common) -> Result<Vec<Row>> {
    let rounds = flags.rounds.unwrap_or(if flags.quick { 3 } else { 20 });
    let progress = Progress::new(rounds);
    progress.say("building the lab, or waiting for another one to end");
    let mut stage = Stage::build(&Plan {
        takers: &[Taker::Kernel],
        receivers: 1,
        sink: "sink_sequence",
        generator: PLAY,
        workers: 1,
    })?;
    one_core::pin(CORE)?;
    one_core::in_line(2)?;
    let ports = stage.take_ports()?;
    let mut room = Room::open(&mut stage, ports, vec![CORE])?;
    one_core::first_in_line()?;
    let group = Group {
        suite: SUITE,
        way: Way::Xdp,
        worker: 0,
        out: 0,
        receiver: 0,
        fan_outs: &FAN_OUTS,
    };
    room.add(&mut stage, &group)?;
    let mut bench = Bench { room, stage };
    let mut all = FAN_OUTS.map(|fan_out| (fan_out, Figures::default()));
    for round in 0..rounds {
        progress.round(round);
        for (fan_out, figures) in &mut all {
            progress.step(round, &format_args!("latency, fan-out {fan_out}"));
            bench.measure(*fan_out, figures)?;
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    progress.end();
    Ok(all
        .into_iter()
        .map(|(fan_out, figures)| Row {
            path: Path::Sealed,
            suite: SuiteName(SUITE),
            fan_out,
            payload_bytes: PAYLOAD,
            packets_per_second: 1_000_000_000 / figures.interval.max(1),
            p50_ns: figures.latencies.quantile(0.5),
            p99_ns: figures.latencies.quantile(0.99),
            lost: figures.lost,
        })
        .collect())
}

struct Bench {
    /// Before what it works in.
    room: Room,
    stage: Stage,
}

impl Bench {
    /// One round: finds the rate, and sends at half of it.
    fn measure(&mut self, fan_out: u32, figures: &mut Figures) -> Result<()> {
        let saturated = self.send(fan_out, SATURATE, Pacing::default(), figures)?;
        let interval = 2 * saturated.as_nanos() as u64 / u64::from(SATURATE);
        // The best round tells the machine's rate, here as elsewhere.
        figures.interval = match figures.interval {
            0 => interval,
            best => best.min(interval),
        };
        let _unpaced = self.stage.sink.take_latencies(CORE as u32)?;
        let pacing = Pacing {
            interval: figures.interval,
            stamp: true,
        };
        let frames = u32::try_from(ROUND.as_nanos() as u64 / figures.interval.max(1))?
            .min(crate::programs::PREPARED);
        self.send(fan_out, frames, pacing, figures)?;
        let latencies = self.stage.sink.take_latencies(CORE as u32)?;
        figures.latencies.add(&latencies);
        Ok(())
    }

    fn send(
        &mut self,
        fan_out: u32,
        frames: u32,
        pacing: Pacing,
        figures: &mut Figures,
    ) -> Result<Duration> {
        let stream = (SUITE, Way::Xdp, 0, fan_out);
        let packets = self.room.prepare(stream, PAYLOAD, 0, frames)?;
        let stage = &self.stage;
        stage.generator.aim(CORE, &packets, pacing)?;
        let expected = stage.sink.frames()? + u64::from(frames) * u64::from(fan_out);
        let start = Instant::now();
        generator::send(&stage.programs, &packets, frames, 1)?;
        stage.sink.wait_for(&stage.programs, expected)?;
        let took = start.elapsed();
        figures.lost += expected.abs_diff(stage.sink.frames()?);
        self.room.listen();
        Ok(took)
    }
}

/// The table.
pub fn table(rows: &[Row]) -> Table {
    let mut table = plain(&[
        "path",
        "fan-out",
        "payload",
        "packets/s",
        "p50 us",
        "p99 us",
        "lost",
    ]);
    for row in rows {
        table.add_row([
            Cell::new(row.path.name()),
            number(row.fan_out.to_string()),
            number(row.payload_bytes.to_string()),
            number(row.packets_per_second.to_string()),
            number(microseconds(row.p50_ns)),
            number(microseconds(row.p99_ns)),
            number(row.lost.to_string()),
        ]);
    }
    table
}

fn microseconds(ns: u64) -> String {
    format!("{:.2}", ns as f64 / 1000.0)
}

/// The goals.
pub fn goals(rows: &[Row]) -> Vec<Goal> {
    let Some(row) = rows.last() else {
        return Vec::new();
    };
    LIMITS
        .into_iter()
        .map(|(share, limit)| {
            let measured = if share < 0.9 { row.p50_ns } else { row.p99_ns };
            let what = format!(
                "fan-out {}, half load: p{:.0}, microseconds",
                row.fan_out,
                share * 100.0
            );
            Goal::at_most(what, measured as f64 / 1000.0, limit as f64 / 1000.0)
                .valid_if(row.lost == 0)
        })
        .collect()
}
