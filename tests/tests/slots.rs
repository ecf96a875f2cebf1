//! Slots and send state in the real kernel. The slots are under a worker that does not wait: bells come as late as there are slots, so that XDP reads those that are
//! being written, and those that another packet has by now. Whatever leaves is whole, and its own hop's.

use std::{
    net::IpAddr,
    os::fd::AsFd,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::channel,
    },
    thread,
    time::Duration,
};

use aya::maps::MapData;
use forwarder::{
    core::ops::{TableOp, Tables as _},
    dataplane::{
        kernel::{Device, Kernel, Options, Started, slot_memory::Filled},
        memory::Sizes,
    },
    worker::send_state::SendState,
};
use forwarder_common::{
    checksum::Sum,
    hop::{Addresses, Leg},
    reason::Reason,
    slots::{BELL_SLOTS, Bell, SLOTS},
    tables::{MAX_PAIRS, Member, PairKey, Steer},
    wire::{ip::mapped, rtp},
};
use forwarder_tests::{Capture, Family, Lab, needs_root};

const HOPS: u32 = 7;
const PORT: u16 = 7000;
const LEN: usize = 1200;
/// Bells that are rung; every one for [`BELL_SLOTS`] slots.
const BELLS: u32 = 8000;

fn hop_of(sequence: u32) -> u32 {
    1 + sequence % HOPS
}

/// What a packet is full of, behind its number: another byte than the packets that have its slot before and after.
fn filling(sequence: u32) -> u8 {
    (sequence / SLOTS).wrapping_mul(0x9e37_79b1).to_be_bytes()[0] ^ sequence as u8
}

fn leg(lab: &Lab, number: u32) -> Leg {
    let receiver = lab.receiver();
    let octets = |address| match address {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(address) => panic!("{address}"),
    };
    Leg {
        source_mac: receiver.fwd_mac.0,
        destination_mac: Some(receiver.mac.0),
        vlan: None,
        addresses: Addresses::V4 {
            source: octets(receiver.fwd_addr(Family::V4)),
            destination: octets(receiver.addr(Family::V4)),
        },
        source_port: PORT,
        destination_port: PORT + number as u16,
        dscp: 0,
        ttl: 9,
        mtu: 1500,
        rewrite: None,
        lease: 0,
        socket: 0,
    }
}

fn start(lab: &Lab) -> Started {
    let name = lab.receiver().fwd_interface().to_owned();
    let ifindex = lab
        .fwd
        .enter(|| nix::net::if_::if_nametoindex(name.as_str()))
        .unwrap();
    let options = Options {
        name: lab.name().to_owned(),
        devices: vec![Device {
            name,
            ifindex,
            ring: 256,
            queues: 2,
            mtu: 1500,
            mac: lab.receiver().fwd_mac.0,
            attached: None,
        }],
        sizes: Sizes {
            hops: 64,
            chunks: 8,
            routes: 8,
            leases: 4,
            cpus: aya::util::nr_cpus().unwrap() as u32,
        },
        workers: 1,
        sessions: 4,
        legs: 8,
    };
    lab.fwd.enter(|| Kernel::start(&options)).unwrap()
}

/// What keys were used for outlives the process: it is found where it was pinned.
#[test]
fn the_send_state_is_pinned() {
    needs_root!();
    let lab = Lab::star().build().unwrap();
    let started = start(&lab);
    let state = Arc::new(started.send_state);
    let session = state.session(4).unwrap();
    state.store(8, 70_000);
    session.store_srtcp(17);
    state.receive_session(4).unwrap().store(0, 99, 1 << 20);
    let taken: Vec<u16> = (0..5).map(|_| session.next_transport_sequence()).collect();
    assert_eq!(taken, [0, 1, 2, 3, 4]);
    // Whoever was here is gone; the maps are not.
    drop((state, session));
    let pinned = |name| {
        let versions = std::fs::read_dir(Path::new("/sys/fs/bpf/forwarder").join(lab.name()));
        let version = versions.unwrap().next().unwrap().unwrap();
        MapData::from_pin(version.path().join(name)).unwrap()
    };
    let [legs, sessions, received] = ["SEND_STATE", "SESSION_STATE", "RECEIVE_STATE"].map(pinned);
    let (legs, sessions) = ((legs.fd().as_fd(), 9), (sessions.fd().as_fd(), 5));
    let state = SendState::map(legs, sessions, (received.fd().as_fd(), 5));
    let state = Arc::new(state.unwrap());
    let session = state.session(4).unwrap();
    assert_eq!((state.next_index(8), session.next_srtcp()), (70_000, 17));
    assert_eq!(session.next_transport_sequence(), 5);
    let arrived: Vec<_> = state.receive_session(4).unwrap().streams().collect();
    assert_eq!(arrived, [(99, 1 << 20)]);
    lab.fwd.enter(|| started.kernel.stop()).unwrap();
}

/// As many pairs as all sessions may have open find room, so that none is refused and then dropped by XDP.
#[test]
fn there_is_room_for_all_pairs() {
    needs_root!();
    let lab = Lab::star().build().unwrap();
    let mut started = start(&lab);
    let steer = Steer {
        worker: 0,
        session: 1,
        audio: [0; 4],
    };
    let put = |number: u32| {
        let remote = (mapped([10, 0, 0, 2]), (number % 60_000) as u16);
        let local = (mapped([10, 0, 0, 1]), (number / 60_000) as u16);
        TableOp::PutSteer {
            key: PairKey::new(remote, local),
            steer,
        }
    };
    for number in 0..MAX_PAIRS {
        started.tables.apply(&put(number)).unwrap();
    }
    let refused = started.tables.apply(&put(MAX_PAIRS)).unwrap_err();
    assert!(format!("{refused:?}").contains("16380"), "{refused:?}");
    lab.fwd.enter(|| started.kernel.stop()).unwrap();
}

#[test]
fn nothing_torn_and_nothing_foreign_leaves() {
    needs_root!();
    let lab = Lab::star().build().unwrap();
    let mut started = start(&lab);
    let tables = &mut started.tables;
    tables
        .apply(&TableOp::SetLease {
            lease: 0,
            deadline: u64::MAX,
        })
        .unwrap();
    for hop in 1..=HOPS {
        let value = leg(&lab, hop).to_hop(hop);
        tables.apply(&TableOp::PutHop { hop, value }).unwrap();
    }
    let (whole, wrong) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(None)));
    let capture = Capture::each(lab.receiver(), {
        let (whole, wrong) = (Arc::clone(&whole), Arc::clone(&wrong));
        move |parsed| {
            let first: [u8; 4] = *parsed.payload.first_chunk().unwrap();
            let sequence = u32::from_be_bytes(first);
            let expected = PORT + hop_of(sequence) as u16;
            let rest = parsed.payload.get(4..).unwrap_or_default();
            let torn = rest.iter().any(|byte| *byte != filling(sequence));
            if torn || parsed.payload.len() != LEN || parsed.dst.port() != expected {
                let other = rest.iter().position(|byte| *byte != filling(sequence));
                let start = parsed.payload.get(..16);
                *wrong.lock().unwrap() = Some(format!(
                    "{sequence} at {}: other from {other:?} than {:02x}: {start:02x?}",
                    parsed.dst,
                    filling(sequence)
                ));
            } else {
                whole.fetch_add(1, Relaxed);
            }
        }
    })
    .unwrap();

    let mut port = started.ports.pop().unwrap();
    let (bells, waiting) = channel::<Bell>();
    let rung = Arc::new(AtomicU64::new(0));
    let socket = port.bell;
    let ringer = thread::spawn({
        let rung = Arc::clone(&rung);
        move || {
            for bell in waiting {
                socket.ring(&bell).unwrap();
                rung.fetch_add(1, Relaxed);
            }
        }
    });
    let sums: Vec<u16> = (0..=255)
        .map(|byte| Sum::default().bytes(&[byte; LEN - rtp::LEN]).fold())
        .collect();
    let mut sequence = SLOTS;
    for bell in 0..u64::from(BELLS) {
        let first = sequence;
        for _ in 0..BELL_SLOTS {
            let hop = hop_of(sequence);
            let filled = port.slots.fill(sequence, |room| {
                room[..LEN].fill(filling(sequence));
                room[..4].copy_from_slice(&sequence.to_be_bytes());
                Some(Filled {
                    member: Member {
                        hop,
                        generation: hop,
                    },
                    len: LEN as u16,
                    sum: sums[usize::from(filling(sequence))],
                })
            });
            assert!(filled);
            sequence = sequence.wrapping_add(1);
        }
        bells
            .send(Bell {
                worker: 0,
                first,
                count: BELL_SLOTS,
                device: 0,
            })
            .unwrap();
        // Three to five bells ahead of XDP: four are as many slots as there are, less four.
        while bell - rung.load(Relaxed).min(bell) > 3 + bell % 3 {
            std::hint::spin_loop();
        }
    }
    drop(bells);
    ringer.join().unwrap();
    capture.settle(Duration::from_millis(100));
    let count = capture.count().unwrap();
    // What the full ring of the veth threw away is missing, what came is right; and a torn one would have a wrong checksum too.
    let faults: Vec<_> = count.faults.iter().map(|(_, why)| why).collect();
    assert_eq!(count.faulty, 0, "{faults:?}");
    assert_eq!(*wrong.lock().unwrap(), None);
    let stale = started.tables.reasons()[Reason::StaleSlot as usize];
    let whole = whole.load(Relaxed);
    println!("{whole} whole, {stale} stale");
    assert!(whole > 1000, "{whole} came: too few to say anything");
    assert!(stale > 1000, "{stale} were stale: XDP was never late");
    lab.fwd.enter(|| started.kernel.stop()).unwrap();
}
