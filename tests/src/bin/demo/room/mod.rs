//! A room of WebRTC clients: some publish encoded video and sound, the others subscribe to all of it, each over ICE and DTLS-SRTP with
//! keys of its own, and compare every frame with what was published.

mod account;
mod decode;
mod live;
mod stage;
mod summary;
mod verdict;

use std::time::{Duration, Instant};

use anyhow::Result;
use forwarder_tests::rtc::{Clip, Codec as RtcCodec};

use crate::cpu::Meter;
use crate::options::{Codec, Options, Path};
use crate::{ffmpeg, interrupt, unprivileged};
use live::{Display, Look};
use stage::Stage;
use summary::Summary;
use verdict::Findings;

/// How long after the last frame was published the last may come.
const SETTLE: Duration = Duration::from_secs(2);

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
    // What cannot be had need not be tried.
    let path = if left_out.is_empty() {
        options.path
    } else {
        Path::Socket
    };
    let video = Clip::load(match options.codec {
        Codec::Vp8 => RtcCodec::Vp8,
        Codec::H264 => RtcCodec::H264,
    })?;
    let audio = Clip::load(RtcCodec::Opus)?;
    say(&format!(
        "setting up: {} clients that publish, {} that subscribe to all of it",
        options.publishers, options.subscribers
    ));
    let started = Instant::now();
    let mut stage = Stage::build(options, path)?;
    stage.publish(&[video, audio])?;
    stage.start_media();
    stage.subscribe()?;
    say(&format!(
        "{} after {:.1} s; everybody is there, media flows for {}",
        stage.node.ready_line(),
        started.elapsed().as_secs_f64(),
        humantime::format_duration(options.duration())
    ));
    let mut meter = Meter::start(&stage.node, vec![std::process::id()])?;
    let mut display = Display::new(options.json, stage.node.path());
    let flowing = Instant::now();
    let before = stage.look(Duration::ZERO);
    while flowing.elapsed() < options.duration() {
        interrupt::check()?;
        std::thread::sleep(Duration::from_secs(1).min(options.duration()));
        display.show(stage.look(flowing.elapsed()));
    }
    let used = meter.used(&stage.node)?;
    let after = stage.look(flowing.elapsed());
    let seconds = flowing.elapsed().as_secs_f64();
    stage.stop_media();
    stage.wait_until_complete(SETTLE);
    let account = account::of(&stage.api.state()?);
    let reports = stage.reports();
    let decoded = stage.decode()?;
    Ok(Findings {
        options,
        path: stage.node.path(),
        stage: &stage,
        reports,
        decoded,
        account,
        used,
        packets: Look::packets_between(&before, &after),
        seconds,
        left_out,
    }
    .summary())
}
