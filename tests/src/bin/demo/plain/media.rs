//! What is published: video and sound, each once as SRTP that the forwarder passes on as it is and once as clear RTP.

use std::fmt;

use forwarder_tests::model::Mode;

use crate::options::Codec;

/// How many publications there are.
pub const COUNT: usize = 4;

/// Publications are known by their place in [`all`].
pub type Number = usize;

/// Picture or sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Moving pictures.
    Video,
    /// A tone.
    Audio,
}

/// One stream of RTP, as the publisher sends it.
#[derive(Clone, Copy, Debug)]
pub struct Publication {
    /// Clear or opaque.
    pub mode: Mode,
    /// Picture or sound.
    pub kind: Kind,
    /// Name of the codec in SDP.
    pub codec: &'static str,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Payload type.
    pub payload_type: u8,
    /// RTP clock, Hz.
    pub clock_rate: u32,
    /// The publisher's port. ffmpeg takes the next one for RTCP.
    pub from_port: u16,
    /// The forwarder's port.
    pub to_port: u16,
    /// First sequence number; ffmpeg draws one if there is none. Video starts short of the wrap, so that a run goes over it.
    pub first_sequence: Option<u16>,
}

impl fmt::Display for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", protection(self.mode), self.codec)
    }
}

/// What protects the packets of a mode.
pub fn protection(mode: Mode) -> &'static str {
    match mode {
        Mode::Opaque => "SRTP",
        Mode::Clear => "RTP",
    }
}

/// All publications: video and sound of each mode side by side.
pub fn all(codec: Codec) -> [Publication; COUNT] {
    let of = |mode, kind, number: u16| {
        let video = kind == Kind::Video;
        Publication {
            mode,
            kind,
            codec: if video { codec.name() } else { "opus" },
            ssrc: 0x0de0_0001 + u32::from(number),
            payload_type: if video { 96 } else { 97 },
            clock_rate: if video { 90_000 } else { 48_000 },
            from_port: 6000 + 2 * number,
            to_port: 5000 + 2 * number,
            first_sequence: video.then_some(65_400),
        }
    };
    [
        of(Mode::Opaque, Kind::Video, 0),
        of(Mode::Opaque, Kind::Audio, 1),
        of(Mode::Clear, Kind::Video, 2),
        of(Mode::Clear, Kind::Audio, 3),
    ]
}

/// The publications of a mode, video first.
pub fn of_mode(mode: Mode) -> [Number; 2] {
    match mode {
        Mode::Opaque => [0, 1],
        Mode::Clear => [2, 3],
    }
}
