//! What participants publish: ten seconds over and over, encoded once and kept.

use std::sync::Arc;

use anyhow::Result;
use forwarder_tests::rtc::encode::{FRAMES, encoded_of, raw_pictures, tone};
use forwarder_tests::rtc::{Clip, Codec};

use super::picture;

/// Amplitude of the noise beside a tone: hardly heard, but no two packets are alike.
const NOISE: f64 = 0.01;

/// Pictures with a number.
///
/// # Errors
/// When ffmpeg fails.
pub fn pictures(codec: Codec, number: u16) -> Result<Arc<Clip>> {
    let file = encoded_of(
        &format!("room-{number}"),
        codec,
        &raw_pictures(),
        |ffmpeg| (0..FRAMES).try_for_each(|frame| ffmpeg.write_all(&picture::draw(number, frame))),
    )?;
    Clip::read(codec, &file)
}

/// The tone of a number.
///
/// # Errors
/// When ffmpeg fails.
pub fn sound(number: u16) -> Result<Arc<Clip>> {
    let input = tone(tone_of(number), NOISE);
    let file = encoded_of(&format!("room-{number}"), Codec::Opus, &input, |_| Ok(()))?;
    Clip::read(Codec::Opus, &file)
}

/// Hz, as the page has it (`generated.js`).
pub fn tone_of(number: u16) -> u32 {
    300 + u32::from(number % 32) * 50
}
