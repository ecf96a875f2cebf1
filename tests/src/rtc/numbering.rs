//! Which numbers a client gives to codecs and header extensions. Two sets that share nothing, so that whatever is forwarded from one
//! to the other must have been renumbered.

use str0m::format::{CodecConfig, FormatParams};
use str0m::media::Frequency;
use str0m::rtp::{Extension, ExtensionMap};

use super::clip::Codec;

/// Payload types and identifiers of header extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbering {
    /// Payload type of Opus.
    pub opus: u8,
    /// Payload type of VP8.
    pub vp8: u8,
    /// Payload type of H.264.
    pub h264: u8,
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level` (RFC 6464).
    pub audio_level: u8,
    /// abs-send-time.
    pub send_time: u8,
    /// Transport-wide sequence numbers.
    pub transport_cc: u8,
    /// `urn:ietf:params:rtp-hdrext:sdes:mid` (RFC 9143).
    pub mid: u8,
    /// `urn:3gpp:video-orientation`.
    pub orientation: u8,
    /// abs-capture-time.
    pub capture_time: u8,
}

impl Numbering {
    /// The numbers that Chromium offers.
    pub const CHROMIUM: Self = Self {
        opus: 111,
        vp8: 96,
        h264: 125,
        audio_level: 1,
        send_time: 2,
        transport_cc: 3,
        mid: 4,
        orientation: 13,
        capture_time: 12,
    };

    /// Others throughout, one of them past what the one-byte form of RFC 8285 §4.2 can say.
    pub const OTHER: Self = Self {
        opus: 109,
        vp8: 120,
        h264: 97,
        audio_level: 5,
        send_time: 7,
        transport_cc: 9,
        mid: 10,
        orientation: 6,
        capture_time: 16,
    };

    /// Payload type of a codec.
    #[must_use]
    pub fn payload_type(&self, codec: Codec) -> u8 {
        match codec {
            Codec::Opus => self.opus,
            Codec::Vp8 => self.vp8,
            Codec::H264 => self.h264,
        }
    }

    /// Extensions of a kind of media by identifier and URI.
    #[must_use]
    pub fn extensions(&self, audio: bool) -> Vec<(u8, String)> {
        let of_kind = if audio {
            (self.audio_level, Extension::AudioLevel)
        } else {
            (self.orientation, Extension::VideoOrientation)
        };
        [
            of_kind,
            (self.send_time, Extension::AbsoluteSendTime),
            (self.transport_cc, Extension::TransportSequenceNumber),
            (self.mid, Extension::RtpMid),
            (self.capture_time, Extension::AbsoluteCaptureTime),
        ]
        .map(|(id, extension)| (id, extension.as_uri().to_owned()))
        .to_vec()
    }

    /// As str0m has extensions.
    #[must_use]
    pub fn extension_map(&self) -> ExtensionMap {
        let mut map = ExtensionMap::empty();
        map.set(self.audio_level, Extension::AudioLevel);
        map.set(self.send_time, Extension::AbsoluteSendTime);
        map.set(self.transport_cc, Extension::TransportSequenceNumber);
        map.set(self.mid, Extension::RtpMid);
        map.set(self.orientation, Extension::VideoOrientation);
        map.set(self.capture_time, Extension::AbsoluteCaptureTime);
        map
    }

    /// Sets str0m's codecs: these three, without retransmission.
    pub fn configure(&self, config: &mut CodecConfig) {
        config.clear();
        for codec in [Codec::Opus, Codec::Vp8, Codec::H264] {
            let (kind, channels) = match codec {
                Codec::Opus => (str0m::format::Codec::Opus, Some(2)),
                Codec::Vp8 => (str0m::format::Codec::Vp8, None),
                Codec::H264 => (str0m::format::Codec::H264, None),
            };
            config.add_config(
                self.payload_type(codec).into(),
                None,
                kind,
                frequency(codec),
                channels,
                format(codec),
            );
        }
    }
}

/// The `a=fmtp` parameters of a codec, as the API and SDP have them.
#[must_use]
pub fn parameters(codec: Codec) -> Option<&'static str> {
    match codec {
        Codec::Vp8 => None,
        Codec::H264 => Some("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
        Codec::Opus => Some("minptime=10;useinbandfec=1"),
    }
}

/// A codec's RTP clock as str0m has it.
#[must_use]
pub fn frequency(codec: Codec) -> Frequency {
    if codec.is_audio() {
        Frequency::FORTY_EIGHT_KHZ
    } else {
        Frequency::NINETY_KHZ
    }
}

fn format(codec: Codec) -> FormatParams {
    parameters(codec).map_or_else(FormatParams::default, FormatParams::parse_line)
}
