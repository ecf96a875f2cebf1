//! An m-line and its attributes.

use std::collections::HashMap;

use sdp_types::{ExtMap, Media, RtpMap, Ssrc, SsrcGroup};

use super::{
    description::{Direction, Extmap, Feedback, Format, Line, Transport},
    read::{Whole, read_transport},
};
use crate::{
    media::Kind,
    sessions::{
        codec::{CodecSpec, MAX_CODEC_TEXT},
        extensions::{ExtensionSpec, MAX_EXTENSIONS, MAX_URI},
        specs::EncodingSpec,
    },
};

/// SSRCs of one m-line that are looked at. More are no offer of a browser.
const MAX_SSRCS: usize = 64;

/// What is gathered of an m-line before its pieces are put together.
#[derive(Default)]
struct Gathered {
    /// By payload type; the first of several counts.
    rtpmaps: HashMap<u8, RtpMap>,
    fmtps: HashMap<u8, String>,
    feedback: HashMap<u8, Feedback>,
    /// Feedback for all payload types.
    feedback_of_all: Feedback,
    extmaps: Vec<ExtMap>,
    ssrcs: Vec<u32>,
    groups: Vec<SsrcGroup>,
}

/// Reads one m-line.
pub(super) fn read(media: &Media, whole: &Whole) -> Line {
    let mut line = Line {
        media: media.media.clone(),
        kind: match media.media.as_str() {
            "audio" => Some(Kind::Audio),
            "video" => Some(Kind::Video),
            _ => None,
        },
        port: media.port,
        protocol: media.proto.clone(),
        formats: media.fmt.clone(),
        direction: whole.direction,
        ended_candidates: whole.ended_candidates,
        mixes_extensions: whole.mixes_extensions,
        ..Line::default()
    };
    let mut gathered = Gathered::default();
    for attribute in &media.attributes {
        let value = attribute.value.as_deref().unwrap_or_default();
        take(
            &mut line,
            &mut gathered,
            attribute.attribute.as_str(),
            value,
        );
    }
    let inherited = whole
        .extensions
        .iter()
        .filter_map(|value| value.parse().ok());
    gathered.extmaps.extend(inherited.take(MAX_EXTENSIONS));
    complete(&mut line.transport, &whole.transport);
    line.codecs = formats(&media.fmt, &gathered);
    line.extensions = extensions(&gathered.extmaps);
    line.encoding = encoding(&gathered);
    line
}

fn take(line: &mut Line, gathered: &mut Gathered, name: &str, value: &str) {
    match name {
        "mid" => line.mid = Some(value.trim().to_owned()),
        "extmap-allow-mixed" => line.mixes_extensions = true,
        "bundle-only" => line.bundle_only = true,
        "rtcp-mux" | "rtcp-mux-only" => line.rtcp_mux = true,
        "rtcp-rsize" => line.rtcp_rsize = true,
        "end-of-candidates" => line.ended_candidates = true,
        "msid" if line.stream.is_none() => line.stream = stream(value),
        "rtpmap" => {
            if let Ok(map) = value.parse::<RtpMap>() {
                gathered.rtpmaps.entry(map.payload_type).or_insert(map);
            }
        }
        "fmtp" => {
            if let Some((payload_type, parameters)) = numbered(value) {
                let parameters = parameters.trim().to_owned();
                if !parameters.is_empty() {
                    gathered.fmtps.entry(payload_type).or_insert(parameters);
                }
            }
        }
        "rtcp-fb" => {
            if let Some((payload_type, message)) = numbered(value) {
                let all = gathered.feedback.entry(payload_type).or_default();
                *all = all.or(Feedback::from_name(message.trim()));
            } else if let Some(message) = value.strip_prefix("* ") {
                let message = Feedback::from_name(message.trim());
                gathered.feedback_of_all = gathered.feedback_of_all.or(message);
            }
        }
        "extmap" if gathered.extmaps.len() < 2 * MAX_EXTENSIONS => {
            gathered.extmaps.extend(value.parse::<ExtMap>());
        }
        "ssrc" if gathered.ssrcs.len() < MAX_SSRCS => {
            if let Ok(ssrc) = value.parse::<Ssrc>()
                && !gathered.ssrcs.contains(&ssrc.ssrc_id)
            {
                gathered.ssrcs.push(ssrc.ssrc_id);
            }
        }
        "ssrc-group" if gathered.groups.len() < MAX_SSRCS => {
            gathered.groups.extend(value.parse::<SsrcGroup>());
        }
        _ => {
            if let Some(direction) = Direction::from_name(name) {
                line.direction = direction;
            }
            read_transport(&mut line.transport, name, value);
        }
    }
}

/// A value that begins with a payload type.
fn numbered(value: &str) -> Option<(u8, &str)> {
    let (number, rest) = value.split_once(' ')?;
    let number = number.parse().ok().filter(|number| *number < 128)?;
    Some((number, rest))
}

/// The stream of `a=msid`; `-` stands for none (RFC 8830 §2).
fn stream(value: &str) -> Option<String> {
    let stream = value.split(' ').next().filter(|stream| *stream != "-")?;
    let is_short =
        (1..=64).contains(&stream.len()) && stream.bytes().all(|byte| byte.is_ascii_graphic());
    is_short.then(|| stream.to_owned())
}

/// What an m-line does not say of its transport, the whole description says.
fn complete(transport: &mut Transport, whole: &Transport) {
    // Fragment and password belong together.
    if transport.ufrag.is_none() && transport.pwd.is_none() {
        transport.ufrag.clone_from(&whole.ufrag);
        transport.pwd.clone_from(&whole.pwd);
    }
    if transport.fingerprints.is_empty() {
        transport.fingerprints.clone_from(&whole.fingerprints);
    }
    transport.setup = transport.setup.or(whole.setup);
}

/// The codecs in the order of the m-line, which is that of preference (RFC 8866 §5.14).
fn formats(listed: &str, gathered: &Gathered) -> Vec<Format> {
    let mut formats: Vec<Format> = Vec::new();
    let mut repairs: Vec<(u8, u8)> = Vec::new();
    let mut seen = 0_u128;
    for payload_type in listed.split(' ').filter_map(|word| word.parse::<u8>().ok()) {
        let Some(map) = gathered.rtpmaps.get(&payload_type) else {
            continue;
        };
        if !is_free_of_rtcp(payload_type) || seen >> payload_type & 1 != 0 {
            continue;
        }
        seen |= 1 << payload_type;
        let parameters = gathered.fmtps.get(&payload_type);
        if map.encoding_name.eq_ignore_ascii_case("rtx") {
            let repaired = parameters.and_then(|text| apt(text));
            repairs.extend(repaired.map(|repaired| (repaired, payload_type)));
            continue;
        }
        if let Some(codec) = codec(map, parameters) {
            let own = gathered.feedback.get(&payload_type).copied();
            let feedback = own.unwrap_or_default().or(gathered.feedback_of_all);
            formats.push(Format { codec, feedback });
        }
    }
    for (repaired, by) in repairs {
        let mut found = formats.iter_mut();
        let found = found.find(|format| format.codec.payload_type == repaired);
        if let Some(format) = found {
            format.codec.rtx_payload_type.get_or_insert(by);
        }
    }
    formats
}

fn codec(map: &RtpMap, parameters: Option<&String>) -> Option<CodecSpec> {
    let is_text = |text: &str| {
        text.len() <= MAX_CODEC_TEXT && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
    };
    let channels = match map.encoding_params.as_deref() {
        None => None,
        Some(channels) => Some(
            channels
                .trim()
                .parse()
                .ok()
                .filter(|channels| *channels > 0)?,
        ),
    };
    let known = !map.encoding_name.is_empty()
        && is_text(&map.encoding_name)
        && parameters.is_none_or(|text| is_text(text))
        && map.clock_rate > 0;
    known.then(|| CodecSpec {
        payload_type: map.payload_type,
        name: map.encoding_name.clone(),
        clock_rate: map.clock_rate,
        channels,
        parameters: parameters.cloned(),
        rtx_payload_type: None,
    })
}

/// The payload type that a retransmission repairs (RFC 4588 §8.1).
fn apt(parameters: &str) -> Option<u8> {
    parameters
        .split(';')
        .find_map(|parameter| parameter.trim().strip_prefix("apt=")?.parse().ok())
}

/// Payload types 64 to 95 cannot share a port with RTCP (RFC 5761 §4).
const fn is_free_of_rtcp(payload_type: u8) -> bool {
    matches!(payload_type, 0..=63 | 96..=127)
}

/// The first of each id and each extension.
fn extensions(maps: &[ExtMap]) -> Vec<Extmap> {
    let mut extensions: Vec<Extmap> = Vec::new();
    for map in maps {
        let usable = !matches!(map.id, 0 | 15) && !map.uri.is_empty() && map.uri.len() <= MAX_URI;
        let mut others = extensions.iter().map(|other| &other.spec);
        let fresh = others.all(|other| other.id != map.id && other.uri != map.uri);
        if usable && fresh && extensions.len() < MAX_EXTENSIONS {
            let direction = map.direction.as_ref().map(|direction| direction.as_str());
            extensions.push(Extmap {
                spec: ExtensionSpec {
                    uri: map.uri.clone(),
                    id: map.id,
                },
                direction: direction.and_then(Direction::from_name).unwrap_or_default(),
            });
        }
    }
    extensions
}

/// The first stream. Others of the same m-line are its retransmissions, its repairs, or layers that are not answered.
fn encoding(gathered: &Gathered) -> Option<EncodingSpec> {
    let of = |name: &'static str| {
        let groups = gathered.groups.iter();
        groups.filter(move |group| group.semantics.as_str() == name)
    };
    let layered = of("SIM").find_map(|group| group.ssrc_ids.first().copied());
    let paired = of("FID").find_map(|group| group.ssrc_ids.first().copied());
    let ssrc = layered.or(paired).or(gathered.ssrcs.first().copied())?;
    let rtx_ssrc = of("FID")
        .filter(|group| group.ssrc_ids.first() == Some(&ssrc))
        .find_map(|group| group.ssrc_ids.get(1).copied())
        .filter(|rtx| *rtx != ssrc);
    Some(EncodingSpec { ssrc, rtx_ssrc })
}
