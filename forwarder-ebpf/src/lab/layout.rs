//! What the programs of the benches and their userspace agree on. The bench program includes this very file.

/// CPUs that can generate, count and be timed.
pub const MAX_CPUS: u32 = 512;
/// Devices that frames can be generated into.
pub const MAX_OUTS: u32 = 16;
/// Ethernet, IPv4, UDP and the fixed RTP header.
pub const HEADER_LEN: usize = 14 + 20 + 8 + 12;
/// Where the RTP sequence number stands in a generated frame.
pub const SEQUENCE_AT: usize = 14 + 20 + 8 + 2;
/// Where the time of sending stands, in a generated frame and in its replicas over IPv4 without a tag.
pub const STAMP_AT: usize = HEADER_LEN;
/// Most clones of one bare broadcast: half of a veth's ring of 256 frames.
pub const FLOOR_MAX: u32 = 128;

/// Bytes of the room for one prepared frame.
pub const PREPARED_LEN: usize = 2048;
/// Sequence numbers whose time of sending is kept; a power of two.
pub const SENT_AT: u32 = 8192;

/// What a CPU generates.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Aim {
    /// The headers of every frame, but for the sequence number; two bytes of padding.
    pub header: [u8; 56],
    /// Frames generated since the aim was set.
    pub sent: u64,
    /// Nanoseconds from one frame to the next; 0 to send as fast as can be.
    pub interval: u64,
    /// When the next frame is due, CLOCK_MONOTONIC in nanoseconds; 0 to start now.
    pub due: u64,
    /// Entry of the map of devices.
    pub out: u32,
    /// Whether frames are stamped with the time of sending.
    pub stamp: u32,
    /// Of prepared frames: the number of the first one.
    pub first: u32,
    /// Of prepared frames: their length in bytes.
    pub len: u32,
    /// To two cache lines, so that CPUs share none.
    pub zero: [u64; 4],
}

/// What the sinks of one CPU saw.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Seen {
    /// Frames.
    pub frames: u64,
    /// To a cache line.
    pub zero: [u64; 7],
}

/// Where the time of one CPU's NAPI polls went.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Polls {
    /// When the running poll began.
    pub since: u64,
    /// Frames that the sinks had seen then.
    pub frames: u64,
    /// Nanoseconds in polls of sinks.
    pub sink_time: u64,
    /// How many polls that were.
    pub sink_polls: u64,
    /// Nanoseconds in other polls.
    pub other_time: u64,
    /// How many polls that were.
    pub other_polls: u64,
    /// To a cache line.
    pub zero: [u64; 2],
}

/// Buckets of a histogram of latencies.
pub const BUCKETS: u32 = 512;
const LINEAR: u64 = 16;

/// The bucket of a latency in nanoseconds: 16 per doubling, hence 6 % wide.
#[inline(always)]
pub fn bucket(nanoseconds: u64) -> u32 {
    let mut shift = 0;
    let mut rest = nanoseconds;
    // Halves until five bits are left. Bounded for the verifier; 2^32 ns are the last bucket.
    while shift < 27 {
        if rest < 2 * LINEAR {
            return shift * LINEAR as u32 + rest as u32;
        }
        rest >>= 1;
        shift += 1;
    }
    BUCKETS - 1
}

/// The smallest latency that lies beyond a bucket, nanoseconds.
#[allow(dead_code, reason = "only userspace reads histograms")]
pub fn bucket_end(bucket: u32) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < 2 * LINEAR {
        return bucket + 1;
    }
    let shift = bucket / LINEAR - 1;
    (bucket - shift * LINEAR + 1) << shift
}

const _: () =
    assert!(size_of::<Aim>() == 128 && size_of::<Seen>() == 64 && size_of::<Polls>() == 64);
