//! A clip: encoded frames that are published over and over, each of which can be recognised by its bytes.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{containers, encode};

/// How frames are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// VP8 by libvpx.
    Vp8,
    /// H.264 by libx264.
    H264,
    /// Opus by libopus.
    Opus,
}

impl Codec {
    /// As in `a=rtpmap`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "VP8",
            Self::H264 => "H264",
            Self::Opus => "opus",
        }
    }

    /// RTP clock, Hz.
    #[must_use]
    pub fn clock_rate(self) -> u32 {
        match self {
            Self::Vp8 | Self::H264 => 90_000,
            Self::Opus => 48_000,
        }
    }

    /// Frames per second of a clip.
    #[must_use]
    pub fn rate(self) -> u32 {
        match self {
            Self::Vp8 | Self::H264 => encode::FRAMES_PER_SECOND,
            Self::Opus => 50,
        }
    }

    /// RTP time from a frame to the next.
    #[must_use]
    pub fn ticks(self) -> u32 {
        self.clock_rate() / self.rate()
    }

    /// Time from a frame to the next.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::from_secs(1) / self.rate()
    }

    /// Sound, not pictures.
    #[must_use]
    pub fn is_audio(self) -> bool {
        self == Self::Opus
    }
}

/// Ten seconds of encoded frames.
#[derive(Debug)]
pub struct Clip {
    /// How they are encoded.
    pub codec: Codec,
    frames: Vec<Arc<[u8]>>,
    by_hash: HashMap<u64, usize>,
}

impl Clip {
    /// The clip of this codec, encoded now if it never was.
    ///
    /// # Errors
    /// When ffmpeg fails, or made what cannot serve: two frames that are alike, or a first one that is no keyframe.
    pub fn load(codec: Codec) -> Result<Arc<Self>> {
        Self::read(codec, &encode::encoded(codec)?)
    }

    /// A clip of what ffmpeg wrote: IVF, Annex B or Ogg.
    ///
    /// # Errors
    /// When it cannot be read, and as for [`Self::of`].
    pub fn read(codec: Codec, file: &[u8]) -> Result<Arc<Self>> {
        let frames = match codec {
            Codec::Vp8 => containers::ivf_frames(file)?,
            Codec::H264 => containers::annex_b_access_units(file)?,
            Codec::Opus => containers::opus_packets(file)?,
        };
        Self::of(codec, frames)
    }

    /// A clip of these frames.
    ///
    /// # Errors
    /// When two frames are alike, or the first one is no keyframe.
    pub fn of(codec: Codec, frames: Vec<Vec<u8>>) -> Result<Arc<Self>> {
        let by_hash: HashMap<u64, usize> = frames
            .iter()
            .enumerate()
            .map(|(n, frame)| (hash(frame), n))
            .collect();
        ensure!(
            by_hash.len() == frames.len() && !frames.is_empty(),
            "{} of {} encoded frames of {} differ",
            by_hash.len(),
            frames.len(),
            codec.name()
        );
        ensure!(
            is_keyframe(codec, &frames[0]),
            "the first frame of {} is no keyframe",
            codec.name()
        );
        Ok(Arc::new(Self {
            codec,
            frames: frames.into_iter().map(Arc::from).collect(),
            by_hash,
        }))
    }

    /// How many frames there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Never: a clip has frames.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// A frame, counted over all rounds of the clip.
    #[must_use]
    pub fn frame(&self, n: usize) -> &Arc<[u8]> {
        &self.frames[n % self.frames.len()]
    }

    /// Which frame of the clip these bytes are.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Option<usize> {
        let n = *self.by_hash.get(&hash(bytes))?;
        (self.frames[n][..] == *bytes).then_some(n)
    }

    /// Whether a frame of the clip can be decoded without another.
    #[must_use]
    pub fn is_keyframe(&self, n: usize) -> bool {
        is_keyframe(self.codec, self.frame(n))
    }
}

fn is_keyframe(codec: Codec, frame: &[u8]) -> bool {
    match codec {
        // RFC 6386 §9.1: the lowest bit of the frame tag is 0 in a key frame.
        Codec::Vp8 => frame.first().is_some_and(|tag| tag & 1 == 0),
        Codec::H264 => containers::has_idr(frame),
        Codec::Opus => true,
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_of_all_codecs_can_be_told_apart_frame_by_frame() {
        for codec in [Codec::Vp8, Codec::H264, Codec::Opus] {
            let clip = Clip::load(codec).unwrap();
            assert!(clip.len() >= 10 * codec.rate() as usize, "{}", clip.len());
            assert_eq!(clip.find(clip.frame(7)), Some(7));
            assert_eq!(clip.find(&clip.frame(7)[1..]), None);
            let keyframes = (0..clip.len()).filter(|n| clip.is_keyframe(*n)).count();
            let wanted = if codec.is_audio() { clip.len() } else { 1 };
            assert_eq!(keyframes, wanted, "{codec:?}");
        }
    }
}
