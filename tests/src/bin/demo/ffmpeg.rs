//! ffmpeg as a child process: found, started in a namespace, its words kept, ended.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use forwarder_tests::Netns;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::options::Codec;

/// Makes sure that ffmpeg is there and has the encoders.
///
/// # Errors
/// With what to install.
pub fn check(codec: Codec) -> Result<()> {
    const REMEDY: &str =
        "run `cargo xtask setup`, or install the package ffmpeg (apt-get install ffmpeg)";
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-encoders"])
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("the demo encodes and decodes with ffmpeg, which is not installed: {REMEDY}")
        }
        Err(error) => return Err(error).context("cannot run ffmpeg"),
    };
    ensure!(
        output.status.success(),
        "ffmpeg does not run: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let listed = String::from_utf8_lossy(&output.stdout);
    for encoder in [codec.encoder(), "libopus"] {
        let has = listed
            .lines()
            .any(|line| line.split_whitespace().nth(1) == Some(encoder));
        ensure!(
            has,
            "the ffmpeg in PATH has no encoder {encoder}; that of Debian and Ubuntu has: {REMEDY}"
        );
    }
    Ok(())
}

/// A running ffmpeg. Killed when dropped.
pub struct Ffmpeg {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
    status: Option<ExitStatus>,
}

impl Ffmpeg {
    /// Starts ffmpeg in the namespace, with `input` to read; what it prints to standard output goes to `each`, line by line.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        netns: &Netns,
        level: &str,
        arguments: &[String],
        input: &str,
        each: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self> {
        let mut child = netns
            .command("ffmpeg")
            .args(["-hide_banner", "-nostdin", "-nostats", "-loglevel"])
            .arg(format!("level+{level}"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A Ctrl-C at the terminal is for the demo, which then ends this in order.
            .process_group(0)
            .spawn()
            .context("cannot start ffmpeg")?;
        // An ffmpeg that has ended already will be found out by its log.
        let _ = std::io::Write::write_all(
            &mut child.stdin.take().context("its input is piped")?,
            input.as_bytes(),
        );
        let log = Arc::new(Mutex::new(Vec::new()));
        let stdout = child.stdout.take().context("its output is piped")?;
        let stderr = child.stderr.take().context("its errors are piped")?;
        let kept = Arc::clone(&log);
        let keep = move |line: &str| {
            let mut log = kept.lock().unwrap_or_else(PoisonError::into_inner);
            log.push(line.to_owned());
        };
        Ok(Self {
            child,
            log,
            readers: vec![read(stdout, each), read(stderr, keep)],
            status: None,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said so far.
    pub fn log(&self) -> Vec<String> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How it ended, if it has.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// Asks it to finish, as Ctrl-C does.
    pub fn ask_to_finish(&mut self) {
        if self.has_ended().is_none() {
            self.signal(Signal::SIGINT);
        }
    }

    /// Waits until it has ended and said its last. Killed if that takes longer than `patience`.
    pub fn finish(&mut self, patience: Duration) {
        let end = std::time::Instant::now() + patience;
        while self.has_ended().is_none() && std::time::Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.kill();
    }

    fn kill(&mut self) {
        if self.has_ended().is_none() {
            self.signal(Signal::SIGKILL);
            self.status = self.child.wait().ok();
        }
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }

    fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a line of a log with levels reports something that went wrong.
pub fn is_complaint(line: &str) -> bool {
    ["[warning]", "[error]", "[fatal]", "[panic]"]
        .iter()
        .any(|level| line.contains(level))
}

fn read(
    output: impl Read + Send + 'static,
    mut each: impl FnMut(&str) + Send + 'static,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            each(&line);
        }
    })
}
