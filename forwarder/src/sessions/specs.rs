//! What callers ask for: sessions, publications and subscriptions, in the terms of ORTC, checked as far as that needs no
//! session.

use arrayvec::ArrayVec;

use super::{
    codec::{self, CodecSpec},
    extensions::ExtensionSpec,
    ids::{PublicationId, SessionId},
    ssrcs::Ssrcs,
};
use crate::{
    core::refusal::Refusal,
    jsep::Remote,
    media::{Extension, Kind},
    transport::{Credentials, Fingerprint},
    worker::command::MAX_MID,
};

/// Fingerprints that one peer can name.
const MAX_FINGERPRINTS: usize = 8;

/// Identification of an m-line (RFC 5888 §4, RFC 9143).
pub type Mid = ArrayVec<u8, MAX_MID>;

/// The peer's part in the DTLS handshake (RFC 4145 §4, RFC 5763 §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PeerRole {
    /// `actpass`: the peer leaves it to us. We are passive, since the passive side chooses the suite.
    #[default]
    Auto,
    /// The peer begins; we are passive.
    Active,
    /// The peer waits; we are active.
    Passive,
}

/// A session as asked for.
#[derive(Clone, Debug)]
pub struct SessionSpec {
    /// The peer's ICE credentials.
    pub ice: Credentials,
    /// The peer's part in the DTLS handshake.
    pub role: PeerRole,
    /// What the peer's certificate must match.
    pub fingerprints: Vec<Fingerprint>,
    /// What an offer of ours has promised, where there was one.
    pub promised: Option<Promise>,
}

/// What an offer of ours says of a session before there is one.
#[derive(Clone, Debug)]
pub struct Promise {
    /// Its id.
    pub(super) id: SessionId,
    /// Our ICE credentials.
    pub(super) local: Credentials,
    /// Where SSRCs come from.
    pub(super) ssrcs: Ssrcs,
    /// Those that subscriptions to come are promised.
    pub(super) reserved: Vec<u32>,
}

impl Promise {
    /// The id that the session will have.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// The ICE credentials that it will have on our side.
    #[must_use]
    pub const fn ice(&self) -> &Credentials {
        &self.local
    }

    /// Promises an SSRC to a subscription to come.
    pub fn reserve_ssrc(&mut self) -> u32 {
        let ssrc = self.ssrcs.take(|_| false);
        self.reserved.push(ssrc);
        ssrc
    }
}

impl SessionSpec {
    /// The session of a peer that has told its transport in a description, where an offer of ours may have promised some of it.
    #[must_use]
    pub fn of(remote: &Remote, promised: Option<Promise>) -> Self {
        Self {
            ice: remote.ice.clone(),
            role: remote.role,
            fingerprints: remote.fingerprints.clone(),
            promised,
        }
    }

    /// Reads what signalling carries; `fingerprints` are pairs of hash function and value.
    ///
    /// # Errors
    /// A [`Refusal`] that names the field.
    pub fn new<'a>(
        (ufrag, pwd): (&str, &str),
        role: PeerRole,
        fingerprints: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Refusal> {
        let ice = credentials(ufrag, pwd)?;
        let mut read = Vec::new();
        for (algorithm, value) in fingerprints {
            // A hash function that we do not have is no reason to refuse: another fingerprint may do (RFC 8122 §5.1).
            match Fingerprint::parse(algorithm, value) {
                Ok(fingerprint) => read.push(fingerprint),
                Err(error) if error.field() == "algorithm" => {}
                Err(error) => {
                    return Err(Refusal::invalid(
                        "dtls.fingerprints.value",
                        value,
                        error.allowed(),
                    ));
                }
            }
        }
        if read.is_empty() || read.len() > MAX_FINGERPRINTS {
            return Err(Refusal::invalid(
                "dtls.fingerprints",
                format!("{} that can be used", read.len()),
                format!("1 to {MAX_FINGERPRINTS} with sha-256, sha-384 or sha-512"),
            ));
        }
        Ok(Self {
            ice,
            role,
            fingerprints: read,
            promised: None,
        })
    }
}

/// Reads ICE credentials of a peer.
///
/// # Errors
/// A [`Refusal`] that names the field.
pub fn credentials(ufrag: &str, pwd: &str) -> Result<Credentials, Refusal> {
    Credentials::new(ufrag, pwd).map_err(|error| match error.field() {
        "ufrag" => Refusal::invalid("ice.ufrag", format!("{ufrag:?}"), error.allowed()),
        // The password is a secret: it stands in no message.
        _ => Refusal::invalid("ice.pwd", "as given", error.allowed()),
    })
}

/// A stream of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodingSpec {
    /// Its SSRC.
    pub ssrc: u32,
    /// The SSRC of its retransmissions (RFC 4588).
    pub rtx_ssrc: Option<u32>,
}

/// A publication as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicationSpec {
    /// Audio or video.
    pub kind: Kind,
    /// Identification of the m-line.
    pub mid: Option<String>,
    /// Its codecs, as the publisher numbers them.
    pub codecs: Vec<CodecSpec>,
    /// Its stream. With none, packets are told by their MID, and the SSRC is learnt.
    pub encodings: Vec<EncodingSpec>,
    /// Its header extensions.
    pub header_extensions: Vec<ExtensionSpec>,
}

impl PublicationSpec {
    /// Checks what needs no session, and gives the MID.
    pub(super) fn check(&self) -> Result<Option<Mid>, Refusal> {
        codec::check(&self.codecs)?;
        if self.encodings.len() > 1 {
            return Err(Refusal::invalid(
                "encodings",
                format!("{} of them", self.encodings.len()),
                "one, or none where a MID tells the packets",
            ));
        }
        for encoding in &self.encodings {
            if encoding.rtx_ssrc == Some(encoding.ssrc) {
                return Err(Refusal::duplicate(
                    "encodings.rtx_ssrc",
                    encoding.ssrc,
                    "another SSRC than that of the media (RFC 4588)",
                ));
            }
        }
        let mid = self.mid.as_deref().map(mid).transpose()?;
        let stamped = self
            .header_extensions
            .iter()
            .any(|spec| spec.uri == Extension::Mid.uri());
        if self.encodings.is_empty() && !(mid.is_some() && stamped) {
            return Err(Refusal::conflict(
                "encodings",
                "none",
                format!(
                    "an SSRC, or a mid together with the header extension {}: else packets cannot be told apart",
                    Extension::Mid.uri()
                ),
            ));
        }
        Ok(mid)
    }

    /// The SSRCs that the peer announced, with their fields.
    pub(super) fn ssrcs(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.encodings.iter().flat_map(|encoding| {
            let media = ("encodings.ssrc", encoding.ssrc);
            let rtx = encoding.rtx_ssrc.map(|rtx| ("encodings.rtx_ssrc", rtx));
            [Some(media), rtx].into_iter().flatten()
        })
    }
}

/// A subscription as asked for.
#[derive(Clone, Debug)]
pub struct SubscriptionSpec {
    /// What is sent on.
    pub publication: PublicationId,
    /// Identification of the m-line.
    pub mid: Option<String>,
    /// The codecs that the subscriber takes, as it numbers them.
    pub codecs: Vec<CodecSpec>,
    /// Its header extensions.
    pub header_extensions: Vec<ExtensionSpec>,
    /// Whether nothing is sent at first.
    pub paused: bool,
    /// The SSRC to send with, of those that were reserved; any, where there is none.
    pub ssrc: Option<u32>,
}

impl SubscriptionSpec {
    /// Checks what needs no session, and gives the MID.
    pub(super) fn check(&self) -> Result<Option<Mid>, Refusal> {
        codec::check(&self.codecs)?;
        self.mid.as_deref().map(mid).transpose()
    }
}

/// Whether this is a MID: a token (RFC 5888 §4), short enough for a one-byte header extension.
#[must_use]
pub fn is_mid(text: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&byte);
    (1..=MAX_MID).contains(&text.len()) && text.bytes().all(token)
}

fn mid(text: &str) -> Result<Mid, Refusal> {
    let read = is_mid(text).then(|| Mid::try_from(text.as_bytes()).ok());
    read.flatten().ok_or_else(|| {
        Refusal::invalid(
            "mid",
            format!("{text:?}"),
            format!("1 to {MAX_MID} characters of a token (RFC 5888)"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PWD: &str = "0123456789012345678901";
    const SHA_1: (&str, &str) = ("sha-1", "AB");

    #[test]
    fn peers_that_cannot_be_are_refused() {
        let value = ["AB"; 32].join(":");
        let good = ("sha-256", value.as_str());
        let new = |ice, prints: &[(&'static str, &'static str)]| {
            SessionSpec::new(ice, PeerRole::Auto, prints.iter().copied())
        };
        let both = SessionSpec::new(("abcd", PWD), PeerRole::Auto, [SHA_1, good]).unwrap();
        assert_eq!(both.fingerprints.len(), 1);
        assert_eq!(new(("abc", PWD), &[]).unwrap_err().field, "ice.ufrag");
        let short = new(("abcd", "secret"), &[]).unwrap_err();
        assert_eq!(short.field, "ice.pwd");
        assert!(!short.to_string().contains("secret"));
        let none = new(("abcd", PWD), &[SHA_1]).unwrap_err();
        assert_eq!(none.field, "dtls.fingerprints");
        let cut = new(("abcd", PWD), &[("sha-256", "AB:CD")]).unwrap_err();
        assert_eq!(cut.field, "dtls.fingerprints.value");
    }

    #[test]
    fn mids_are_short_tokens() {
        assert_eq!(mid("0").unwrap().as_slice(), b"0");
        for text in ["", "a b", "a:b", "\u{e9}", "01234567890123456"] {
            assert_eq!(mid(text).unwrap_err().field, "mid", "{text}");
        }
    }
}
