//! Two workers on two cores against one, as in `bench scaling`: each core has a publisher, a worker and a wire of its own.
//!
//! The floor, sealing and ringing in turns without a worker, runs the same way and tells what two cores of this machine can
//! be at most.

use std::sync::{Arc, Barrier, Mutex};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use comfy_table::{Cell, Table};
use forwarder::srtp::{SendKeys, Suite};
use forwarder_common::slots::BELL_SLOTS;
use serde::Serialize;

use super::cases::{Case, Path, SuiteName};
use super::floors::{SealFloor, SlotFloor};
use super::room::{Group, Room, Way};
use crate::args::Common;
use crate::best::Best;
use crate::generator::{self, PLAY, Pacing, Packets};
use crate::goals::Goal;
use crate::one_core;
use crate::progress::Progress;
use crate::rows::{number, plain};
use crate::stage::{Plan, Stage, Taker};

const CORES: [usize; 2] = [0, 1];
const TAKERS: [Taker; 2] = [Taker::Kernel, Taker::Kernel];
const FAN_OUT: u32 = 64;
const PAYLOAD: u32 = 1200;
const SUITE: Suite = Suite::AeadAes128Gcm;
/// Packets of one burst.
const BATCH: u32 = 64;
/// Packets of one round and core: some 30 milliseconds.
const PACKETS: u32 = 1024;
/// To reach.
const LIMIT: f64 = 1.8;

/// What runs on both cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// Workers, both to one interface.
    Shared,
    /// Workers, an interface for each core.
    Separate,
    /// The floor, an interface for each core.
    Floor,
}

const SETS: [Set; 3] = [Set::Shared, Set::Separate, Set::Floor];

impl Set {
    const fn egress(self) -> &'static str {
        match self {
            Self::Shared => "one interface",
            Self::Separate | Self::Floor => "two interfaces",
        }
    }

    /// The stream's fan-out is the key that tells streams of one worker apart, so the second set has one subscriber less.
    const fn fan_out(self) -> u32 {
        match self {
            Self::Shared => FAN_OUT,
            Self::Separate | Self::Floor => BELL_SLOTS,
        }
    }
}

/// The result of one set.
#[derive(Debug, Serialize)]
pub struct Row {
    path: &'static str,
    suite: SuiteName,
    egress: &'static str,
    fan_out: u32,
    payload_bytes: u32,
    mpps_one: f64,
    mpps_two: f64,
    ratio: f64,
    /// Replicas that did not arrive.
    pub lost: u64,
}

impl Row {
    /// Whether it is the forwarder rather than the floor.
    pub fn is_ours(&self) -> bool {
        self.path == Path::Sealed.name()
    }
}

/// Nanoseconds per replica, and replicas lost.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    alone: [Best; 2],
    together: Best,
    lost: u64,
}

/// Measures.
///
/// # Errors
/// The system's, and a machine with one core.
pub fn run(flags: &Common) -> Result<Vec<Row>> {
    ensure!(one_core::count() >= 2, "two workers need two cores");
    let rounds = flags.rounds.unwrap_or(if flags.quick { 3 } else { 20 });
    let progress = Progress::new(rounds);
    progress.say("building the lab, or waiting for another one to end");
    let mut bench = Bench::prepare()?;
    let mut figures = SETS.map(|set| (set, Figures::default()));
    for round in 0..rounds {
        progress.round(round);
        for (set, figures) in &mut figures {
            progress.step(round, &format_args!("{set:?}, one core and two"));
            for n in [0, 1] {
                let took = bench.on_cores(*set, &[n], figures)?;
                figures.alone[n as usize].take(took);
            }
            let took = bench.on_cores(*set, &[0, 1], figures)?;
            figures.together.take(took);
            bench.room.listen();
        }
    }
    progress.end();
    Ok(figures
        .map(|(set, figures)| figures.row(set))
        .into_iter()
        .collect())
}

struct Floor {
    seal: SealFloor,
    slots: SlotFloor,
    keys: Vec<Arc<SendKeys>>,
}

struct Bench {
    floors: [Mutex<Floor>; 2],
    /// Before what it works in.
    room: Room,
    stage: Stage,
}

impl Bench {
    fn prepare() -> Result<Self> {
        let mut stage = Stage::build(&Plan {
            takers: &TAKERS,
            receivers: 2,
            sink: "sink",
            generator: PLAY,
            workers: 4,
        })?;
        let mut ports = stage.take_ports()?;
        let mut floors = ports.split_off(2).into_iter();
        one_core::first_in_line()?;
        let mut room = Room::open(&mut stage, ports, CORES.to_vec())?;
        one_core::like_others()?;
        for set in [Set::Shared, Set::Separate] {
            for n in [0, 1] {
                let group = Group {
                    suite: SUITE,
                    way: Way::Xdp,
                    worker: n,
                    out: n,
                    receiver: if set == Set::Separate { n } else { 0 },
                    fan_outs: &[set.fan_out()],
                };
                room.add(&mut stage, &group)?;
            }
        }
        let keys = room
            .audience
            .get(&(SUITE, Way::Xdp))
            .context("no keys")?
            .clone();
        let mut floor = |n: u32| -> Result<Mutex<Floor>> {
            let port = floors.next().context("the floor's port")?;
            let mut slots = SlotFloor::new(port, 2 + n, n);
            slots.fill(PAYLOAD, BELL_SLOTS, Room::first_hop(n));
            Ok(Mutex::new(Floor {
                seal: SealFloor::new(),
                slots,
                keys: keys.clone(),
            }))
        };
        Ok(Self {
            floors: [floor(0)?, floor(1)?],
            room,
            stage,
        })
    }

    /// Runs a set on some of the cores at once; gives nanoseconds per replica of all of them together.
    fn on_cores(&mut self, set: Set, cores: &[u32], figures: &mut Figures) -> Result<f64> {
        let mut packets = Vec::new();
        for &n in cores {
            let stream = (SUITE, Way::Xdp, n, set.fan_out());
            packets.push(match set {
                Set::Floor => None,
                _ => Some(self.room.prepare(stream, PAYLOAD, n * PACKETS, PACKETS)?),
            });
        }
        let start = Barrier::new(cores.len());
        let (stage, floors) = (&self.stage, &self.floors);
        let results: Vec<Result<(f64, u64)>> = std::thread::scope(|scope| {
            let threads: Vec<_> = cores
                .iter()
                .zip(packets)
                .map(|(&n, packets)| {
                    let start = &start;
                    scope.spawn(move || on_core(stage, floors, set, n, packets, start))
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
}

/// One round of a core; gives replicas per nanosecond, and how many were lost.
fn on_core(
    stage: &Stage,
    floors: &[Mutex<Floor>; 2],
    set: Set,
    n: u32,
    packets: Option<Packets>,
    start: &Barrier,
) -> Result<(f64, u64)> {
    let core = CORES[n as usize];
    let mut ready = one_core::pin(core).and_then(|()| one_core::first_in_line());
    if let Some(packets) = &packets {
        ready = ready.and_then(|()| stage.generator.aim(core, packets, Pacing::default()));
    }
    start.wait();
    ready?;
    let core = u32::try_from(core).context("number of the core")?;
    let before = stage.sink.frames_on(core)?;
    let mut expected = before;
    let begin = Instant::now();
    match packets {
        Some(packets) => {
            for _ in 0..PACKETS / BATCH {
                generator::send(&stage.programs, &packets, BATCH, BATCH)?;
                expected += u64::from(BATCH) * u64::from(set.fan_out());
                stage.sink.wait_for_on(core, &stage.programs, expected)?;
            }
        }
        None => {
            let mut floor = floors[n as usize]
                .lock()
                .map_err(|_| anyhow!("a thread panicked"))?;
            expected += floor.run()?;
            stage.sink.wait_for_on(core, &stage.programs, expected)?;
        }
    }
    let took = begin.elapsed().as_nanos() as f64;
    let seen = stage.sink.frames_on(core)?;
    Ok(((seen - before) as f64 / took, expected.abs_diff(seen)))
}

impl Floor {
    /// Seals and rings in turns, as a worker does; gives how many replicas that were.
    fn run(&mut self) -> Result<u64> {
        let case = Case {
            payload: PAYLOAD,
            fan_out: Set::Floor.fan_out(),
            suite: Some(SuiteName(SUITE)),
            path: Path::FloorSeal,
        };
        let mut sent = 0;
        for _ in 0..PACKETS {
            self.seal.packet(case, &self.keys)?;
            sent += self.slots.run(u64::from(BELL_SLOTS))?;
        }
        Ok(sent)
    }
}

impl Figures {
    fn row(self, set: Set) -> Row {
        let mpps = |ns: f64| (1e5 / ns).round() / 100.0;
        let alone = (self.alone[0].value() + self.alone[1].value()) / 2.0;
        Row {
            path: match set {
                Set::Floor => "floor-seal + floor-slots",
                _ => Path::Sealed.name(),
            },
            suite: SuiteName(SUITE),
            egress: set.egress(),
            fan_out: set.fan_out(),
            payload_bytes: PAYLOAD,
            mpps_one: mpps(alone),
            mpps_two: mpps(self.together.value()),
            ratio: (alone / self.together.value() * 100.0).round() / 100.0,
            lost: self.lost,
        }
    }
}

/// The table.
pub fn table(rows: &[Row]) -> Table {
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
            Cell::new(row.path),
            Cell::new(row.egress),
            number(row.fan_out.to_string()),
            number(row.payload_bytes.to_string()),
            number(format!("{:.2}", row.mpps_one)),
            number(format!("{:.2}", row.mpps_two)),
            number(format!("{:.2}", row.ratio)),
            number(row.lost.to_string()),
        ]);
    }
    table
}

/// The goals.
pub fn goals(rows: &[Row]) -> Vec<Goal> {
    rows.iter()
        .filter(|row| row.is_ours())
        .map(|row| {
            let what = format!("two workers / one worker, {}", row.egress);
            Goal::at_least(what, row.ratio, LIMIT).valid_if(row.lost == 0)
        })
        .collect()
}
