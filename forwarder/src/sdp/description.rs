//! A peer's description, as far as it means something to us.

use crate::{
    media::Kind,
    sessions::{
        codec::CodecSpec,
        extensions::ExtensionSpec,
        specs::{EncodingSpec, PeerRole},
    },
};

/// A peer's description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The MIDs of the first BUNDLE group (RFC 9143), if there is one.
    pub bundle: Option<Vec<String>>,
    /// Whether one- and two-byte header extensions may stand side by side in all m-lines (RFC 8285 §4.1.2).
    pub mixes_extensions: bool,
    /// The m-lines.
    pub lines: Vec<Line>,
}

/// An m-line of a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The word after `m=`.
    pub media: String,
    /// What it means: `None` for neither audio nor video.
    pub kind: Option<Kind>,
    /// 0 where the m-line is closed, or only usable in its bundle.
    pub port: u16,
    /// The transport protocol.
    pub protocol: String,
    /// The formats as they were written.
    pub formats: String,
    /// Identification of the m-line (RFC 5888).
    pub mid: Option<String>,
    /// Which ways media flows, as the peer sees it.
    pub direction: Direction,
    /// `a=bundle-only`: port 0 closes nothing (RFC 9143 §6).
    pub bundle_only: bool,
    /// Whether RTP and RTCP share a port (RFC 5761).
    pub rtcp_mux: bool,
    /// Whether RTCP may come in reduced size (RFC 5506).
    pub rtcp_rsize: bool,
    /// Its transport, completed by the one of the whole description.
    pub transport: Transport,
    /// Its codecs in the peer's order, retransmissions folded into what they repair.
    pub codecs: Vec<Format>,
    /// Its header extensions.
    pub extensions: Vec<Extmap>,
    /// Whether one- and two-byte header extensions may stand side by side (RFC 8285 §4.1.2).
    pub mixes_extensions: bool,
    /// The stream that it announces.
    pub encoding: Option<EncodingSpec>,
    /// The media stream that it belongs to (RFC 8830).
    pub stream: Option<String>,
    /// Whether there are no more candidates.
    pub ended_candidates: bool,
}

impl Line {
    /// Whether the peer keeps it open.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.port != 0 || self.bundle_only
    }
}

/// A codec of an m-line, and the feedback that it may be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// The codec.
    pub codec: CodecSpec,
    /// What `a=rtcp-fb` says of it.
    pub feedback: Feedback,
}

/// A header extension, and which ways it may go (RFC 8285 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extmap {
    /// The extension.
    pub spec: ExtensionSpec,
    /// As the one who says it sees it.
    pub direction: Direction,
}

/// Which ways media flows (RFC 8866 §6.7), as the one who says it sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    /// It sends.
    pub sends: bool,
    /// It receives.
    pub receives: bool,
}

impl Default for Direction {
    /// Both, where nothing is said (RFC 8866 §6.7).
    fn default() -> Self {
        Self {
            sends: true,
            receives: true,
        }
    }
}

impl Direction {
    /// The attribute.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match (self.sends, self.receives) {
            (true, true) => "sendrecv",
            (true, false) => "sendonly",
            (false, true) => "recvonly",
            (false, false) => "inactive",
        }
    }

    /// The same as the other side sees it.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self {
            sends: self.receives,
            receives: self.sends,
        }
    }

    /// By its attribute.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let (sends, receives) = match name {
            "sendrecv" => (true, true),
            "sendonly" => (true, false),
            "recvonly" => (false, true),
            "inactive" => (false, false),
            _ => return None,
        };
        Some(Self { sends, receives })
    }
}

/// Messages of RTCP that a codec may be given (RFC 4585 §4.2), as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feedback(u8);

impl Feedback {
    /// Arrival of packets by transport-wide sequence numbers.
    pub const TRANSPORT_CC: Self = Self(1);
    /// Receiver's estimate of the bandwidth.
    pub const REMB: Self = Self(2);
    /// Full intra request (RFC 5104).
    pub const FIR: Self = Self(4);
    /// Picture loss indication.
    pub const PLI: Self = Self(8);
    /// Generic NACK.
    pub const NACK: Self = Self(16);

    const NAMES: [(Self, &'static str); 5] = [
        (Self::REMB, "goog-remb"),
        (Self::TRANSPORT_CC, "transport-cc"),
        (Self::FIR, "ccm fir"),
        (Self::NACK, "nack"),
        (Self::PLI, "nack pli"),
    ];

    /// What is in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The values of the attributes, in the order in which browsers write them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let within = move |&&(one, _): &&(Self, _)| self.and(one) == one;
        Self::NAMES.iter().filter(within).map(|&(_, name)| name)
    }

    /// By the value of the attribute; nothing for messages that we do not know.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let mut known = Self::NAMES.iter();
        let found = known.find(|&&(_, known)| known == name);
        found.map_or(Self(0), |&(one, _)| one)
    }
}

/// A peer's transport as one m-line or the whole description says it. Nothing of it is checked yet.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Transport {
    /// ICE username fragment.
    pub ufrag: Option<String>,
    /// ICE password.
    pub pwd: Option<String>,
    /// Hash function and value of each fingerprint.
    pub fingerprints: Vec<(String, String)>,
    /// The part in the DTLS handshake.
    pub setup: Option<Setup>,
}

impl std::fmt::Debug for Transport {
    /// Without the password, which is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport")
            .field("ufrag", &self.ufrag)
            .field("fingerprints", &self.fingerprints)
            .field("setup", &self.setup)
            .finish_non_exhaustive()
    }
}

/// `a=setup` (RFC 4145 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// One of the roles that lead to an association.
    Role(PeerRole),
    /// Anything else, as `holdconn`.
    Other,
}
