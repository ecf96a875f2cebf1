//! Endpoints of plain RTP: really encoded video and sound, published by ffmpeg as SRTP under a pre-shared key and as RTP, through the
//! forwarder to receivers that decode with ffmpeg and to hundreds more that check every packet.

mod checker;
mod decoder;
mod encoder;
mod leg;
mod live;
mod media;
mod reference;
mod stage;
mod summary;
mod tap;
mod verdict;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use forwarder_tests::model::Mode;

use crate::cpu::{self, Meter};
use crate::ffmpeg::{self, Ffmpeg, is_complaint};
use crate::options::{Options, Path};
use crate::{interrupt, unprivileged};
use checker::Checker;
use decoder::Decoder;
use encoder::Key;
use live::{Display, Look};
use media::Publication;
use stage::Stage;
use summary::Summary;
use tap::Tap;
use verdict::Findings;

/// How long after the last packet replicas may come.
const SETTLE: Duration = Duration::from_millis(500);

/// How much longer than it should an encoder may take, before it is ended.
const LATE: Duration = Duration::from_secs(15);

/// Plays it.
///
/// # Errors
/// When it cannot be played; a verdict against the forwarder is none.
pub fn demo(options: &Options) -> Result<Summary> {
    ffmpeg::check(options.codec)?;
    forwarder_tests::node::forwarder_binary()?;
    let left_out = Vec::from_iter(unprivileged::settle(options.path)?);
    interrupt::listen()?;
    let say = |text: &str| {
        if !options.json {
            println!("{text}");
        }
    };
    for what in &left_out {
        say(what);
    }
    let publications = media::all(options.codec);
    // What cannot be had need not be tried.
    let path = if left_out.is_empty() {
        options.path
    } else {
        Path::Socket
    };
    let count = usize::try_from(options.receivers)?;
    say(&format!(
        "setting up: {count} receivers that check, {} that decode",
        2 * options.decoders
    ));
    let started = Instant::now();
    let stage = Stage::build(options, path, publications)?;
    let publisher = stage.publisher();
    let tap = Tap::open(publisher, publisher.addr(options.family()), publications)?;
    let mut checker = Checker::start(
        stage.checkers(),
        options.family(),
        count,
        &publications,
        tap,
    )?;
    stage.subscribe_checkers(count)?;
    let key = Key::draw()?;
    let decoders = start_decoders(options, &stage, &key)?;
    say(&format!(
        "{} after {:.1} s; publishing for {}",
        stage.node.ready_line(),
        started.elapsed().as_secs_f64(),
        humantime::format_duration(options.duration())
    ));
    let play = Play {
        options,
        publications,
        stage: &stage,
        checker: &checker,
        decoders: &decoders,
    };
    let played = play.run(&key)?;
    checker.finish()?;
    let decoded = Decoder::finish_all(decoders);
    let account = stage
        .account()
        .context("asking the forwarder for its counters")?;
    let state = checker.state();
    Ok(Findings {
        options,
        publications: &publications,
        ids: [0, 1, 2, 3].map(|n| stage.id(n)),
        state: &state,
        decoded,
        account: &account,
        used: played.used,
        seconds: played.seconds,
        failures: played.failures,
        left_out,
    }
    .summary())
}

fn start_decoders(options: &Options, stage: &Stage, key: &Key) -> Result<Vec<Decoder>> {
    let mut decoders = Vec::new();
    for n in 0..2 * usize::from(options.decoders) {
        let mode = leg::mode_of(n);
        let incoming = stage.subscribe_decoder(n, mode)?;
        let name = format!("{} {}", media::protection(mode), n / 2 + 1);
        let netns = &stage.decoders().netns;
        decoders.push(Decoder::start(netns, name, mode, key, &incoming)?);
    }
    for decoder in &mut decoders {
        decoder.wait_until_ready()?;
        interrupt::check()?;
    }
    Ok(decoders)
}

/// Media that flows.
struct Play<'a> {
    options: &'a Options,
    publications: [Publication; media::COUNT],
    stage: &'a Stage,
    checker: &'a Checker,
    decoders: &'a [Decoder],
}

/// Media that has flowed.
struct Played {
    used: cpu::Used,
    seconds: f64,
    failures: Vec<String>,
}

impl Play<'_> {
    /// Publishes to the end, and shows how it goes.
    fn run(&self, key: &Key) -> Result<Played> {
        let mut encoders = Vec::new();
        for mode in [Mode::Opaque, Mode::Clear] {
            let streams = media::of_mode(mode).map(|n| {
                let publication = self.publications[n];
                (publication, self.stage.ingress(&publication))
            });
            let netns = &self.stage.publisher().netns;
            let (codec, duration) = (self.options.codec, self.options.duration());
            encoders.push(encoder::start(netns, codec, duration, key, &streams)?);
        }
        let pids = encoders.iter().map(Ffmpeg::pid).collect();
        let mut meter = Meter::start(&self.stage.node, pids)?;
        let path = self.stage.node.path();
        let mut display = Display::new(self.options.json, self.publications, path);
        let started = Instant::now();
        let mut next_look = started + Duration::from_secs(1);
        let mut sent_before = [0; media::COUNT];
        let mut seconds = 0.0;
        while encoders
            .iter_mut()
            .any(|encoder| encoder.has_ended().is_none())
        {
            interrupt::check()?;
            ensure!(
                started.elapsed() < self.options.duration() + LATE,
                "ffmpeg did not keep up: {} s of media are not out after {:.0} s",
                self.options.duration().as_secs(),
                started.elapsed().as_secs_f64()
            );
            std::thread::sleep(Duration::from_millis(20));
            seconds = started.elapsed().as_secs_f64();
            if Instant::now() >= next_look {
                next_look += Duration::from_secs(1);
                let used = meter.used(&self.stage.node)?;
                // What left by the last look has had the time to come.
                let look = self.look(started.elapsed(), sent_before, used);
                sent_before = look.sent;
                display.show(look);
            }
        }
        std::thread::sleep(SETTLE);
        let used = meter.used(&self.stage.node)?;
        let sent = self.checker.state().reference.counts();
        display.show(self.look(started.elapsed(), sent, used));
        Ok(Played {
            used,
            seconds,
            failures: encoders.into_iter().flat_map(complaints).collect(),
        })
    }

    fn look(&self, elapsed: Duration, due: [u64; media::COUNT], used: cpu::Used) -> Look {
        let mut state = self.checker.state();
        let latest = std::mem::take(&mut state.latest);
        Look {
            elapsed,
            sent: state.reference.counts(),
            received: state.received(),
            missing: state.missing(due),
            faulty: state.faulty,
            frames: self.decoders.iter().map(Decoder::frames).collect(),
            p50_ns: latest.quantile(0.5),
            p99_ns: latest.quantile(0.99),
            used,
        }
    }
}

/// What an encoder that has ended had to complain about.
fn complaints(mut encoder: Ffmpeg) -> Vec<String> {
    encoder.finish(Duration::ZERO);
    let status = encoder.has_ended();
    let mut lines: Vec<String> = encoder
        .log()
        .into_iter()
        .filter(|line| is_complaint(line))
        .map(|line| format!("the publisher's ffmpeg: {line}"))
        .collect();
    if !status.is_some_and(|status| status.success()) {
        lines.push(format!("the publisher's ffmpeg ended with {status:?}"));
    }
    lines
}
