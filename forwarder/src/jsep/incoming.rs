//! Descriptions of peers against what was agreed.

use std::collections::HashSet;

use super::{
    Agreed, codecs,
    line::{Line, Numbers},
    transport::{self, Said},
    types::Incoming,
};
use crate::{
    core::refusal::Refusal,
    sdp::{self, Description, Extmap, Format, excerpt},
    sessions::{extensions::ExtensionSpec, specs::is_mid},
};

/// What a peer's offer proposes.
pub(super) fn offer(
    agreed: &Agreed,
    description: &Description,
) -> Result<(Agreed, Incoming), Refusal> {
    check_shape(&agreed.lines, description)?;
    check_mids(description)?;
    let mut lines: Vec<_> = description.lines.iter().map(Line::offered).collect();
    close_outside_of_bundle(description, &mut lines);
    let tagged = keep_tagged(description, &mut lines);
    drop_ambiguous_extensions(&mut lines);
    let remote = transport::read(description, &lines, agreed.remote.as_ref(), Said::InOffer)?;
    for (at, (line, theirs)) in lines.iter_mut().zip(&description.lines).enumerate() {
        if line.is_open {
            line.carry(theirs, true, true);
            if let Some(agreed) = agreed.lines.get(at) {
                line.hold_to(agreed);
            }
        } else {
            line.close();
        }
    }
    let incoming = incoming(agreed, &lines, description, &remote);
    let proposed = Agreed {
        lines,
        remote: Some(remote),
        mixes_extensions: description.mixes_extensions,
        tagged,
    };
    Ok((proposed, incoming))
}

/// What an answer makes of an offer of ours.
pub(super) fn answer(
    agreed: &Agreed,
    offered: &[Line],
    description: &Description,
) -> Result<(Agreed, Incoming), Refusal> {
    if description.lines.len() != offered.len() {
        return Err(Refusal::invalid(
            "sdp.m",
            format!("{} m-lines", description.lines.len()),
            format!("{} as in the offer (RFC 3264)", offered.len()),
        ));
    }
    let pairs = offered.iter().zip(&description.lines);
    for (at, (ours, theirs)) in pairs.enumerate() {
        check_same(at, ours, theirs)?;
    }
    let mut lines: Vec<_> = offered.to_vec();
    for (line, theirs) in lines.iter_mut().zip(&description.lines) {
        line.is_open &= theirs.is_open() && theirs.rtcp_mux;
    }
    close_outside_of_bundle(description, &mut lines);
    let remote = transport::read(description, &lines, agreed.remote.as_ref(), Said::InAnswer)?;
    for (at, (line, theirs)) in lines.iter_mut().zip(&description.lines).enumerate() {
        if line.is_open {
            take_answer(line, theirs, agreed.lines.get(at));
        } else {
            line.close();
        }
    }
    let incoming = incoming(agreed, &lines, description, &remote);
    let agreed = Agreed {
        lines,
        remote: Some(remote),
        mixes_extensions: description.mixes_extensions,
        tagged: None,
    };
    Ok((agreed, incoming))
}

/// What the answer leaves of a line that we offered.
fn take_answer(line: &mut Line, theirs: &sdp::Line, agreed: Option<&Line>) {
    let known = |format: &Format| {
        let mut offered = line.codecs.iter();
        let ours = offered.find(|ours| {
            let codec = &ours.codec;
            codec.payload_type == format.codec.payload_type && codec.is_same(&format.codec)
        })?;
        let mut codec = format.codec.clone();
        codec.rtx_payload_type = codec
            .rtx_payload_type
            .filter(|rtx| ours.codec.rtx_payload_type == Some(*rtx));
        let feedback = format.feedback.and(ours.feedback);
        Some(Format { codec, feedback })
    };
    let mut formats: Vec<_> = theirs.codecs.iter().filter_map(known).collect();
    codecs::drop_loose_redundancy(&mut formats);
    line.codecs = formats;
    line.extensions.retain_mut(|map| {
        let mut answered = theirs.extensions.iter();
        let answered = answered.find(|answered| answered.spec == map.spec);
        map.direction = answered.map_or(map.direction, |answered| answered.direction);
        answered.is_some()
    });
    line.mixes_extensions &= theirs.mixes_extensions;
    line.rtcp_rsize &= theirs.rtcp_rsize;
    let numbers = Numbers::of(&theirs.codecs, &theirs.extensions);
    line.numbers = line.numbers.and(numbers);
    let offers_to_send = line.sending.is_some();
    // What we did not offer, the peer could not take: it may still be ready to.
    let ready = agreed.filter(|agreed| agreed.mid == line.mid && !offers_to_send);
    let ready = ready.and_then(|agreed| agreed.receiving.clone());
    line.carry(theirs, line.takes, offers_to_send);
    line.receiving = line.receiving.take().or(ready);
    if let Some(agreed) = agreed {
        line.hold_to(agreed);
    }
    line.takes = line.publication.is_some();
    if line.receiving.is_none() {
        line.sending = None;
    }
}

fn incoming(
    agreed: &Agreed,
    lines: &[Line],
    description: &Description,
    remote: &super::Remote,
) -> Incoming {
    let changes = lines.iter().enumerate();
    let changes = changes.filter_map(|(at, line)| line.change_from(agreed.lines.get(at), at));
    Incoming {
        remote: remote.clone(),
        changes: changes.collect(),
        ended_candidates: description.lines.iter().any(|line| line.ended_candidates),
        rolled_back: false,
    }
}

/// m-lines neither go away nor change their place; what is open stays what it is (RFC 3264 §8, RFC 9429 §5.2.2).
fn check_shape(agreed: &[Line], description: &Description) -> Result<(), Refusal> {
    if description.lines.is_empty() || description.lines.len() < agreed.len() {
        return Err(Refusal::invalid(
            "sdp.m",
            format!("{} m-lines", description.lines.len()),
            format!(
                "{} or more; those that ended stay, with port 0 (RFC 3264)",
                agreed.len().max(1)
            ),
        ));
    }
    let pairs = agreed.iter().zip(&description.lines).enumerate();
    let mut open = pairs.filter(|(_, (ours, theirs))| ours.is_open && theirs.is_open());
    open.try_for_each(|(at, (ours, theirs))| check_same(at, ours, theirs))
}

fn check_same(at: usize, ours: &Line, theirs: &sdp::Line) -> Result<(), Refusal> {
    if theirs.media != ours.media {
        return Err(Refusal::invalid(
            "sdp.m",
            format!("{} in m-line {at}", excerpt(&theirs.media)),
            format!("{} as before", ours.media),
        ));
    }
    if theirs.is_open() && theirs.mid != ours.mid {
        return Err(Refusal::invalid(
            "sdp.mid",
            format!(
                "{} in m-line {at}",
                excerpt(theirs.mid.as_deref().unwrap_or_default())
            ),
            format!("{:?} as before", ours.mid.as_deref().unwrap_or_default()),
        ));
    }
    Ok(())
}

fn check_mids(description: &Description) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    let open = description.lines.iter().filter(|line| line.is_open());
    for mid in open.filter_map(|line| line.mid.as_deref()) {
        if !seen.insert(mid) {
            return Err(Refusal::duplicate(
                "sdp.mid",
                excerpt(mid),
                "a mid of its own for each m-line (RFC 5888)",
            ));
        }
    }
    Ok(())
}

/// There is one transport. Where nothing is bundled it is that of the first line that we take; a line that names no mid
/// which we can carry has no place in a bundle.
fn close_outside_of_bundle(description: &Description, lines: &mut [Line]) {
    let Some(mids) = &description.bundle else {
        let open = lines.iter_mut().filter(|line| line.is_open);
        for line in open.skip(1) {
            line.is_open = false;
        }
        // Its mid goes unused, but must be one.
        for line in lines {
            line.is_open &= line.mid.as_deref().is_none_or(is_mid);
        }
        return;
    };
    let mids: HashSet<_> = mids.iter().map(String::as_str).collect();
    for line in lines {
        let mid = line.mid.as_deref();
        line.is_open &= mid.is_some_and(|mid| is_mid(mid) && mids.contains(mid));
    }
}

/// Finds the line that a peer's offer names first in the bundle. It cannot be rejected as long as another one of the bundle is taken
/// (RFC 9143 §7.3): one that we can make nothing of stays open, inactive. Chromium takes no other answer under `max-bundle`.
fn keep_tagged(description: &Description, lines: &mut [Line]) -> Option<usize> {
    let first = description.bundle.as_ref()?.first()?;
    let mut all = description.lines.iter();
    let at = all.position(|line| line.mid.as_ref() == Some(first))?;
    let is_needed = lines.iter().any(|line| line.is_open);
    let (line, theirs) = (lines.get_mut(at)?, description.lines.get(at)?);
    let is_kept = line.is_open || (is_needed && line.keep(theirs));
    is_kept.then_some(at)
}

/// All lines of a bundle share one space of ids (RFC 8843 §9.2). What contradicts a line before is left out.
fn drop_ambiguous_extensions(lines: &mut [Line]) {
    let mut seen: Vec<ExtensionSpec> = Vec::new();
    for line in lines.iter_mut().filter(|line| line.is_open) {
        line.extensions.retain(|Extmap { spec, .. }| {
            let mut related = seen.iter();
            let fits = related.all(|other| (other.id == spec.id) == (other.uri == spec.uri));
            if fits && !seen.contains(spec) {
                seen.push(spec.clone());
            }
            fits
        });
    }
}
