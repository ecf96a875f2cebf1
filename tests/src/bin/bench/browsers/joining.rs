//! How long until there is a picture.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use forwarder_tests::browsers::{Browser, Candidates, Media, base, whep, whip};

use super::{LONG, Stage};
use crate::progress::Progress;

/// Between one round and the next.
const PAUSE: Duration = Duration::from_millis(300);

/// Times from POST to picture, in milliseconds.
pub fn first_pictures(
    stage: &Stage,
    token: &str,
    rounds: u32,
    progress: &Progress,
) -> Result<Vec<f64>> {
    let publisher = stage.publisher.peer("first")?;
    publisher.publish(&Media::hd(3))?;
    let posted = publisher.whip(&whip(&stage.lab), Some(token), Candidates::V4)?;
    let session = posted.session().context("WHIP was refused")?.to_owned();
    let mut times = Vec::new();
    for round in 0..rounds {
        progress.round(round);
        let watcher = stage.watcher.peer(&format!("first {round}"))?;
        let url = whep(&stage.lab, &session);
        let posted = watcher.whep(&url, Some(token), Candidates::V4, None)?;
        let report = watcher.wait_for("a picture", LONG, |report| report.picture(3).is_some())?;
        let first = report.picture(3).and_then(|seen| seen.first);
        let first = first.context("a picture was read")?;
        times.push((first.at - posted.posted) as f64);
        watcher.leave(Some(token))?;
        std::thread::sleep(PAUSE);
    }
    publisher.leave(Some(token))?;
    Ok(times)
}

/// Times from opening the page to somebody else's picture in it, in milliseconds.
pub fn joins(stage: &Stage, token: &str, rounds: u32) -> Result<Vec<f64>> {
    join(stage, token, &stage.publisher, "Ann", "generated")?;
    let mut times = Vec::new();
    for round in 0..rounds {
        join(
            stage,
            token,
            &stage.watcher,
            &format!("Bob{round}"),
            "nothing",
        )?;
        times.push(until_a_picture(&stage.watcher)?);
        stage.watcher.click("#leave")?;
        std::thread::sleep(PAUSE);
    }
    for browser in [&stage.publisher, &stage.watcher] {
        browser.visit(None)?;
    }
    Ok(times)
}

/// Opens the page by an address that joins at once.
fn join(stage: &Stage, token: &str, browser: &Browser, name: &str, source: &str) -> Result<()> {
    // Otherwise only what is behind the # changes, and the page stays as it is.
    browser.visit(Some("about:blank"))?;
    let fragment = format!("room=hall&token={token}&name={name}&publish={source}&join");
    browser.visit(Some(&format!("{}/#{fragment}", base(&stage.lab))))
}

/// Milliseconds from the navigation to the first picture that is shown of somebody else.
fn until_a_picture(browser: &Browser) -> Result<f64> {
    let end = Instant::now() + LONG;
    let script = "new Promise(resolve => {
        const look = () => {
            const shown = [...document.querySelectorAll('#tiles > li:not([data-own]) video')].some(video => video.videoWidth > 0 && video.currentTime > 0);
            if (shown) resolve(performance.now());
            else if (performance.now() > 20000) resolve(-1);
            else requestAnimationFrame(look);
        };
        look();
    })";
    let time: f64 = browser.evaluate(script)?;
    ensure!(time >= 0.0 && Instant::now() < end, "no picture came");
    Ok(time)
}
