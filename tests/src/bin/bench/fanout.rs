//! `bench fanout`: cost per replica. `main` describes the method.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aya::maps::{Array, MapData};
use forwarder::dataplane::socket::{Handle, SocketWorker};
use forwarder::dataplane::soft::SoftTables;
use forwarder_tests::Family;

use crate::args::Fanout as Flags;
use crate::best::Best;
use crate::cases::{Case, FAN_OUTS, PAYLOADS, Path};
use crate::chart;
use crate::flood::Flood;
use crate::generator::{self, Bursts, GENERATE, Pacing, Packets};
use crate::goals;
use crate::one_core;
use crate::progress::Progress;
use crate::rows::{self, Parts, Row};
use crate::stage::{Plan, Stage, Taker};
use crate::subscribers::{LOCAL_PORT, SOCKET, SOURCE_PORT, Stream, Subscribers, sizes};

const TAKERS: [Taker; 4] = [Taker::Kernel, Taker::Floor, Taker::Stack, Taker::Nobody];
const KERNEL: u32 = 0;
const FLOOR: u32 = 1;
const STACK: u32 = 2;
const NOBODY: u32 = 3;

/// Runs the bench; gives whether the kernel path lost nothing.
///
/// # Errors
/// The system's.
pub fn run(flags: &Flags) -> Result<bool> {
    let common = &flags.common;
    let rounds = common.rounds.unwrap_or(if common.quick { 3 } else { 15 });
    let progress = Progress::new(rounds);
    progress.say("building the lab, or waiting for another one to end");
    let cases = cases(flags);
    let mut bench = Bench::prepare(flags.core)?;
    let mut figures: BTreeMap<Case, Figures> = BTreeMap::new();
    let mut generating: BTreeMap<(u32, Bursts), Best> = BTreeMap::new();
    for round in 0..rounds {
        progress.round(round);
        for &case in &cases {
            progress.step(round, &case);
            let (took, lost) = bench.measure(case)?;
            let figures = figures.entry(case).or_default();
            figures.wall.take(per(took, case.replicas()));
            figures.lost += lost;
            if let Some(bursts) = case.bursts() {
                let took = bench.generate(case.payload, bursts)?;
                let best = generating.entry((case.payload, bursts)).or_default();
                best.take(per(took, bursts.total()));
            }
            // Ordinary threads of this core have waited long enough.
            std::thread::sleep(Duration::from_millis(1));
        }
        let _timed = bench.stage.programs.time_polls()?;
        for &case in &cases {
            progress.step(round, &format_args!("{case}, timing polls"));
            let (sink, lost) = bench.measure_sink(case)?;
            let figures = figures.entry(case).or_default();
            figures.sink.take(sink);
            figures.lost += lost;
        }
    }
    progress.end();
    let rows: Vec<Row> = figures
        .into_iter()
        .map(|(case, figures)| figures.row(case, &generating))
        .collect();
    drop(bench);
    print(flags, &rows)?;
    let whole = |row: &Row| row.path != Path::Kernel || row.lost == 0;
    Ok(rows.iter().all(whole))
}

fn cases(flags: &Flags) -> Vec<Case> {
    let chosen = |flag: &[u32], all: &[u32], quick: &[u32]| -> Vec<u32> {
        match (flag.is_empty(), flags.common.quick) {
            (false, _) => flag.to_vec(),
            (true, true) => quick.to_vec(),
            (true, false) => all.to_vec(),
        }
    };
    let payloads = chosen(&flags.payload, &PAYLOADS, &PAYLOADS);
    let fan_outs = chosen(&flags.fan_out, &FAN_OUTS, &[4, 64]);
    let mut cases = Vec::new();
    for &payload in &payloads {
        for &fan_out in &fan_outs {
            let paths = Path::ALL
                .into_iter()
                .filter(|path| flags.path.is_empty() || flags.path.contains(path));
            cases.extend(paths.map(|path| Case {
                payload,
                fan_out,
                path,
            }));
        }
    }
    cases
}

fn print(flags: &Flags, rows: &[Row]) -> Result<()> {
    if let Some(file) = &flags.svg {
        chart::draw(file, rows)?;
    }
    if flags.common.json {
        println!("{}", serde_json::to_string_pretty(rows)?);
        return Ok(());
    }
    println!("{}", rows::table(rows));
    println!("\nNanoseconds of one core per replica, best of several rounds.");
    for goal in goals::of_fan_out(rows) {
        println!("{goal}");
    }
    let lost: u64 = rows.iter().map(|row| row.lost).sum();
    println!("{:<62} {lost}", "replicas lost");
    if let Some(file) = &flags.svg {
        println!("chart: {}", file.display());
    }
    Ok(())
}

/// What was measured of one case.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    wall: Best,
    sink: Best,
    lost: u64,
}

impl Figures {
    fn row(self, case: Case, generating: &BTreeMap<(u32, Bursts), Best>) -> Row {
        let generator = case.bursts().map_or(0.0, |bursts| {
            let frame = generating
                .get(&(case.payload, bursts))
                .map_or(0.0, |best| best.value());
            frame / f64::from(case.replicas_per_frame())
        });
        let parts = Parts {
            wall: self.wall.value(),
            generator,
            sink: self.sink.value(),
        };
        Row::new(case.path, case.fan_out, case.payload, parts, self.lost)
    }
}

fn per(took: Duration, count: u64) -> f64 {
    took.as_nanos() as f64 / count as f64
}

/// The lab, with a stream for every case.
struct Bench {
    core: usize,
    /// Before what it works in.
    _worker: Handle,
    floor_size: Array<MapData, u32>,
    floods: BTreeMap<(u32, u32), Flood>,
    stage: Stage,
}

impl Bench {
    fn prepare(core: usize) -> Result<Self> {
        let mut stage = Stage::build(&Plan {
            takers: &TAKERS,
            receivers: 1,
            sink: "sink",
            generator: GENERATE,
            workers: 1,
        })?;
        let sizes = sizes(u32::try_from(one_core::count())?);
        let mut soft = SoftTables::new(sizes, 16)?;
        let mut subscribers = Subscribers::new(&mut stage.tables)?;
        let mut soft_subscribers = Subscribers::new(&mut soft)?;
        for fan_out in FAN_OUTS {
            let stream = |out| Stream {
                publisher: &stage.lab.publishers[out as usize],
                ssrc: ssrc(fan_out),
                receiver: stage.lab.receiver(),
                device: 0,
                fan_out,
            };
            subscribers.add(&mut stage.tables, &stream(KERNEL))?;
            soft_subscribers.add(&mut soft, &stream(STACK))?;
        }
        one_core::pin(core)?;
        one_core::first_in_line()?;
        let worker = stage
            .lab
            .fwd
            .enter(|| SocketWorker::spawn(soft.shared(), None))?;
        let publisher = stage.publisher(STACK).fwd_addr(Family::V4);
        let receiver = stage.lab.receiver().fwd_addr(Family::V4);
        for (number, address, port) in [(0, publisher, LOCAL_PORT), (SOCKET, receiver, SOURCE_PORT)]
        {
            stage
                .lab
                .fwd
                .enter(|| worker.bind(number, SocketAddr::new(address, port)))
                .context("the socket path does not bind")?;
        }
        Ok(Self {
            core,
            _worker: worker,
            floor_size: stage.programs.take_array("FLOOR_SIZE")?,
            floods: BTreeMap::new(),
            stage,
        })
    }

    /// One round of a case: how long it took, and how many replicas did not arrive, or arrived too often.
    fn measure(&mut self, case: Case) -> Result<(Duration, u64)> {
        match case.path {
            Path::Kernel => self.forward(case, KERNEL),
            Path::FloorBroadcast => {
                self.floor_size.set(0, case.replicas_per_frame(), 0)?;
                self.forward(case, FLOOR)
            }
            Path::Socket => self.forward(case, STACK),
            Path::FloorSendmmsg => self.flood(case),
        }
    }

    fn forward(&mut self, case: Case, out: u32) -> Result<(Duration, u64)> {
        let bursts = case.bursts().context("a case with packets")?;
        let stage = &mut self.stage;
        let packets = Packets::new(
            &stage.lab.publishers[out as usize],
            ssrc(case.fan_out),
            case.payload as usize,
            out,
        );
        stage
            .generator
            .aim(self.core, &packets, Pacing::default())?;
        let before = stage.sink.frames()?;
        let mut expected = before;
        let start = Instant::now();
        for _ in 0..bursts.calls {
            generator::send(&stage.programs, &packets, bursts.frames, bursts.batch)?;
            expected += u64::from(bursts.frames) * u64::from(case.replicas_per_frame());
            stage.sink.wait_for(&stage.programs, expected)?;
        }
        let took = start.elapsed();
        Ok((took, expected.abs_diff(stage.sink.frames()?)))
    }

    fn flood(&mut self, case: Case) -> Result<(Duration, u64)> {
        let stage = &self.stage;
        let flood = match self.floods.entry((case.fan_out, case.payload)) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => entry.insert(Flood::new(
                &stage.lab.fwd,
                stage.lab.receiver(),
                case.fan_out,
                case.payload as usize,
            )?),
        };
        let before = stage.sink.frames()?;
        let start = Instant::now();
        let mut sent = 0;
        while sent < case.replicas() {
            flood.run().context("sendmmsg")?;
            sent += flood.len();
        }
        stage.sink.wait_for(&stage.programs, before + sent)?;
        let took = start.elapsed();
        Ok((took, (before + sent).abs_diff(stage.sink.frames()?)))
    }

    /// One round in which the polls of the sink are timed: nanoseconds per replica, and replicas lost.
    fn measure_sink(&mut self, case: Case) -> Result<(f64, u64)> {
        self.stage.sink.forget_polls()?;
        let (_, lost) = self.measure(case)?;
        let polls = self.stage.sink.polls()?;
        Ok((polls.sink_time as f64 / case.replicas() as f64, lost))
    }

    /// One round of nothing but generating.
    fn generate(&mut self, payload: u32, bursts: Bursts) -> Result<Duration> {
        let stage = &mut self.stage;
        let packets = Packets::new(stage.publisher(NOBODY), 1, payload as usize, NOBODY);
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

/// The SSRC of the stream with this fan-out.
const fn ssrc(fan_out: u32) -> u32 {
    0x1000_0000 + fan_out * 0x1_0000
}
