//! Slots and bells with a far end that hears when it is told to: which packets ring together, and what is dropped
//! while nothing is heard.

use std::{cell::Cell, net::UdpSocket, os::fd::OwnedFd, sync::Arc};

use forwarder_common::{reason::Reason, slots::SLOT_PAYLOAD, tables::Member};

use super::{
    command::Reach,
    far_end::{self, FarEnd, Replica},
    outlets::Outlets,
    relay::Relays,
    tally::Tally,
    tcp::TcpConnections,
};
use crate::dataplane::counters::ReasonTable;

const WINDOW: u32 = 64;
const HOP: u32 = 5;
/// Bytes of a packet: its number, over and over.
const LEN: usize = 40;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(1_000_000_000) };
}

/// A clock that nothing but looking at it moves, by 0.1 ms.
pub(super) fn clock() -> u64 {
    NOW.set(NOW.get() + 100_000);
    NOW.get()
}

struct Rig {
    outlets: Outlets,
    far_end: FarEnd,
    tally: Tally,
    reasons: Arc<ReasonTable>,
    reach: Reach,
}

impl Rig {
    fn new() -> Self {
        let (port, far_end) = far_end::slots(WINDOW);
        let mut outlets = Outlets::new(0, Some(port), TcpConnections::default(), Relays::default());
        let (_, sender) = outlets.xdp.as_mut().unwrap();
        sender.clock = clock;
        // What has a hop takes no socket.
        let unused = UdpSocket::bind("127.0.0.1:0").unwrap();
        let reasons = Arc::new(ReasonTable::heap(1).unwrap());
        Self {
            outlets,
            far_end,
            tally: Tally::new(Arc::clone(&reasons), 0),
            reasons,
            reach: Reach::Xdp {
                device: 0,
                member: Member {
                    hop: HOP,
                    generation: 1,
                },
                socket: Arc::new(OwnedFd::from(unused)),
            },
        }
    }

    /// Sends a packet full of `number`.
    fn send(&mut self, video: bool, number: u8) -> Result<u16, Reason> {
        let seal = |room: &mut [u8; SLOT_PAYLOAD]| {
            room[..LEN].fill(number);
            Ok(LEN as u16)
        };
        let Self {
            outlets,
            reach,
            tally,
            ..
        } = self;
        outlets.admit(reach, video, tally)?;
        outlets.send(reach, video, tally, &seal)
    }

    /// A batch of audio packets.
    fn batch(&mut self, numbers: impl IntoIterator<Item = u8>) {
        for number in numbers {
            assert_eq!(self.send(false, number), Ok(LEN as u16));
        }
        self.flush();
    }

    fn flush(&mut self) {
        self.outlets.flush(&mut self.tally);
        self.tally.publish();
    }

    fn counted(&self, reason: Reason) -> u64 {
        self.reasons.sum(reason)
    }

    /// Numbers of the packets of the next bell, which is heard now.
    fn by_bell(&mut self) -> Option<Vec<u8>> {
        let bell = self.far_end.hear()?;
        let replicas = self.far_end.send(&bell);
        let each = |Replica { hop, payload }: &Replica| {
            assert_eq!(*hop, HOP);
            number(payload)
        };
        Some(replicas.iter().map(each).collect())
    }
}

fn number(packet: &[u8]) -> u8 {
    assert!(packet.len() == LEN && packet.iter().all(|byte| *byte == packet[0]));
    packet[0]
}

/// Also a packet that is alone: a bell costs less than a socket.
#[test]
fn every_batch_rings_in_its_order() {
    let mut rig = Rig::new();
    rig.batch([1]);
    assert_eq!(rig.by_bell(), Some(vec![1]));
    rig.batch([2, 3]);
    // XDP has not heard that yet.
    rig.batch([4]);
    assert_eq!(rig.by_bell(), Some(vec![2, 3]));
    rig.batch([5]);
    assert_eq!(rig.by_bell(), Some(vec![4]));
    assert_eq!(rig.by_bell(), Some(vec![5]));
    assert_eq!(rig.by_bell(), None);
    rig.batch(6..=39);
    assert_eq!(rig.by_bell(), Some((6..=38).collect()));
    assert_eq!(rig.by_bell(), Some(vec![39]));
    assert_eq!(rig.counted(Reason::Sealed), 39);
    assert_eq!(rig.counted(Reason::Sent), 0, "XDP counts what it sends");
}

/// A bell is for one device.
#[test]
fn another_device_has_a_bell_of_its_own() {
    let mut rig = Rig::new();
    assert!(rig.send(false, 1).is_ok());
    if let Reach::Xdp { device, .. } = &mut rig.reach {
        *device = 1;
    }
    rig.batch([2]);
    assert_eq!(rig.by_bell(), Some(vec![1]));
    assert_eq!(rig.by_bell(), Some(vec![2]));
}

#[test]
fn while_nothing_is_heard_video_is_shed_before_audio() {
    let mut rig = Rig::new();
    rig.batch(1..=WINDOW as u8);
    assert_eq!(
        rig.send(true, 100),
        Err(Reason::SlotsFull),
        "it has waited in vain"
    );
    for _ in 0..10 {
        assert_eq!(rig.send(true, 101), Err(Reason::VideoShed));
    }
    // Nor is audio waited for again in the same batch.
    assert_eq!(rig.send(false, 101), Err(Reason::SlotsFull));
    rig.flush();
    let sealed = u64::from(WINDOW);
    assert_eq!(rig.counted(Reason::Sealed), sealed, "none was sealed");
    assert_eq!(rig.send(false, 101), Err(Reason::SlotsFull));
    let heard = rig.by_bell().unwrap();
    // What room comes is there at once.
    for number in [102, 103] {
        assert_eq!(rig.send(false, number), Ok(LEN as u16));
    }
    rig.flush();
    assert_eq!(rig.by_bell().unwrap().len() + heard.len(), WINDOW as usize);
    assert_eq!(rig.by_bell(), Some(vec![102, 103]));
    // With room there is room for video.
    assert_eq!(rig.send(true, 104), Ok(LEN as u16));
    rig.batch([105]);
    assert_eq!(rig.by_bell(), Some(vec![104, 105]));
}

/// A bell is no larger than what there is room for, and none is sealed for nothing.
#[test]
fn what_room_there_is_is_used() {
    let mut rig = Rig::new();
    rig.batch(1..=60);
    for number in 61..=64 {
        assert_eq!(rig.send(true, number), Ok(LEN as u16));
    }
    assert_eq!(rig.send(false, 65), Err(Reason::SlotsFull));
    rig.flush();
    assert_eq!(rig.counted(Reason::Sealed), 64);
    assert_eq!(
        rig.counted(Reason::SlotsFull),
        0,
        "that is for the caller to count"
    );
    let mut heard = Vec::new();
    while let Some(more) = rig.by_bell() {
        heard.extend(more);
    }
    assert!(heard.into_iter().eq(1..=64));
}
