//! A running forwarder: the binary in the forwarder's namespace, its output kept, its end guaranteed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::capture::wait_until;
use crate::client::Client;
use crate::lab::Lab;
use crate::netns::Netns;

/// How long a node may take to be ready.
pub const READY: Duration = Duration::from_secs(60);

/// How long a node may take to stop.
pub const STOP: Duration = Duration::from_secs(30);

/// What gives a node keys.
const KEYS: [&str; 3] = [
    "--admin-key-file",
    "--token-secret-file",
    "--token-public-key",
];

/// A forwarder that runs. Dropped, it is stopped: gently at first, then by force, then cleaned up after. One that was killed
/// on purpose ([`Node::kill`]) leaves what it pinned to its successor, or to the lab's end. If a drop happens in a panic, the
/// log is printed.
#[derive(Debug)]
pub struct Node {
    child: Child,
    netns: Netns,
    binary: PathBuf,
    name: String,
    log: Arc<Mutex<Vec<String>>>,
    ready_line: String,
    status: Option<ExitStatus>,
    killed: bool,
}

impl Node {
    /// Starts `forwarder run` with these arguments besides `--name`, and waits until it says that it is ready. The name is
    /// the lab's, so a second start after a kill takes over from the first.
    ///
    /// # Errors
    /// When there is no binary, or it ends or says nothing within [`READY`]; with its log.
    pub fn start(lab: &Lab, arguments: &[&str]) -> Result<Self> {
        Self::start_named(lab, lab.name(), arguments)
    }

    /// The same on every interface of the lab.
    ///
    /// # Errors
    /// As for [`Node::start`].
    pub fn start_on_all(lab: &Lab, arguments: &[&str]) -> Result<Self> {
        let interfaces = lab
            .fwd_interfaces()
            .flat_map(|interface| ["--iface", interface]);
        Self::start(
            lab,
            &interfaces
                .chain(arguments.iter().copied())
                .collect::<Vec<_>>(),
        )
    }

    /// The same under a name of its own, which must start with the lab's: by it leftovers are found.
    ///
    /// # Errors
    /// As for [`Node::start`].
    pub fn start_named(lab: &Lab, name: &str, arguments: &[&str]) -> Result<Self> {
        Self::start_binary(lab, &forwarder_binary()?, name, arguments)
    }

    /// The same with another binary, such as an older build to take over from.
    ///
    /// # Errors
    /// As for [`Node::start`].
    pub fn start_binary(lab: &Lab, binary: &Path, name: &str, arguments: &[&str]) -> Result<Self> {
        assert!(
            name.starts_with(lab.name()),
            "a node's name starts with its lab's"
        );
        Self::start_in(&lab.fwd, binary, name, arguments)
    }

    /// The same in any namespace, under any name. Its API is open, unless the arguments give it keys.
    ///
    /// # Errors
    /// As for [`Node::start`].
    pub fn start_in(netns: &Netns, binary: &Path, name: &str, arguments: &[&str]) -> Result<Self> {
        let has_keys = arguments.iter().any(|flag| KEYS.contains(flag));
        let open: &[&str] = if has_keys {
            &[]
        } else {
            &["--api-access", "open"]
        };
        Self::start_as_told(netns, binary, name, &[arguments, open].concat())
    }

    /// The same with these arguments alone: without keys among them it makes one, which [`Node::client`] has.
    ///
    /// # Errors
    /// As for [`Node::start`].
    pub fn start_as_told(
        netns: &Netns,
        binary: &Path,
        name: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        let mut child = netns
            .command(binary)
            .args(["run", "--name", name])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let (ready, is_ready) = mpsc::channel();
        let stdout = child.stdout.take().context("its output is piped")?;
        let stderr = child.stderr.take().context("its errors are piped")?;
        keep(stdout, Arc::clone(&log), Some(ready));
        let errors = keep(stderr, Arc::clone(&log), None);
        let mut node = Self {
            child,
            netns: netns.clone(),
            binary: binary.to_owned(),
            name: name.to_owned(),
            log,
            ready_line: String::new(),
            status: None,
            killed: false,
        };
        match is_ready.recv_timeout(READY) {
            Ok(line) => node.ready_line = line,
            Err(why) => {
                // Its output has ended; let its end and its last words come in.
                let moment = Duration::from_millis(500);
                wait_until(moment, || {
                    errors.is_finished() && node.has_ended().is_some()
                });
                let ended = node.status;
                let said = node.log().join("\n");
                bail!("the forwarder was not ready ({why}; ended: {ended:?}). It said:\n{said}");
            }
        }
        Ok(node)
    }

    /// The line by which it said that it is ready.
    #[must_use]
    pub fn ready_line(&self) -> &str {
        &self.ready_line
    }

    /// Base of its API, from that line: `http://127.0.0.1:7600`.
    ///
    /// # Errors
    /// When the line names none.
    pub fn api(&self) -> Result<&str> {
        self.word_after("api")
            .ok_or_else(|| anyhow!("no api in {:?}", self.ready_line))
    }

    /// Its path, from that line: `kernel` or `socket`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.word_after("path").unwrap_or("")
    }

    fn word_after(&self, key: &str) -> Option<&str> {
        let mut words = self.ready_line.split_whitespace();
        words.find(|word| *word == key)?;
        words.next()
    }

    /// A client that calls the API from inside the node's namespace, with the key that the node has made, if it has.
    ///
    /// # Errors
    /// When the ready line names no API, or a key that cannot be read.
    pub fn client(&self) -> Result<Client> {
        let client = Client::new(&self.netns, self.api()?)?;
        match self.made_key() {
            Some(file) => Ok(client.with_key(std::fs::read_to_string(file)?.trim_end())),
            None => Ok(client),
        }
    }

    /// The file of the key that the node has made, from that line.
    #[must_use]
    pub fn made_key(&self) -> Option<&str> {
        self.word_after("key")
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("process ids are positive")
    }

    /// The name it runs under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All lines it printed so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// CPU time it has used, user and system, all threads.
    ///
    /// # Errors
    /// When it is gone.
    pub fn cpu_time(&self) -> Result<Duration> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        // proc(5): the name, in parentheses, may contain anything; utime and stime are the 12th and 13th after it.
        let fields: Vec<&str> = text
            .rsplit_once(')')
            .context("no name in stat")?
            .1
            .split_whitespace()
            .collect();
        let ticks: u64 = fields
            .get(11..13)
            .context("too few fields in stat")?
            .iter()
            .map(|n| n.parse().unwrap_or(0))
            .sum();
        let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?
            .context("no clock tick")? as u64;
        Ok(Duration::from_millis(ticks * 1000 / per_second))
    }

    /// Kills it on the spot, as a crash would, and waits for its end. What it pinned stays.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        self.killed = true;
        if self.has_ended().is_none() {
            kill(Pid::from_raw(self.pid()), Signal::SIGKILL)?;
            self.status = Some(self.child.wait()?);
        }
        Ok(())
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Errors
    /// When it does not end within [`STOP`]; it is killed then.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        if self.has_ended().is_none() {
            kill(Pid::from_raw(self.pid()), Signal::SIGTERM)?;
        }
        self.wait(STOP)
    }

    /// Waits for an end that something else caused.
    ///
    /// # Errors
    /// When it does not end in time; it is killed then.
    pub fn wait(&mut self, timeout: Duration) -> Result<ExitStatus> {
        wait_until(timeout, || self.has_ended().is_some());
        match self.status {
            Some(status) => Ok(status),
            None => {
                self.kill()?;
                self.killed = false;
                bail!(
                    "the forwarder did not end within {timeout:?} and was killed. It said:\n{}",
                    self.log().join("\n")
                )
            }
        }
    }

    /// How it ended, if it has.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// Runs another command of the same binary in the node's namespace: `["stop", "--name", node.name()]`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn command(&self, arguments: &[&str]) -> Result<std::process::Output> {
        Ok(self.netns.command(&self.binary).args(arguments).output()?)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if !self.killed && !self.stop().is_ok_and(|status| status.success()) {
            // It left things behind, as a crash does; `stop` is there for that.
            let _ = self.command(&["stop", "--name", &self.name]);
        }
        if std::thread::panicking() {
            eprintln!(
                "---- the forwarder {} said:\n{}\n----",
                self.name,
                self.log().join("\n")
            );
        }
    }
}

/// The forwarder's binary: FORWARDER_BIN, else the one built beside this program (target/PROFILE).
///
/// # Errors
/// When there is none.
pub fn forwarder_binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("FORWARDER_BIN") {
        return Ok(path.into());
    }
    let own = std::env::current_exe().context("this program's own path")?;
    // Tests are in target/PROFILE/deps, programs in target/PROFILE.
    let found = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("forwarder"))
        .find(|path| is_program(path));
    found.with_context(|| {
        format!(
            "no forwarder beside {}: run `cargo xtask build`, or set FORWARDER_BIN",
            own.display()
        )
    })
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Keeps what the node prints, and passes the ready line on.
fn keep(
    output: impl std::io::Read + Send + 'static,
    log: Arc<Mutex<Vec<String>>>,
    ready: Option<mpsc::Sender<String>>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut ready = ready;
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if line.starts_with("forwarder ready")
                && let Some(ready) = ready.take()
            {
                let _ = ready.send(line.clone());
            }
            log.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line);
        }
    })
}
