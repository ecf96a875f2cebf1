//! What workers tell. Notes have one size and go through one ring per worker; the control thread is woken by an event
//! descriptor.

use crate::transport::Pair;

/// Longest datagram that a worker hands over, in bytes: an Ethernet frame's payload.
pub const MAX_DATAGRAM: usize = 1500;

/// What a worker tells.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a worker may not allocate, so the datagram is in the ring's place"
)]
pub enum Note {
    /// STUN, DTLS or SRTCP from a pair.
    Datagram {
        /// Where it came from.
        pair: Pair,
        /// Number of the session that the pair is bound to, or 0.
        session: u32,
        /// Bytes of it.
        len: u16,
        /// The datagram, and then nothing of meaning.
        bytes: [u8; MAX_DATAGRAM],
    },
    /// An authentic RTP packet with a transport-wide sequence number.
    Arrival {
        /// Number of the session.
        session: u32,
        /// Its SSRC.
        ssrc: u32,
        /// The transport-wide sequence number.
        sequence: u16,
        /// When it arrived.
        at: u64,
    },
    /// The first packet of a keyframe of a track.
    Keyframe {
        /// Number of the track.
        track: u32,
        /// When it arrived.
        at: u64,
    },
    /// A keyframe of a track could not be sent to some leg that waits for one.
    Missed {
        /// Number of the track.
        track: u32,
    },
    /// The SSRC of a track was learnt from its MID.
    Learnt {
        /// Number of the track.
        track: u32,
        /// The SSRC.
        ssrc: u32,
    },
    /// The peer closed a TCP connection, or it broke.
    TcpClosed {
        /// Number of the connection.
        connection: u32,
    },
}
