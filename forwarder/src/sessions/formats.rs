//! When two codecs are one format: by name, clock rate, channels, and by what the parameters say of the bits. Parameters
//! that only tell what a receiver likes (levels, frame rates, stereo) count for nothing.

use super::codec::CodecSpec;
use crate::media::Codec;

/// The one of `wanted` that takes what `codec` sends: the same format, or else one whose decoders read it too.
pub fn find<'a>(codec: &CodecSpec, wanted: &'a [CodecSpec]) -> Option<&'a CodecSpec> {
    let mut exact = wanted.iter();
    let exact = exact.find(|other| is_same_format(codec, other));
    exact.or_else(|| wanted.iter().find(|other| decodes(other, codec)))
}

/// Whether both are one format.
pub fn is_same_format(one: &CodecSpec, other: &CodecSpec) -> bool {
    one.is_same(other)
        && match Codec::from_name(&one.name) {
            Codec::H264 => h264(one) == h264(other),
            // RFC 9628 §6: the profile; 0 where none is named.
            Codec::Vp9 => number(one, "profile-id") == number(other, "profile-id"),
            // AV1 RTP specification §7.2.1: the profile; 0 where none is named.
            Codec::Av1 => number(one, "profile") == number(other, "profile"),
            _ => true,
        }
}

/// Whether a decoder of `one` reads `other`, which is another format: H.264 has profiles within profiles, and whoever takes
/// the mode of several packets takes single ones too (RFC 6184 §6.2, §6.3).
fn decodes(one: &CodecSpec, other: &CodecSpec) -> bool {
    let are_h264 = one.is_same(other) && Codec::from_name(&one.name) == Codec::H264;
    if !are_h264 {
        return false;
    }
    match (h264(one), h264(other)) {
        (Some((decoder, takes)), Some((stream, mode))) => decoder.reads(stream) && takes >= mode,
        _ => false,
    }
}

/// Whether this is RED (RFC 2198).
pub fn is_red(codec: &CodecSpec) -> bool {
    codec.name.eq_ignore_ascii_case("red")
}

/// The payload types that RED carries, each once; none where its parameters cannot be read.
pub fn red_inner(codec: &CodecSpec) -> Vec<u8> {
    let listed = codec.parameters.as_deref().unwrap_or_default().trim();
    let numbers: Result<Vec<u8>, _> = listed.split('/').map(str::parse).collect();
    let mut numbers = numbers.unwrap_or_default();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// The value of a parameter; names are read in any case.
pub fn parameter<'a>(codec: &'a CodecSpec, name: &str) -> Option<&'a str> {
    let parameters = codec.parameters.as_deref()?;
    parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        (key.trim().eq_ignore_ascii_case(name)).then_some(value.trim())
    })
}

/// A parameter that is a number, and 0 where it is not there. `None` is a number that cannot be read.
fn number(codec: &CodecSpec, name: &str) -> Option<u8> {
    parameter(codec, name).map_or(Some(0), |value| value.parse().ok())
}

/// A profile of H.264, without its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum H264Profile {
    /// Baseline, and nothing but what Main has as well.
    ConstrainedBaseline,
    /// Baseline.
    Baseline,
    /// Main.
    Main,
    /// High, without fields and slices of two directions.
    ConstrainedHigh,
    /// High.
    High,
    /// High 4:4:4 Predictive. Browsers that decode all of High offer this alone: Chromium without H.264 in hardware.
    HighPredictive,
    /// Any other: its first byte, and the flags in its second.
    Other(u8, u8),
}

impl H264Profile {
    /// The patterns of RFC 6184 §8.1, table 5.
    const fn of(idc: u8, iop: u8) -> Self {
        match (idc, iop) {
            (0x42, _) if iop & 0x4f == 0x40 => Self::ConstrainedBaseline,
            (0x4d, _) if iop & 0x8f == 0x80 => Self::ConstrainedBaseline,
            (0x58, _) if iop & 0xcf == 0xc0 => Self::ConstrainedBaseline,
            (0x42, _) if iop & 0x4f == 0x00 => Self::Baseline,
            (0x58, _) if iop & 0xcf == 0x80 => Self::Baseline,
            (0x4d, _) if iop & 0xaf == 0x00 => Self::Main,
            (0x64, 0x00) => Self::High,
            (0x64, 0x0c) => Self::ConstrainedHigh,
            (0xf4, 0x00) => Self::HighPredictive,
            _ => Self::Other(idc, iop),
        }
    }

    /// Whether decoders of this profile read a stream of the other (H.264 annex A.2).
    fn reads(self, stream: Self) -> bool {
        match stream {
            Self::ConstrainedBaseline => !matches!(self, Self::Other(..)),
            Self::Main | Self::ConstrainedHigh => {
                matches!(self, Self::High | Self::HighPredictive) || self == stream
            }
            Self::High => matches!(self, Self::High | Self::HighPredictive),
            _ => self == stream,
        }
    }
}

/// For a stream of High, the format by which a peer takes it that offers no other of those that contain High.
pub fn in_predictive(codec: &CodecSpec) -> Option<CodecSpec> {
    let is_h264 = Codec::from_name(&codec.name) == Codec::H264;
    let (profile, mode) = h264(codec).filter(|_| is_h264)?;
    if !matches!(profile, H264Profile::High | H264Profile::ConstrainedHigh) {
        return None;
    }
    let level = parameter(codec, "profile-level-id")?.get(4..)?;
    let parameters =
        format!("level-asymmetry-allowed=1;packetization-mode={mode};profile-level-id=f400{level}");
    Some(CodecSpec {
        parameters: Some(parameters),
        ..codec.clone()
    })
}

/// Profile and packetization mode; `None` where they cannot be read.
pub fn h264(codec: &CodecSpec) -> Option<(H264Profile, u8)> {
    let mode = number(codec, "packetization-mode")?;
    // Who names none means Constrained Baseline: all of WebRTC reads it so, though RFC 6184 §8.1 says Baseline.
    let Some(text) = parameter(codec, "profile-level-id") else {
        return Some((H264Profile::ConstrainedBaseline, mode));
    };
    let is_hex = text.len() == 6 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let id = is_hex
        .then(|| u32::from_str_radix(text, 16).ok())
        .flatten()?;
    let [_, idc, iop, _] = id.to_be_bytes();
    Some((H264Profile::of(idc, iop), mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codec(name: &str, parameters: &str) -> CodecSpec {
        CodecSpec {
            payload_type: 96,
            name: name.to_owned(),
            clock_rate: 90_000,
            channels: None,
            parameters: Some(parameters.to_owned()),
            rtx_payload_type: None,
        }
    }

    fn h264_of(profile: &str, mode: u8) -> CodecSpec {
        let parameters = format!("profile-level-id={profile};packetization-mode={mode}");
        codec("H264", &parameters)
    }

    #[test]
    fn profiles_of_h264_by_their_bits() {
        let profile = |text: &str| h264(&h264_of(text, 1)).unwrap().0;
        let cases = [
            ("42e01f", H264Profile::ConstrainedBaseline),
            ("42C00D", H264Profile::ConstrainedBaseline),
            ("42401f", H264Profile::ConstrainedBaseline),
            ("4d801f", H264Profile::ConstrainedBaseline),
            ("58c01f", H264Profile::ConstrainedBaseline),
            ("42001f", H264Profile::Baseline),
            ("42801f", H264Profile::Baseline),
            ("58801f", H264Profile::Baseline),
            ("4d001f", H264Profile::Main),
            ("4d401f", H264Profile::Main),
            ("640c1f", H264Profile::ConstrainedHigh),
            ("64001f", H264Profile::High),
            ("f4001f", H264Profile::HighPredictive),
            ("f4101f", H264Profile::Other(0xf4, 0x10)),
            ("6e001f", H264Profile::Other(0x6e, 0)),
        ];
        for (text, expected) in cases {
            assert_eq!(profile(text), expected, "{text}");
        }
        assert_eq!(h264(&h264_of("42e0", 1)), None);
        assert_eq!(h264(&h264_of("+2e01f", 1)), None);
        assert_eq!(h264(&codec("H264", "packetization-mode=x")), None);
    }

    #[test]
    fn levels_do_not_count_and_profiles_do() {
        let same = |one: &CodecSpec, other: &CodecSpec| is_same_format(one, other);
        assert!(same(&h264_of("42e01f", 1), &h264_of("42e034", 1)));
        assert!(!same(&h264_of("42e01f", 1), &h264_of("42e01f", 0)));
        assert!(!same(&h264_of("42e01f", 1), &h264_of("64001f", 1)));
        assert!(same(
            &codec("H264", "packetization-mode=1"),
            &h264_of("42e01f", 1)
        ));
        assert!(same(&codec("VP9", "profile-id=0"), &codec("vp9", "")));
        assert!(!same(&codec("VP9", "profile-id=2"), &codec("VP9", "")));
        assert!(same(
            &codec("AV1", "level-idx=5;profile=0"),
            &codec("AV1", "")
        ));
        assert!(!same(&codec("AV1", "profile=1"), &codec("AV1", "")));
        assert!(!same(&codec("VP8", ""), &codec("VP9", "")));
    }

    #[test]
    fn a_greater_profile_is_taken_where_the_same_is_missing() {
        let number = |wanted: &[CodecSpec], sent: &CodecSpec| {
            find(sent, wanted).map(|found| found.parameters.clone().unwrap())
        };
        let high = h264_of("64001f", 1);
        let main = h264_of("4d001f", 1);
        let constrained = h264_of("42e01f", 1);
        let single = h264_of("42e01f", 0);
        let all = [
            high.clone(),
            main.clone(),
            constrained.clone(),
            single.clone(),
        ];
        for codec in &all {
            assert_eq!(number(&all, codec), codec.parameters);
        }
        assert_eq!(number(&all[..2], &constrained), high.parameters);
        assert_eq!(number(&all[..1], &main), high.parameters);
        let predictive = h264_of("f4001f", 1);
        let all_of_it = [predictive.clone()];
        assert_eq!(number(&all_of_it, &high), predictive.parameters);
        assert_eq!(number(&all_of_it, &main), predictive.parameters);
        assert_eq!(number(&all, &predictive), None);
        assert_eq!(number(&all[2..3], &single), constrained.parameters);
        assert_eq!(number(&all[3..], &constrained), None, "another mode");
        assert_eq!(number(&all[2..], &main), None, "a smaller profile");
    }

    #[test]
    fn what_redundancy_carries() {
        let inner = |parameters: &str| red_inner(&codec("red", parameters));
        assert_eq!(inner("111/111"), [111]);
        assert_eq!(inner("111/0/111"), [0, 111]);
        for text in ["", "x", "111/", "300"] {
            assert_eq!(inner(text), [0; 0], "{text}");
        }
    }
}
