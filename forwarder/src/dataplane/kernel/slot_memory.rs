//! The slots of one worker, in memory that XDP reads: all the unsafe access to it is in this file.
//!
//! Only the worker writes, and only slots that XDP is done with. Still XDP may read a slot while it is written, where a bell came late
//! beyond all patience; it notices by the sequence number, which changes before the first byte does and is right again only after the last.

use std::{
    io,
    num::NonZeroUsize,
    os::fd::BorrowedFd,
    ptr::NonNull,
    sync::atomic::{AtomicU32, Ordering::Relaxed, Ordering::Release, fence},
};

use forwarder_common::{
    slots::{SLOT_PAYLOAD, SLOTS, Slot},
    tables::Member,
};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

const LEN: usize = SLOTS as usize * size_of::<Slot>();

/// The slots of one worker.
#[derive(Debug)]
pub struct SlotMemory {
    start: NonNull<Slot>,
}

// SAFETY: the memory belongs to this value until it is dropped; the kernel only reads it.
unsafe impl Send for SlotMemory {}

/// What a slot holds besides its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filled {
    /// The hop, and the generation that it must have.
    pub member: Member,
    /// Bytes of UDP payload.
    pub len: u16,
    /// Folded sum of the UDP payload after the fixed RTP header.
    pub sum: u16,
}

impl SlotMemory {
    /// The slots of a worker, in the map `SLOT_MEMORY`.
    ///
    /// # Errors
    /// What `mmap` says: the map has no such part, or cannot be mapped.
    pub fn map(fd: BorrowedFd<'_>, worker: u32) -> io::Result<Self> {
        let len = NonZeroUsize::new(LEN).ok_or(io::ErrorKind::InvalidInput)?;
        let offset = i64::try_from(worker as usize * LEN)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours; the kernel refuses what lies beyond
        // the map, and keeps its pages as long as they are mapped.
        let start = unsafe {
            mmap(
                None,
                len,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_SHARED,
                fd,
                offset,
            )
        }?;
        Ok(Self {
            start: start.cast(),
        })
    }

    fn slot(&self, sequence: u32) -> *mut Slot {
        // SAFETY: the mask keeps the place inside of the mapping.
        unsafe { self.start.as_ptr().add((sequence & (SLOTS - 1)) as usize) }
    }

    fn published(&self, sequence: u32) -> &AtomicU32 {
        // SAFETY: the first word of a slot inside of the mapping, which this file reaches only as an atomic.
        unsafe { AtomicU32::from_ptr(&raw mut (*self.slot(sequence)).sequence) }
    }

    /// Fills the slot of packet `sequence` by `fill`, which is given the room for the payload, and publishes it if `fill` gives what it put
    /// there. Gives whether it did.
    #[inline]
    pub fn fill(
        &mut self,
        sequence: u32,
        fill: impl FnOnce(&mut [u8; SLOT_PAYLOAD]) -> Option<Filled>,
    ) -> bool {
        // No bell ever names this number at this place.
        self.published(sequence)
            .store(sequence.wrapping_add(1), Relaxed);
        // Whoever sees a byte of what follows sees the number above gone (the writer's half of a sequence lock).
        fence(Release);
        let slot = self.slot(sequence);
        // SAFETY: inside of the mapping; `self` is borrowed exclusively, and what the kernel makes of bytes that change while it reads
        // them is thrown away, see above.
        let Some(filled) = fill(unsafe { &mut (*slot).payload }) else {
            return false;
        };
        // SAFETY: as above.
        unsafe {
            (*slot).hop = filled.member.hop;
            (*slot).generation = filled.member.generation;
            (*slot).len = filled.len;
            (*slot).sum = filled.sum;
        }
        self.published(sequence).store(sequence, Release);
        true
    }
}

impl Drop for SlotMemory {
    fn drop(&mut self) {
        // SAFETY: exactly what was mapped; no reference outlives `self`. There is nobody to tell of a failure.
        let _ = unsafe { munmap(self.start.cast(), LEN) };
    }
}
