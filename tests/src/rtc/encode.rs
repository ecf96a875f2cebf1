//! Encoded pictures and sound, made by ffmpeg once and kept beside the built programs.
//!
//! Pictures have one keyframe, the first: a receiver that sees pictures sooner than the clip's end has got a keyframe because it
//! asked for one.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::clip::Codec;

/// Width of pictures.
pub const WIDTH: u16 = 640;
/// Height of pictures.
pub const HEIGHT: u16 = 360;
/// Pictures per second.
pub const FRAMES_PER_SECOND: u32 = 30;
/// Pictures of a clip: ten seconds.
pub const FRAMES: u32 = 300;

/// The file with ten seconds of this codec, in its container; encoded if it is not there yet.
///
/// # Errors
/// When ffmpeg is missing or fails.
pub fn encoded(codec: Codec) -> Result<Vec<u8>> {
    encoded_of("ten-seconds", codec, &input(codec), |_| Ok(()))
}

/// The same of another input, kept under a name of its own: arguments of ffmpeg that name it, and what is written to ffmpeg's
/// standard input.
///
/// # Errors
/// When ffmpeg is missing or fails.
pub fn encoded_of(
    name: &str,
    codec: Codec,
    input: &[String],
    feed: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Vec<u8>> {
    let folder = folder()?;
    let path = folder.join(format!("{name}.{}", extension(codec)));
    if let Ok(file) = std::fs::read(&path) {
        return Ok(file);
    }
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    // Whoever comes second takes what the first one made; a rename leaves no half of a file to be read.
    let thread = std::thread::current().id();
    let half = folder.join(format!(
        "{}-{thread:?}.{}",
        std::process::id(),
        extension(codec)
    ));
    let mut child = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
        .args(input)
        .args(output(codec))
        .arg(&half)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run ffmpeg: install the package ffmpeg")?;
    let fed = child
        .stdin
        .take()
        .map_or(Ok(()), |mut stdin| feed(&mut stdin));
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "ffmpeg: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    fed.context("ffmpeg did not take its input")?;
    std::fs::rename(&half, &path).with_context(|| format!("cannot make {}", path.display()))?;
    std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn extension(codec: Codec) -> &'static str {
    match codec {
        Codec::Vp8 => "ivf",
        Codec::H264 => "h264",
        Codec::Opus => "ogg",
    }
}

/// `target/PROFILE/rtc-media`, wherever in `target/PROFILE` this program is.
fn folder() -> Result<PathBuf> {
    let own = std::env::current_exe().context("this program's own path")?;
    let beside = own.parent().context("a program is in a folder")?;
    let profile = if beside.ends_with("deps") {
        beside.parent().unwrap_or(beside)
    } else {
        beside
    };
    Ok(profile.join("rtc-media"))
}

/// What the tests publish.
fn input(codec: Codec) -> Vec<String> {
    let text = match codec {
        Codec::Vp8 | Codec::H264 => {
            format!(
                "-f lavfi -i testsrc2=size={WIDTH}x{HEIGHT}:rate={FRAMES_PER_SECOND},format=yuv420p -frames:v {FRAMES}"
            )
        }
        Codec::Opus => sound(440, 0.1),
    };
    words(&text)
}

/// Arguments of ffmpeg for ten seconds of a tone of this frequency, Hz. Noise beside it, of this amplitude, makes every packet another.
#[must_use]
pub fn tone(frequency: u32, noise: f64) -> Vec<String> {
    words(&sound(frequency, noise))
}

fn sound(frequency: u32, noise: f64) -> String {
    format!(
        "-f lavfi -i sine=frequency={frequency}:sample_rate=48000 \
         -f lavfi -i anoisesrc=amplitude={noise}:sample_rate=48000:seed=1 -filter_complex amix=inputs=2 -t 10"
    )
}

/// Arguments of ffmpeg for pictures of the usual size that come as raw YUV 4:2:0 on its standard input.
#[must_use]
pub fn raw_pictures() -> Vec<String> {
    words(&format!(
        "-f rawvideo -pix_fmt yuv420p -s {WIDTH}x{HEIGHT} -r {FRAMES_PER_SECOND} -i pipe:0"
    ))
}

fn output(codec: Codec) -> Vec<String> {
    words(match codec {
        Codec::Vp8 => {
            "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 600k -g 100000 -keyint_min 100000 -auto-alt-ref 0 -lag-in-frames 0 -f ivf"
        }
        Codec::H264 => {
            "-c:v libx264 -profile:v baseline -preset veryfast -tune zerolatency -b:v 600k \
             -x264-params keyint=100000:scenecut=0:bframes=0:aud=1 -f h264"
        }
        Codec::Opus => "-c:a libopus -b:a 48k -frame_duration 20 -f ogg",
    })
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
