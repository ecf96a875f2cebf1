//! What the user sees while something takes long: a spinner with the last line of output on a terminal, plain lines else.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// How many lines of a failed command are shown.
const TAIL: usize = 40;
/// Without a terminal, how often a line says that the work goes on.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Says on stderr what begins.
pub fn heading(text: &str) {
    eprintln!("==> {text}");
}

/// Says something that the user should know.
pub fn note(text: &str) {
    eprintln!("    {text}");
}

/// A duration as people read it.
pub fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

/// Runs a command that takes long and whose output matters only if it fails.
pub fn run(label: &str, command: &mut Command) -> Result<()> {
    let started = Instant::now();
    let mut line = Line::begin(label);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let (sender, lines) = mpsc::channel();
    let pipes: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|pipe| Box::new(pipe) as _),
        child.stderr.take().map(|pipe| Box::new(pipe) as _),
    ];
    for pipe in pipes.into_iter().flatten() {
        let sender = sender.clone();
        thread::spawn(move || {
            for text in BufReader::new(pipe).lines().map_while(Result::ok) {
                if sender.send(text).is_err() {
                    break;
                }
            }
        });
    }
    drop(sender);
    let mut tail = VecDeque::with_capacity(TAIL);
    loop {
        match lines.recv_timeout(HEARTBEAT) {
            Ok(text) => {
                line.update(&text);
                if tail.len() == TAIL {
                    tail.pop_front();
                }
                tail.push_back(text);
            }
            Err(RecvTimeoutError::Timeout) => line.still(started.elapsed()),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = child.wait()?;
    line.end(started.elapsed(), status.success());
    if !status.success() {
        for text in &tail {
            eprintln!("    | {text}");
        }
        bail!("{label}: `{}` ended with {status}", shown(command));
    }
    Ok(())
}

/// The command as one would type it.
pub fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// One line of progress.
struct Line {
    label: String,
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Line {
    fn begin(label: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {prefix} ({elapsed}) {wide_msg:.dim}")
            {
                bar.set_style(style);
            }
            bar.set_prefix(label.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() {
            heading(label);
        }
        Self {
            label: label.to_owned(),
            bar,
            told: Instant::now(),
        }
    }

    fn update(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(text.trim().to_owned()),
            None if self.told.elapsed() > HEARTBEAT => {
                self.told = Instant::now();
                note(&format!("... {}", text.trim()));
            }
            None => {}
        }
    }

    fn still(&mut self, elapsed: Duration) {
        if self.bar.is_none() {
            self.told = Instant::now();
            note(&format!("... {} so far", seconds(elapsed)));
        }
    }

    fn end(self, elapsed: Duration, good: bool) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        let how = if good { "done" } else { "failed" };
        eprintln!("==> {}: {how} in {}", self.label, seconds(elapsed));
    }
}
