//! The codecs that we know, and what of a peer's list is in common.

use crate::{
    media::{Codec, Extension, Kind},
    sdp::{Extmap, Feedback, Format},
    sessions::{
        codec::{CodecSpec, MAX_CODECS},
        formats::{self, H264Profile},
    },
};

/// Whether we answer generic NACK (RFC 4585 §6.2.1): not before losses can be made good.
pub const ANSWERS_NACK: bool = false;

/// A codec of ours: kind, name, clock rate, channels, parameters, and the numbers that an offer of ours gives it where
/// nothing speaks against them. They are those of most browsers, so that publishers and subscribers tend to agree, which
/// RED needs.
struct Known {
    kind: Kind,
    name: &'static str,
    clock_rate: u32,
    channels: Option<u8>,
    parameters: &'static str,
    number: u8,
    rtx: Option<u8>,
}

const fn video(name: &'static str, parameters: &'static str, number: u8, rtx: u8) -> Known {
    Known {
        kind: Kind::Video,
        name,
        clock_rate: 90_000,
        channels: None,
        parameters,
        number,
        rtx: Some(rtx),
    }
}

const fn audio(name: &'static str, parameters: &'static str, number: u8) -> Known {
    Known {
        kind: Kind::Audio,
        name,
        clock_rate: 48_000,
        channels: Some(2),
        parameters,
        number,
        rtx: None,
    }
}

/// In the order of preference. The parameters of RED follow from the number of Opus.
const KNOWN: [Known; 14] = [
    audio("opus", "minptime=10;useinbandfec=1", 111),
    audio("red", "", 63),
    video("VP8", "", 96, 97),
    video("VP9", "profile-id=0", 98, 99),
    video("VP9", "profile-id=2", 100, 101),
    video(
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        102,
        103,
    ),
    video(
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f",
        104,
        105,
    ),
    video(
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f",
        106,
        107,
    ),
    video(
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f",
        108,
        109,
    ),
    video(
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f",
        112,
        113,
    ),
    video(
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=4d001f",
        114,
        115,
    ),
    video(
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f",
        116,
        117,
    ),
    video(
        "H264",
        "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=64001f",
        118,
        119,
    ),
    video("AV1", "level-idx=5;profile=0;tier=0", 45, 46),
];

/// All codecs of one kind, as an offer of ours numbers them where nothing speaks against it.
pub(super) fn all(kind: Kind) -> Vec<CodecSpec> {
    let known = KNOWN.iter().filter(|known| known.kind == kind);
    let spec = |known: &Known| CodecSpec {
        payload_type: known.number,
        name: known.name.to_owned(),
        clock_rate: known.clock_rate,
        channels: known.channels,
        parameters: (!known.parameters.is_empty()).then(|| known.parameters.to_owned()),
        rtx_payload_type: known.rtx,
    };
    known.map(spec).collect()
}

/// Whether a codec is one of those that we carry.
pub fn is_known(kind: Kind, codec: &CodecSpec) -> bool {
    let is_listed = KNOWN.iter().any(|known| {
        known.kind == kind
            && known.name.eq_ignore_ascii_case(&codec.name)
            && known.clock_rate == codec.clock_rate
            && known.channels.unwrap_or(1) == codec.channels.unwrap_or(1)
    });
    is_listed
        && match Codec::from_name(&codec.name) {
            Codec::Vp9 => matches!(
                formats::parameter(codec, "profile-id"),
                None | Some("0" | "2")
            ),
            Codec::H264 => formats::h264(codec).is_some_and(|(profile, mode)| {
                !matches!(profile, H264Profile::Other(..)) && mode <= 1
            }),
            _ => true,
        }
}

/// What of a peer's list is in common, as the peer numbers it, in its order.
pub(super) fn common(kind: Kind, offered: &[Format]) -> Vec<Format> {
    let known = offered
        .iter()
        .filter(|format| is_known(kind, &format.codec));
    let mut common: Vec<_> = known
        .take(MAX_CODECS)
        .map(|format| Format {
            codec: format.codec.clone(),
            feedback: format.feedback.and(feedback(kind)),
        })
        .collect();
    drop_loose_redundancy(&mut common);
    common
}

/// RED needs the codec that it carries, by the number that it carries (RFC 2198 §5).
pub(super) fn drop_loose_redundancy(formats: &mut Vec<Format>) {
    let red = |format: &Format| formats::is_red(&format.codec);
    let plain = formats.iter().filter(|format| !red(format));
    let numbers: Vec<_> = plain.map(|format| format.codec.payload_type).collect();
    formats.retain(|format| {
        let inner = formats::red_inner(&format.codec);
        let is_whole = !inner.is_empty() && inner.iter().all(|number| numbers.contains(number));
        !red(format) || is_whole
    });
}

/// What we know to say and to hear about streams of a kind.
pub(super) const fn feedback(kind: Kind) -> Feedback {
    let video = Feedback::TRANSPORT_CC
        .or(Feedback::REMB)
        .or(Feedback::FIR)
        .or(Feedback::PLI);
    match kind {
        Kind::Audio => Feedback::TRANSPORT_CC,
        Kind::Video if ANSWERS_NACK => video.or(Feedback::NACK),
        Kind::Video => video,
    }
}

/// Whether an extension is one that we answer and offer on lines of a kind. Those of simulcast are left out as long as
/// simulcast is.
pub(super) fn takes_extension(kind: Kind, extension: Extension) -> bool {
    let of_simulcast = matches!(extension, Extension::Rid | Extension::RepairedRid);
    extension.suits(kind) && !of_simulcast
}

/// What of a peer's header extensions is in common, as the peer numbers it.
pub(super) fn common_extensions(kind: Kind, offered: &[Extmap]) -> Vec<Extmap> {
    let ours = |map: &&Extmap| {
        Extension::from_uri(&map.spec.uri).is_some_and(|extension| takes_extension(kind, extension))
    };
    offered.iter().filter(ours).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_known_once_each_and_by_numbers_of_their_own() {
        let mut seen = std::collections::HashSet::new();
        for kind in [Kind::Audio, Kind::Video] {
            let all = all(kind);
            for (at, codec) in all.iter().enumerate() {
                assert!(is_known(kind, codec), "{codec:?}");
                let mut before = all.iter().take(at);
                assert!(
                    !before.any(|other| formats::is_same_format(codec, other)),
                    "{codec:?}"
                );
                let numbers = [Some(codec.payload_type), codec.rtx_payload_type];
                assert!(
                    numbers
                        .into_iter()
                        .flatten()
                        .all(|number| seen.insert(number))
                );
            }
        }
    }

    #[test]
    fn strangers_are_not_known() {
        let codec = |name: &str, clock_rate, channels, parameters: &str| CodecSpec {
            payload_type: 96,
            name: name.to_owned(),
            clock_rate,
            channels,
            parameters: Some(parameters.to_owned()),
            rtx_payload_type: None,
        };
        let known =
            |codec: &CodecSpec| (is_known(Kind::Audio, codec), is_known(Kind::Video, codec));
        assert_eq!(
            known(&codec("OPUS", 48_000, Some(2), "stereo=1")),
            (true, false)
        );
        assert_eq!(known(&codec("opus", 48_000, None, "")), (false, false));
        assert_eq!(known(&codec("G722", 8_000, None, "")), (false, false));
        assert_eq!(known(&codec("vp8", 90_000, None, "")), (false, true));
        assert_eq!(
            known(&codec("VP9", 90_000, None, "profile-id=1")),
            (false, false)
        );
        assert_eq!(
            known(&codec("VP9", 90_000, None, "profile-id=2")),
            (false, true)
        );
        assert_eq!(
            known(&codec("H264", 90_000, None, "profile-level-id=6e001f")),
            (false, false)
        );
        assert_eq!(
            known(&codec("H264", 90_000, None, "packetization-mode=2")),
            (false, false)
        );
        assert_eq!(known(&codec("H265", 90_000, None, "")), (false, false));
        assert_eq!(
            known(&codec("AV1", 90_000, None, "profile=1")),
            (false, true)
        );
    }
}
