//! Codecs, as far as the forwarder knows them: it looks for keyframes, and never decodes.

/// What an m-line carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

/// A payload format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// RFC 7587.
    Opus,
    /// RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
    /// RFC 6184.
    H264,
    /// The AV1 RTP specification of the Alliance for Open Media.
    Av1,
    /// Other payload types, repeated, RFC 2198.
    Red,
    /// Retransmissions of another payload type, RFC 4588.
    Rtx,
    /// Any other; it is forwarded like the rest.
    Other,
}

/// The names of RTP payload formats (RFC 4855), in the case that SDP shows them in.
const NAMES: [(Codec, &str); 7] = [
    (Codec::Opus, "opus"),
    (Codec::Vp8, "VP8"),
    (Codec::Vp9, "VP9"),
    (Codec::H264, "H264"),
    (Codec::Av1, "AV1"),
    (Codec::Red, "red"),
    (Codec::Rtx, "rtx"),
];

impl Codec {
    /// The codec of this encoding name, whose case does not matter (RFC 4855 §3).
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let mut known = NAMES.iter();
        let found = known.find(|(_, known)| known.eq_ignore_ascii_case(name));
        found.map_or(Self::Other, |&(codec, _)| codec)
    }

    /// Whether a stream of it can only be joined at a keyframe, which must then be asked for.
    #[must_use]
    pub const fn has_keyframes(self) -> bool {
        matches!(self, Self::Vp8 | Self::Vp9 | Self::H264 | Self::Av1)
    }
}
