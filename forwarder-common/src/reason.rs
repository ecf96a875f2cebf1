//! Why a packet went where it went: one numbered list for XDP, the socket worker, the API and the documents.

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $label:literal;)+) => {
        /// What became of a packet or a replica. Numbers are only ever added; they index [`COUNT`] counters.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Reason { $($(#[doc = $doc])+ $name = $number,)+ }

        impl Reason {
            /// All reasons, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name that the API, the metrics and the documents use.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)+ }
            }
        }
    };
}

reasons! {
    /// Passed: not UDP over IP to one of our media addresses.
    NotOurs = 0, "not_ours";
    /// Passed: a fragment; the stack reassembles it and the socket path takes it.
    Fragment = 1, "fragment";
    /// Passed: IPv4 options.
    IpOptions = 2, "ip_options";
    /// Passed: IPv6 extension headers.
    ExtensionHeader = 3, "extension_header";
    /// Passed: one of our addresses, but another destination MAC.
    ForeignMac = 4, "foreign_mac";
    /// Passed to the control socket: STUN (RFC 7983).
    Stun = 5, "stun";
    /// Passed to the control socket: DTLS (RFC 7983).
    Dtls = 6, "dtls";
    /// Passed to the control socket: RTCP (RFC 5761).
    Rtcp = 7, "rtcp";
    /// Passed to the control socket: RTP of a 5-tuple and SSRC that nobody published.
    UnknownStream = 8, "unknown_stream";
    /// Dropped: lengths that contradict each other, or an RTP header that does not fit.
    Malformed = 9, "malformed";
    /// Dropped: to a media address, but neither STUN, DTLS, RTP nor RTCP (RFC 7983).
    NotMedia = 10, "not_media";
    /// Dropped: RTP payload types 64-95 collide with RTCP on the same port (RFC 5761 §4).
    RefusedPayloadType = 11, "refused_payload_type";
    /// Taken, and nobody is subscribed.
    NoMembers = 12, "no_members";
    /// Dropped: more packets waited for their turn than the queue holds.
    QueueFull = 13, "queue_full";
    /// A clone beyond the members of its broadcast.
    Surplus = 14, "surplus";
    /// A replica whose member left while the packet was on its way.
    Removed = 15, "removed";
    /// A replica whose hop was replaced or reused while the packet was on its way.
    StaleHop = 16, "stale_hop";
    /// A replica past the lease of its hop.
    LeaseExpired = 17, "lease_expired";
    /// A replica whose next hop has no known MAC.
    Unresolved = 18, "unresolved";
    /// A replica larger than the MTU of its hop.
    TooBig = 19, "too_big";
    /// A frame that could not grow or shrink by as much as its next hop needs.
    NoRoom = 20, "no_room";
    /// A frame on the loop that carries no ticket of this run.
    ForeignFrame = 21, "foreign_frame";
    /// A packet that was lost on the loop, or waited on one that had stopped turning.
    Stalled = 22, "stalled";
    /// A packet that was taken for forwarding.
    Taken = 23, "taken";
    /// A replica that was handed to a device or a socket.
    Sent = 24, "sent";
    /// A packet copied to the socket worker, for legs that XDP cannot serve.
    Punted = 25, "punted";
    /// Dropped for the legs of the socket worker: its ring was full, or the packet had waited in it for too long.
    PuntFull = 26, "punt_full";
    /// Dropped: the chunk names a device that is not there.
    NoDevice = 27, "no_device";
    /// A replica that the socket did not take.
    SendFailed = 28, "send_failed";
    /// A packet that had to wait for its turn behind others (not a loss).
    Queued = 29, "queued";
    /// RTP of a session, handed to the ring of its worker.
    Steered = 30, "steered";
    /// Dropped: RTP, RTCP or DTLS to the media port from a 5-tuple that ICE has not validated.
    UnknownPair = 31, "unknown_pair";
    /// Dropped: a STUN message to the media port that names none of our sessions.
    UnknownUfrag = 32, "unknown_ufrag";
    /// Dropped: more than a client needs. STUN checks from one address for pairs that are not validated; STUN, DTLS and RTCP of a pair;
    /// RTP of a session while the ring of its worker is half full.
    Metered = 33, "metered";
    /// Dropped: the ring of the worker was full.
    RingFull = 34, "ring_full";
    /// Dropped: video, to keep what is left of the worker's ring for audio.
    VideoShed = 35, "video_shed";
    /// A clone whose slot had been given to another packet by the time it was made.
    StaleSlot = 36, "stale_slot";
    /// Dropped: an SRTP index that has been seen (RFC 3711 §3.3.2).
    Replayed = 37, "replayed";
    /// Dropped: an SRTP tag that does not verify.
    Unauthentic = 38, "unauthentic";
    /// An authentic packet of an SSRC that no publication claims.
    UnknownSsrc = 39, "unknown_ssrc";
    /// An authentic packet whose payload type the publication or the leg does not name.
    UnmappedPayloadType = 40, "unmapped_payload_type";
    /// An SRTP packet that was opened.
    Opened = 41, "opened";
    /// A replica that was sealed.
    Sealed = 42, "sealed";
    /// A replica for a session that has no validated pair yet, or none any more.
    NoPair = 43, "no_pair";
    /// A replica of a packet from before its leg began.
    BeforeLeg = 44, "before_leg";
    /// A replica that found no free slot in time: XDP had not sent those before it.
    SlotsFull = 45, "slots_full";
    /// A replica that found its TCP connection's queue full.
    TcpFull = 46, "tcp_full";
    /// A replica that could not be sealed: the key has been used as often as it may be (RFC 3711 §9.2), or it grew too long.
    SealFailed = 47, "seal_failed";
}

/// How many counters there are; a power of two, so that an index can be masked.
pub const COUNT: usize = 64;

const _: () = assert!(Reason::ALL.len() <= COUNT);
