//! Whether a picture of 720 lines stands still.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use forwarder_tests::browsers::{Candidates, Media, Peer, whep, whip};
use serde::Serialize;

use super::{LONG, Stage};

/// Until the publisher knows what its wire can carry.
const WARM_UP: Duration = Duration::from_secs(10);

/// What `getStats` said of a while.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Watched {
    pub seconds: f64,
    pub freezes: u64,
    /// Time in freezes.
    pub frozen_ms: f64,
    pub pictures_per_second: f64,
    /// Lines of the picture at the end.
    pub lines: u32,
    /// Bits per second of video that came.
    pub bitrate: f64,
}

/// Between two browsers.
pub fn direct(stage: &Stage, time: Duration) -> Result<Watched> {
    let sender = stage.publisher.peer("direct")?;
    let receiver = stage.beside.peer("direct")?;
    sender.publish(&Media::hd(1).kept())?;
    let answer = receiver.answer(&sender.offer()?)?;
    sender.accept(&answer)?;
    let watched = watch(&receiver, 1, time)?;
    sender.close()?;
    receiver.close()?;
    Ok(watched)
}

/// Through the node.
pub fn forwarded(stage: &Stage, token: &str, time: Duration) -> Result<Watched> {
    let sender = stage.publisher.peer("forwarded")?;
    sender.publish(&Media::hd(2).kept())?;
    let posted = sender.whip(&whip(&stage.lab), Some(token), Candidates::V4)?;
    let session = posted.session().context("WHIP was refused")?.to_owned();
    let receiver = stage.watcher.peer("forwarded")?;
    let url = whep(&stage.lab, &session);
    receiver.whep(&url, Some(token), Candidates::V4, None)?;
    let watched = watch(&receiver, 2, time)?;
    receiver.leave(Some(token))?;
    sender.leave(Some(token))?;
    Ok(watched)
}

fn watch(receiver: &Peer, stream: u8, time: Duration) -> Result<Watched> {
    receiver.wait_for_stream(stream, 1, LONG)?;
    std::thread::sleep(WARM_UP);
    let number = |field: &str| -> Result<f64> {
        let value = receiver.stats()?.inbound("video", field);
        Ok(value.as_f64().unwrap_or(0.0))
    };
    let all = || -> Result<[f64; 4]> {
        Ok([
            number("freezeCount")?,
            number("totalFreezesDuration")?,
            number("framesDecoded")?,
            number("bytesReceived")?,
        ])
    };
    let (start, before) = (Instant::now(), all()?);
    std::thread::sleep(time);
    let (seconds, after) = (start.elapsed().as_secs_f64(), all()?);
    let [freezes, frozen, pictures, bytes] = std::array::from_fn(|n| after[n] - before[n]);
    Ok(Watched {
        seconds,
        freezes: freezes as u64,
        frozen_ms: frozen * 1000.0,
        pictures_per_second: pictures / seconds,
        lines: number("frameHeight")? as u32,
        bitrate: bytes * 8.0 / seconds,
    })
}
