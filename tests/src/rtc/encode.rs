//! Encoded pictures and sound, made by ffmpeg once and kept beside the built programs.
//!
//! Pictures have one keyframe, the first: a receiver that sees pictures sooner than the clip's end has got a keyframe because it
//! asked for one.

use std::path::PathBuf;
use std::process::Command;

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
    let folder = folder()?;
    let path = folder.join(format!("ten-seconds.{}", extension(codec)));
    if let Ok(file) = std::fs::read(&path) {
        return Ok(file);
    }
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    // Whoever comes second takes what the first one made; a rename leaves no half of a file to be read.
    let thread = std::thread::current().id();
    let half = folder.join(format!("{}-{thread:?}.{}", std::process::id(), extension(codec)));
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
        .args(arguments(codec))
        .arg(&half)
        .output()
        .context("cannot run ffmpeg: install the package ffmpeg")?;
    ensure!(
        output.status.success(),
        "ffmpeg: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
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

fn arguments(codec: Codec) -> Vec<String> {
    let pictures = format!("testsrc2=size={WIDTH}x{HEIGHT}:rate={FRAMES_PER_SECOND},format=yuv420p");
    let frames = FRAMES.to_string();
    let text = match codec {
        Codec::Vp8 => vec![
            "-f", "lavfi", "-i", &pictures, "-frames:v", &frames, "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v",
            "600k", "-g", "100000", "-keyint_min", "100000", "-auto-alt-ref", "0", "-lag-in-frames", "0", "-f", "ivf",
        ],
        Codec::H264 => vec![
            "-f", "lavfi", "-i", &pictures, "-frames:v", &frames, "-c:v", "libx264", "-profile:v", "baseline", "-preset", "veryfast", "-tune",
            "zerolatency", "-b:v", "600k", "-x264-params", "keyint=100000:scenecut=0:bframes=0:aud=1", "-f", "h264",
        ],
        // Noise beside the tone, so that no two packets are alike.
        Codec::Opus => vec![
            "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-f", "lavfi", "-i", "anoisesrc=amplitude=0.1:sample_rate=48000:seed=1",
            "-filter_complex", "amix=inputs=2", "-t", "10", "-c:a", "libopus", "-b:a", "48k", "-frame_duration", "20", "-f", "ogg",
        ],
    };
    text.into_iter().map(str::to_owned).collect()
}
