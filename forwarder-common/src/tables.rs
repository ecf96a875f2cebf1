//! The tables that userspace writes and the data plane reads: their exact layout in memory.
//!
//! Every type is plain words without padding, checked below; userspace maps the same memory and stores 8-byte words
//! atomically. Hops and chunks are never changed under a reader in more than one word: a changed hop is a new hop.

/// Members of one chunk: one bit each in [`Chunk::mask`], one broadcast each.
pub const CHUNK_SLOTS: usize = 64;
/// Interfaces that can be egress devices.
pub const MAX_DEVICES: u32 = 8;
/// Interfaces of one node: one device number is left to the probe of the self-test.
pub const MAX_INTERFACES: u32 = MAX_DEVICES - 1;
/// The device number of legs that the socket worker serves.
pub const DEVICE_SOCKET: u32 = 0xff;
/// Chunk 0, hop 0 and route 0 are never used, so that 0 can mean "none".
pub const NONE: u32 = 0;
/// Leases that can be kept; lease 0 is the node's.
pub const MAX_LEASES: u32 = 4096;
/// Sessions of one node: each has a lease, and lease 0 is the node's.
pub const MAX_SESSIONS: u32 = MAX_LEASES - 1;
/// Pairs that one session may have open: the selected one, those that it leaves and comes back to while it roams, and valid ones that
/// may be selected yet.
pub const MAX_PAIRS_PER_SESSION: u32 = 4;
/// Pairs of all sessions: there is room for as many as they may have.
pub const MAX_PAIRS: u32 = MAX_SESSIONS * MAX_PAIRS_PER_SESSION;
/// Room for the longest header of a replica (Ethernet, one VLAN tag, IPv6, UDP: 66), in whole words.
pub const TEMPLATE_LEN: usize = 72;

/// An IP address as it lies in memory, IPv4 mapped into IPv6 (`::ffff:a.b.c.d`).
pub type Address = [u32; 4];

/// The words of an address.
#[must_use]
pub const fn address_words(bytes: [u8; 16]) -> Address {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes;
    [
        u32::from_ne_bytes([a, b, c, d]),
        u32::from_ne_bytes([e, f, g, h]),
        u32::from_ne_bytes([i, j, k, l]),
        u32::from_ne_bytes([m, n, o, p]),
    ]
}

/// Two ports as they lie in a UDP header.
#[must_use]
pub const fn port_words(source: u16, destination: u16) -> u32 {
    let ([a, b], [c, d]) = (source.to_be_bytes(), destination.to_be_bytes());
    u32::from_ne_bytes([a, b, c, d])
}

/// The words of a MAC; the last two bytes are zero.
#[must_use]
pub const fn mac_words(mac: [u8; 6]) -> [u32; 2] {
    let [a, b, c, d, e, f] = mac;
    [
        u32::from_ne_bytes([a, b, c, d]),
        u32::from_ne_bytes([e, f, 0, 0]),
    ]
}

/// A local address and port that takes media. Key of the endpoints map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct EndpointKey {
    /// Address.
    pub address: Address,
    /// [`port_words`] with the local port as destination and 0 as source.
    pub port: u32,
}

impl EndpointKey {
    /// The key of a local address (IPv4 mapped into IPv6) and port.
    #[must_use]
    pub const fn new(address: [u8; 16], port: u16) -> Self {
        Self {
            address: address_words(address),
            port: port_words(0, port),
        }
    }
}

/// Value of the endpoints map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Endpoint {
    /// The MAC that frames to this address must carry, a zero byte, and 1 for the media port of sessions, as they lie in
    /// memory.
    pub mac: [u32; 2],
}

/// The byte of an endpoint's MAC that marks the media port of sessions.
const SEALED: u32 = u32::from_ne_bytes([0, 0, 0, 1]);

impl Endpoint {
    /// An address behind an interface with this MAC.
    #[must_use]
    pub const fn new(mac: [u8; 6]) -> Self {
        Self {
            mac: mac_words(mac),
        }
    }

    /// The media port of sessions, behind an interface with this MAC.
    #[must_use]
    pub const fn sealed(mac: [u8; 6]) -> Self {
        let Self { mac: [start, end] } = Self::new(mac);
        Self {
            mac: [start, end | SEALED],
        }
    }

    /// The MAC, as [`mac_words`].
    #[inline(always)]
    #[must_use]
    pub const fn mac(&self) -> [u32; 2] {
        let [start, end] = self.mac;
        [start, end & !SEALED]
    }

    /// Whether packets here belong to sessions: only what ICE has let in is taken.
    #[inline(always)]
    #[must_use]
    pub const fn is_sealed(&self) -> bool {
        let [_, end] = self.mac;
        end & SEALED != 0
    }
}

/// Whose stream a packet is: key of the routes map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct RouteKey {
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// [`port_words`].
    pub ports: u32,
    /// SSRC as it lies in the RTP header.
    pub ssrc: u32,
}

impl RouteKey {
    /// The key of a stream: addresses with IPv4 mapped into IPv6, ports and SSRC as numbers.
    #[must_use]
    pub const fn new(source: ([u8; 16], u16), destination: ([u8; 16], u16), ssrc: u32) -> Self {
        Self {
            source: address_words(source.0),
            destination: address_words(destination.0),
            ports: port_words(source.1, destination.1),
            ssrc: ssrc.to_be(),
        }
    }
}

/// A 5-tuple that ICE has validated for a session. Key of the steering map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct PairKey {
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// [`port_words`].
    pub ports: u32,
}

impl PairKey {
    /// The key of a 5-tuple, from the remote address to the local one: addresses with IPv4 mapped into IPv6.
    #[must_use]
    pub const fn new(source: ([u8; 16], u16), destination: ([u8; 16], u16)) -> Self {
        Self {
            source: address_words(source.0),
            destination: address_words(destination.0),
            ports: port_words(source.1, destination.1),
        }
    }
}

/// Who opens the packets of a 5-tuple. Value of the steering map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Steer {
    /// Number of the worker.
    pub worker: u32,
    /// Number of the session.
    pub session: u32,
    /// One bit per payload type, lowest first: those that carry audio, which is shed last.
    pub audio: [u32; 4],
    /// CLOCK_BOOTTIME in nanoseconds until which the 5-tuple has used up its [rate](crate::meter::PAIR): XDP's word, which control
    /// writes as 0.
    pub until: u64,
}

impl Steer {
    /// Whether a payload type carries audio.
    #[inline(always)]
    #[must_use]
    pub const fn is_audio(&self, payload_type: u8) -> bool {
        let [a, b, c, d] = self.audio;
        let word = match payload_type >> 5 & 3 {
            0 => a,
            1 => b,
            2 => c,
            _ => d,
        };
        word >> (payload_type & 31) & 1 != 0
    }

    /// The same, with another payload type that carries audio.
    #[must_use]
    pub fn with_audio(mut self, payload_type: u8) -> Self {
        if let Some(word) = self.audio.get_mut(usize::from(payload_type >> 5 & 3)) {
            *word |= 1 << (payload_type & 31);
        }
        self
    }
}

/// Where a stream goes. Both heads are in one word, so that one store changes a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Route {
    /// First chunk of the legs that XDP sends, or [`NONE`].
    pub head: u32,
    /// First chunk of the legs that the socket worker sends, or [`NONE`].
    pub socket_head: u32,
}

/// A member of a chunk: a hop, and the generation that the hop must still have. One 8-byte word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Hop number, [`NONE`] in an empty slot.
    pub hop: u32,
    /// Generation of the hop when it became a member; never 0.
    pub generation: u32,
}

impl Member {
    /// The word as it lies in the table.
    #[inline(always)]
    #[must_use]
    pub const fn to_word(self) -> u64 {
        (self.generation as u64) << 32 | self.hop as u64
    }

    /// The member in a word of the table.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        Self {
            hop: word as u32,
            generation: (word >> 32) as u32,
        }
    }
}

/// Up to 64 members behind one device, sent by one broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Chunk {
    /// Which slots are members: subscribing, pausing, resuming and leaving are one store of this word.
    pub mask: u64,
    /// The chunk after this one, or [`NONE`].
    pub next: u32,
    /// The device, below [`MAX_DEVICES`], or [`DEVICE_SOCKET`].
    pub device: u32,
    /// [`Member`] words.
    pub slots: [u64; CHUNK_SLOTS],
}

impl Chunk {
    /// A chunk without members.
    pub const EMPTY: Self = Self {
        mask: 0,
        next: NONE,
        device: 0,
        slots: [0; CHUNK_SLOTS],
    };
}

/// [`Hop::flags`]: the fixed RTP header is rewritten.
pub const HOP_CLEAR: u8 = 1;
/// [`Hop::flags`]: the template's destination MAC is known.
pub const HOP_RESOLVED: u8 = 2;

/// One leg of a subscription: what its replicas carry in front of the payload, and in the RTP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Hop {
    /// Must match the member's; 0 in a hop that is not in use.
    pub generation: u32,
    /// Index of the deadline that this hop lives by.
    pub lease: u32,
    /// Largest IP packet, in bytes.
    pub mtu: u16,
    /// [`crate::hop::Shape`] as a number.
    pub shape: u8,
    /// [`HOP_CLEAR`] and [`HOP_RESOLVED`].
    pub flags: u8,
    /// Folded sum of the IPv4 header without its length; 0 for IPv6.
    pub ip_sum: u16,
    /// Folded sum of the pseudo-header and the UDP header, without lengths.
    pub udp_sum: u16,
    /// See [`crate::rewrite::Rewrite`].
    pub ssrc: u32,
    /// See [`crate::rewrite::Rewrite`].
    pub timestamp_offset: u32,
    /// See [`crate::rewrite::Rewrite`].
    pub sequence_offset: u16,
    /// See [`crate::rewrite::Rewrite`].
    pub payload_type_from: u8,
    /// See [`crate::rewrite::Rewrite`].
    pub payload_type_to: u8,
    /// Number of the socket that stands for the local address, for the socket worker.
    pub socket: u32,
    /// Ethernet, VLAN, IP and UDP headers with lengths and checksums left zero.
    pub template: [u8; TEMPLATE_LEN],
    /// Zero; pads the hop to two cache lines.
    pub zero: [u8; 24],
}

impl Hop {
    /// A hop that is not in use.
    pub const VOID: Self = Self {
        generation: 0,
        lease: 0,
        mtu: 0,
        shape: 0,
        flags: 0,
        ip_sum: 0,
        udp_sum: 0,
        ssrc: 0,
        timestamp_offset: 0,
        sequence_offset: 0,
        payload_type_from: 0,
        payload_type_to: 0,
        socket: 0,
        template: [0; TEMPLATE_LEN],
        zero: [0; 24],
    };
}

/// What a route or a hop has carried, on one CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Bytes of UDP payload.
    pub bytes: u64,
    /// CLOCK_BOOTTIME in nanoseconds of the last packet.
    pub last_seen: u64,
}

/// What `xdp:xdp_devmap_xmit` reported for one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct DeviceTraffic {
    /// Frames that the driver took.
    pub sent: u64,
    /// Frames freed, by the driver or by our own egress program.
    pub drops: u64,
    /// Bulks that the driver refused as a whole.
    pub errors: u64,
    /// Frames that our own egress program dropped: part of `drops`.
    pub egress_drops: u64,
}

/// Entries of the ladder: a devmap for every device, with and without the loop as first entry, for 0-64 clones.
pub const LADDER_LEN: u32 = MAX_DEVICES * 2 * (CHUNK_SLOTS as u32 + 1);

/// The ladder's entry that sends `replicas` clones to `device`, and one to the loop if `on_loop`.
#[inline(always)]
#[must_use]
pub const fn ladder_index(device: u32, on_loop: bool, replicas: u32) -> u32 {
    (device * 2 + on_loop as u32) * (CHUNK_SLOTS as u32 + 1) + replicas
}

/// Bytes of a slot in which a packet waits for its turn: its length as a word, then the frame.
pub const QUEUE_SLOT: usize = 4096 + 64;
/// Bytes in front of a packet in the punt ring and in the workers' rings: first chunk or session, and length of the UDP payload,
/// as words of 4 bytes, and CLOCK_BOOTTIME in nanoseconds.
pub const PUNT_HEADER: usize = 16;
/// A packet that names chunks is not sent after this many nanoseconds: their numbers rest for twice as long before they
/// belong to another route.
pub const STALE: u64 = 500_000_000;
/// Largest UDP payload that XDP takes: with headers it fills the page that a frame lives in.
pub const MAX_PAYLOAD: usize = 4000;

macro_rules! layout {
    ($($type:ty = $size:literal align $align:literal),+ $(,)?) => {
        $(const _: () = assert!(
            core::mem::size_of::<$type>() == $size && core::mem::align_of::<$type>() == $align
        );)+
    };
}

layout! {
    EndpointKey = 20 align 4,
    Endpoint = 8 align 4,
    RouteKey = 40 align 4,
    PairKey = 36 align 4,
    Steer = 32 align 8,
    Route = 8 align 4,
    Chunk = 528 align 8,
    Hop = 128 align 4,
    Traffic = 24 align 8,
    DeviceTraffic = 32 align 8,
}
