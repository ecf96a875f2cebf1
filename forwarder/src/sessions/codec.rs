//! The codecs of m-lines as their peers number them, and how a publication's numbers become a subscriber's.

use arrayvec::ArrayVec;

use super::formats;
use crate::core::refusal::Refusal;

/// Codecs that one m-line can name.
pub const MAX_CODECS: usize = 16;

/// Longest name or parameters of a codec that are kept, in bytes.
pub const MAX_CODEC_TEXT: usize = 256;

/// Payload types of a publication, and what they become for one subscription.
pub type PayloadTypes = ArrayVec<(u8, u8), MAX_CODECS>;

/// A codec of an m-line: what `a=rtpmap` and `a=fmtp` say of it (RFC 8866 §6.6, §6.15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecSpec {
    /// RTP payload type.
    pub payload_type: u8,
    /// Encoding name, as registered with IANA; upper and lower case are the same.
    pub name: String,
    /// Ticks per second of the RTP timestamp.
    pub clock_rate: u32,
    /// Audio channels; 1 where `None`.
    pub channels: Option<u8>,
    /// Format parameters.
    pub parameters: Option<String>,
    /// Payload type of its retransmissions (RFC 4588).
    pub rtx_payload_type: Option<u8>,
}

impl CodecSpec {
    /// Whether both have the same name, clock rate and channels.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.name.eq_ignore_ascii_case(&other.name)
            && self.clock_rate == other.clock_rate
            && self.channels.unwrap_or(1) == other.channels.unwrap_or(1)
    }

    fn describe(&self) -> String {
        let Self {
            name, clock_rate, ..
        } = self;
        match self.channels {
            Some(channels) => format!("{name}/{clock_rate}/{channels}"),
            None => format!("{name}/{clock_rate}"),
        }
    }
}

/// Refuses lists of codecs that no m-line can have.
pub fn check(codecs: &[CodecSpec]) -> Result<(), Refusal> {
    if codecs.is_empty() || codecs.len() > MAX_CODECS {
        return Err(Refusal::invalid(
            "codecs",
            format!("{} of them", codecs.len()),
            format!("1 to {MAX_CODECS} codecs"),
        ));
    }
    let mut seen = 0_u128;
    for codec in codecs {
        check_text("codecs.name", &codec.name, 1)?;
        // As a codec of its own it would be forwarded, under a number that says nothing of what it repairs (RFC 4588 §8.6).
        if codec.name.eq_ignore_ascii_case("rtx") {
            return Err(Refusal::invalid(
                "codecs.name",
                &codec.name,
                "rtx_payload_type of the codec that it repairs",
            ));
        }
        if let Some(parameters) = &codec.parameters {
            check_text("codecs.parameters", parameters, 0)?;
        }
        if codec.clock_rate == 0 {
            return Err(Refusal::invalid(
                "codecs.clock_rate",
                0,
                "ticks per second of the RTP timestamp, from 1 to 4294967295",
            ));
        }
        if codec.channels == Some(0) {
            return Err(Refusal::invalid("codecs.channels", 0, "1 to 255"));
        }
        let numbers = [
            ("codecs.payload_type", Some(codec.payload_type)),
            ("codecs.rtx_payload_type", codec.rtx_payload_type),
        ];
        for (field, number) in numbers {
            let Some(number) = number else { continue };
            check_payload_type(field, number)?;
            if seen >> number & 1 != 0 {
                return Err(Refusal::duplicate(
                    field,
                    number,
                    "each payload type once in an m-line",
                ));
            }
            seen |= 1 << number;
        }
    }
    Ok(())
}

fn check_text(field: &'static str, text: &str, shortest: usize) -> Result<(), Refusal> {
    let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if printable && (shortest..=MAX_CODEC_TEXT).contains(&text.len()) {
        return Ok(());
    }
    Err(Refusal::invalid(
        field,
        format!("{text:?}"),
        format!("{shortest} to {MAX_CODEC_TEXT} printable ASCII characters"),
    ))
}

/// Refuses payload types that cannot share a port with RTCP (RFC 5761 §4).
fn check_payload_type(field: &'static str, payload_type: u8) -> Result<(), Refusal> {
    match payload_type {
        0..=63 | 96..=127 => Ok(()),
        _ => Err(Refusal::invalid(
            field,
            payload_type,
            "0 to 63 or 96 to 127; the others collide with RTCP (RFC 5761)",
        )),
    }
}

/// How the payload types of a publication become those of a subscriber. Each codec becomes the one of the subscriber that
/// has the same format, or else one that decodes it ([`formats`]).
///
/// RED (RFC 2198) carries payload types inside its payload, which is forwarded as it is. It is mapped only where each of
/// these is the subscriber's number as well; any other subscriber gets what is in it ([`Primary`](crate::media::Primary)).
pub fn map(published: &[CodecSpec], wanted: &[CodecSpec]) -> Result<PayloadTypes, Refusal> {
    let mut map = PayloadTypes::new();
    let mut carriers = ArrayVec::<_, MAX_CODECS>::new();
    for codec in published.iter().take(MAX_CODECS) {
        let Some(found) = formats::find(codec, wanted) else {
            continue;
        };
        if formats::is_red(codec) {
            carriers.push((codec, found));
        } else {
            map.push((codec.payload_type, found.payload_type));
        }
    }
    for (codec, found) in carriers {
        let inner = formats::red_inner(codec);
        if !inner.is_empty() && inner.iter().all(|number| map.contains(&(*number, *number))) {
            map.push((codec.payload_type, found.payload_type));
        }
    }
    if map.is_empty() {
        return Err(Refusal::conflict(
            "codecs",
            list(wanted),
            format!("one of those that are published: {}", list(published)),
        ));
    }
    Ok(map)
}

fn list(codecs: &[CodecSpec]) -> String {
    codecs
        .iter()
        .map(CodecSpec::describe)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codec(payload_type: u8, name: &str, parameters: Option<&str>) -> CodecSpec {
        CodecSpec {
            payload_type,
            name: name.to_owned(),
            clock_rate: 90_000,
            channels: None,
            parameters: parameters.map(str::to_owned),
            rtx_payload_type: None,
        }
    }

    #[test]
    fn numbers_are_matched_by_name_and_parameters() {
        let published = [
            codec(96, "VP8", None),
            codec(102, "H264", Some("packetization-mode=1")),
            codec(104, "H264", Some("packetization-mode=0")),
            codec(45, "AV1", None),
        ];
        let wanted = [
            codec(110, "h264", Some("packetization-mode=0")),
            codec(111, "H264", Some("packetization-mode=1")),
            codec(120, "vp8", None),
        ];
        let map = map(&published, &wanted).unwrap();
        assert_eq!(map.as_slice(), [(96, 120), (102, 111), (104, 110)]);
    }

    fn opus(payload_type: u8) -> CodecSpec {
        CodecSpec {
            clock_rate: 48_000,
            channels: Some(2),
            ..codec(payload_type, "opus", Some("useinbandfec=1"))
        }
    }

    fn red(payload_type: u8, parameters: Option<&str>) -> CodecSpec {
        CodecSpec {
            clock_rate: 48_000,
            channels: Some(2),
            ..codec(payload_type, "red", parameters)
        }
    }

    #[test]
    fn redundancy_is_mapped_where_its_inner_numbers_hold() {
        let published = [opus(111), red(63, Some("111/111"))];
        let mapped = |wanted: &[CodecSpec]| map(&published, wanted).unwrap().to_vec();
        assert_eq!(
            mapped(&[opus(111), red(120, Some("111/111"))]),
            [(111, 111), (63, 120)]
        );
        assert_eq!(
            mapped(&[opus(96), red(63, Some("96/96"))]),
            [(111, 96)],
            "the inner number would be 111"
        );
        assert_eq!(mapped(&[opus(111)]), [(111, 111)]);
        let silent = [red(63, None), opus(111)];
        let wanted = [opus(111), red(63, Some("111/111"))];
        assert_eq!(map(&silent, &wanted).unwrap().as_slice(), [(111, 111)]);
    }

    #[test]
    fn without_a_common_codec_both_sides_are_named() {
        let refusal = map(&[codec(96, "VP8", None)], &[codec(96, "VP9", None)]).unwrap_err();
        assert_eq!(refusal.field, "codecs");
        assert_eq!(refusal.value, "VP9/90000");
        assert!(refusal.allowed.contains("VP8/90000"));
    }

    #[test]
    fn impossible_lists_are_refused() {
        let refused = |codecs: &[CodecSpec]| check(codecs).unwrap_err().field;
        assert_eq!(refused(&[]), "codecs");
        assert_eq!(refused(&vec![codec(96, "VP8", None); 17]), "codecs");
        assert_eq!(refused(&[codec(72, "VP8", None)]), "codecs.payload_type");
        assert_eq!(refused(&[codec(128, "VP8", None)]), "codecs.payload_type");
        assert_eq!(refused(&[codec(96, "", None)]), "codecs.name");
        assert_eq!(refused(&[codec(96, "V\n", None)]), "codecs.name");
        let rtx = check(&[codec(96, "VP8", None), codec(97, "RTX", None)]).unwrap_err();
        assert_eq!((rtx.field, rtx.value.as_str()), ("codecs.name", "RTX"));
        assert!(rtx.allowed.contains("rtx_payload_type"), "{rtx}");
        let twice = [codec(96, "VP8", None), codec(96, "VP9", None)];
        assert_eq!(refused(&twice), "codecs.payload_type");
        let mut own = codec(96, "VP8", None);
        own.rtx_payload_type = Some(96);
        assert_eq!(refused(&[own]), "codecs.rtx_payload_type");
        let mut still = codec(96, "VP8", None);
        still.clock_rate = 0;
        assert_eq!(refused(&[still]), "codecs.clock_rate");
        assert_eq!(
            check(&[codec(96, "VP8", None), codec(0, "PCMU", None)]),
            Ok(())
        );
    }
}
