//! What workers are told. Commands may allocate: they are carried out between batches of packets, never within one.

use std::{fmt, os::fd::OwnedFd, sync::Arc};

use arrayvec::ArrayVec;
use forwarder_common::tables::Member;

use super::{
    counters::{LegCounters, SessionCounters, TrackCounters},
    pool::Door,
    send_state::SessionSendState,
    tcp::Connection,
};
use crate::{
    media::{Codec, ExtensionIds, Kind, Profile},
    srtp::{ReceiveKeys, SendKeys},
    transport::Pair,
};

/// Codecs of one track, and payload types of one leg.
pub const MAX_PAYLOAD_TYPES: usize = 16;

/// SSRCs of one track.
pub const MAX_TRACK_SSRCS: usize = 8;

/// Longest MID that is stamped, in bytes: what a one-byte header extension can carry (RFC 8285 §4.2).
pub const MAX_MID: usize = 16;

/// What a worker is told.
#[derive(Debug)]
pub enum Command {
    /// To every worker: how packets get to a session's peer from now on. Replaces the former way (roaming).
    PutSender {
        /// Number of the session.
        session: u32,
        /// Keys and way.
        sender: Arc<Sender>,
    },
    /// To every worker: nothing is sent to this session's peer any more.
    DropSender {
        /// Number of the session.
        session: u32,
    },
    /// To the session's own worker: what arrives from the session's peer is opened with these keys.
    PutReceiver {
        /// Number of the session.
        session: u32,
        /// Keys and what is negotiated.
        receiver: Receiver,
    },
    /// To the session's own worker: what was negotiated has changed. Keys and replay windows stay.
    PutExtensions {
        /// Number of the session.
        session: u32,
        /// The header extensions of all its m-lines.
        ids: ExtensionIds,
        /// Whether arrivals are told, see [`Receiver::transport_cc`].
        transport_cc: bool,
    },
    /// To the session's own worker: nothing that arrives from the session's peer is opened any more.
    DropReceiver {
        /// Number of the session.
        session: u32,
    },
    /// To the session's own worker: a connected UDP socket to read. It carries everything on the socket path, and STUN,
    /// DTLS and RTCP on the kernel path.
    AddSocket {
        /// Number of the session.
        session: u32,
        /// What it is connected to.
        pair: Pair,
        /// The socket, non-blocking.
        socket: Arc<OwnedFd>,
    },
    /// To the session's own worker: reads that socket no longer, and lets it go.
    RemoveSocket {
        /// What it is connected to.
        pair: Pair,
    },
    /// To one worker: an accepted TCP connection. Its frames go as notes until a session is bound to it.
    AddTcp {
        /// Number of the connection.
        connection: u32,
        /// Its ends.
        pair: Pair,
        /// The stream, non-blocking.
        stream: OwnedFd,
    },
    /// To the worker of the connection: SRTP in its frames belongs to this session.
    BindTcp {
        /// Number of the connection.
        connection: u32,
        /// Number of the session.
        session: u32,
    },
    /// To the worker of the connection: another worker serves it from now on, the one that has the keys of its session.
    HandTcp {
        /// Number of the connection.
        connection: u32,
        /// Number of the session that it is bound to.
        session: u32,
        /// The other worker.
        to: Door,
    },
    /// From one worker to another: the connection as it stands, with what was read and what waits to be written.
    TakeTcp {
        /// Number of the connection.
        connection: u32,
        /// The connection, if it was still there.
        held: Option<Box<Connection>>,
    },
    /// To the worker that a connection is about to be handed to.
    ExpectTcp {
        /// Number of the connection.
        connection: u32,
    },
    /// To the worker of the connection: sends a STUN, DTLS or SRTCP datagram as a frame (RFC 4571).
    SendTcp {
        /// Number of the connection.
        connection: u32,
        /// The datagram, without the frame's length.
        bytes: Vec<u8>,
    },
    /// To the worker of the connection: closes it.
    CloseTcp {
        /// Number of the connection.
        connection: u32,
    },
    /// To the publisher's worker: a stream to recognise and forward.
    AddTrack(Track),
    /// To the publisher's worker: forgets a track. Its legs were removed before.
    RemoveTrack {
        /// Number of the track.
        track: u32,
    },
    /// To the publisher's worker: a subscription to serve.
    AddLeg(Leg),
    /// To the publisher's worker: a subscription ends.
    RemoveLeg {
        /// Number of the track.
        track: u32,
        /// Number of the leg.
        leg: u32,
    },
    /// To the publisher's worker: stops or continues sending to a subscription.
    PauseLeg {
        /// Number of the track.
        track: u32,
        /// Number of the leg.
        leg: u32,
        /// Whether nothing is sent from now on.
        paused: bool,
    },
    /// To the publisher's worker: counts what comes for a track and sends it to nobody, or to its legs again.
    MuteTrack {
        /// Number of the track.
        track: u32,
        /// Whether nothing is sent from now on.
        muted: bool,
    },
    /// Ends the worker.
    Stop,
}

/// How packets get to a session's peer. Never changed, so that all workers can share it; replaced as a whole.
pub struct Sender {
    /// Number of the session.
    pub session: u32,
    /// What packets are sealed with.
    pub keys: Arc<SendKeys>,
    /// The way.
    pub reach: Reach,
    /// Where transport-wide sequence numbers come from.
    pub send_state: SessionSendState,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys stand in no log.
        f.debug_struct("Sender")
            .field("session", &self.session)
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

/// The way to a peer.
#[derive(Clone, Debug)]
pub enum Reach {
    /// XDP sends from slots to this hop.
    Xdp {
        /// Device number of the hop.
        device: u32,
        /// The hop.
        member: Member,
        /// The connected socket, for a worker that has no slots.
        socket: Arc<OwnedFd>,
    },
    /// The connected socket.
    Socket(Arc<OwnedFd>),
    /// Frames on a TCP connection (RFC 4571).
    Tcp {
        /// Number of the connection.
        connection: u32,
        /// The worker that writes to it.
        worker: u32,
    },
}

/// How what arrives from a session's peer is opened and read.
pub struct Receiver {
    /// What packets are opened with.
    pub keys: ReceiveKeys,
    /// The header extensions of all m-lines of the session, which share one space of ids (RFC 8843 §9.2).
    pub ids: ExtensionIds,
    /// Whether the worker gives an `Arrival` for every packet with a transport-wide sequence number.
    pub transport_cc: bool,
    /// What the worker counts.
    pub counters: Arc<SessionCounters>,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("ids", &self.ids)
            .field("transport_cc", &self.transport_cc)
            .finish_non_exhaustive()
    }
}

/// The stream of one publication. Packets are matched by SSRC, else by MID and payload type: then the SSRC is learnt, once
/// the packet has proved authentic.
#[derive(Debug)]
pub struct Track {
    /// Number of the track.
    pub track: u32,
    /// Number of the publisher's session.
    pub session: u32,
    /// Audio or video.
    pub kind: Kind,
    /// Identification of the m-line (RFC 9143), if it has one.
    pub mid: Option<ArrayVec<u8, MAX_MID>>,
    /// The SSRCs that were announced; there may be none.
    pub ssrcs: ArrayVec<u32, MAX_TRACK_SSRCS>,
    /// What its payload types mean. Packets of others are not forwarded.
    pub codecs: ArrayVec<TrackCodec, MAX_PAYLOAD_TYPES>,
    /// What the worker counts.
    pub counters: Arc<TrackCounters>,
}

/// A payload type of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackCodec {
    /// The payload type.
    pub payload_type: u8,
    /// How its payload is to be read.
    pub codec: Codec,
    /// Ticks per second of the RTP timestamp.
    pub clock_rate: u32,
}

/// A track's stream on its way to one subscription.
#[derive(Debug)]
pub struct Leg {
    /// Number of the leg: its place among the send states.
    pub leg: u32,
    /// Number of the track.
    pub track: u32,
    /// Number of the subscriber's session.
    pub session: u32,
    /// SSRC towards the subscriber.
    pub ssrc: u32,
    /// Payload types as published and as sent. Packets of others are not forwarded, and counted.
    pub payload_types: ArrayVec<(u8, u8), MAX_PAYLOAD_TYPES>,
    /// The header extensions that the subscriber gets.
    pub profile: Profile,
    /// Packet index of the first packet that is sent: a sequence number for a new leg, and for one that goes on under the same keys
    /// [what its send state says](super::send_state::SendState::next_index).
    pub first_index: u64,
    /// Added to RTP timestamps.
    pub timestamp_offset: u32,
    /// Whether nothing is sent at first.
    pub paused: bool,
    /// What the worker counts.
    pub counters: Arc<LegCounters>,
}
