//! The ring by which XDP hands packets to the socket worker, for legs that XDP cannot serve.

use std::os::fd::{AsRawFd, BorrowedFd};

use anyhow::Result;
use aya::maps::{MapData, RingBuf};
use forwarder_common::tables::{PUNT_HEADER, STALE};

use crate::dataplane::{clock::boottime, socket::Punt};

/// Packets that are read before the sockets get their turn.
const AT_ONCE: usize = 256;

/// The reading end.
pub struct PuntRing {
    ring: RingBuf<MapData>,
}

impl PuntRing {
    /// Reads the map `PUNT`.
    ///
    /// # Errors
    /// The map is of another kind.
    pub fn new(map: aya::maps::Map) -> Result<Self> {
        Ok(Self {
            ring: RingBuf::try_from(map)?,
        })
    }
}

impl Punt for PuntRing {
    fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor lives as long as the ring that is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.ring.as_raw_fd()) }
    }

    fn drain(&mut self, each: &mut dyn FnMut(u32, &[u8])) -> u64 {
        let now = boottime();
        let mut stale = 0;
        for _ in 0..AT_ONCE {
            let Some(item) = self.ring.next() else {
                break;
            };
            let Some((header, payload)) = item.split_first_chunk::<PUNT_HEADER>() else {
                continue;
            };
            let [r0, r1, r2, r3, l0, l1, l2, l3, at @ ..] = *header;
            if now.saturating_sub(u64::from_ne_bytes(at)) > STALE {
                stale += 1;
                continue;
            }
            let len = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
            if let Some(payload) = payload.get(..len) {
                each(u32::from_ne_bytes([r0, r1, r2, r3]), payload);
            }
        }
        stale
    }
}
