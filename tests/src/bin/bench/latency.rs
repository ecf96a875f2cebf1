//! `bench latency`: how long a packet takes from the publisher's interface to the receiver's, at half load.
//!
//! The generator stamps frames as it sends them, the sink subtracts: in between are the publisher's wire, the forwarder,
//! and the receiver's wire, with the NAPI poll of each. As everything shares a core, half load means one packet in twice the
//! time that the core takes for one with all its replicas, generator and sink included. Packets come evenly, each alone: what
//! queueing adds under bursts is not in here.
//!
//! The figures are of all packets of all rounds together, since a best latency would say nothing.

use std::time::{Duration, Instant};

use anyhow::Result;
use aya::maps::{Array, MapData};
use comfy_table::Cell;
use serde::Serialize;

use crate::args::Common;
use crate::cases::Path;
use crate::generator::{self, GENERATE, Pacing, Packets};
use crate::goals::Goal;
use crate::one_core;
use crate::progress::Progress;
use crate::rows::{number, plain};
use crate::sink::Histogram;
use crate::stage::{Plan, Stage, Taker};
use crate::subscribers::{Stream, Subscribers};

const TAKERS: [Taker; 2] = [Taker::Kernel, Taker::Floor];
const PATHS: [Path; 2] = [Path::Kernel, Path::FloorBroadcast];
const FAN_OUTS: [u32; 3] = [1, 4, 16];
const PAYLOAD: u32 = 1200;
const CORE: usize = 0;
/// Frames by which the saturated rate is found.
const SATURATE: u32 = 4096;
const ROUND: Duration = Duration::from_millis(100);
/// To reach, nanoseconds.
const LIMIT: u64 = 20_000;

/// The result of one path and fan-out.
#[derive(Debug, Serialize)]
struct Row {
    path: Path,
    fan_out: u32,
    payload_bytes: u32,
    packets_per_second: u64,
    p50_ns: u64,
    p99_ns: u64,
    lost: u64,
}

/// What was measured of one path and fan-out.
#[derive(Default)]
struct Figures {
    latencies: Histogram,
    interval: u64,
    lost: u64,
}

/// Runs the bench; gives whether nothing was lost on the kernel path.
///
/// # Errors
/// The system's.
pub fn run(flags: &Common) -> Result<bool> {
    let rounds = flags.rounds.unwrap_or(if flags.quick { 3 } else { 20 });
    let progress = Progress::new(rounds);
    progress.say("building the lab, or waiting for another one to end");
    let mut stage = Stage::build(&Plan {
        takers: &TAKERS,
        receivers: 1,
        sink: "sink_latency",
        generator: GENERATE,
        workers: 1,
    })?;
    let floor_size: Array<MapData, u32> = stage.programs.take_array("FLOOR_SIZE")?;
    let mut subscribers = Subscribers::new(&mut stage.tables)?;
    for fan_out in FAN_OUTS {
        let stream = Stream {
            publisher: &stage.lab.publishers[0],
            ssrc: fan_out,
            receiver: stage.lab.receiver(),
            device: 0,
            fan_out,
        };
        subscribers.add(&mut stage.tables, &stream)?;
    }
    one_core::pin(CORE)?;
    one_core::first_in_line()?;
    let mut bench = Bench { stage, floor_size };
    let mut figures: Vec<(Path, u32, Figures)> = PATHS
        .iter()
        .flat_map(|&path| FAN_OUTS.map(|fan_out| (path, fan_out, Figures::default())))
        .collect();
    for round in 0..rounds {
        progress.round(round);
        for (path, fan_out, figures) in &mut figures {
            progress.step(round, &format_args!("{path}, fan-out {fan_out}"));
            bench.measure(*path, *fan_out, figures)?;
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    progress.end();
    drop(bench);
    let rows: Vec<Row> = figures
        .into_iter()
        .map(|(path, fan_out, figures)| figures.row(path, fan_out))
        .collect();
    print(flags, &rows)?;
    Ok(rows
        .iter()
        .all(|row| row.path != Path::Kernel || row.lost == 0))
}

impl Figures {
    fn row(self, path: Path, fan_out: u32) -> Row {
        Row {
            path,
            fan_out,
            payload_bytes: PAYLOAD,
            packets_per_second: 1_000_000_000 / self.interval.max(1),
            p50_ns: self.latencies.quantile(0.5),
            p99_ns: self.latencies.quantile(0.99),
            lost: self.lost,
        }
    }
}

fn print(flags: &Common, rows: &[Row]) -> Result<()> {
    if flags.json {
        println!("{}", serde_json::to_string_pretty(rows)?);
        return Ok(());
    }
    let mut table = plain(&[
        "path",
        "fan-out",
        "payload",
        "packets/s",
        "p50 us",
        "p99 us",
        "lost",
    ]);
    let microseconds = |ns: u64| format!("{:.2}", ns as f64 / 1000.0);
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
    println!("{table}\n\nFrom the publisher's interface to the receiver's, at half load.");
    for row in rows.iter().filter(|row| row.path == Path::Kernel) {
        let what = format!(
            "fan-out {}: p99 of the kernel path, microseconds",
            row.fan_out
        );
        let goal = Goal::at_most(what, row.p99_ns as f64 / 1000.0, LIMIT as f64 / 1000.0);
        println!("{goal}");
    }
    Ok(())
}

struct Bench {
    stage: Stage,
    floor_size: Array<MapData, u32>,
}

impl Bench {
    /// One round: finds the rate, and sends at half of it.
    fn measure(&mut self, path: Path, fan_out: u32, figures: &mut Figures) -> Result<()> {
        let out = u32::from(path == Path::FloorBroadcast);
        self.floor_size.set(0, fan_out, 0)?;
        let publisher = self.stage.publisher(out);
        let packets = Packets::new(publisher, fan_out, PAYLOAD as usize, out);
        let saturated = self.send(&packets, fan_out, SATURATE, Pacing::default(), figures)?;
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
        let frames = u32::try_from(ROUND.as_nanos() as u64 / figures.interval.max(1))?;
        self.send(&packets, fan_out, frames, pacing, figures)?;
        figures
            .latencies
            .add(&self.stage.sink.take_latencies(CORE as u32)?);
        Ok(())
    }

    fn send(
        &mut self,
        packets: &Packets,
        fan_out: u32,
        frames: u32,
        pacing: Pacing,
        figures: &mut Figures,
    ) -> Result<Duration> {
        let stage = &mut self.stage;
        stage.generator.aim(CORE, packets, pacing)?;
        let expected = stage.sink.frames()? + u64::from(frames) * u64::from(fan_out);
        let start = Instant::now();
        generator::send(&stage.programs, packets, frames, 1)?;
        stage.sink.wait_for(&stage.programs, expected)?;
        let took = start.elapsed();
        figures.lost += expected.abs_diff(stage.sink.frames()?);
        Ok(took)
    }
}
