//! What the session core wants done, and what it tells.

use super::ids::{PublicationId, SessionId, SubscriptionId};
use crate::{
    media::Kind,
    srtp::Suite,
    transport::{DtlsError, Pair},
    worker::command::Command,
};

/// Payload types that carry audio, one bit each, the lowest first: as XDP's steering has them.
pub type AudioPayloadTypes = [u32; 4];

/// What the session core wants done. Outputs are to be carried out in their order.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "outputs are taken one by one, and commands are most of them"
)]
pub enum Output {
    /// Send this to the peer: from the listener of the pair's local address, or as a frame of the TCP connection.
    Transmit {
        /// From where to where.
        pair: Pair,
        /// A STUN, DTLS or SRTCP datagram.
        bytes: Vec<u8>,
    },
    /// Make the pair ready for media: a connected socket, a hop, an entry in the steering. Then say so by
    /// [`Sessions::pair_ready`](super::Sessions::pair_ready). Until then it is asked for again every other second, as long
    /// as the peer's checks come.
    OpenPair {
        /// Number of the session.
        session: u32,
        /// The pair.
        pair: Pair,
        /// The session's worker, which is to read it.
        worker: u32,
        /// What is shed last.
        audio: AudioPayloadTypes,
    },
    /// The payload types that carry audio have changed on an open pair.
    SteerPair {
        /// Number of the session.
        session: u32,
        /// The pair.
        pair: Pair,
        /// The session's worker.
        worker: u32,
        /// What is shed last.
        audio: AudioPayloadTypes,
    },
    /// The pair is not needed any more: take back what [`Output::OpenPair`] made.
    ClosePair {
        /// Number of the session.
        session: u32,
        /// The pair.
        pair: Pair,
    },
    /// The peer consents to media on the pair until then (RFC 7675), in nanoseconds of CLOCK_BOOTTIME.
    RenewPair {
        /// Number of the session.
        session: u32,
        /// The pair.
        pair: Pair,
        /// The deadline.
        until: u64,
    },
    /// Let STUN from strangers through that is addressed to this username fragment.
    AdmitUfrag([u8; 8]),
    /// And no longer.
    ForgetUfrag([u8; 8]),
    /// Tell the worker with this number, counted from 0.
    Command(u32, Command),
    /// Something happened that a caller may want to know.
    Event(Event),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// ICE and DTLS are through.
    Connected {
        /// Which session.
        session: SessionId,
        /// What its packets are sealed with.
        suite: Suite,
    },
    /// The peer moved its media to another pair, or to its first.
    Selected {
        /// Which session.
        session: SessionId,
        /// The pair.
        pair: Pair,
    },
    /// A session ended, with all that it published and was subscribed to.
    Closed {
        /// Which session.
        session: SessionId,
        /// Why.
        reason: CloseReason,
    },
    /// A publication began.
    TrackPublished {
        /// Whose.
        session: SessionId,
        /// Which.
        publication: PublicationId,
        /// Audio or video.
        kind: Kind,
    },
    /// A publication ended, after all subscriptions to it.
    TrackEnded {
        /// Whose.
        session: SessionId,
        /// Which.
        publication: PublicationId,
    },
    /// A publication was silenced, or is no longer.
    TrackMuted {
        /// Whose.
        session: SessionId,
        /// Which.
        publication: PublicationId,
        /// Whether it is silenced.
        muted: bool,
    },
    /// The publisher was asked for a keyframe.
    KeyframeRequested {
        /// Whose publication.
        session: SessionId,
        /// Which.
        publication: PublicationId,
    },
    /// A subscription began.
    SubscriptionStarted {
        /// Whose.
        session: SessionId,
        /// Which.
        subscription: SubscriptionId,
        /// Of what.
        publication: PublicationId,
        /// On which m-line.
        mid: Option<String>,
    },
    /// Nothing is sent to a subscription for now, or again.
    SubscriptionPaused {
        /// Whose.
        session: SessionId,
        /// Which.
        subscription: SubscriptionId,
        /// Whether nothing is sent.
        paused: bool,
    },
    /// A subscription ended: a caller ended it, or what it was subscribed to, or its session.
    SubscriptionEnded {
        /// Whose.
        session: SessionId,
        /// Which.
        subscription: SubscriptionId,
        /// Of what.
        publication: PublicationId,
    },
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// A caller closed it.
    Asked,
    /// The peer closed DTLS.
    Peer,
    /// The peer has sent no authentic check for 30 s (RFC 7675 §5.1).
    ConsentLost,
    /// ICE or DTLS did not get through in time.
    SetUpTimedOut,
    /// DTLS failed: a wrong certificate, or no suite in common.
    Dtls(DtlsError),
}

impl CloseReason {
    /// One word for it.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Peer => "peer",
            Self::ConsentLost => "consent_lost",
            Self::SetUpTimedOut => "set_up_timed_out",
            Self::Dtls(_) => "dtls_failed",
        }
    }
}
