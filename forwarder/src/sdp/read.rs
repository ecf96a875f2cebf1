//! Text to a [`Description`].

use sdp_types::{Group, ParserError, Session};

use super::{
    MAX_TEXT,
    description::{Description, Direction, Setup, Transport},
    read_line,
};
use crate::{
    core::refusal::Refusal,
    sessions::{settings::MAX_M_LINES, specs::PeerRole},
};

/// Longest piece of a peer's text that stands in a refusal, in characters.
const EXCERPT: usize = 80;

/// Fingerprints that are looked at, of those that one m-line names.
const MAX_FINGERPRINTS: usize = 16;

/// Reads a description.
///
/// # Errors
/// A [`Refusal`] where the text is no description at all. Attributes that are unknown or wrong are none of that.
pub fn read(text: &str) -> Result<Description, Refusal> {
    if text.len() > MAX_TEXT {
        return Err(Refusal::invalid(
            "sdp",
            format!("{} bytes", text.len()),
            format!("at most {MAX_TEXT} bytes"),
        ));
    }
    let session = Session::parse(text.as_bytes()).map_err(|error| syntax(text, &error))?;
    if session.medias.len() > MAX_M_LINES {
        return Err(Refusal::invalid(
            "sdp.m",
            format!("{} m-lines", session.medias.len()),
            format!("at most {MAX_M_LINES}"),
        ));
    }
    let whole = Whole::of(&session);
    let lines = session
        .medias
        .iter()
        .map(|media| read_line::read(media, &whole));
    Ok(Description {
        bundle: bundle(&session),
        mixes_extensions: whole.mixes_extensions,
        lines: lines.collect(),
    })
}

/// What holds for all m-lines that do not say otherwise.
pub(super) struct Whole {
    pub transport: Transport,
    pub direction: Direction,
    pub mixes_extensions: bool,
    pub ended_candidates: bool,
    pub extensions: Vec<String>,
}

impl Whole {
    fn of(session: &Session) -> Self {
        let mut whole = Self {
            transport: Transport::default(),
            direction: Direction::default(),
            mixes_extensions: false,
            ended_candidates: false,
            extensions: Vec::new(),
        };
        for attribute in &session.attributes {
            let value = attribute.value.as_deref().unwrap_or_default();
            match attribute.attribute.as_str() {
                "extmap-allow-mixed" => whole.mixes_extensions = true,
                "end-of-candidates" => whole.ended_candidates = true,
                "extmap" => whole.extensions.push(value.to_owned()),
                name => {
                    if let Some(direction) = Direction::from_name(name) {
                        whole.direction = direction;
                    }
                    read_transport(&mut whole.transport, name, value);
                }
            }
        }
        whole
    }
}

/// Takes in an attribute of the transport.
pub(super) fn read_transport(transport: &mut Transport, name: &str, value: &str) {
    match name {
        "ice-ufrag" => transport.ufrag = Some(value.to_owned()),
        "ice-pwd" => transport.pwd = Some(value.to_owned()),
        "fingerprint" if transport.fingerprints.len() < MAX_FINGERPRINTS => {
            let (function, value) = value.split_once(' ').unwrap_or((value, ""));
            let pair = (function.to_owned(), value.trim().to_owned());
            transport.fingerprints.push(pair);
        }
        "setup" => {
            transport.setup = Some(match value.trim() {
                "actpass" => Setup::Role(PeerRole::Auto),
                "active" => Setup::Role(PeerRole::Active),
                "passive" => Setup::Role(PeerRole::Passive),
                _ => Setup::Other,
            });
        }
        _ => {}
    }
}

fn bundle(session: &Session) -> Option<Vec<String>> {
    session
        .attributes
        .iter()
        .filter(|attribute| attribute.attribute == "group")
        .filter_map(|attribute| attribute.value.as_deref()?.parse::<Group>().ok())
        .find(|group| group.semantics.as_str() == "BUNDLE")
        .map(|group| group.mid_tags)
}

/// What a refusal shows of a peer's text.
pub(crate) fn excerpt(text: &str) -> String {
    let mut shown = format!("{:?}", text.chars().take(EXCERPT).collect::<String>());
    if text.chars().nth(EXCERPT).is_some() {
        shown.push('…');
    }
    shown
}

/// Refuses a value, of which an excerpt is shown.
pub(crate) fn malformed(field: &'static str, value: &str, allowed: &str) -> Refusal {
    Refusal::invalid(field, excerpt(value), allowed)
}

fn syntax(text: &str, error: &ParserError) -> Refusal {
    let (line, allowed) = match *error {
        ParserError::InvalidLineFormat(line, what) => {
            (line, format!("a line of a letter, = and a value ({what})"))
        }
        ParserError::InvalidFieldEncoding(line, field) => {
            (line, format!("UTF-8 in the field {field}"))
        }
        ParserError::InvalidFieldFormat(line, field) => {
            (line, format!("what RFC 8866 says of the field {field}"))
        }
        ParserError::MissingField(line, field) => {
            (line, format!("the field {field}, which is missing"))
        }
        ParserError::FieldTrailingData(line, field) => {
            (line, format!("nothing behind the field {field}"))
        }
        ParserError::InvalidVersion(line, _) => (line, "v=0".to_owned()),
        ParserError::MultipleVersions(line)
        | ParserError::MultipleOrigins(line)
        | ParserError::MultipleSessionNames(line)
        | ParserError::MultipleSessionDescription(line)
        | ParserError::MultipleUris(line)
        | ParserError::MultipleConnections(line)
        | ParserError::MultipleTimeZones(line)
        | ParserError::MultipleMediaTitles(line)
        | ParserError::MultipleKeys(line) => (line, "a line of this type only once".to_owned()),
        ParserError::RepeatWithoutTime(line) => (line, "a line t= before r=".to_owned()),
        _ => (
            1,
            "a description that begins with v=0 (RFC 8866)".to_owned(),
        ),
    };
    let content = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    Refusal::invalid("sdp", format!("line {line}: {}", excerpt(content)), allowed)
}
