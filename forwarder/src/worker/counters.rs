//! What workers count. Every word has one writer, the worker, and is read by control; nothing else hangs on their order,
//! so all accesses are relaxed.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};

/// What came from one session's peer.
#[derive(Debug, Default)]
pub struct SessionCounters {
    /// RTP packets that were authentic and new.
    pub packets: AtomicU64,
    /// UDP payload bytes of those.
    pub bytes: AtomicU64,
    /// Packets that were there before (RFC 3711 §3.3.2).
    pub replayed: AtomicU64,
    /// Packets whose tag did not verify.
    pub unauthentic: AtomicU64,
    /// Authentic packets that belong to no track.
    pub unknown: AtomicU64,
    /// When the last authentic packet arrived.
    pub last_arrival: AtomicU64,
}

/// What came for one track. The fields from `ssrc` on describe its present source as RFC 3550 appendix A.1 and A.8 do; a
/// worker that learns another SSRC starts them anew, `ssrc` last.
#[derive(Debug, Default)]
pub struct TrackCounters {
    /// RTP packets.
    pub packets: AtomicU64,
    /// UDP payload bytes of those, sealed.
    pub bytes: AtomicU64,
    /// Packets of payload types that were not announced.
    pub unexpected: AtomicU64,
    /// Keyframes that began.
    pub keyframes: AtomicU64,
    /// Ticks per second of the RTP timestamp, by the payload type of the last packet; 0 before the first.
    pub clock_rate: AtomicU32,
    /// The SSRC, 0 before the first packet.
    pub ssrc: AtomicU32,
    /// Packets of this SSRC.
    pub received: AtomicU64,
    /// Extended sequence number of its first packet.
    pub base: AtomicU64,
    /// Highest extended sequence number.
    pub highest_extended: AtomicU64,
    /// Interarrival jitter in 1/16 of a tick of the RTP timestamp.
    pub jitter: AtomicU32,
    /// When the last packet arrived.
    pub last_arrival: AtomicU64,
    /// RTP timestamp of the last packet.
    pub last_rtp: AtomicU32,
    /// Packets whose publisher said how loud they are (RFC 6464).
    pub levels: AtomicU64,
    /// The sum of what they said, in dB above -127 dBov, which is silence.
    pub loudness: AtomicU64,
    /// How many of them it took for voice.
    pub voiced: AtomicU64,
}

/// What went to one subscription.
#[derive(Debug, Default)]
pub struct LegCounters {
    /// RTP packets.
    pub packets: AtomicU64,
    /// Payload octets of those, without header and padding (RFC 3550 §6.4.1).
    pub octets: AtomicU64,
    /// UDP payload bytes of those, sealed.
    pub bytes: AtomicU64,
    /// RTP timestamp of the last packet, as sent.
    pub last_rtp: AtomicU32,
    /// What is added to the publisher's RTP timestamps, modulo 2^32; another after the track's source has changed.
    pub timestamp_offset: AtomicU32,
    /// When the last packet was sent; 0 before the first.
    pub last_sent: AtomicU64,
    /// Packets that were not sent though they should have been.
    pub dropped: AtomicU64,
    /// Packets that the subscriber has no payload type for.
    pub unmapped: AtomicU64,
    /// Whether a keyframe that the leg waits for could not be sent. Who takes notice of it clears it.
    pub missed: AtomicBool,
}
