//! Pictures that subscribers received, decoded by ffmpeg: the last proof that they can be.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result};
use forwarder_tests::rtc::{Codec, containers, encode};
use serde::Serialize;

/// What a decoder made of a track.
#[derive(Clone, Debug, Serialize)]
pub struct Decoded {
    /// Whose, and what.
    pub name: String,
    /// Pictures that went in.
    pub frames: u64,
    /// Pictures that came out.
    pub pictures: u64,
    /// What it complained about.
    pub errors: Vec<String>,
}

/// Decodes pictures in the order in which they were received.
///
/// # Errors
/// When ffmpeg cannot be run.
pub fn pictures(name: String, codec: Codec, frames: &[Arc<[u8]>]) -> Result<Decoded> {
    let (format, file) = match codec {
        Codec::H264 => ("h264", frames.concat()),
        _ => (
            "ivf",
            containers::ivf_file(frames, encode::WIDTH, encode::HEIGHT),
        ),
    };
    let mut child = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-f", format, "-i", "-"])
        .args(["-fps_mode", "passthrough", "-f", "framecrc", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run ffmpeg")?;
    let mut input = child.stdin.take().context("its input is piped")?;
    // It writes while it reads: both must go on at once.
    let writer = std::thread::spawn(move || input.write_all(&file));
    let output = child.wait_with_output().context("waiting for ffmpeg")?;
    let _ = writer.join();
    let lines = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    Ok(Decoded {
        name,
        frames: frames.len() as u64,
        pictures: lines.lines().filter(|line| !line.starts_with('#')).count() as u64,
        errors: errors.lines().map(str::to_owned).collect(),
    })
}
