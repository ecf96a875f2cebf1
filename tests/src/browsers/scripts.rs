//! Peers that are programs: aiortc and GStreamer's webrtcbin (`tests/browsers/python`), libdatachannel as OBS uses it
//! (`tests/browsers/obs_peer.mjs`), and ffmpeg's WHIP muxer.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::peer::Media;
use super::programs;
use crate::netns::Netns;

/// How much longer than it was told a program may take: to start, to join and to leave.
const OVERHEAD: Duration = Duration::from_secs(30);

/// Debian's Python, which sees Debian's bindings of GStreamer.
const DEBIAN: &str = "/usr/bin/python3";
/// Those bindings.
const BINDINGS: &str = "/usr/lib/python3/dist-packages/gi";

/// What a peer is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toolkit {
    /// aiortc, from PyPI.
    Aiortc,
    /// The same, with H.264 alone, and asking for a channel of data beside.
    AiortcH264,
    /// GStreamer's webrtcbin, Debian's.
    Gstreamer,
}

/// What a peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It publishes a numbered picture and the tone that belongs to it.
    Publish,
    /// It plays what comes.
    Play,
}

/// What a player saw and heard.
#[derive(Clone, Debug, Deserialize)]
pub struct Played {
    /// State of the connection before it was closed.
    pub state: String,
    /// The number of the stream that the picture bears.
    pub stream: Option<u8>,
    /// Pictures that could be read.
    pub read: u64,
    /// Pictures that could not.
    pub unreadable: u64,
    /// How often a picture was older than one before it.
    pub backwards: u64,
    /// The first of those that could not be read; pictures of them are in `target/artefacts`.
    pub faults: Vec<Value>,
    /// Of the last two seconds of sound, Hz.
    pub frequency: f64,
    /// Datagrams that the kernel dropped in the meantime because a socket of the namespace was full.
    pub overruns: u64,
}

/// A program that runs; dropped, it is killed.
#[derive(Debug)]
pub struct Script {
    children: Vec<Child>,
    deadline: Instant,
}

impl Script {
    /// Starts a peer for so long. `url` is a WHIP or WHEP endpoint; a player's stream does not matter.
    ///
    /// # Errors
    /// When something is not installed.
    pub fn start(
        netns: &Netns,
        toolkit: Toolkit,
        role: Role,
        url: &str,
        token: Option<&str>,
        stream: u8,
        time: Duration,
    ) -> Result<Self> {
        let (python, script) = match toolkit {
            Toolkit::Aiortc | Toolkit::AiortcH264 => {
                (environment()?.join("bin/python"), "aiortc_peer.py")
            }
            Toolkit::Gstreamer => (PathBuf::from(DEBIAN), "gstreamer_peer.py"),
        };
        let role = match role {
            Role::Publish => "publish",
            Role::Play => "play",
        };
        let mut command = netns.command(python);
        command
            .arg(folder().join(script))
            .args([
                role,
                url,
                &stream.to_string(),
                &time.as_secs_f32().to_string(),
            ])
            .args(token)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("ARTEFACTS", programs::artefacts()?)
            .envs((toolkit == Toolkit::AiortcH264).then_some(("H264", "alone")))
            .stdout(Stdio::piped());
        Ok(Self::running(vec![command.spawn()?], time))
    }

    /// Publishes H.264 and Opus by ffmpeg's WHIP muxer, with the options that the README names and `more`, until dropped or so long.
    ///
    /// # Errors
    /// When something is not installed.
    pub fn ffmpeg(
        netns: &Netns,
        url: &str,
        token: Option<&str>,
        stream: u8,
        time: Duration,
        more: &[&str],
    ) -> Result<Self> {
        let mut pictures = pictures(stream)?;
        let frames = pictures.stdout.take().context("its output is piped")?;
        let tone = format!(
            "sine=frequency={}:sample_rate=48000",
            Media::tone_of(stream)
        );
        let mut command = netns.command(ffmpeg()?);
        command
            .args(["-hide_banner", "-loglevel", "warning", "-re"])
            .args(["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "640x360"])
            .args(["-r", "30", "-i", "-", "-re", "-f", "lavfi", "-i", &tone])
            .args(documented()?)
            .args(more)
            .args(["-t", &time.as_secs_f32().to_string(), "-f", "whip"]);
        if let Some(token) = token {
            command.args(["-authorization", token]);
        }
        let ffmpeg = command.arg(url).stdin(Stdio::from(frames)).spawn();
        let mut children = vec![pictures];
        // In this order, so that the pictures are ended also if there is no ffmpeg.
        let mut script = Self::running(std::mem::take(&mut children), time);
        script.children.push(ffmpeg.context("cannot start ffmpeg")?);
        Ok(script)
    }

    /// Publishes H.264 and Opus as OBS Studio does, with its library, until dropped or so long.
    ///
    /// # Errors
    /// When something is not installed.
    pub fn obs(
        netns: &Netns,
        url: &str,
        token: Option<&str>,
        stream: u8,
        time: Duration,
    ) -> Result<Self> {
        let mut script = Self::running(vec![pictures(stream)?], time);
        let pictures = script.children.first_mut().context("it was started")?;
        let frames = pictures.stdout.take().context("its output is piped")?;
        let mut command = netns.command(programs::node()?);
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("browsers/obs_peer.mjs"))
            .arg(ffmpeg()?)
            .args([url, &time.as_secs_f32().to_string()])
            .arg(Media::tone_of(stream).to_string())
            .args(token)
            .env("MODULES", programs::modules()?);
        let obs = command.stdin(Stdio::from(frames)).spawn();
        script.children.push(obs.context("cannot start Node.js")?);
        Ok(script)
    }

    fn running(children: Vec<Child>, time: Duration) -> Self {
        Self {
            children,
            deadline: Instant::now() + time + OVERHEAD,
        }
    }

    /// Waits for the end of a peer, and gives what it saw.
    ///
    /// # Errors
    /// When it fails, or does not end in time.
    pub fn finish(mut self) -> Result<Played> {
        let child = self.children.first_mut().context("a program was started")?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            ensure!(Instant::now() < self.deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut said = String::new();
        if let Some(mut output) = child.stdout.take() {
            output.read_to_string(&mut said)?;
        }
        ensure!(status.success(), "it ended with {status} and said {said:?}");
        let last = said.lines().last().unwrap_or_default();
        serde_json::from_str(last).with_context(|| format!("it said {said:?}"))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Draws numbered pictures of 640x360 in time.
fn pictures(stream: u8) -> Result<Child> {
    Command::new(DEBIAN)
        .arg(folder().join("numbered.py"))
        .args([stream.to_string().as_str(), "640", "360"])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start Python")
}

/// How the README lets ffmpeg encode: what it says is what the tests run.
fn documented() -> Result<Vec<String>> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = std::fs::read_to_string(&readme)
        .with_context(|| format!("cannot read {}", readme.display()))?;
    let (_, command) = text
        .split_once("\n    ffmpeg ")
        .context("the README has no command of ffmpeg")?;
    let (command, _) = command
        .split_once("-f whip ")
        .context("the README's ffmpeg does not speak WHIP")?;
    let (_, options) = command
        .split_once("-c:v ")
        .context("the README's ffmpeg has no codec")?;
    let words = options.split_whitespace().filter(|word| *word != "\\");
    Ok(std::iter::once("-c:v")
        .chain(words)
        .map(str::to_owned)
        .collect())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("browsers/python")
}

/// Runs the scripts' own tests, of what they take for a picture.
///
/// # Errors
/// With what they say, when one fails.
pub fn test_reading() -> Result<()> {
    let mut command = Command::new(environment()?.join("bin/python"));
    command.current_dir(folder()).args(["-m", "unittest"]);
    let output = command.env("PYTHONDONTWRITEBYTECODE", "1").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    Ok(())
}

/// Why peers that are programs of Python cannot be run here, if they cannot.
#[must_use]
pub fn missing_python() -> Option<String> {
    let bindings = Path::new(BINDINGS);
    let debian = (Path::new(DEBIAN).is_file() && bindings.is_dir())
        .then_some(())
        .with_context(|| format!("no {DEBIAN} with {BINDINGS}: run `cargo xtask setup`"));
    let all = [environment().map(drop), debian];
    let errors = all.into_iter().filter_map(Result::err);
    let reasons: Vec<String> = errors.map(|error| format!("{error:#}")).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// The virtual environment of Python, where `cargo xtask` has put it.
///
/// # Errors
/// It is not there.
pub fn environment() -> Result<PathBuf> {
    let folder = programs::target()?.join("python");
    ensure!(
        folder.join("bin/python").exists(),
        "no {}: run `cargo xtask setup`",
        folder.display()
    );
    Ok(folder)
}

/// The ffmpeg that knows WHIP, inside of a package of the virtual environment.
fn ffmpeg() -> Result<PathBuf> {
    let python = environment()?.join("bin/python");
    let output = Command::new(python)
        .args([
            "-c",
            "import imageio_ffmpeg as i; print(i.get_ffmpeg_exe())",
        ])
        .output()
        .context("cannot run Python")?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    ensure!(!path.is_empty(), "imageio-ffmpeg has no ffmpeg");
    Ok(path.into())
}
