//! An m-line as both sides agreed on it, or as one of them proposes it.

use super::{
    codecs,
    types::{Change, LineChange, Outcome, Receiving, Sent},
};
use crate::{
    media::{Extension, Kind},
    sdp::{self, Direction, Extmap, Feedback, Format, WrittenBody, WrittenLine},
    sessions::{
        codec::{CodecSpec, MAX_CODECS},
        extensions::ExtensionSpec,
        formats,
        specs::{FeedbackSpec, PublicationSpec, is_mid},
    },
};

/// An m-line.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub media: String,
    pub protocol: String,
    /// What stood in the formats of a peer's line: the line may be closed under them.
    pub formats: String,
    pub kind: Option<Kind>,
    pub mid: Option<String>,
    pub is_open: bool,
    /// It is open for its transport alone, and carries nothing.
    pub is_bare: bool,
    pub codecs: Vec<Format>,
    pub extensions: Vec<Extmap>,
    pub mixes_extensions: bool,
    pub rtcp_rsize: bool,
    pub numbers: Numbers,
    /// What the peer sends.
    pub publication: Option<PublicationSpec>,
    /// How the peer takes what we send, if it does.
    pub receiving: Option<Receiving>,
    pub stream: Option<String>,
    /// Whether we receive.
    pub takes: bool,
    /// What we send.
    pub sending: Option<Sent>,
}

/// All numbers that a peer gave out on a line, also for what we do not know, so that offers of ours keep away from them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbers {
    /// A bit for each payload type.
    pub payload_types: u128,
    /// A bit for each id of an extension up to 14, the last that fits the one-byte form.
    pub extensions: u16,
}

impl Numbers {
    pub fn of(formats: &[Format], extensions: &[Extmap]) -> Self {
        let mut numbers = Self::default();
        for format in formats {
            numbers.payload_types |= 1 << (format.codec.payload_type & 127);
            if let Some(rtx) = format.codec.rtx_payload_type {
                numbers.payload_types |= 1 << (rtx & 127);
            }
        }
        for map in extensions.iter().filter(|map| map.spec.id < 15) {
            numbers.extensions |= 1 << map.spec.id;
        }
        numbers
    }

    pub fn and(self, other: Self) -> Self {
        Self {
            payload_types: self.payload_types | other.payload_types,
            extensions: self.extensions | other.extensions,
        }
    }
}

impl Line {
    /// A line that a peer offers, as far as we can take it. What it carries follows from the outcomes.
    pub fn offered(line: &sdp::Line) -> Self {
        let mut offered = Self {
            media: line.media.clone(),
            protocol: line.protocol.clone(),
            formats: line.formats.clone(),
            kind: line.kind,
            mid: line.mid.clone(),
            ..Self::default()
        };
        let Some(kind) = line.kind else {
            return offered;
        };
        offered.codecs = codecs::common(kind, &line.codecs);
        offered.extensions = codecs::common_extensions(kind, &line.extensions);
        offered.mixes_extensions = line.mixes_extensions;
        offered.rtcp_rsize = line.rtcp_rsize;
        offered.numbers = Numbers::of(&line.codecs, &line.extensions);
        offered.is_open = line.is_open()
            && line.rtcp_mux
            && is_secure(&line.protocol)
            && !offered.codecs.is_empty();
        offered
    }

    /// Keeps a line of a peer's offer that we can make nothing of, for its transport; whether it can be kept.
    pub fn keep(&mut self, line: &sdp::Line) -> bool {
        let can = self.kind.is_some()
            && line.is_open()
            && line.rtcp_mux
            && is_secure(&line.protocol)
            && self.mid.as_deref().is_some_and(is_mid)
            && !line.codecs.is_empty();
        if can {
            self.is_open = true;
            self.is_bare = true;
            self.codecs = line.codecs.iter().take(MAX_CODECS).cloned().collect();
        }
        can
    }

    /// The same line, open as it is, on which nothing flows.
    pub fn carrying_nothing(&self) -> Self {
        Self {
            publication: None,
            receiving: None,
            takes: false,
            sending: None,
            ..self.clone()
        }
    }

    /// Takes in what a peer's line carries, as far as both ways are open.
    pub fn carry(&mut self, line: &sdp::Line, to_us: bool, from_us: bool) {
        if self.codecs.is_empty() || self.is_bare {
            return;
        }
        let codecs = || self.codecs.iter().map(|format| format.codec.clone());
        let is_told = line.encoding.is_some() || (self.mid.is_some() && self.stamps_mid());
        let publication = (to_us && line.direction.sends && is_told).then(|| PublicationSpec {
            kind: self.kind.unwrap_or(Kind::Video),
            mid: self.mid.clone(),
            codecs: codecs().collect(),
            encodings: line.encoding.into_iter().collect(),
            header_extensions: self.extensions(|direction| direction.sends),
            feedback: self.feedback(),
        });
        let receiving = (from_us && line.direction.receives).then(|| Receiving {
            mid: self.mid.clone(),
            codecs: codecs().collect(),
            header_extensions: self.extensions(|direction| direction.receives),
        });
        self.stream = publication.as_ref().and(line.stream.clone());
        (self.publication, self.receiving) = (publication, receiving);
    }

    /// What the peer reads of feedback, with any of the codecs.
    fn feedback(&self) -> FeedbackSpec {
        let formats = self.codecs.iter().map(|format| format.feedback);
        let read = formats.reduce(Feedback::or).unwrap_or_default();
        let reads = |message| read.and(message) == message;
        FeedbackSpec {
            nack: reads(Feedback::NACK),
            pli: reads(Feedback::PLI),
            fir: reads(Feedback::FIR),
            transport_cc: reads(Feedback::TRANSPORT_CC),
            remb: reads(Feedback::REMB),
        }
    }

    /// The extensions of one direction, as the peer sees it.
    fn extensions(&self, way: fn(Direction) -> bool) -> Vec<ExtensionSpec> {
        let maps = self.extensions.iter().filter(|map| way(map.direction));
        maps.map(|map| map.spec.clone()).collect()
    }

    fn stamps_mid(&self) -> bool {
        let mut extensions = self.extensions.iter();
        extensions.any(|map| map.spec.uri == Extension::Mid.uri() && map.direction.sends)
    }

    /// Nothing flows on it any more; its place may be used for another.
    pub fn close(&mut self) {
        let Self {
            media,
            protocol,
            formats,
            kind,
            mid,
            ..
        } = std::mem::take(self);
        *self = Self {
            media,
            protocol,
            formats,
            kind,
            mid,
            ..Self::default()
        };
    }

    /// Holds to what was agreed where that is still true, so that a browser which lists more codecs, or in another order,
    /// as it does when a direction changes, ends nothing that flows.
    pub fn hold_to(&mut self, agreed: &Self) {
        if let (Some(old), Some(new)) = (&agreed.publication, &self.publication)
            && old.mid == new.mid
            && old.encodings == new.encodings
            && has_all(&old.codecs, &new.codecs)
            && has_extensions(&old.header_extensions, &new.header_extensions)
        {
            self.publication = Some(old.clone());
        }
        if let (Some(old), Some(new)) = (&agreed.receiving, &self.receiving)
            && old.mid == new.mid
            && has_all(&new.codecs, &old.codecs)
            && has_extensions(&new.header_extensions, &old.header_extensions)
        {
            self.receiving = Some(old.clone());
        }
    }

    /// What changes from what was agreed, if anything.
    pub fn change_from(&self, agreed: Option<&Self>, index: usize) -> Option<LineChange> {
        let publication = agreed.and_then(|line| line.publication.as_ref());
        let sends = change(publication, self.publication.as_ref());
        let receiving = agreed.and_then(|line| line.receiving.as_ref());
        let receives = change(receiving, self.receiving.as_ref());
        if sends == Change::Keep && receives == Change::Keep {
            return None;
        }
        let kind = self.kind.or(agreed.and_then(|line| line.kind))?;
        Some(LineChange {
            line: index,
            mid: self.mid.clone(),
            kind,
            sends,
            receives,
            stream: self.stream.clone(),
        })
    }

    /// What became of it when it was offered by a peer.
    pub fn settle(&mut self, agreed: Option<&Self>, outcome: Option<&Outcome>) {
        let sending = match outcome {
            Some(Outcome::Accepted { receiving, sending }) => {
                if !receiving {
                    self.publication = None;
                }
                sending.clone()
            }
            Some(Outcome::Rejected) => {
                self.close();
                return;
            }
            None => {
                let before = agreed.and_then(|line| line.publication.as_ref());
                if self.publication.as_ref() != before {
                    self.publication = None;
                }
                let same_line = agreed.filter(|line| line.mid == self.mid);
                same_line.and_then(|line| line.sending.clone())
            }
        };
        self.takes = self.publication.is_some();
        self.sending = sending.filter(|_| self.receiving.is_some());
    }

    /// The line as we write it.
    pub fn written(&self) -> WrittenLine<'_> {
        let sent = self.sending.as_ref();
        let source = sent.and_then(|sent| sent.source.as_ref());
        WrittenLine {
            media: &self.media,
            protocol: &self.protocol,
            formats: &self.formats,
            mid: self.mid.as_deref(),
            body: self.is_open.then(|| WrittenBody {
                direction: Direction {
                    sends: sent.is_some(),
                    receives: self.takes,
                },
                codecs: &self.codecs,
                extensions: &self.extensions,
                mixes_extensions: self.mixes_extensions,
                rtcp_rsize: self.rtcp_rsize,
                source: source.map(|(ssrc, cname)| (*ssrc, cname.as_str())),
                msid: sent.map(|sent| (sent.stream.as_str(), sent.track.as_str())),
            }),
        }
    }
}

/// Whether each of `some` is one of `all`, by the same numbers.
fn has_all(all: &[CodecSpec], some: &[CodecSpec]) -> bool {
    some.iter().all(|one| {
        all.iter().any(|other| {
            other.payload_type == one.payload_type
                && other.rtx_payload_type == one.rtx_payload_type
                && formats::is_same_format(other, one)
        })
    })
}

fn has_extensions(all: &[ExtensionSpec], some: &[ExtensionSpec]) -> bool {
    some.iter().all(|spec| all.contains(spec))
}

fn change<T: Clone + PartialEq>(before: Option<&T>, now: Option<&T>) -> Change<T> {
    match (before, now) {
        (Some(_), None) => Change::Stop,
        (before, Some(now)) if before != Some(now) => Change::Start(now.clone()),
        _ => Change::Keep,
    }
}

/// RTP that DTLS keys: the names of RFC 9429 §5.1.2, of which all mean the same beside a fingerprint.
fn is_secure(protocol: &str) -> bool {
    matches!(
        protocol,
        "UDP/TLS/RTP/SAVPF"
            | "UDP/TLS/RTP/SAVP"
            | "TCP/DTLS/RTP/SAVPF"
            | "TCP/DTLS/RTP/SAVP"
            | "RTP/SAVPF"
            | "RTP/SAVP"
    )
}
