//! What cannot be had cheaper: sealing without sending, and sending without sealing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use forwarder::dataplane::kernel::slot_memory::Filled;
use forwarder::dataplane::kernel::worker_port::{SlotPort, WorkerPort};
use forwarder::srtp::{SendKeys, Suite};
use forwarder_common::checksum::Sum;
use forwarder_common::slots::{BELL_SLOTS, Bell, SLOT_PAYLOAD, SLOTS};
use forwarder_common::tables::Member;
use forwarder_common::wire::rtp;

use super::cases::Case;
use super::packet::{self, HEADER_LEN};
use crate::flood::Flood;
use crate::stage::Stage;

/// Slots that are filled: whole bells.
const FILLED: u32 = SLOTS / BELL_SLOTS * BELL_SLOTS;

/// Seals on the way: header and payload into one of as many places as a worker has slots, since a slot is not free again
/// before XDP is done with it.
pub struct SealFloor {
    places: Vec<[u8; SLOT_PAYLOAD]>,
    place: usize,
    index: u64,
    /// RTP payload.
    payload: Vec<u8>,
}

impl SealFloor {
    /// Nothing sealed yet.
    pub fn new() -> Self {
        Self {
            places: vec![[0; SLOT_PAYLOAD]; SLOTS as usize],
            place: 0,
            index: 0,
            payload: Vec::new(),
        }
    }

    /// Seals the packets of a round.
    ///
    /// # Errors
    /// The keys'.
    pub fn run(&mut self, case: Case, keys: &[Arc<SendKeys>]) -> Result<()> {
        (0..case.packets()).try_for_each(|_| self.packet(case, keys))
    }

    /// Seals one packet for each key of a fan-out, one after the other.
    ///
    /// # Errors
    /// The keys'.
    #[inline]
    pub fn packet(&mut self, case: Case, keys: &[Arc<SendKeys>]) -> Result<()> {
        if self.payload.len() != case.payload as usize {
            self.payload = packet::payload(case.payload);
        }
        let header = packet::header(7, self.index);
        for keys in keys.get(..case.fan_out as usize).context("keys")? {
            self.place = (self.place + 1) % SLOTS as usize;
            let place = self.places.get_mut(self.place).context("a place")?;
            place[..HEADER_LEN].copy_from_slice(&header);
            keys.seal_payload(place, HEADER_LEN, &self.payload, self.index)?;
        }
        self.index += 1;
        Ok(())
    }
}

/// Rings for slots that stay as they are.
pub struct SlotFloor {
    port: SlotPort,
    worker: u32,
    device: u32,
    /// Bytes of RTP payload and hops that the slots are filled with.
    filled: (u32, u32),
    next: u32,
}

impl SlotFloor {
    /// With a port that no worker has.
    pub fn new(port: WorkerPort, worker: u32, device: u32) -> Self {
        Self {
            port: port.slots,
            worker,
            device,
            filled: (0, 0),
            next: 0,
        }
    }

    /// Fills all slots with packets of a GCM's length to hops from `first_hop` on.
    pub fn fill(&mut self, payload: u32, fan_out: u32, first_hop: u32) {
        if self.filled == (payload, fan_out) {
            return;
        }
        self.filled = (payload, fan_out);
        let len = packet::udp_payload(payload, Suite::AeadAes128Gcm);
        for n in 0..FILLED {
            self.port.memory.fill(SLOTS + n, |room| {
                let packet = room.get_mut(..len)?;
                packet.fill(0x5a);
                let header = packet.get_mut(..HEADER_LEN)?;
                header.copy_from_slice(&packet::header(n, 1));
                Some(Filled {
                    member: Member {
                        hop: first_hop + n % fan_out,
                        generation: 1,
                    },
                    len: len as u16,
                    sum: Sum::default().bytes(packet.get(rtp::LEN..)?).fold(),
                })
            });
        }
    }

    /// Rings once for the next `count` slots, and waits until they have left.
    ///
    /// # Errors
    /// The system's.
    #[inline]
    pub fn ring(&mut self, count: u32) -> Result<()> {
        if self.next + count > FILLED {
            self.next = 0;
        }
        let first = SLOTS + self.next;
        self.next += count;
        let bell = Bell {
            worker: self.worker,
            first,
            count,
            device: self.device,
        };
        self.port.bell.ring(&bell)?;
        ensure!(
            self.port.consumed() == first + count,
            "a bell was not heard at once"
        );
        Ok(())
    }

    /// Rings for so many slots, in bells as large as can be; gives how many that were.
    ///
    /// # Errors
    /// The system's.
    pub fn run(&mut self, replicas: u64) -> Result<u64> {
        let mut sent = 0;
        while sent < replicas {
            let count = BELL_SLOTS.min((replicas - sent) as u32);
            self.ring(count)?;
            sent += u64::from(count);
        }
        Ok(sent)
    }
}

/// Loops of sendmmsg, one for each fan-out and payload.
#[derive(Default)]
pub struct FloodFloor {
    floods: BTreeMap<(u32, u32), Flood>,
}

impl FloodFloor {
    /// Sends the replicas of a round; gives how many that were.
    ///
    /// # Errors
    /// The system's.
    pub fn run(&mut self, stage: &Stage, case: Case) -> Result<u64> {
        let flood = match self.floods.entry((case.fan_out, case.payload)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Flood::new(
                &stage.lab.fwd,
                stage.lab.receiver(),
                case.fan_out,
                packet::udp_payload(case.payload, Suite::AeadAes128Gcm),
            )?),
        };
        let mut sent = 0;
        while sent < case.replicas() {
            flood.run().context("sendmmsg")?;
            sent += flood.len();
        }
        Ok(sent)
    }
}
