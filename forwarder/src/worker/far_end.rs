//! XDP's half of a worker's slots, for tests that need no kernel: it hears bells and reads slots when it is told to, and not before.

use std::{
    fs::File,
    io::{ErrorKind, Read as _},
    os::{fd::AsFd, unix::fs::FileExt},
    sync::atomic::Ordering::Release,
};

use forwarder_common::slots::{
    BELL_LEN, Bell, CONSUMED_STRIDE, MAX_WORKERS, SLOT_PAYLOAD, SLOTS, Slot,
};
use nix::{
    sys::memfd::{MFdFlags, memfd_create},
    unistd::ftruncate,
};
use socket2::{Domain, Socket, Type};

use crate::dataplane::{
    kernel::{bell::BellDevice, slot_memory::SlotMemory, worker_port::SlotPort},
    region::{Region, WORD},
};

/// Bytes of all slots.
const LEN: usize = SLOTS as usize * size_of::<Slot>();

/// The end of the bells, and the memory of the slots.
pub struct FarEnd {
    bells: Socket,
    slots: File,
    consumed: Region,
}

/// What a bell made leave.
#[derive(Debug, PartialEq, Eq)]
pub struct Replica {
    /// The hop that it goes to.
    pub hop: u32,
    /// The UDP payload.
    pub payload: Vec<u8>,
}

fn shared(name: &std::ffi::CStr, len: usize) -> File {
    let file = memfd_create(name, MFdFlags::MFD_CLOEXEC).unwrap();
    ftruncate(&file, len as i64).unwrap();
    file.into()
}

/// Both ends of the slots of worker 0.
pub fn slots(window: u32) -> (SlotPort, FarEnd) {
    let slots = shared(c"slots", LEN);
    let counts = (MAX_WORKERS * CONSUMED_STRIDE) as usize * WORD;
    let consumed = shared(c"consumed", counts);
    let (near, far) = Socket::pair(Domain::UNIX, Type::SEQPACKET, None).unwrap();
    far.set_nonblocking(true).unwrap();
    let map = || Region::map(consumed.as_fd(), counts).unwrap();
    let port = SlotPort {
        memory: SlotMemory::map(slots.as_fd(), 0).unwrap(),
        bell: BellDevice::from(near),
        consumed: map(),
        worker: 0,
        window,
    };
    let far_end = FarEnd {
        bells: far,
        slots,
        consumed: map(),
    };
    (port, far_end)
}

impl FarEnd {
    /// The next bell that was rung, if one was.
    pub fn hear(&mut self) -> Option<Bell> {
        let mut frame = [0; BELL_LEN];
        match self.bells.read(&mut frame) {
            Ok(BELL_LEN) => Some(Bell::read(frame.as_slice()).expect("a bell")),
            Ok(len) => panic!("{len} bytes are no bell"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// What leaves for a bell; its slots are free then.
    pub fn send(&mut self, bell: &Bell) -> Vec<Replica> {
        let sequences = (0..bell.count).map(|n| bell.first.wrapping_add(n));
        let replicas = sequences
            .filter_map(|sequence| self.slot(sequence))
            .collect();
        let end = bell.first.wrapping_add(bell.count);
        self.consumed.store_u64(0, end.into(), Release).unwrap();
        replicas
    }

    /// All that leaves for the bells that were rung.
    pub fn send_all(&mut self) -> Vec<Replica> {
        let mut replicas = Vec::new();
        while let Some(bell) = self.hear() {
            replicas.extend(self.send(&bell));
        }
        replicas
    }

    /// What is in a slot, if it is that of this packet.
    fn slot(&self, sequence: u32) -> Option<Replica> {
        let mut bytes = [0; size_of::<Slot>()];
        let at = (sequence % SLOTS) as usize * bytes.len();
        self.slots.read_exact_at(&mut bytes, at as u64).unwrap();
        let word = |at: usize| u32::from_ne_bytes(*bytes[at..].first_chunk().unwrap());
        let payload = &bytes[size_of::<Slot>() - SLOT_PAYLOAD..];
        let len = usize::from(u16::from_ne_bytes(*bytes[12..].first_chunk().unwrap()));
        (word(0) == sequence).then(|| Replica {
            hop: word(4),
            payload: payload[..len].to_vec(),
        })
    }
}
