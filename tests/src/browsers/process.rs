//! A driver as a process: commands in, answers out, its end guaranteed.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// How long a driver may take to close its browser.
const CLOSING: Duration = Duration::from_secs(5);

/// What a browser said is kept up to this many lines.
const LINES: usize = 400;

/// A driver that runs. Dropped, it closes its browser; what does not end by itself is killed.
#[derive(Debug)]
pub struct Driver {
    child: Child,
    input: Mutex<Option<ChildStdin>>,
    next: AtomicU64,
    shared: Arc<Shared>,
    /// The browser's process group, which is not the driver's.
    pub group: Mutex<Option<i32>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<HashMap<u64, mpsc::Sender<Result<Value, String>>>>,
    said: Mutex<Vec<String>>,
}

/// A command that was given, and whose answer has yet to come.
#[derive(Debug)]
pub struct Pending {
    name: String,
    answer: mpsc::Receiver<Result<Value, String>>,
}

impl Driver {
    /// Starts the driver with this command, whose program it is.
    pub fn start(mut command: Command) -> Result<Self> {
        let mut child = command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let shared = Arc::<Shared>::default();
        let output = child.stdout.take().context("its output is piped")?;
        let errors = child.stderr.take().context("its errors are piped")?;
        let hears = Arc::clone(&shared);
        std::thread::spawn(move || hears.listen(output));
        let hears = Arc::clone(&shared);
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                hears.note(line);
            }
        });
        Ok(Self {
            input: Mutex::new(child.stdin.take()),
            child,
            next: AtomicU64::new(1),
            shared,
            group: Mutex::new(None),
        })
    }

    /// Gives a command with these arguments, an object.
    pub fn give(&self, name: &str, arguments: Value) -> Result<Pending> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut line = arguments;
        line["id"] = json!(id);
        line["do"] = json!(name);
        let (sender, answer) = mpsc::channel();
        locked(&self.shared.waiting).insert(id, sender);
        let mut input = locked(&self.input);
        let input = input.as_mut().context("the driver is closed")?;
        writeln!(input, "{line}").context("the driver is gone")?;
        Ok(Pending {
            name: name.to_owned(),
            answer,
        })
    }

    /// What the browser and its driver said.
    pub fn said(&self) -> Vec<String> {
        locked(&self.shared.said).clone()
    }
}

impl Pending {
    /// Waits for the answer.
    pub fn wait(self, timeout: Duration) -> Result<Value> {
        match self.answer.recv_timeout(timeout) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(anyhow!("{}: {error}", self.name)),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                bail!("{}: no answer within {timeout:?}", self.name)
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                bail!("{}: the driver has ended", self.name)
            }
        }
    }
}

impl Shared {
    fn listen(&self, output: ChildStdout) {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            self.hear(&line);
        }
        // Whoever waits learns by it that no answer comes.
        locked(&self.waiting).clear();
    }

    fn hear(&self, line: &str) {
        let Ok(mut message) = serde_json::from_str::<Value>(line) else {
            self.note(line.to_owned());
            return;
        };
        if let Some(said) = message["said"].as_str() {
            self.note(said.to_owned());
            return;
        }
        let id = message["id"].as_u64().unwrap_or(0);
        let Some(sender) = locked(&self.waiting).remove(&id) else {
            return;
        };
        let answer = match message["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(message["ok"].take()),
        };
        let _ = sender.send(answer);
    }

    fn note(&self, line: String) {
        let mut said = locked(&self.said);
        if said.len() < LINES {
            said.push(line);
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The end of its input tells the driver to close the browser and to end.
        drop(locked(&self.input).take());
        let end = Instant::now() + CLOSING;
        while Instant::now() < end && !matches!(self.child.try_wait(), Ok(Some(_))) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let own = i32::try_from(self.child.id()).ok();
        for group in [own, *locked(&self.group)].into_iter().flatten() {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
