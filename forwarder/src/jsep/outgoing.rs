//! Offers of ours: lines as they are, lines that change, and new ones.

use super::{
    line::Line,
    numbers::{Given, SessionNumbers},
    types::{OfferedLine, Wanted},
};
use crate::{core::refusal::Refusal, media::Kind, sessions::settings::MAX_M_LINES};

/// The lines of an offer, and which of them each of `wanted` is.
pub(super) fn propose(
    agreed: &[Line],
    given: &Given,
    mids: &mut u64,
    wanted: &[OfferedLine],
) -> Result<(Vec<Line>, Vec<usize>), Refusal> {
    let mut lines = agreed.to_vec();
    let mut places = Vec::new();
    // What is there first: a line that closes is not yet free for another (RFC 9429 §5.2.2).
    for one in wanted {
        match one {
            OfferedLine::Change(at, wanted) => {
                let line = open_line(&mut lines, *at)?;
                line.takes = wanted.receiving;
                line.sending.clone_from(&wanted.sending);
            }
            OfferedLine::Close(at) => open_line(&mut lines, *at)?.close(),
            OfferedLine::Add(..) => {}
        }
    }
    for one in wanted {
        places.push(match one {
            OfferedLine::Change(at, _) | OfferedLine::Close(at) => *at,
            OfferedLine::Add(kind, wanted) => {
                let line = new_line(&lines, given, mids, *kind, wanted)?;
                let at = free_place(agreed, &lines, *kind);
                match lines.get_mut(at) {
                    Some(place) => *place = line,
                    None if at < MAX_M_LINES => lines.push(line),
                    None => {
                        return Err(Refusal::full(
                            "m-line",
                            "one more",
                            format!("at most {MAX_M_LINES} in a description"),
                        ));
                    }
                }
                at
            }
        });
    }
    if lines.is_empty() {
        return Err(Refusal::invalid("sdp.m", "no m-lines", "one or more"));
    }
    Ok((lines, places))
}

fn open_line(lines: &mut [Line], at: usize) -> Result<&mut Line, Refusal> {
    let count = lines.len();
    let line = lines.get_mut(at).filter(|line| line.is_open);
    line.ok_or_else(|| {
        Refusal::unknown(
            "m-line",
            at,
            format!("one that is open, of the {count} there are"),
        )
    })
}

/// The place of a line of this kind that had ended before, or the one behind all. Another kind could take such a place as
/// well, but not everybody expects it.
fn free_place(agreed: &[Line], lines: &[Line], kind: Kind) -> usize {
    let free = |line: &Line| !line.is_open && line.kind == Some(kind);
    let mut places = agreed.iter().zip(lines);
    let place = places.position(|(before, now)| free(before) && free(now));
    place.unwrap_or(lines.len())
}

fn new_line(
    lines: &[Line],
    given: &Given,
    mids: &mut u64,
    kind: Kind,
    wanted: &Wanted,
) -> Result<Line, Refusal> {
    let numbers = SessionNumbers::new(lines, given);
    let codecs = numbers.codecs(kind, &wanted.codecs);
    if codecs.is_empty() {
        return Err(Refusal::invalid(
            "codecs",
            "none that can be offered",
            "Opus, VP8, VP9, H.264 or AV1",
        ));
    }
    Ok(Line {
        media: match kind {
            Kind::Audio => "audio".to_owned(),
            Kind::Video => "video".to_owned(),
        },
        protocol: "UDP/TLS/RTP/SAVPF".to_owned(),
        formats: "0".to_owned(),
        kind: Some(kind),
        mid: Some(fresh_mid(lines, mids)),
        is_open: true,
        extensions: numbers.extensions(kind),
        codecs,
        mixes_extensions: true,
        rtcp_rsize: true,
        takes: wanted.receiving,
        sending: wanted.sending.clone(),
        ..Line::default()
    })
}

/// A mid that no line of the session ever had: with a letter that browsers do not begin theirs with.
fn fresh_mid(lines: &[Line], mids: &mut u64) -> String {
    loop {
        let mid = format!("f{mids}");
        *mids += 1;
        if lines
            .iter()
            .all(|line| line.mid.as_deref() != Some(mid.as_str()))
        {
            return mid;
        }
    }
}
