//! `bench browsers`: how long a person at a browser waits for a picture, and whether it stands still after that.
//!
//! Chromium in namespaces, without a window, software codecs, the machine's cores shared by the browsers and the node. Pictures carry
//! the time at which they were drawn, and are read back from what the browser shows, at most one picture late.
//!
//! * **first picture**: from the POST of a WHEP offer by a page that is open already, to the first picture that could be read. ICE,
//!   DTLS, a keyframe, decoding and drawing are in it; when each was done is told.
//! * **join**: from opening the forwarder's page to the first picture of somebody else there: loading the page and joining the room too.
//! * **freezes**: `getStats` after a while of 1280 by 720 pixels at 30 pictures a second, first between two browsers directly, then
//!   through the node, over wires of the same kind. A freeze is a gap of three pictures' time, or 150 ms more than one (W3C).
//! * **ramp**: from the first picture to one of 720 lines, where the browser may make it smaller as long as it does not know what the
//!   way carries; directly, and through the node.

mod freezes;
mod joining;
mod ramp;
mod report;
mod times;

use std::time::Duration;

use anyhow::Result;
use forwarder_tests::browsers::{Admission, Browser, Kind, Options};
use forwarder_tests::{Lab, Node};

use self::report::Figures;
use self::times::Times;
use crate::args::{Browsers, Wait};
use crate::progress::Progress;

/// How long anything may take that happens at all.
const LONG: Duration = Duration::from_secs(30);

/// The lab and who is in it.
struct Stage {
    /// In the publishers' namespace.
    publisher: Browser,
    /// In the receivers' namespace.
    watcher: Browser,
    /// On the forwarder's host: the other end of the publisher's wire.
    beside: Browser,
    admission: Admission,
    lab: Lab,
}

/// Runs the bench; gives whether all pictures came.
///
/// # Errors
/// The system's, and when a browser is missing.
pub fn run(flags: &Browsers) -> Result<bool> {
    let quick = flags.common.quick;
    let rounds = flags.common.rounds.unwrap_or(if quick { 3 } else { 20 });
    let ramps = if quick { 1 } else { 3 };
    let watched = Duration::from_secs(if quick { 10 } else { 60 });
    let wanted = |part| flags.part.is_none_or(|only| only == part);
    let progress = Progress::new(rounds);
    let say = |what: &str| progress.say(what);
    say("building the lab and starting browsers, or waiting for another lab to end");
    let stage = Stage::build()?;
    let mut figures = Figures::new(stage.watcher.version());
    // Without the forwarder, which would take its share of the machine.
    if wanted(Wait::Freezes) {
        say("two browsers without a forwarder");
        figures.direct = Some(freezes::direct(&stage, watched)?);
    }
    if wanted(Wait::Ramp) {
        say("how soon they have the full size");
        figures.direct_ramp_ms = Some(Times::of(ramp::direct(&stage, ramps)?));
    }
    let node = stage.node()?;
    let token = stage.admission.token(&node)?;
    if wanted(Wait::Freezes) {
        say("the same through the forwarder");
        figures.forwarded = Some(freezes::forwarded(&stage, &token, watched)?);
    }
    if wanted(Wait::Ramp) {
        say("how soon it has the full size");
        figures.forwarded_ramp_ms = Some(Times::of(ramp::forwarded(&stage, &token, ramps)?));
    }
    if wanted(Wait::First) {
        say("first pictures");
        figures.first_picture = joining::first_pictures(&stage, &token, rounds, &progress)?;
    }
    if wanted(Wait::Join) {
        say("joins by the page");
        figures.join = joining::joins(&stage, &token, rounds, &progress)?;
    }
    progress.end();
    figures.print(flags.common.json)?;
    Ok(true)
}

impl Stage {
    fn build() -> Result<Self> {
        let lab = Lab::star().build()?;
        let begin = |name, netns| Browser::begin(Kind::Chromium, name, netns, &Options::default());
        let publisher = begin("publisher", &lab.publisher().netns)?;
        let watcher = begin("watcher", &lab.receiver().netns)?;
        let beside = begin("beside", &lab.fwd)?;
        Ok(Self {
            publisher: publisher.finish()?,
            watcher: watcher.finish()?,
            beside: beside.finish()?,
            admission: Admission::new()?,
            lab,
        })
    }

    fn node(&self) -> Result<Node> {
        let pages = [&self.publisher, &self.watcher, &self.beside];
        self.admission.start(&self.lab, "kernel", &pages)
    }
}
