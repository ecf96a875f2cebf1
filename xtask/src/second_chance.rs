//! A second chance for tests of the lab, in CI alone: one that fails is run once more, alone. See
//! docs/decisions/0014-second-chance.md.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{fmt, mem, thread};

use anyhow::{Context as _, Result, bail};

use crate::progress::{heading, shown};

/// The package of the suites that have it.
const PACKAGE: &str = "forwarder-tests";
/// Its suites whose tests play in real time, with real programs, threads and sockets. All others must give the same every time.
const SUITES: [&str; 9] = [
    "browsers", "clients", "demo", "e2e", "lab", "node", "openapi", "sealed", "slots",
];
/// More failures than this in one run are no accident.
const MOST: usize = 4;

/// How often it is asked whether cargo has ended, and how long is read after that.
const WHILE: Duration = Duration::from_secs(1);

/// A test that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The suite, as in `cargo test --test SUITE`.
    pub suite: String,
    /// Its full name there.
    pub test: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.suite, self.test)
    }
}

/// Runs `all`, which is `cargo test --no-fail-fast`, and what failed of it once more by `alone`. Gives what failed once and
/// passed alone.
///
/// # Errors
/// Something failed that has no second chance, or too much, or something failed again.
pub fn run(mut all: Command, alone: impl Fn(&Failed) -> Command) -> Result<Vec<Failed>> {
    let (status, outcome) = read(&mut all)?;
    if status.success() {
        return Ok(Vec::new());
    }
    let Some(failed) = outcome.second_chances() else {
        bail!("`{}` ended with {status}", shown(&all));
    };
    for one in &failed {
        heading(&format!("once more, alone: {one}"));
        let (status, outcome) = read(&mut alone(one))?;
        // One that is not found passes, too: nothing failed.
        if !status.success() || outcome.passed != 1 {
            bail!("{one}: failed, and failed again alone");
        }
    }
    Ok(failed)
}

/// Runs `cargo test`, passes on what it says, and reads it.
fn read(command: &mut Command) -> Result<(ExitStatus, Outcome)> {
    // One pipe for both, so that what cargo says stays where it belongs between the lines of the tests.
    let (reader, writer) = std::io::pipe()?;
    command
        .env("CARGO_TERM_COLOR", "never")
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let child = command.spawn();
    // The command holds the writing end, which has to go for the reading end to see the end.
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let mut child = child.with_context(|| format!("cannot run {}", shown(command)))?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|len| len > 0)
            && sender.send(mem::take(&mut line)).is_ok()
        {}
    });
    let mut outcome = Outcome::default();
    let (mut looked, mut has_ended) = (Instant::now(), false);
    // Until all is read, or cargo has ended and only something that a test left behind still speaks.
    loop {
        match lines.recv_timeout(WHILE) {
            Ok(line) => {
                let text = String::from_utf8_lossy(&line);
                print!("{text}");
                outcome.read(text.trim_end());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if looked.elapsed() < WHILE {
            continue;
        }
        if has_ended {
            break;
        }
        has_ended = child.try_wait()?.is_some();
        looked = Instant::now();
    }
    Ok((child.wait()?, outcome))
}

/// What became of a run, as cargo and libtest tell it.
#[derive(Debug, Default)]
struct Outcome {
    /// The suite that runs; nothing while unit tests or those of documents do.
    suite: Option<String>,
    /// The names under `failures:`, while they may go on.
    list: Vec<String>,
    is_listing: bool,
    /// Tests that failed, of suites whose lists are complete.
    failed: Vec<Failed>,
    passed: u64,
    /// What cargo says has failed, at the end: the arguments that would run it again.
    targets: Vec<String>,
    is_naming_targets: bool,
}

impl Outcome {
    fn read(&mut self, line: &str) {
        if let Some(program) = line.strip_prefix("     Running ") {
            self.suite = suite(program);
            self.list.clear();
        } else if line.starts_with("   Doc-tests ") {
            self.suite = None;
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.passed += count(result, " passed");
            // What tests print may look like a list. The last one is libtest's, and as long as it says.
            if let Some(suite) = &self.suite
                && count(result, " failed") == self.list.len() as u64
            {
                let tests = self.list.drain(..);
                self.failed.extend(tests.map(|test| Failed {
                    suite: suite.clone(),
                    test,
                }));
            }
        } else if line == "failures:" {
            self.list.clear();
            self.is_listing = true;
            return;
        } else if line.starts_with("error: ")
            && (line.ends_with(" target failed:") || line.ends_with(" targets failed:"))
        {
            self.targets.clear();
            self.is_naming_targets = true;
            return;
        }
        let indented = line.strip_prefix("    ");
        if let (true, Some(name)) = (self.is_listing, indented) {
            self.list.push(name.to_owned());
        }
        self.is_listing &= indented.is_some();
        if let (true, Some(target)) = (self.is_naming_targets, indented) {
            self.targets.push(target.trim_matches('`').to_owned());
        }
        self.is_naming_targets &= indented.is_some();
    }

    /// All that failed, if all of it may be run again.
    fn second_chances(&self) -> Option<Vec<Failed>> {
        let mut all = Vec::new();
        for target in &self.targets {
            let suite = target.strip_prefix(&format!("-p {PACKAGE} --test "))?;
            let of_suite = self.failed.iter().filter(|failed| failed.suite == suite);
            let before = all.len();
            all.extend(of_suite.cloned());
            // Without a name it crashed, or was killed.
            if !SUITES.contains(&suite) || all.len() == before {
                return None;
            }
        }
        (1..=MOST).contains(&all.len()).then_some(all)
    }
}

/// `tests/e2e/main.rs (target/debug/deps/e2e-28283c5cb677294d)`: e2e.
fn suite(program: &str) -> Option<String> {
    if program.starts_with("unittests ") {
        return None;
    }
    let (_, path) = program.trim_end_matches(')').split_once(" (")?;
    let (name, _hash) = path.rsplit_once('/')?.1.rsplit_once('-')?;
    Some(name.to_owned())
}

/// The number before a word in `FAILED. 1 passed; 2 failed; …`.
fn count(result: &str, what: &str) -> u64 {
    let number = result
        .split([';', '.'])
        .find_map(|part| part.strip_suffix(what)?.trim().parse().ok());
    number.unwrap_or(0)
}

#[cfg(test)]
#[path = "second_chance_tests.rs"]
mod tests;
