//! `bench scaling`: publishers over two cores against one.
//!
//! Each core has a publisher, a stream and a wire of its own; generator and sink run on both alike. The receivers' wire is
//! one for both cores, with a receive queue each, or one per core. The floor runs the same way, and tells what two cores of
//! this machine can be at most: they may share caches, memory, or even one physical core.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use aya::maps::{Array, MapData};
use comfy_table::Cell;
use serde::Serialize;

use crate::args::Common;
use crate::best::Best;
use crate::cases::Path;
use crate::generator::{self, GENERATE, Pacing, Packets};
use crate::goals::Goal;
use crate::one_core;
use crate::progress::Progress;
use crate::rows::{number, plain};
use crate::stage::{Plan, Stage, Taker};
use crate::subscribers::{Stream, Subscribers};

/// Core 0 and core 1, each with a publisher.
const CORES: [usize; 2] = [0, 1];
const TAKERS: [Taker; 4] = [Taker::Kernel, Taker::Kernel, Taker::Floor, Taker::Floor];
const FAN_OUT: u32 = 64;
const PAYLOAD: u32 = 1200;
/// As in `bench fanout`: what the floor can take without losing.
const BATCH: u32 = 2;
/// Frames between two looks at the clock: some milliseconds.
const FRAMES: u32 = 256;
const ROUND: Duration = Duration::from_millis(40);
/// To reach.
const LIMIT: f64 = 1.8;

/// What runs on both cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// The kernel path, both cores to one interface.
    Shared,
    /// The kernel path, an interface for each core.
    Separate,
    /// The bare broadcast, both cores to one interface.
    Floor,
}

const SETS: [Set; 3] = [Set::Shared, Set::Separate, Set::Floor];

impl Set {
    const fn path(self) -> Path {
        match self {
            Self::Shared | Self::Separate => Path::Kernel,
            Self::Floor => Path::FloorBroadcast,
        }
    }

    const fn egress(self) -> &'static str {
        match self {
            Self::Shared | Self::Floor => "one interface",
            Self::Separate => "two interfaces",
        }
    }

    /// The output of the publisher of core number `n`.
    const fn out(self, n: u32) -> u32 {
        match self {
            Self::Shared | Self::Separate => n,
            Self::Floor => 2 + n,
        }
    }

    /// The stream of core number `n`.
    const fn ssrc(self, n: u32) -> u32 {
        match self {
            Self::Shared | Self::Floor => n,
            Self::Separate => 0x100 + n,
        }
    }
}

/// The result of one set.
#[derive(Debug, Serialize)]
struct Row {
    path: Path,
    egress: &'static str,
    fan_out: u32,
    payload_bytes: u32,
    mpps_one: f64,
    mpps_two: f64,
    ratio: f64,
    lost: u64,
}

/// Nanoseconds per replica, and replicas lost.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    alone: [Best; 2],
    together: Best,
    lost: u64,
}

/// Runs the bench; gives whether nothing was lost on the kernel path.
///
/// # Errors
/// The system's, and a machine with one core.
pub fn run(flags: &Common) -> Result<bool> {
    ensure!(one_core::count() >= 2, "this bench needs two cores");
    let rounds = flags.rounds.unwrap_or(if flags.quick { 3 } else { 20 });
    let progress = Progress::new(rounds);
    progress.say("building the lab, or waiting for another one to end");
    let stage = prepare()?;
    let mut figures = SETS.map(|set| (set, Figures::default()));
    for round in 0..rounds {
        progress.round(round);
        for (set, figures) in &mut figures {
            progress.step(round, &format_args!("{} to {}", set.path(), set.egress()));
            for n in [0, 1] {
                let took = on_cores(&stage, *set, &[n], figures)?;
                figures.alone[n as usize].take(took);
            }
            let took = on_cores(&stage, *set, &[0, 1], figures)?;
            figures.together.take(took);
        }
    }
    progress.end();
    drop(stage);
    let rows = figures.map(|(set, figures)| figures.row(set));
    print(flags, &rows)?;
    Ok(rows
        .iter()
        .all(|row| row.path != Path::Kernel || row.lost == 0))
}

fn prepare() -> Result<Stage> {
    let mut stage = Stage::build(&Plan {
        takers: &TAKERS,
        receivers: 2,
        sink: "sink",
        generator: GENERATE,
        workers: 1,
    })?;
    let mut subscribers = Subscribers::new(&mut stage.tables)?;
    for set in [Set::Shared, Set::Separate] {
        for n in [0, 1] {
            let device = if set == Set::Separate { n } else { 0 };
            let stream = Stream {
                publisher: &stage.lab.publishers[n as usize],
                ssrc: set.ssrc(n),
                receiver: &stage.lab.receivers[device as usize],
                device,
                fan_out: FAN_OUT,
            };
            subscribers.add(&mut stage.tables, &stream)?;
        }
    }
    let mut floor_size: Array<MapData, u32> = stage.programs.take_array("FLOOR_SIZE")?;
    floor_size.set(0, FAN_OUT, 0)?;
    Ok(stage)
}

/// Runs a set on some of the cores at once; gives nanoseconds per replica of all of them together.
fn on_cores(stage: &Stage, set: Set, cores: &[u32], figures: &mut Figures) -> Result<f64> {
    let start = Barrier::new(cores.len());
    let results: Vec<Result<(f64, u64)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = cores
            .iter()
            .map(|&n| {
                let start = &start;
                scope.spawn(move || on_core(stage, set, n, start))
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
            .collect()
    });
    let mut rate = 0.0;
    for result in results {
        let (replicas_per_ns, lost) = result?;
        rate += replicas_per_ns;
        figures.lost += lost;
    }
    Ok(1.0 / rate)
}

/// Sends for the time of a round; gives replicas per nanosecond, and how many were lost.
fn on_core(stage: &Stage, set: Set, n: u32, start: &Barrier) -> Result<(f64, u64)> {
    let core = CORES[n as usize];
    let packets = Packets::new(
        stage.publisher(set.out(n)),
        set.ssrc(n),
        PAYLOAD as usize,
        set.out(n),
    );
    let ready = one_core::pin(core)
        .and_then(|()| one_core::first_in_line())
        .and_then(|()| stage.generator.aim(core, &packets, Pacing::default()));
    start.wait();
    ready?;
    let core = u32::try_from(core).context("number of the core")?;
    let before = stage.sink.frames_on(core)?;
    let mut expected = before;
    let begin = Instant::now();
    while begin.elapsed() < ROUND {
        generator::send(&stage.programs, &packets, FRAMES, BATCH)?;
        expected += u64::from(FRAMES) * u64::from(FAN_OUT);
        stage.sink.wait_for_on(core, &stage.programs, expected)?;
    }
    let took = begin.elapsed().as_nanos() as f64;
    let seen = stage.sink.frames_on(core)?;
    Ok(((seen - before) as f64 / took, expected.abs_diff(seen)))
}

impl Figures {
    fn row(self, set: Set) -> Row {
        let mpps = |ns: f64| (1e5 / ns).round() / 100.0;
        let alone = (self.alone[0].value() + self.alone[1].value()) / 2.0;
        Row {
            path: set.path(),
            egress: set.egress(),
            fan_out: FAN_OUT,
            payload_bytes: PAYLOAD,
            mpps_one: mpps(alone),
            mpps_two: mpps(self.together.value()),
            ratio: (alone / self.together.value() * 100.0).round() / 100.0,
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
        "egress",
        "fan-out",
        "payload",
        "Mpps, one core",
        "Mpps, two cores",
        "ratio",
        "lost",
    ]);
    for row in rows {
        table.add_row([
            Cell::new(row.path.name()),
            Cell::new(row.egress),
            number(row.fan_out.to_string()),
            number(row.payload_bytes.to_string()),
            number(format!("{:.2}", row.mpps_one)),
            number(format!("{:.2}", row.mpps_two)),
            number(format!("{:.2}", row.ratio)),
            number(row.lost.to_string()),
        ]);
    }
    println!("{table}\n\nGenerator and sink are included, on every core alike.");
    for row in rows.iter().filter(|row| row.path == Path::Kernel) {
        let what = format!("two cores / one core, {}", row.egress);
        println!("{}", Goal::at_least(what, row.ratio, LIMIT));
    }
    Ok(())
}
