//! Slots and send state in the real kernel. The slots are under a worker that does not wait: bells come as late as there are slots, so that
//! XDP reads those that are being written or sealed, and those that another packet has by now. Whatever leaves is whole, and its own hop's:
//! it opens by the keys of that hop, and is what was sealed for it.

use std::{
    collections::VecDeque,
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
        kernel::{Device, Kernel, Options, Started, slot_memory::Filled, worker_port::SlotPort},
        memory::Sizes,
    },
    srtp::{MasterKey, ReceiveKeys, SendKeys, Suite},
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
const BELLS: u32 = 1500;

fn hop_of(sequence: u32) -> u32 {
    1 + sequence % HOPS
}

/// The keys to what is behind a hop.
fn master(hop: u32) -> MasterKey {
    const SUITE: Suite = Suite::AeadAes128Gcm;
    let (key, salt) = ([hop as u8; 16], [hop as u8 ^ 0x55; 12]);
    MasterKey::new(SUITE, &key, &salt).unwrap()
}

/// Seals a packet in the place that it leaves from, as workers do; its RTP timestamp is its number. Gives its length.
fn seal(keys: &SendKeys, room: &mut [u8], sequence: u32) -> usize {
    let header = [0x80, 96]
        .into_iter()
        .chain((sequence as u16).to_be_bytes())
        .chain(sequence.to_be_bytes())
        .chain(hop_of(sequence).to_be_bytes());
    for (to, byte) in room.iter_mut().zip(header) {
        *to = byte;
    }
    room[rtp::LEN..LEN].fill(filling(sequence));
    keys.seal(room, rtp::LEN, LEN, sequence.into()).unwrap()
}

/// Opens what came for a port by the keys of that hop; it is what was sealed under that number, to the last byte.
fn open(keys: &[ReceiveKeys], port: u16, sealed: &[u8]) -> Result<(), String> {
    let number = sealed.get(4..8).and_then(<[u8]>::first_chunk);
    let sequence = u32::from_be_bytes(*number.ok_or("no number")?);
    let hop = u32::from(port - PORT);
    if hop != hop_of(sequence) {
        return Err(format!("{sequence} is of hop {}", hop_of(sequence)));
    }
    let mut packet = sealed.to_vec();
    let len = keys[hop as usize - 1]
        .open(&mut packet, rtp::LEN, sequence.into())
        .map_err(|error| format!("{sequence}: {error}"))?;
    let plain = packet.get(rtp::LEN..len).unwrap_or_default();
    if plain.len() != LEN - rtp::LEN || plain.iter().any(|byte| *byte != filling(sequence)) {
        return Err(format!("{sequence}: {len} bytes of another packet"));
    }
    Ok(())
}

/// What a packet is full of, before it is sealed: another byte than the packets that have its slot before and after.
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
    let taken: Vec<u16> = (0..5)
        .map(|_| session.next_transport_sequence().number())
        .collect();
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
    assert_eq!(session.next_transport_sequence().number(), 5);
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
        ..Steer::default()
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
        let keys: Vec<_> = (1..=HOPS)
            .map(|hop| ReceiveKeys::new(&master(hop)))
            .collect();
        move |parsed| match open(&keys, parsed.dst.port(), parsed.payload) {
            Ok(()) => {
                whole.fetch_add(1, Relaxed);
            }
            Err(why) => *wrong.lock().unwrap() = Some(format!("to {}: {why}", parsed.dst)),
        }
    })
    .unwrap();

    let SlotPort {
        mut memory, bell, ..
    } = started.ports.pop().unwrap().slots;
    let (bells, waiting) = channel::<Bell>();
    let rung = Arc::new(AtomicU64::new(0));
    let ringer = thread::spawn({
        let rung = Arc::clone(&rung);
        move || {
            for next in waiting {
                bell.ring(&next).unwrap();
                rung.fetch_add(1, Relaxed);
            }
        }
    });
    let keys: Vec<_> = (1..=HOPS).map(|hop| SendKeys::new(&master(hop))).collect();
    let (mut held, mut released) = (VecDeque::new(), 0);
    let mut sequence = SLOTS;
    for number in 0..BELLS {
        let first = sequence;
        // Three to five bells behind, while this one is filled: four are as many slots as there are, less four.
        if number % 3 == 0 && number >= 3 {
            while rung.load(Relaxed) < released {
                thread::yield_now();
            }
            let due: Vec<_> = held.drain(..held.len() - 2).collect();
            for bell in due {
                bells.send(bell).unwrap();
                released += 1;
            }
        }
        for _ in 0..BELL_SLOTS {
            let hop = hop_of(sequence);
            let filled = memory.fill(sequence, |room| {
                let len = seal(&keys[hop as usize - 1], room, sequence);
                Some(Filled {
                    member: Member {
                        hop,
                        generation: hop,
                    },
                    len: len as u16,
                    sum: Sum::default().bytes(&room[rtp::LEN..len]).fold(),
                })
            });
            assert!(filled);
            sequence = sequence.wrapping_add(1);
        }
        held.push_back(Bell {
            worker: 0,
            first,
            count: BELL_SLOTS,
            device: 0,
        });
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
