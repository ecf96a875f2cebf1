//! A description of ours to text.

use sdp_types::{
    Attribute, Connection, Media, MediaType, Origin, RtpMap, Session, Ssrc, SsrcAttribute, Time,
    TransportProto,
};

use super::description::{Direction, Extmap, Format};
use crate::{
    sessions::candidate::Candidate,
    transport::{Credentials, Fingerprint, Protocol},
};

/// A description of ours.
#[derive(Clone, Debug)]
pub struct Written<'a> {
    /// The id in the `o=` line.
    pub session: u64,
    /// The version there.
    pub version: u64,
    /// Our ICE credentials.
    pub ice: &'a Credentials,
    /// Our addresses, the one to be preferred first.
    pub candidates: &'a [Candidate],
    /// Of our certificate.
    pub fingerprint: &'a Fingerprint,
    /// Our part in the DTLS handshake.
    pub setup: &'static str,
    /// Whether one- and two-byte header extensions may stand side by side.
    pub mixes_extensions: bool,
    /// The m-lines.
    pub lines: Vec<WrittenLine<'a>>,
}

/// An m-line of ours.
#[derive(Clone, Debug)]
pub struct WrittenLine<'a> {
    /// The word after `m=`.
    pub media: &'a str,
    /// The transport protocol.
    pub protocol: &'a str,
    /// The formats of a closed line, which mean nothing, but must be there.
    pub formats: &'a str,
    /// Identification of the m-line.
    pub mid: Option<&'a str>,
    /// What it carries; `None` where it is closed.
    pub body: Option<WrittenBody<'a>>,
}

/// What an open m-line of ours carries.
#[derive(Clone, Debug)]
pub struct WrittenBody<'a> {
    /// Which ways media flows, as we see it.
    pub direction: Direction,
    /// Its codecs, in the order of preference.
    pub codecs: &'a [Format],
    /// Its header extensions, with the ways they go as the peer sees it.
    pub extensions: &'a [Extmap],
    /// Whether one- and two-byte header extensions may stand side by side.
    pub mixes_extensions: bool,
    /// Whether RTCP may come in reduced size.
    pub rtcp_rsize: bool,
    /// The SSRC of what is sent, and its canonical name.
    pub source: Option<(u32, &'a str)>,
    /// Stream and track of what is sent.
    pub msid: Option<(&'a str, &'a str)>,
}

/// Writes a description.
#[must_use]
pub fn write(written: &Written<'_>) -> String {
    // The highest bit is left free, since some read it as a sign (RFC 9429 §5.2.1).
    let id = written.session & (u64::MAX >> 1);
    let anywhere = std::net::Ipv4Addr::UNSPECIFIED;
    let origin = Origin::with_ip_addr(id, written.version, anywhere);
    let mut session = Session::new(origin, "-");
    session.times.push(Time::new(0, 0));
    let open = || written.lines.iter().filter(|line| line.body.is_some());
    let mids: Vec<_> = open().filter_map(|line| line.mid).collect();
    if !mids.is_empty() {
        let group = format!("BUNDLE {}", mids.join(" "));
        session
            .attributes
            .push(Attribute::with_value("group", group));
    }
    if written.mixes_extensions {
        session
            .attributes
            .push(Attribute::new("extmap-allow-mixed"));
    }
    session.attributes.push(Attribute::new("ice-lite"));
    // All lines share the transport of the first.
    let first = written.lines.iter().position(|line| line.body.is_some());
    for (at, line) in written.lines.iter().enumerate() {
        session.medias.push(media(written, line, first == Some(at)));
    }
    session.to_string()
}

/// Our candidates as attributes, with their end: we have all of them at once.
#[must_use]
pub fn candidate_lines(candidates: &[Candidate]) -> Vec<Attribute> {
    let lines = candidates.iter().map(|candidate| {
        let Candidate {
            foundation,
            priority,
            address,
            ..
        } = candidate;
        let (protocol, kind) = match candidate.protocol {
            Protocol::Udp => ("udp", "typ host"),
            Protocol::Tcp => ("tcp", "typ host tcptype passive"),
        };
        let (ip, port) = (address.ip(), address.port());
        let value = format!("{foundation} 1 {protocol} {priority} {ip} {port} {kind}");
        Attribute::with_value("candidate", value)
    });
    let end = Attribute::new("end-of-candidates");
    lines.chain([end]).collect()
}

fn media(written: &Written<'_>, line: &WrittenLine<'_>, first: bool) -> Media {
    let Some(body) = &line.body else {
        return closed(written, line);
    };
    let mut media = bare(line, body_formats(body));
    let default = default_candidate(written.candidates);
    media.port = default.map_or(9, |candidate| candidate.address.port());
    let ip = default.map(|candidate| candidate.address.ip());
    let ip = ip.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED.into());
    media.connections.push(Connection::from_ip_addr(ip));
    put_transport(&mut media, written);
    let mut put = |name: &str, value: String| {
        media.attributes.push(Attribute::with_value(name, value));
    };
    if let Some(mid) = line.mid {
        put("mid", mid.to_owned());
    }
    for Extmap { spec, direction } in body.extensions {
        let id = match *direction == Direction::default() {
            true => spec.id.to_string(),
            false => format!("{}/{}", spec.id, direction.reversed().name()),
        };
        put("extmap", format!("{id} {}", spec.uri));
    }
    if body.mixes_extensions && !written.mixes_extensions {
        media.attributes.push(Attribute::new("extmap-allow-mixed"));
    }
    media.attributes.push(Attribute::new(body.direction.name()));
    if let Some((stream, track)) = body.msid {
        let value = format!("{} {}", token(stream), token(track));
        media.attributes.push(Attribute::with_value("msid", value));
    }
    media.attributes.push(Attribute::new("rtcp-mux"));
    if body.rtcp_rsize {
        media.attributes.push(Attribute::new("rtcp-rsize"));
    }
    for format in body.codecs {
        put_format(&mut media, format);
    }
    if let Some((ssrc, cname)) = body.source {
        let source = Ssrc::with_value(ssrc, SsrcAttribute::Cname, token(cname));
        media.attributes.push(source.into());
    }
    if first {
        media.attributes.extend(candidate_lines(written.candidates));
    }
    media
}

/// A line that carries nothing (RFC 3264 §6). Nobody needs its transport, but aiortc refuses a description in which a line
/// has none, or no rtcp-mux.
fn closed(written: &Written<'_>, line: &WrittenLine<'_>) -> Media {
    let mut media = bare(line, line.formats.to_owned());
    let anywhere = Connection::from_ip_addr(std::net::Ipv4Addr::UNSPECIFIED);
    media.connections.push(anywhere);
    put_transport(&mut media, written);
    if let Some(mid) = line.mid {
        media.attributes.push(Attribute::with_value("mid", mid));
    }
    media.attributes.push(Attribute::new("inactive"));
    media.attributes.push(Attribute::new("rtcp-mux"));
    media
}

/// Each line tells the transport: not everybody looks for it in the first of the bundle alone.
fn put_transport(media: &mut Media, written: &Written<'_>) {
    let Written {
        ice,
        fingerprint,
        setup,
        ..
    } = written;
    let function = fingerprint.function().name();
    let attributes = [
        ("ice-ufrag", ice.ufrag().to_owned()),
        ("ice-pwd", ice.pwd().to_owned()),
        ("ice-options", "trickle ice2".to_owned()),
        ("fingerprint", format!("{function} {fingerprint}")),
        ("setup", (*setup).to_owned()),
    ];
    let attributes = attributes.map(|(name, value)| Attribute::with_value(name, value));
    media.attributes.extend(attributes);
}

fn bare(line: &WrittenLine<'_>, formats: String) -> Media {
    let mut media = Media::new(MediaType::Audio, 0, TransportProto::UdpTlsRtpSavpf, formats);
    line.media.clone_into(&mut media.media);
    line.protocol.clone_into(&mut media.proto);
    media
}

fn body_formats(body: &WrittenBody<'_>) -> String {
    let numbers = body.codecs.iter().flat_map(|format| {
        let codec = &format.codec;
        [Some(codec.payload_type), codec.rtx_payload_type]
    });
    let words: Vec<_> = numbers.flatten().map(|number| number.to_string()).collect();
    words.join(" ")
}

fn put_format(media: &mut Media, format: &Format) {
    let codec = &format.codec;
    let number = codec.payload_type;
    let mut map = RtpMap::new(number, &codec.name, codec.clock_rate);
    if let Some(channels) = codec.channels {
        map.set_encoding_params(channels);
    }
    media.attributes.push(map.into());
    for message in format.feedback.names() {
        let value = format!("{number} {message}");
        media
            .attributes
            .push(Attribute::with_value("rtcp-fb", value));
    }
    if let Some(parameters) = codec.parameters.as_deref().filter(|text| !text.is_empty()) {
        let value = format!("{number} {parameters}");
        media.attributes.push(Attribute::with_value("fmtp", value));
    }
    if let Some(rtx) = codec.rtx_payload_type {
        media
            .attributes
            .push(RtpMap::new(rtx, "rtx", codec.clock_rate).into());
        let value = format!("{rtx} apt={number}");
        media.attributes.push(Attribute::with_value("fmtp", value));
    }
}

/// The address for those who read no candidates: one over UDP, if there is one (RFC 8839 §4.2.1).
fn default_candidate(candidates: &[Candidate]) -> Option<&Candidate> {
    let mut udp = candidates.iter();
    let udp = udp.find(|candidate| candidate.protocol == Protocol::Udp);
    udp.or(candidates.first())
}

/// What others named, as one word of ours: what would end it becomes `-`.
fn token(text: &str) -> String {
    let safe = |c: char| if c.is_ascii_graphic() { c } else { '-' };
    let word: String = text.chars().map(safe).take(64).collect();
    if word.is_empty() {
        "-".to_owned()
    } else {
        word
    }
}
