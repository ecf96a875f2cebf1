//! The ticket: what ingress leaves in the first bytes of a frame for the programs that come after it.
//!
//! It lies over the Ethernet and IP header, which egress writes anew anyway: the shortest headers that carry UDP are 42
//! bytes. `data_meta` would not survive cloning on every driver.

use crate::packet::Packet;

/// Bytes of a ticket, from the start of the frame.
pub const LEN: usize = 32;

/// [`Ticket::state`]: the chunk has not been sent yet.
pub const WAITING: u8 = 0;
/// [`Ticket::state`]: the chunk was sent, the chunks after it were not.
pub const SENT: u8 = 1;
/// [`Ticket::state`]: all is sent; on the loop such a frame is free to carry another packet.
pub const DONE: u8 = 2;
/// [`Ticket::state`]: a bell. `chunk` is the worker, `payload_len` and `sum` are the sequence number of the first slot, `load` is how many
/// there are, `round` is the device.
pub const BELL: u8 = 3;

/// A packet on its way from ingress to its subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Number of the broadcast on this CPU: tells egress where a run of clones starts.
    pub tag: u32,
    /// The chunk whose members the clones are for.
    pub chunk: u32,
    /// Members of the chunk when it was sent.
    pub mask: u64,
    /// CLOCK_BOOTTIME in nanoseconds, read once per packet and round; leases are held against it.
    pub now: u64,
    /// Bytes of UDP payload.
    pub payload_len: u16,
    /// Folded sum of the UDP payload after the fixed RTP header.
    pub sum: u16,
    /// Bytes in front of the UDP payload, as the frame stands.
    pub header_len: u8,
    /// [`WAITING`], [`SENT`], [`DONE`] or [`BELL`], in the low two bits; the pacer's epoch in the others.
    pub state: u8,
    /// The pacer's pass in which the frame comes around.
    pub round: u8,
    /// What the frame counts for in the pacer's load.
    pub load: u8,
}

impl Ticket {
    /// Reads the ticket of a frame.
    #[inline(always)]
    pub fn read<P: Packet + ?Sized>(packet: &P) -> Option<Self> {
        let [tag, chunk, m0, m1, n0, n1, lengths, rest] = packet.words::<{ LEN / 4 }>(0)?;
        Some(Self {
            tag,
            chunk,
            mask: u64::from(m0) | u64::from(m1) << 32,
            now: u64::from(n0) | u64::from(n1) << 32,
            payload_len: lengths as u16,
            sum: (lengths >> 16) as u16,
            header_len: rest as u8,
            state: (rest >> 8) as u8,
            round: (rest >> 16) as u8,
            load: (rest >> 24) as u8,
        })
    }

    /// Writes the ticket over the frame's headers.
    #[inline(always)]
    pub fn write<P: Packet + ?Sized>(&self, packet: &mut P) -> Option<()> {
        let lengths = u32::from(self.payload_len) | u32::from(self.sum) << 16;
        let rest = u32::from(self.header_len)
            | u32::from(self.state) << 8
            | u32::from(self.round) << 16
            | u32::from(self.load) << 24;
        packet.write_words(
            0,
            [
                self.tag,
                self.chunk,
                self.mask as u32,
                (self.mask >> 32) as u32,
                self.now as u32,
                (self.now >> 32) as u32,
                lengths,
                rest,
            ],
        )
    }
}

/// Where egress stands in a run of clones, per CPU and device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Cursor {
    /// Members that have had no clone yet; bit 0 is that of `slot`.
    pub remaining: u64,
    /// Tag of the broadcast.
    pub tag: u32,
    /// The slot after the last one given.
    pub slot: u32,
}

impl Cursor {
    /// The slot that the next clone of this broadcast is for. Clones arrive in order, and one that the kernel could not
    /// allocate truncates the run (`dev_map_enqueue_multi`), so counting is enough.
    #[inline(always)]
    pub const fn next_slot(&mut self, tag: u32, mask: u64) -> Option<u32> {
        if self.tag != tag {
            self.tag = tag;
            self.remaining = mask;
            self.slot = 0;
        }
        if self.remaining == 0 {
            return None;
        }
        // Mostly the very next one, and BPF has no instruction to count zeroes: LLVM multiplies and looks up.
        if self.remaining & 1 == 0 {
            let holes = self.remaining.trailing_zeros() & 63;
            self.remaining >>= holes;
            self.slot += holes;
        }
        let slot = self.slot;
        self.remaining >>= 1;
        self.slot += 1;
        Some(slot)
    }
}
