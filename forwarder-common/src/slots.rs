//! Slots and bells: how a worker hands sealed packets to XDP.
//!
//! A worker seals packets into slots of memory that it shares with XDP, then writes a *bell*, one small frame, to a tap device of its own.
//! The program there broadcasts the bell to one device, once per slot; `egress` fills every clone from its slot.
//!
//! A slot is published by its sequence number, which is stored last and checked before and after it is copied, so that a slot that is
//! being written never leaves half.

use crate::{packet::Packet, tables::MAX_DEVICES, wire::eth};

/// Slots of one worker; a power of two.
pub const SLOTS: u32 = 256;
/// Workers of one node.
pub const MAX_WORKERS: u32 = 16;
/// Largest UDP payload that fits a slot, in bytes.
pub const SLOT_PAYLOAD: usize = 2032;
/// Slots of one bell: a broadcast makes at most 64 clones, and the last is sacrificed, since it is the bell's own frame, which lacks the
/// room to become a packet.
pub const BELL_SLOTS: u32 = 63;
/// Clones that the kernel hands to a driver at a time: `DEV_MAP_BULK_SIZE`, kernel/bpf/devmap.c.
const BULK: u32 = 16;
/// EtherType of bells: IEEE 802 local experimental 1 (RFC 9542 §5). Only our own frames run there.
pub const BELL_TYPE: u16 = 0x88b5;
/// Bytes of a bell: the shortest Ethernet frame.
pub const BELL_LEN: usize = 60;
/// Bytes of a worker's ring of arriving packets: some three thousand of video.
pub const RING_BYTES: u32 = 1 << 22;
/// Bytes of it that video may fill.
pub const RING_VIDEO: u64 = RING_BYTES as u64 / 4 * 3;
/// Bytes of a ring that any session may fill; past them each has its [rate](crate::meter::RTP), so that one that floods leaves room to
/// the others of its worker.
pub const RING_SHARED: u64 = RING_BYTES as u64 / 2;
/// Words from one worker's count of consumed slots to the next one's: a cache line.
pub const CONSUMED_STRIDE: u32 = 8;

/// A sealed packet on its way to one hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Slot {
    /// Number of the packet among all of its worker, modulo 2^32; its low bits are the slot's place.
    pub sequence: u32,
    /// The hop that it goes to.
    pub hop: u32,
    /// Generation that the hop must have.
    pub generation: u32,
    /// Bytes of UDP payload.
    pub len: u16,
    /// Folded sum of the UDP payload after the fixed RTP header.
    pub sum: u16,
    /// The UDP payload.
    pub payload: [u8; SLOT_PAYLOAD],
}

const _: () = assert!(size_of::<Slot>() == 2048 && align_of::<Slot>() == 4);

/// What a bell says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bell {
    /// Whose slots.
    pub worker: u32,
    /// Sequence number of the first slot.
    pub first: u32,
    /// How many slots, 1 to [`BELL_SLOTS`].
    pub count: u32,
    /// The device that all of them leave by.
    pub device: u32,
}

impl Bell {
    /// Reads the bell in a frame; `None` for anything else.
    #[inline(always)]
    pub fn read<P: Packet + ?Sized>(packet: &P) -> Option<Self> {
        let [_, _, _, kind, worker, first, count, device] = packet.words::<8>(0)?;
        let bell = Self {
            worker,
            first,
            count,
            device,
        };
        (u32::from_be(kind) >> 16 == BELL_TYPE as u32
            && worker < MAX_WORKERS
            && count.wrapping_sub(1) < BELL_SLOTS
            && device < MAX_DEVICES)
            .then_some(bell)
    }

    /// The frame that carries the bell.
    #[must_use]
    pub fn frame(&self) -> [u8; BELL_LEN] {
        let mut frame = [0; BELL_LEN];
        let kind = u32::from(BELL_TYPE) << 16;
        let words = [
            kind.to_be(),
            self.worker,
            self.first,
            self.count,
            self.device,
        ];
        // The frame is longer than that.
        let _fits = frame.as_mut_slice().write_words(eth::LEN - 2, words);
        frame
    }

    /// How many clones come before those of the slots, and become nothing.
    ///
    /// The driver is told to begin only with the last bulk of a broadcast, and only if anything is left of that after egress
    /// (`bq_xmit_all`). Where the clone that is sacrificed would be alone in it, everything before it would stay in the ring; one
    /// more clone in front brings the last slot to its side.
    #[inline(always)]
    #[must_use]
    pub const fn spare(count: u32) -> u32 {
        count.is_multiple_of(BULK) as u32
    }

    /// How many clones the broadcast makes: the spare one, the slots, and the one that is sacrificed.
    #[inline(always)]
    #[must_use]
    pub const fn clones(&self) -> u32 {
        Self::spare(self.count) + self.count + 1
    }

    /// One bit for every clone of the broadcast.
    #[inline(always)]
    #[must_use]
    pub const fn mask(&self) -> u64 {
        u64::MAX >> (BELL_SLOTS - ((self.clones() - 1) & 63))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_reads_back() {
        for count in 1..=BELL_SLOTS {
            let bell = Bell {
                worker: 3,
                first: u32::MAX,
                count,
                device: 6,
            };
            assert_eq!(Bell::read(bell.frame().as_slice()), Some(bell));
            let clones = bell.clones();
            assert_eq!(bell.mask().count_ones(), clones);
            assert_eq!(bell.mask().trailing_ones(), clones);
            assert!(clones <= BELL_SLOTS + 1);
            assert_ne!(clones % BULK, 1, "the last of {count} is not alone");
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_no_bell() {
        let bell = Bell {
            worker: 0,
            first: 0,
            count: 1,
            device: 0,
        };
        let changed = |change: fn(&mut Bell)| {
            let mut bell = bell;
            change(&mut bell);
            Bell::read(bell.frame().as_slice())
        };
        assert_eq!(changed(|bell| bell.count = 0), None);
        assert_eq!(changed(|bell| bell.count = BELL_SLOTS + 1), None);
        assert_eq!(changed(|bell| bell.worker = MAX_WORKERS), None);
        assert_eq!(changed(|bell| bell.device = MAX_DEVICES), None);
        let mut frame = bell.frame();
        frame[13] ^= 1;
        assert_eq!(Bell::read(frame.as_slice()), None);
        assert_eq!(Bell::read(&bell.frame()[..31]), None);
    }
}
