//! What one worker has in common with XDP: the ring by which packets come, and the slots and the bell by which they go.

use std::{
    os::fd::{AsRawFd, BorrowedFd},
    sync::atomic::Ordering,
};

use anyhow::{Context, Result};
use aya::maps::{MapData, RingBuf};
use forwarder_common::{
    slots::{CONSUMED_STRIDE, MAX_WORKERS},
    tables::PUNT_HEADER,
};

use super::{bell::BellDevice, slot_memory::SlotMemory};
use crate::dataplane::region::{Region, WORD};

/// `BPF_MAP_TYPE_RINGBUF`, include/uapi/linux/bpf.h.
const RINGBUF: u32 = 27;

/// A packet that XDP steered to a worker.
#[derive(Debug)]
pub struct Arrived<'a> {
    /// Number of the session.
    pub session: u32,
    /// CLOCK_BOOTTIME in nanoseconds when XDP saw it.
    pub at: u64,
    /// The UDP payload.
    pub payload: &'a [u8],
}

/// A worker's end of XDP.
pub struct WorkerPort {
    /// The way in.
    pub arrivals: Arrivals,
    /// The way out.
    pub slots: SlotPort,
}

/// The ring by which packets come to a worker.
pub struct Arrivals(RingBuf<MapData>);

/// The slots and the bell by which a worker's packets go.
#[derive(Debug)]
pub struct SlotPort {
    /// The worker's slots.
    pub memory: SlotMemory,
    /// The worker's bell.
    pub bell: BellDevice,
    /// The counts of all workers.
    pub consumed: Region,
    /// Number of the worker.
    pub worker: u32,
    /// Replicas that may be on their way to a device's ring.
    pub window: u32,
}

/// An empty ring, to be put into the map `RINGS` and given to [`Arrivals::new`].
///
/// # Errors
/// The kernel's: out of memory.
pub fn make_ring() -> Result<MapData> {
    let bytes = forwarder_common::slots::RING_BYTES;
    let object = aya_obj::Map::new_from_params(RINGBUF, 0, 0, bytes, 0);
    MapData::create(object, "ring", None).context("cannot make a worker's ring")
}

/// The counts of consumed slots of all workers.
///
/// # Errors
/// What `mmap` says.
pub fn map_consumed(fd: BorrowedFd<'_>) -> Result<Region> {
    Ok(Region::map(
        fd,
        (MAX_WORKERS * CONSUMED_STRIDE) as usize * WORD,
    )?)
}

impl Arrivals {
    /// What comes by this ring.
    ///
    /// # Errors
    /// The map is no ring.
    pub fn new(ring: MapData) -> Result<Self> {
        Ok(Self(RingBuf::try_from(aya::maps::Map::RingBuf(ring))?))
    }

    /// Readable while packets wait.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor lives as long as the ring that is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.0.as_raw_fd()) }
    }

    /// Copies the next packet that waits into `to`; `None` where none does. A packet that does not fit is given without payload.
    #[inline]
    pub fn next<'b>(&mut self, to: &'b mut [u8]) -> Option<Arrived<'b>> {
        let item = self.0.next()?;
        let (header, payload) = item.split_first_chunk::<PUNT_HEADER>()?;
        let [s0, s1, s2, s3, l0, l1, l2, l3, at @ ..] = *header;
        let len = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
        let mut arrived = Arrived {
            session: u32::from_ne_bytes([s0, s1, s2, s3]),
            at: u64::from_ne_bytes(at),
            payload: &[],
        };
        if let (Some(payload), Some(to)) = (payload.get(..len), to.get_mut(..len)) {
            to.copy_from_slice(payload);
            arrived.payload = to;
        }
        Some(arrived)
    }
}

impl SlotPort {
    /// The sequence number after the last slot that XDP is done with.
    #[inline]
    #[must_use]
    pub fn consumed(&self) -> u32 {
        let at = (self.worker * CONSUMED_STRIDE) as usize * WORD;
        self.consumed.load_u64(at, Ordering::Acquire) as u32
    }
}
