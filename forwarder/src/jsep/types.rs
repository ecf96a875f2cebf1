//! What goes into a negotiation and what comes out of it.

use crate::{
    media::Kind,
    sessions::{
        candidate::Candidate,
        codec::CodecSpec,
        extensions::ExtensionSpec,
        specs::{PeerRole, PublicationSpec},
    },
    transport::{Credentials, Fingerprint},
};

/// Where a negotiation stands (RFC 9429 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No offer is outstanding.
    Stable,
    /// We have offered and wait for the answer.
    HaveLocalOffer,
    /// The peer has offered and waits for the answer: only between the call that takes the offer and the one that answers
    /// it or gives it up.
    HaveRemoteOffer,
}

/// What our descriptions tell of us.
#[derive(Clone, Copy, Debug)]
pub struct Local<'a> {
    /// Our ICE credentials: new ones after [`Remote::restarted`].
    pub ice: &'a Credentials,
    /// Our addresses, the one to be preferred first.
    pub candidates: &'a [Candidate],
    /// Of our certificate.
    pub fingerprint: &'a Fingerprint,
    /// The id in our `o=` line: the same for all descriptions of one negotiation. The highest bit is not used.
    pub session: u64,
}

/// What a peer's description tells of its transport, which is one for all lines (BUNDLE).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Its ICE credentials.
    pub ice: Credentials,
    /// Its part in the DTLS handshake; never other than what the first description said.
    pub role: PeerRole,
    /// What its certificate must match; never others than those of the first description.
    pub fingerprints: Vec<Fingerprint>,
    /// Whether its ICE credentials are others than before, which asks for new ones of ours (RFC 9429 §3.5.1).
    pub restarted: bool,
}

/// What becomes of a stream by a description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// As it was, which may be nothing.
    #[default]
    Keep,
    /// It begins. Where there was one before, it ends.
    Start(T),
    /// It ends.
    Stop,
}

/// What changes on one m-line by a peer's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineChange {
    /// Index of the m-line, from 0.
    pub line: usize,
    /// Its identification; a peer that has only one line may leave it out.
    pub mid: Option<String>,
    /// Audio or video.
    pub kind: Kind,
    /// What the peer sends: a publication.
    pub sends: Change<PublicationSpec>,
    /// What the peer takes: at most one subscription.
    pub receives: Change<Receiving>,
    /// The stream that the peer puts what it sends into (`a=msid`): equal for the camera and the microphone of one person.
    pub stream: Option<String>,
}

/// How a peer takes a stream on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiving {
    /// Identification of the m-line.
    pub mid: Option<String>,
    /// Codecs in common, as the peer numbers them, in its order.
    pub codecs: Vec<CodecSpec>,
    /// Header extensions in common, as the peer numbers them.
    pub header_extensions: Vec<ExtensionSpec>,
}

/// What a peer's description changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Its transport.
    pub remote: Remote,
    /// The lines on which something changes, in their order.
    pub changes: Vec<LineChange>,
    /// Whether it has no more candidates (`a=end-of-candidates`).
    pub ended_candidates: bool,
    /// Whether an offer of ours was rolled back, since the peer's came meanwhile (RFC 9429 §4.1.10.2). Whoever made it
    /// offers anew once this one is answered.
    pub rolled_back: bool,
}

/// What became of a line that a peer offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It stays open.
    Accepted {
        /// Whether the peer may send on it.
        receiving: bool,
        /// What we send on it, now or later. It holds for the line from now on: what was sent before ends, unless it is
        /// named again.
        sending: Option<Sent>,
    },
    /// It is closed, both ways. The peer may use its place for another.
    Rejected,
}

/// A stream of ours on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The SSRC, with the canonical name of its source (RFC 5576 §6.1). With none, the peer tells the packets by their MID.
    pub source: Option<(u32, String)>,
    /// The stream of `a=msid`: what belongs together, as the publisher's camera and microphone. Other characters than
    /// those of a token become `-`.
    pub stream: String,
    /// The track of `a=msid`, where the peer reads it.
    pub track: String,
}

/// What a line is to carry by an offer of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Whether the peer may send on it.
    pub receiving: bool,
    /// What we send on it, now or later.
    pub sending: Option<Sent>,
    /// The codecs of a new line: those of what is sent, as its publisher numbers them. With none, all that we know.
    pub codecs: Vec<CodecSpec>,
}

/// What an offer of ours does to a line. Lines that it does not name stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfferedLine {
    /// A new m-line, in the place of a closed one if there is one.
    Add(Kind, Wanted),
    /// Something else on an m-line that is open.
    Change(usize, Wanted),
    /// The m-line is closed.
    Close(usize),
}

/// An offer of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// The description.
    pub sdp: String,
    /// The m-line of each [`OfferedLine`], in their order.
    pub lines: Vec<usize>,
    /// Number of the description: greater than that of every one before (`o=`).
    pub version: u64,
}

/// An open m-line as both sides agreed on it.
#[derive(Clone, Copy, Debug)]
pub struct LineView<'a> {
    /// Index of the m-line, from 0.
    pub line: usize,
    /// Its identification.
    pub mid: Option<&'a str>,
    /// Audio or video.
    pub kind: Kind,
    /// What the peer sends.
    pub sends: Option<&'a PublicationSpec>,
    /// How the peer takes what we send, if it is ready to.
    pub receives: Option<&'a Receiving>,
    /// What we send.
    pub sending: Option<&'a Sent>,
}
