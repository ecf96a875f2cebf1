//! How long until there is a picture, and where the time goes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use forwarder_tests::browsers::{Browser, Candidates, Media, base, whep, whip};
use serde::Deserialize;

use super::times::{Step, Steps};
use super::{LONG, Stage};
use crate::progress::Progress;

/// Between one round and the next.
const PAUSE: Duration = Duration::from_millis(500);

/// Times since the POST to WHEP. The last step is the picture.
pub fn first_pictures(
    stage: &Stage,
    token: &str,
    rounds: u32,
    progress: &Progress,
) -> Result<Vec<Step>> {
    let publisher = stage.publisher.peer("first")?;
    publisher.publish(&Media::hd(3))?;
    let posted = publisher.whip(&whip(&stage.lab), Some(token), Candidates::V4)?;
    let session = posted.session().context("WHIP was refused")?.to_owned();
    std::thread::sleep(PAUSE * 4);
    let mut steps = Steps::default();
    for round in 0..rounds {
        progress.round(round);
        let watcher = stage.watcher.peer(&format!("first {round}"))?;
        let url = whep(&stage.lab, &session);
        let posted = watcher.whep(&url, Some(token), Candidates::V4, None)?;
        let report = watcher.wait_for("a picture", LONG, |report| report.picture(3).is_some())?;
        let first = report.picture(3).and_then(|seen| seen.first);
        let first = first.context("a picture was read")?;
        let after = |at: u64| Some(at.saturating_sub(posted.posted) as f64);
        let since = |state| report.since(state).and_then(after);
        steps.note("answered", after(posted.answered));
        steps.note("ICE connected", since("ice connected"));
        steps.note("DTLS done", since("connected"));
        steps.note("first packet", since("video came"));
        steps.note("picture", after(first.at));
        watcher.leave(Some(token))?;
        std::thread::sleep(PAUSE);
    }
    publisher.leave(Some(token))?;
    Ok(steps.in_brief())
}

/// Times since the page was opened. The last step is somebody else's picture in it.
pub fn joins(stage: &Stage, token: &str, rounds: u32, progress: &Progress) -> Result<Vec<Step>> {
    join(stage, token, &stage.publisher, "Ann", "generated")?;
    std::thread::sleep(PAUSE * 4);
    let mut steps = Steps::default();
    for round in 0..rounds {
        progress.round(round);
        let (watcher, name) = (&stage.watcher, format!("Bob{round}"));
        join(stage, token, watcher, &name, "nothing")?;
        let joined = look(watcher)?;
        steps.note("page", Some(joined.page));
        steps.note("modules", Some(joined.modules));
        steps.note("session asked for", joined.asked);
        steps.note("session made", joined.made);
        steps.note("others' tracks answered", joined.answered);
        steps.note("picture", Some(joined.picture));
        watcher.click("#leave")?;
        std::thread::sleep(PAUSE);
    }
    for browser in [&stage.publisher, &stage.watcher] {
        browser.visit(None)?;
    }
    Ok(steps.in_brief())
}

/// Opens the page by an address that joins at once.
fn join(stage: &Stage, token: &str, browser: &Browser, name: &str, source: &str) -> Result<()> {
    // Otherwise only what is behind the # changes, and the page stays as it is.
    browser.visit(Some("about:blank"))?;
    let fragment = format!("room=hall&token={token}&name={name}&publish={source}&join");
    browser.visit(Some(&format!("{}/#{fragment}", base(&stage.lab))))
}

/// What the page says of its time, in milliseconds since it was asked for.
#[derive(Debug, Deserialize)]
struct Joined {
    /// Its document is there.
    page: f64,
    /// So is the last of its modules.
    modules: f64,
    asked: Option<f64>,
    made: Option<f64>,
    /// The forwarder's offer of what the others publish is being answered.
    answered: Option<f64>,
    /// A picture of somebody else is shown; negative if none came.
    picture: f64,
}

fn look(browser: &Browser) -> Result<Joined> {
    let script = "new Promise(resolve => {
        const tell = picture => {
            const all = performance.getEntriesByType('resource');
            const last = (suffix, of) => all.filter(({ name }) => name.endsWith(suffix)).map(of).at(-1) ?? null;
            resolve({
                page: performance.getEntriesByType('navigation')[0].responseEnd,
                modules: Math.max(...all.filter(({ name }) => name.endsWith('.js')).map(({ responseEnd }) => responseEnd)),
                asked: last('/v0/sessions', ({ startTime }) => startTime),
                made: last('/v0/sessions', ({ responseEnd }) => responseEnd),
                answered: last('/answer', ({ startTime }) => startTime),
                picture,
            });
        };
        const watched = new Set();
        const look = () => {
            for (const video of document.querySelectorAll('#tiles > li:not([data-own]) video')) {
                if (watched.has(video)) continue;
                watched.add(video);
                // What was asked for last is noted only once its answer is there.
                video.requestVideoFrameCallback(now => setTimeout(tell, 200, now));
            }
            if (performance.now() > 20000) tell(-1);
            else setTimeout(look, 5);
        };
        look();
    })";
    let joined: Joined = browser.evaluate(script)?;
    ensure!(joined.picture >= 0.0, "no picture came: {joined:?}");
    Ok(joined)
}
