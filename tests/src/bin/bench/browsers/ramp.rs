//! How soon a picture has its full size: a browser begins with few bits per second and few pixels, and sends more as the feedback of
//! the other side allows.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use forwarder_tests::browsers::{Candidates, Media, Peer, whep, whip};

use super::{LONG, Stage};

/// Lines of the full picture.
const LINES: f64 = 720.0;
/// Between two looks.
const GLANCE: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_secs(1);

/// Milliseconds from the first picture to one of full size, between two browsers.
pub fn direct(stage: &Stage, rounds: u32) -> Result<Vec<f64>> {
    let round = |_| {
        let sender = stage.publisher.peer("direct ramp")?;
        let receiver = stage.beside.peer("direct ramp")?;
        sender.publish(&Media::hd(4))?;
        let answer = receiver.answer(&sender.offer()?)?;
        sender.accept(&answer)?;
        let time = until_full(&receiver)?;
        sender.close()?;
        receiver.close()?;
        std::thread::sleep(PAUSE);
        Ok(time)
    };
    (0..rounds).map(round).collect()
}

/// The same through the node, both beginning at the same time.
pub fn forwarded(stage: &Stage, token: &str, rounds: u32) -> Result<Vec<f64>> {
    let round = |_| {
        let sender = stage.publisher.peer("forwarded ramp")?;
        sender.publish(&Media::hd(5))?;
        let posted = sender.whip(&whip(&stage.lab), Some(token), Candidates::V4)?;
        let session = posted.session().context("WHIP was refused")?.to_owned();
        let receiver = stage.watcher.peer("forwarded ramp")?;
        let url = whep(&stage.lab, &session);
        receiver.whep(&url, Some(token), Candidates::V4, None)?;
        let time = until_full(&receiver)?;
        receiver.leave(Some(token))?;
        sender.leave(Some(token))?;
        std::thread::sleep(PAUSE);
        Ok(time)
    };
    (0..rounds).map(round).collect()
}

fn until_full(receiver: &Peer) -> Result<f64> {
    let end = Instant::now() + LONG * 2;
    let mut first = None;
    loop {
        let lines = receiver.stats()?.inbound("video", "frameHeight");
        let lines = lines.as_f64().unwrap_or(0.0);
        if lines > 0.0 {
            let first = first.get_or_insert_with(Instant::now);
            if lines >= LINES {
                return Ok(first.elapsed().as_secs_f64() * 1000.0);
            }
        }
        ensure!(
            Instant::now() < end,
            "after {LONG:?} twice the picture has {lines} lines"
        );
        std::thread::sleep(GLANCE);
    }
}
