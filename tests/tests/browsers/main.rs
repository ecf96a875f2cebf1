//! Real browsers and other people's clients: against each other, which proves the rig, and through the forwarder. Pictures are read
//! back by the number in them, sound by its tone.
//!
//! All scenarios share one lab and its browsers, for a browser takes seconds to start: so they run one by one, by a program of
//! their own instead of the usual one. It takes the same arguments. Its result is at the end; pictures are in `target/artefacts`.

mod calls;
mod control;
mod demo;
mod h264;
mod matrix;
mod offers;
mod ortc;
mod page;
mod refusals;
mod rejected;
mod roaming;
mod room;
mod sessions;
mod signalling;
mod sound;
mod stage;
mod toolkits;

use std::sync::{Arc, Mutex, PoisonError};

use forwarder_tests::{browsers, root};
use libtest_mimic::{Arguments, Failed, Trial};

use stage::Stage;

/// A scenario, and its name without that of its module.
type Scenario = (&'static str, fn(&mut Stage));

const MODULES: [(&str, &[Scenario]); 14] = [
    ("control", control::SCENARIOS),
    ("sessions", sessions::SCENARIOS),
    ("matrix", matrix::SCENARIOS),
    ("calls", calls::SCENARIOS),
    ("h264", h264::SCENARIOS),
    ("sound", sound::SCENARIOS),
    ("offers", offers::SCENARIOS),
    ("rejected", rejected::SCENARIOS),
    ("roaming", roaming::SCENARIOS),
    ("toolkits", toolkits::SCENARIOS),
    ("signalling", signalling::SCENARIOS),
    ("refusals", refusals::SCENARIOS),
    ("page", page::SCENARIOS),
    ("demo", demo::SCENARIOS),
];

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let stage = Arc::new(Mutex::new(None));
    let (borrowed, modules) = (&stage, MODULES.iter());
    let trials = modules.flat_map(|(module, scenarios)| {
        let all = scenarios.iter();
        all.map(move |(name, scenario)| trial(format!("{module}::{name}"), *scenario, borrowed))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    // Ending the program does not drop what is still held: browsers and namespaces go here.
    drop(stage.lock().unwrap_or_else(PoisonError::into_inner).take());
    conclusion.exit();
}

fn trial(name: String, scenario: fn(&mut Stage), stage: &Arc<Mutex<Option<Stage>>>) -> Trial {
    let (stage, own) = (Arc::clone(stage), name.clone());
    Trial::test(name, move || {
        if !root::is_root() {
            println!("left out: needs root: {own}");
            return Ok(());
        }
        if let Some(reason) = browsers::missing() {
            println!("left out: needs browsers ({reason}): {own}");
            return Ok(());
        }
        let python = own.starts_with("toolkits::") || own.starts_with("signalling::");
        if let Some(reason) = python.then(browsers::missing_python).flatten() {
            println!("left out: needs Python ({reason}): {own}");
            return Ok(());
        }
        // A scenario that failed leaves the lock poisoned, and the stage as good as new: each begins by clearing it.
        let mut stage = stage.lock().unwrap_or_else(PoisonError::into_inner);
        if stage.is_none() {
            *stage = Some(Stage::build().map_err(told)?);
        }
        let stage = stage.as_mut().ok_or("there is no stage")?;
        stage.clear(&own).map_err(told)?;
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scenario(stage)));
        stage.end(outcome.is_err(), &own);
        outcome.map_err(|_| Failed::from("it panicked: see above"))
    })
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn told(error: anyhow::Error) -> Failed {
    format!("{error:#}").into()
}
