//! The one transport of a peer's description.

use super::{line::Line, types::Remote};
use crate::{
    core::refusal::Refusal,
    sdp::{self, Description, Setup, malformed},
    sessions::specs::{PeerRole, SessionSpec},
};

/// Longest text of one attribute of the transport that is looked at, in bytes.
const MAX_ATTRIBUTE: usize = 512;

/// Who said it decides what silence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    InOffer,
    InAnswer,
}

/// Reads the transport. It is that of the first line that we take, in the order of the bundle, which names its own first
/// (RFC 9143 §7.3). Others need not say theirs.
pub(super) fn read(
    description: &Description,
    lines: &[Line],
    before: Option<&Remote>,
    said: Said,
) -> Result<Remote, Refusal> {
    let transport = source(description, lines);
    // Where all lines have ended nobody speaks of the transport, which stays for those that may come.
    if let (None, Some(before), true) = (transport, before, lines.iter().all(|line| !line.is_open))
    {
        let restarted = false;
        return Ok(Remote {
            restarted,
            ..before.clone()
        });
    }
    let silent = sdp::Transport::default();
    let transport = transport.unwrap_or(&silent);
    let (Some(ufrag), Some(pwd)) = (&transport.ufrag, &transport.pwd) else {
        return Err(Refusal::invalid(
            "sdp.ice-ufrag",
            "none",
            "a=ice-ufrag and a=ice-pwd in an m-line or before all (RFC 8839)",
        ));
    };
    if ufrag.len() > MAX_ATTRIBUTE {
        return Err(malformed("ice.ufrag", ufrag, "4 to 256 characters"));
    }
    let mut fingerprints = transport.fingerprints.iter();
    if let Some((_, long)) = fingerprints.find(|(_, value)| value.len() > MAX_ATTRIBUTE) {
        return Err(malformed(
            "dtls.fingerprints.value",
            long,
            "the bytes of one hash",
        ));
    }
    let fingerprints = transport.fingerprints.iter();
    let fingerprints = fingerprints.map(|(function, value)| (function.as_str(), value.as_str()));
    let role = role(transport, before, said)?;
    let spec = SessionSpec::new((ufrag, pwd), role, fingerprints)?;
    let remote = Remote {
        restarted: before.is_some_and(|before| before.ice != spec.ice),
        ice: spec.ice,
        role,
        fingerprints: spec.fingerprints,
    };
    if let Some(before) = before {
        check_certificate(before, &remote)?;
    }
    Ok(remote)
}

fn source<'a>(description: &'a Description, lines: &[Line]) -> Option<&'a sdp::Transport> {
    let is_told = |line: &&sdp::Line| line.transport.ufrag.is_some();
    let taken = description.lines.iter().zip(lines);
    let mut taken = taken.filter(|(_, ours)| ours.is_open).map(|(line, _)| line);
    let first = description.bundle.as_ref().and_then(|mids| mids.first());
    let mut all = description.lines.iter();
    let named = all.find(|line| first.is_some() && line.mid.as_ref() == first);
    taken
        .find(is_told)
        .or_else(|| named.filter(is_told))
        .or_else(|| description.lines.iter().find(is_told))
        .map(|line| &line.transport)
}

/// The peer's part in the DTLS handshake. It stays as long as the association does (RFC 8842 §5.5).
fn role(
    transport: &sdp::Transport,
    before: Option<&Remote>,
    said: Said,
) -> Result<PeerRole, Refusal> {
    let role = match transport.setup {
        Some(Setup::Role(role)) => role,
        // Nothing to wait for: media is to flow.
        Some(Setup::Other) => {
            return Err(Refusal::invalid(
                "sdp.setup",
                "something else",
                "actpass, active or passive (RFC 5763)",
            ));
        }
        None => PeerRole::Auto,
    };
    // Who answers must choose (RFC 5763 §5); who does not is taken to begin, as RFC 4145 §4.1 has it.
    let role = match (said, role) {
        (Said::InAnswer, PeerRole::Auto) => PeerRole::Active,
        _ => role,
    };
    let Some(before) = before else {
        return Ok(role);
    };
    let begins = |role: PeerRole| role != PeerRole::Passive;
    if role != PeerRole::Auto && begins(role) != begins(before.role) {
        return Err(Refusal::conflict(
            "sdp.setup",
            if begins(role) { "active" } else { "passive" },
            "the role that the peer has already, or actpass: the DTLS association stays",
        ));
    }
    Ok(before.role)
}

fn check_certificate(before: &Remote, now: &Remote) -> Result<(), Refusal> {
    let among = |some: &Remote, all: &Remote| {
        some.fingerprints
            .iter()
            .all(|print| all.fingerprints.contains(print))
    };
    if among(before, now) && among(now, before) {
        return Ok(());
    }
    Err(Refusal::conflict(
        "dtls.fingerprints",
        "others than before",
        "those of the first description: another certificate needs another session",
    ))
}
