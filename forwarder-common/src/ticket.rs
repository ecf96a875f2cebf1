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
    /// [`WAITING`], [`SENT`] or [`DONE`], in the low two bits; the pacer's epoch in the others.
    pub state: u8,
    /// The pacer's round in which the frame may turn again.
    pub round: u8,
    /// What the frame counts for in the pacer's load.
    pub load: u8,
}

impl Ticket {
    /// Reads the ticket of a frame.
    #[inline(always)]
    pub fn read<P: Packet + ?Sized>(packet: &P) -> Option<Self> {
        let [
            t0,
            t1,
            t2,
            t3,
            c0,
            c1,
            c2,
            c3,
            m0,
            m1,
            m2,
            m3,
            m4,
            m5,
            m6,
            m7,
            n0,
            n1,
            n2,
            n3,
            n4,
            n5,
            n6,
            n7,
            l0,
            l1,
            s0,
            s1,
            header_len,
            state,
            round,
            load,
        ] = packet.read::<LEN>(0)?;
        Some(Self {
            tag: u32::from_ne_bytes([t0, t1, t2, t3]),
            chunk: u32::from_ne_bytes([c0, c1, c2, c3]),
            mask: u64::from_ne_bytes([m0, m1, m2, m3, m4, m5, m6, m7]),
            now: u64::from_ne_bytes([n0, n1, n2, n3, n4, n5, n6, n7]),
            payload_len: u16::from_ne_bytes([l0, l1]),
            sum: u16::from_ne_bytes([s0, s1]),
            header_len,
            state,
            round,
            load,
        })
    }

    /// Writes the ticket over the frame's headers.
    #[inline(always)]
    pub fn write<P: Packet + ?Sized>(&self, packet: &mut P) -> Option<()> {
        let [t0, t1, t2, t3] = self.tag.to_ne_bytes();
        let [c0, c1, c2, c3] = self.chunk.to_ne_bytes();
        let [m0, m1, m2, m3, m4, m5, m6, m7] = self.mask.to_ne_bytes();
        let [n0, n1, n2, n3, n4, n5, n6, n7] = self.now.to_ne_bytes();
        let [l0, l1] = self.payload_len.to_ne_bytes();
        let [s0, s1] = self.sum.to_ne_bytes();
        packet.write(
            0,
            &[
                t0,
                t1,
                t2,
                t3,
                c0,
                c1,
                c2,
                c3,
                m0,
                m1,
                m2,
                m3,
                m4,
                m5,
                m6,
                m7,
                n0,
                n1,
                n2,
                n3,
                n4,
                n5,
                n6,
                n7,
                l0,
                l1,
                s0,
                s1,
                self.header_len,
                self.state,
                self.round,
                self.load,
            ],
        )
    }
}

/// Where egress stands in a run of clones, per CPU and device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Cursor {
    /// Members that have had no clone yet.
    pub remaining: u64,
    /// Tag of the broadcast.
    pub tag: u32,
    /// Zero.
    pub zero: u32,
}

impl Cursor {
    /// The slot that the next clone of this broadcast is for. Clones arrive in order, and one that the kernel could not
    /// allocate truncates the run (`dev_map_enqueue_multi`), so counting is enough.
    #[inline(always)]
    pub fn next_slot(&mut self, tag: u32, mask: u64) -> Option<u32> {
        if self.tag != tag {
            self.tag = tag;
            self.remaining = mask;
        }
        if self.remaining == 0 {
            return None;
        }
        let slot = self.remaining.trailing_zeros();
        self.remaining &= self.remaining.wrapping_sub(1);
        Some(slot)
    }
}
