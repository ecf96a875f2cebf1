//! Pieces of descriptions that carry candidates: `application/trickle-ice-sdpfrag` (RFC 8840 §9).

use sdp_types::{Attribute, Session};

use crate::{
    core::refusal::Refusal,
    sdp::{MAX_TEXT, RemoteCandidate, malformed},
    sessions::specs::credentials,
    transport::Credentials,
};

/// Candidates that one fragment may carry.
const MAX_CANDIDATES: usize = 256;
/// Longest fragment that is read, in bytes.
pub const MAX_FRAGMENT: usize = 64 * 1024;
const _: () = assert!(MAX_FRAGMENT <= MAX_TEXT);

/// What a fragment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// The ICE username fragment that its candidates belong to, where it is named.
    pub ufrag: Option<String>,
    /// The same with its password, where both are named.
    pub ice: Option<Credentials>,
    /// The candidates, of all lines.
    pub candidates: Vec<RemoteCandidate>,
    /// Whether these were the last ones.
    pub ended: bool,
}

/// Reads a fragment.
///
/// # Errors
/// A [`Refusal`] that names what is wrong.
pub fn parse(text: &str) -> Result<Fragment, Refusal> {
    if text.len() > MAX_FRAGMENT {
        return Err(Refusal::invalid(
            "sdpfrag",
            format!("{} bytes", text.len()),
            format!("at most {MAX_FRAGMENT} bytes"),
        ));
    }
    // A fragment is a description without its head (RFC 8840 §9.1), which is all that keeps it from being read as one.
    let whole = format!("v=0\r\n{text}");
    let session = Session::parse(whole.as_bytes()).map_err(|error| {
        malformed(
            "sdpfrag",
            &error.to_string(),
            "lines of RFC 8840, section 9",
        )
    })?;
    let of_lines = session.medias.iter().flat_map(|media| &media.attributes);
    let mut fragment = Fragment::default();
    let mut pwd = None;
    for attribute in session.attributes.iter().chain(of_lines) {
        take(&mut fragment, &mut pwd, attribute)?;
    }
    if let (Some(ufrag), Some(pwd)) = (&fragment.ufrag, pwd) {
        fragment.ice = Some(credentials(ufrag, pwd)?);
    }
    Ok(fragment)
}

fn take<'a>(
    fragment: &mut Fragment,
    pwd: &mut Option<&'a str>,
    attribute: &'a Attribute,
) -> Result<(), Refusal> {
    let value = attribute.value.as_deref().unwrap_or_default();
    match attribute.attribute.as_str() {
        "ice-ufrag" => {
            let other = fragment
                .ufrag
                .as_deref()
                .is_some_and(|ufrag| ufrag != value);
            if other || value.len() > 256 {
                return Err(malformed(
                    "ice.ufrag",
                    value,
                    "the same in all lines, up to 256 characters",
                ));
            }
            fragment.ufrag = Some(value.to_owned());
        }
        "ice-pwd" => *pwd = Some(value),
        "candidate" => {
            if fragment.candidates.len() >= MAX_CANDIDATES {
                return Err(Refusal::invalid(
                    "candidate",
                    "one more",
                    format!("at most {MAX_CANDIDATES} in a fragment"),
                ));
            }
            // An empty one says that there are no more, in the words of the browsers' API.
            if value.is_empty() {
                fragment.ended = true;
            } else {
                fragment.candidates.push(RemoteCandidate::parse(value)?);
            }
        }
        "end-of-candidates" => fragment.ended = true,
        _ => {}
    }
    Ok(())
}

/// Writes a fragment of ours: credentials and candidates of the m-line `mid`, the first of the bundle.
#[must_use]
pub fn write(
    ice: &Credentials,
    candidates: &[Attribute],
    media: &str,
    mid: Option<&str>,
) -> String {
    let mut text = format!(
        "a=ice-lite\r\na=ice-options:trickle ice2\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\nm={media} 9 UDP/TLS/RTP/SAVPF 0\r\n",
        ice.ufrag(),
        ice.pwd()
    );
    if let Some(mid) = mid {
        text.push_str(&format!("a=mid:{mid}\r\n"));
    }
    for attribute in candidates {
        match &attribute.value {
            Some(value) => text.push_str(&format!("a={}:{value}\r\n", attribute.attribute)),
            None => text.push_str(&format!("a={}\r\n", attribute.attribute)),
        }
    }
    text
}
