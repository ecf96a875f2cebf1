//! The RTP header extensions that the forwarder knows, and the identifiers that a session gave them (RFC 8285 §5).

use std::fmt;

use forwarder_common::wire::extension::ONE_BYTE_MAX_ID;

use super::Kind;

/// A header extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Extension {
    /// The m-line that a stream belongs to (RFC 9143 §15).
    Mid,
    /// The encoding of a simulcast (RFC 8852 §3.1).
    Rid,
    /// The encoding that a retransmission repairs (RFC 8852 §3.2).
    RepairedRid,
    /// When the packet was sent, 24 bits.
    AbsSendTime,
    /// The transport-wide sequence number, 16 bits.
    TransportCc,
    /// The level of the sound in the packet (RFC 6464).
    AudioLevel,
    /// How the picture is to be turned (3GPP TS 26.114 §7.4.5).
    VideoOrientation,
    /// Shortest and longest delay until the picture is shown.
    PlayoutDelay,
    /// When the content was captured, by the clock of who captured it.
    AbsCaptureTime,
    /// Which frames a frame depends on (AV1 RTP specification, appendix A).
    DependencyDescriptor,
    /// Layers that a publisher sends, and their rates.
    VideoLayersAllocation,
    /// Whether the video is a screen or a camera.
    VideoContentType,
    /// When the stages of encoding and sending were done.
    VideoTiming,
    /// When the packet was sent, relative to its timestamp (RFC 5450).
    TransmissionOffset,
}

/// How many there are.
pub const KINDS: usize = 14;

/// All of them, in the order of their discriminants, with the URIs that SDP names them by.
const URIS: [(Extension, &str); KINDS] = [
    (Extension::Mid, "urn:ietf:params:rtp-hdrext:sdes:mid"),
    (
        Extension::Rid,
        "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    ),
    (
        Extension::RepairedRid,
        "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    ),
    (
        Extension::AbsSendTime,
        "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    ),
    (
        Extension::TransportCc,
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    ),
    (
        Extension::AudioLevel,
        "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    ),
    (Extension::VideoOrientation, "urn:3gpp:video-orientation"),
    (
        Extension::PlayoutDelay,
        "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
    ),
    (
        Extension::AbsCaptureTime,
        "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
    ),
    (
        Extension::DependencyDescriptor,
        "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
    ),
    (
        Extension::VideoLayersAllocation,
        "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00",
    ),
    (
        Extension::VideoContentType,
        "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type",
    ),
    (
        Extension::VideoTiming,
        "http://www.webrtc.org/experiments/rtp-hdrext/video-timing",
    ),
    (
        Extension::TransmissionOffset,
        "urn:ietf:params:rtp-hdrext:toffset",
    ),
];

impl Extension {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        URIS.iter().map(|&(extension, _)| extension)
    }

    /// The URI that SDP names it by.
    #[must_use]
    pub fn uri(self) -> &'static str {
        let mut uris = URIS.iter();
        let found = uris.find(|&&(extension, _)| extension == self);
        found.map_or("", |&(_, uri)| uri)
    }

    /// The extension with this URI, if it is known.
    #[must_use]
    pub fn from_uri(uri: &str) -> Option<Self> {
        let mut uris = URIS.iter();
        let found = uris.find(|&&(_, known)| known == uri);
        found.map(|&(extension, _)| extension)
    }

    /// Whether a stream of this kind may carry it. Identifiers are per session, so that without this an identifier
    /// negotiated for one m-line would let the extension through on another.
    #[must_use]
    pub const fn suits(self, kind: Kind) -> bool {
        match self {
            Self::AudioLevel => matches!(kind, Kind::Audio),
            Self::VideoOrientation
            | Self::PlayoutDelay
            | Self::DependencyDescriptor
            | Self::VideoLayersAllocation
            | Self::VideoContentType
            | Self::VideoTiming => matches!(kind, Kind::Video),
            Self::Mid
            | Self::Rid
            | Self::RepairedRid
            | Self::AbsSendTime
            | Self::TransportCc
            | Self::AbsCaptureTime
            | Self::TransmissionOffset => true,
        }
    }
}

/// Why an identifier was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdError {
    /// 0 is padding and 15 reserved (RFC 8285 §4.2 and §5).
    Reserved(u8),
    /// The identifier belongs to another extension.
    IdTaken(u8, Extension),
    /// The extension has another identifier.
    ExtensionTaken(Extension, u8),
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved(id) => {
                write!(f, "id cannot be {id}; allowed: 1-14 and 16-255")
            }
            Self::IdTaken(id, extension) => write!(
                f,
                "id {id} is taken by {}; allowed: one id for each extension of a session",
                extension.uri()
            ),
            Self::ExtensionTaken(extension, id) => write!(
                f,
                "uri {} has the id {id}; allowed: one id for each extension of a session",
                extension.uri()
            ),
        }
    }
}

impl std::error::Error for IdError {}

/// The identifiers of the extensions in one direction of a session, looked up either way.
#[derive(Clone, PartialEq, Eq)]
pub struct ExtensionIds {
    by_id: [Option<Extension>; 256],
    /// By discriminant; 0 where it was not negotiated.
    by_extension: [u8; KINDS],
}

impl Default for ExtensionIds {
    fn default() -> Self {
        Self {
            by_id: [None; 256],
            by_extension: [0; KINDS],
        }
    }
}

impl ExtensionIds {
    /// No extension at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives an extension an identifier. To say again what was said before changes nothing: the m-lines of a BUNDLE
    /// repeat each other.
    ///
    /// # Errors
    /// [`IdError`], and nothing changes.
    pub fn insert(&mut self, id: u8, extension: Extension) -> Result<(), IdError> {
        if id == 0 || id == ONE_BYTE_MAX_ID + 1 {
            return Err(IdError::Reserved(id));
        }
        match (self.extension(id), self.id(extension)) {
            (Some(other), _) if other != extension => return Err(IdError::IdTaken(id, other)),
            (_, Some(other)) if other != id => {
                return Err(IdError::ExtensionTaken(extension, other));
            }
            _ => {}
        }
        if let Some(place) = self.by_id.get_mut(usize::from(id)) {
            *place = Some(extension);
        }
        if let Some(place) = self.by_extension.get_mut(extension as usize) {
            *place = id;
        }
        Ok(())
    }

    /// The extension with this identifier.
    #[inline]
    #[must_use]
    pub fn extension(&self, id: u8) -> Option<Extension> {
        self.by_id.get(usize::from(id)).copied().flatten()
    }

    /// The identifier of this extension.
    #[inline]
    #[must_use]
    pub fn id(&self, extension: Extension) -> Option<u8> {
        let id = self.by_extension.get(extension as usize).copied();
        id.filter(|&id| id != 0)
    }

    /// All that was negotiated, by identifier.
    pub fn iter(&self) -> impl Iterator<Item = (u8, Extension)> {
        let ids = 0..=u8::MAX;
        ids.zip(self.by_id)
            .filter_map(|(id, extension)| Some((id, extension?)))
    }
}

impl fmt::Debug for ExtensionIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
