//! The tables that both implementations run on: the streams of the case table, with hops of every shape and mode.

use std::net::SocketAddr;

use forwarder::core::ops::TableOp;
use forwarder::dataplane::memory::Sizes;
use forwarder_common::{
    hop::{Addresses, Leg},
    rewrite::Rewrite,
    stun,
    tables::{
        DEVICE_SOCKET, Endpoint, EndpointKey, MAX_DEVICES, Member, PairKey, Route, RouteKey, Steer,
        mac_words,
    },
    wire::ip::mapped,
};
use forwarder_tests::{
    Family,
    cases::{AUDIO, LOCAL_MAC, OTHER_OWN_MAC, STREAMS, UFRAG, local, remote, sealed_local},
};

/// Room for all of it.
pub const SIZES: Sizes = Sizes {
    hops: 1024,
    chunks: 64,
    routes: 16,
    leases: 4,
    cpus: 0, // filled in by whoever knows
};
/// MACs of the devices.
pub const OWN_MACS: [[u32; 2]; MAX_DEVICES as usize] = {
    let mut macs = [[0; 2]; MAX_DEVICES as usize];
    macs[0] = mac_words(LOCAL_MAC.0);
    macs[1] = mac_words(OTHER_OWN_MAC.0);
    macs
};
/// The session of the validated pairs.
const SESSION: u32 = 77;
/// A lease that has passed.
const PASSED: u32 = 1;

fn key(address: SocketAddr) -> ([u8; 16], u16) {
    match address {
        SocketAddr::V4(v4) => (mapped(v4.ip().octets()), v4.port()),
        SocketAddr::V6(v6) => (v6.ip().octets(), v6.port()),
    }
}

/// Writes operations, numbering hops and chunks.
#[derive(Default)]
struct Writer {
    ops: Vec<TableOp>,
    hops: u32,
    chunks: u32,
}

impl Writer {
    fn hop(&mut self, leg: &Leg) -> Member {
        self.hops += 1;
        let member = Member {
            hop: self.hops,
            generation: 1000 + self.hops,
        };
        self.ops.push(TableOp::PutHop {
            hop: member.hop,
            value: leg.to_hop(member.generation),
        });
        member
    }

    /// A chunk with these members, in every `stride`th slot.
    fn chunk(&mut self, device: u32, next: u32, stride: u32, members: &[Member]) -> u32 {
        self.chunks += 1;
        let chunk = self.chunks;
        self.ops.push(TableOp::InitChunk {
            chunk,
            device,
            next,
        });
        let mut mask = 0;
        for (slot, &member) in (0..64).step_by(stride as usize).zip(members) {
            self.ops.push(TableOp::SetSlot {
                chunk,
                slot,
                member,
            });
            mask |= 1 << slot;
        }
        self.ops.push(TableOp::SetMask { chunk, mask });
        chunk
    }
}

/// Leg number `number`: shapes, modes and offsets in turn.
pub fn leg(number: u32) -> Leg {
    let byte = number as u8;
    let addresses = if number & 1 == 0 {
        Addresses::V4 {
            source: [10, 0, 0, 1],
            destination: [10, 1, 2, byte],
        }
    } else {
        let (mut source, mut destination) = ([0; 16], [0; 16]);
        (source[0], destination[0]) = (0xfd, 0xfd);
        (source[15], destination[15]) = (1, byte);
        Addresses::V6 {
            source,
            destination,
        }
    };
    let offsets = [
        (0, 0),
        (1, 0x100),
        (0x8000, 0x8000_0000),
        (0xffff, u32::MAX),
    ];
    let (sequence_offset, timestamp_offset) = offsets[number as usize / 8 % 4];
    Leg {
        source_mac: [2, 0, 0, 0, 1, byte],
        destination_mac: Some([2, 0, 0, 0, 2, byte]),
        vlan: (number & 2 != 0).then_some(number as u16 + 1),
        addresses,
        source_port: 5000 + number as u16,
        destination_port: 60_000 + number as u16,
        dscp: byte & 63,
        ttl: 64 + byte,
        mtu: 1500,
        rewrite: (number & 4 != 0).then_some(Rewrite {
            ssrc: 0xdead_0000 + number,
            timestamp_offset,
            sequence_offset,
            payload_type_from: 96,
            payload_type_to: byte & 0x7f,
        }),
        lease: 0,
        socket: 0,
    }
}

/// The operations that make the world.
pub fn ops() -> Vec<TableOp> {
    let mut writer = Writer::default();
    let lease = |lease, deadline| TableOp::SetLease { lease, deadline };
    writer.ops.extend([lease(0, u64::MAX), lease(PASSED, 1)]);

    let mut members: Vec<Member> = (0..32).map(|number| writer.hop(&leg(number))).collect();
    members.extend(refused(&mut writer));
    let mixed = writer.chunk(0, 0, 1, &members);
    let mut many =
        |count: u32| -> Vec<Member> { (0..count).map(|number| writer.hop(&leg(number))).collect() };
    let (first, second, last) = (many(64), many(13), many(1));
    // A chunk in which all are paused lies on the way.
    let end = writer.chunk(1, 0, 1, &last);
    let paused = writer.chunk(0, end, 1, &[]);
    let third = writer.chunk(0, paused, 5, &second);
    let chain = writer.chunk(0, third, 1, &first);
    let socket = writer.chunk(DEVICE_SOCKET, 0, 1, &first);
    let both = writer.chunk(0, 0, 7, &second[..9]);
    let single = writer.chunk(1, 0, 1, &last);
    let no_device = writer.chunk(8, 0, 1, &last);

    let heads = [
        (mixed, 0),
        (chain, 0),
        (0, 0),
        (0, socket),
        (both, socket),
        (single, 0),
        (no_device, 0),
    ];
    for (route, (head, socket_head)) in (1..).zip(heads) {
        writer.ops.push(TableOp::SetRoute {
            route,
            value: Route { head, socket_head },
        });
    }
    for family in [Family::V4, Family::V6] {
        let (address, port) = key(local(family));
        writer.ops.push(TableOp::PutEndpoint {
            key: EndpointKey::new(address, port),
            endpoint: Endpoint::new(LOCAL_MAC.0),
        });
        let (address, port) = key(sealed_local(family));
        writer.ops.push(TableOp::PutEndpoint {
            key: EndpointKey::new(address, port),
            endpoint: Endpoint::sealed(LOCAL_MAC.0),
        });
        let steer = Steer {
            worker: 0,
            session: SESSION,
            ..Steer::default()
        };
        writer.ops.push(TableOp::PutSteer {
            key: PairKey::new(key(remote(family)), key(sealed_local(family))),
            steer: steer.with_audio(AUDIO),
        });
        for (route, ssrc) in (1..).zip(STREAMS) {
            let key = RouteKey::new(key(remote(family)), key(local(family)), ssrc);
            writer.ops.push(TableOp::PutRoute { key, route });
        }
    }
    writer.ops.push(TableOp::AdmitUfrag {
        ufrag: stun::ufrag_word(UFRAG),
    });
    writer.ops
}

/// Members that must not be sent to, each for a reason of its own.
fn refused(writer: &mut Writer) -> Vec<Member> {
    let small = writer.hop(&Leg { mtu: 100, ..leg(1) });
    let expired = writer.hop(&Leg {
        lease: PASSED,
        ..leg(2)
    });
    let unresolved = writer.hop(&Leg {
        destination_mac: None,
        ..leg(3)
    });
    let mut stale = writer.hop(&leg(4));
    stale.generation += 1;
    let voided = writer.hop(&leg(5));
    writer.ops.push(TableOp::VoidHop { hop: voided.hop });
    let outside = Member {
        hop: SIZES.hops,
        generation: 1,
    };
    let without_lease = writer.hop(&Leg {
        lease: SIZES.leases,
        ..leg(6)
    });
    let removed = Member::default();
    vec![
        small,
        expired,
        unresolved,
        stale,
        voided,
        outside,
        without_lease,
        removed,
    ]
}
