//! Cost per replica by fan-out, payload, suite and path.
//!
//! The method is that of `bench fanout`. The workers are those of the product, threads and all: their thread is pinned to
//! the bench's core with its priority, gets to run when the bench yields, and then finds what has come meanwhile, as on a
//! saturated core. What waking it and waiting for it costs is part of the figure. Floors run in the bench's own thread.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use forwarder::srtp::Suite;

use super::cases::{Case, FAN_OUTS, PAYLOADS, Path, SuiteName};
use super::floors::{FloodFloor, SealFloor, SlotFloor};
use super::room::{Group, Room, Way};
use super::rows::Row;
use super::{bells, sockets};
use crate::args::Sealed as Flags;
use crate::best::Best;
use crate::generator::{self, Bursts, PLAY, Pacing, Packets};
use crate::one_core;
use crate::progress::Progress;
use crate::rows::Parts;
use crate::stage::{Plan, Stage, Taker};

const TAKERS: [Taker; 3] = [Taker::Kernel, Taker::Stack, Taker::Nobody];
const KERNEL: u32 = 0;
const STACK: u32 = 1;
const NOBODY: u32 = 2;
/// The worker, and the port of the floor.
const WORKER: u32 = 0;
const FLOOR: u32 = 1;

/// What was measured.
pub struct Measured {
    /// Costs of all cases.
    pub rows: Vec<Row>,
    /// Bells against send.
    pub bells: Vec<bells::Row>,
}

/// Measures.
///
/// # Errors
/// The system's.
pub fn run(flags: &Flags) -> Result<Measured> {
    let rounds = flags
        .common
        .rounds
        .unwrap_or(if flags.common.quick { 3 } else { 15 });
    let progress = Progress::new(rounds);
    progress.say("building the lab, or waiting for another one to end");
    let cases = cases(flags);
    let mut bench = Bench::prepare(flags.core, &cases)?;
    let mut figures: BTreeMap<Case, Figures> = BTreeMap::new();
    let mut generating: BTreeMap<(u32, SuiteName, Bursts), Best> = BTreeMap::new();
    let mut bells = bells::Bells::default();
    // They need the hops and sockets of larger fan-outs, and have nothing to do with a choice of paths.
    let with_bells = flags.path.is_empty() && cases.iter().any(|case| case.fan_out >= bells::HOPS);
    for round in 0..rounds {
        progress.round(round);
        for &case in &cases {
            progress.step(round, &case);
            let (took, lost) = bench.measure(case)?;
            let figures = figures.entry(case).or_default();
            figures.wall.take(per(took, case.replicas()));
            figures.lost += lost;
            if let (Some(bursts), Some(suite)) = (case.bursts(), case.suite) {
                let took = bench.generate(case)?;
                let key = (case.payload, suite, bursts);
                generating
                    .entry(key)
                    .or_default()
                    .take(per(took, bursts.total()));
            }
            // Ordinary threads of this core have waited long enough.
            std::thread::sleep(Duration::from_millis(1));
        }
        if with_bells {
            bells.measure(&mut bench.stage, &mut bench.slots, &bench.room)?;
        }
        let _timed = bench.stage.programs.time_polls()?;
        for &case in cases.iter().filter(|case| case.path.sends()) {
            progress.step(round, &format_args!("{case}, timing polls"));
            bench.stage.sink.forget_polls()?;
            let (_, lost) = bench.measure(case)?;
            let polls = bench.stage.sink.polls()?;
            let figures = figures.entry(case).or_default();
            let sink = polls.sink_time as f64 / case.replicas() as f64;
            figures.sink.take(sink);
            figures.lost += lost;
        }
        if with_bells {
            bells.measure_sink(&mut bench.stage, &mut bench.slots, &bench.room)?;
        }
    }
    progress.end();
    let rows = figures
        .into_iter()
        .map(|(case, figures)| figures.row(case, &generating))
        .collect();
    Ok(Measured {
        rows,
        bells: bells.rows(),
    })
}

fn cases(flags: &Flags) -> Vec<Case> {
    let chosen = |flag: &[u32], all: &[u32], quick: &[u32]| -> Vec<u32> {
        match (flag.is_empty(), flags.common.quick) {
            (false, _) => flag.to_vec(),
            (true, true) => quick.to_vec(),
            (true, false) => all.to_vec(),
        }
    };
    let suites = match (flags.suite.is_empty(), flags.common.quick) {
        (false, _) => flags.suite.clone(),
        (true, true) => [Suite::AeadAes128Gcm, Suite::Aes128CmHmacSha1_80]
            .map(SuiteName)
            .to_vec(),
        (true, false) => Suite::ALL.map(SuiteName).to_vec(),
    };
    let mut cases = Vec::new();
    for payload in chosen(&flags.payload, &PAYLOADS, &[1200]) {
        for fan_out in chosen(&flags.fan_out, &FAN_OUTS, &[4, 64, 1000]) {
            for path in Path::ALL {
                if !flags.path.is_empty() && !flags.path.contains(&path) {
                    continue;
                }
                let suites: Vec<_> = match path.has_suite() {
                    true => suites.iter().copied().map(Some).collect(),
                    false => vec![None],
                };
                cases.extend(suites.into_iter().map(|suite| Case {
                    payload,
                    fan_out,
                    suite,
                    path,
                }));
            }
        }
    }
    cases
}

/// What was measured of one case.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    wall: Best,
    sink: Best,
    lost: u64,
}

impl Figures {
    fn row(self, case: Case, generating: &BTreeMap<(u32, SuiteName, Bursts), Best>) -> Row {
        let generator = case
            .bursts()
            .zip(case.suite)
            .map_or(0.0, |(bursts, suite)| {
                let best = generating.get(&(case.payload, suite, bursts));
                best.map_or(0.0, |best| best.value()) / f64::from(case.fan_out)
            });
        let parts = Parts {
            wall: self.wall.value(),
            generator,
            sink: self.sink.value(),
        };
        Row::new(case, parts, self.lost)
    }
}

fn per(took: Duration, count: u64) -> f64 {
    took.as_nanos() as f64 / count as f64
}

/// The lab, with sessions for every case.
struct Bench {
    core: usize,
    seal: SealFloor,
    flood: FloodFloor,
    slots: SlotFloor,
    /// Before what it works in.
    room: Room,
    stage: Stage,
}

impl Bench {
    fn prepare(core: usize, cases: &[Case]) -> Result<Self> {
        sockets::allow_many()?;
        let mut stage = Stage::build(&Plan {
            takers: &TAKERS,
            receivers: 1,
            sink: "sink",
            generator: PLAY,
            workers: 2,
        })?;
        one_core::pin(core)?;
        one_core::first_in_line()?;
        let mut ports = stage.take_ports()?;
        let floor = ports.pop().context("the floor's port")?;
        let mut room = Room::open(&mut stage, ports, vec![core])?;
        for suite in Suite::ALL {
            for (way, out) in [(Way::Xdp, KERNEL), (Way::Socket, STACK)] {
                let mut fan_outs: Vec<_> = cases.iter().map(|case| case.fan_out).collect();
                fan_outs.sort_unstable();
                fan_outs.dedup();
                let group = Group {
                    suite,
                    way,
                    worker: WORKER,
                    out,
                    receiver: 0,
                    fan_outs: &fan_outs,
                };
                room.add(&mut stage, &group)?;
            }
        }
        Ok(Self {
            core,
            seal: SealFloor::new(),
            flood: FloodFloor::default(),
            slots: SlotFloor::new(floor, FLOOR, 0),
            room,
            stage,
        })
    }

    /// One round of a case: how long it took, and how many replicas did not arrive, or arrived too often.
    fn measure(&mut self, case: Case) -> Result<(Duration, u64)> {
        match (case.path, case.suite) {
            (Path::Sealed, Some(suite)) => self.forward(case, suite, Way::Xdp),
            (Path::Socket, Some(suite)) => self.forward(case, suite, Way::Socket),
            (Path::FloorSeal, Some(suite)) => {
                let keys = self.room.audience.get(&(suite.0, Way::Xdp));
                let start = Instant::now();
                self.seal.run(case, keys.context("no such suite")?)?;
                Ok((start.elapsed(), 0))
            }
            (Path::FloorSlots, _) => {
                self.slots.fill(case.payload, case.fan_out, 1);
                let slots = &mut self.slots;
                count(&self.stage, || slots.run(case.replicas()))
            }
            (Path::FloorSendmmsg, _) => {
                let flood = &mut self.flood;
                let stage = &self.stage;
                count(stage, || flood.run(stage, case))
            }
            _ => unreachable!("a case that seals has a suite"),
        }
    }

    fn forward(&mut self, case: Case, suite: SuiteName, way: Way) -> Result<(Duration, u64)> {
        let bursts = case.bursts().context("a case with packets")?;
        let packets = self.packets(case, suite, way)?;
        let stage = &self.stage;
        stage
            .generator
            .aim(self.core, &packets, Pacing::default())?;
        let mut expected = stage.sink.frames()?;
        let start = Instant::now();
        for _ in 0..bursts.calls {
            generator::send(&stage.programs, &packets, bursts.frames, bursts.batch)?;
            expected += u64::from(bursts.frames) * u64::from(case.fan_out);
            stage.sink.wait_for(&stage.programs, expected)?;
        }
        let took = start.elapsed();
        let lost = expected.abs_diff(stage.sink.frames()?);
        self.room.listen();
        Ok((took, lost))
    }

    fn packets(&mut self, case: Case, suite: SuiteName, way: Way) -> Result<Packets> {
        let stream = (suite.0, way, WORKER, case.fan_out);
        self.room.prepare(stream, case.payload, 0, case.packets())
    }

    /// One round of nothing but generating: the frames that were prepared last, to nobody.
    fn generate(&mut self, case: Case) -> Result<Duration> {
        let bursts = case.bursts().context("a case with packets")?;
        let stage = &self.stage;
        let suite = case.suite.context("a case with a suite")?;
        let len = super::packet::udp_payload(case.payload, suite.0) + super::packet::FRAME_HEADERS;
        let packets = Packets::prepared(vec![0; len], NOBODY, 0);
        stage
            .generator
            .aim(self.core, &packets, Pacing::default())?;
        let start = Instant::now();
        for _ in 0..bursts.calls {
            generator::send(&stage.programs, &packets, bursts.frames, bursts.batch)?;
        }
        Ok(start.elapsed())
    }
}

/// Sends, and waits until all of it has arrived.
fn count(stage: &Stage, send: impl FnOnce() -> Result<u64>) -> Result<(Duration, u64)> {
    let before = stage.sink.frames()?;
    let start = Instant::now();
    let expected = before + send()?;
    stage.sink.wait_for(&stage.programs, expected)?;
    let took = start.elapsed();
    Ok((took, expected.abs_diff(stage.sink.frames()?)))
}
