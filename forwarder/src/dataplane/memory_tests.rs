//! The tables hold what is put, lie in memory as the ABI says, and never show a mixture.

use std::sync::atomic::AtomicBool;

use forwarder_common::tables::{CHUNK_SLOTS, DEVICE_SOCKET, TEMPLATE_LEN};

use super::*;

const SIZES: Sizes = Sizes {
    hops: 8,
    chunks: 4,
    routes: 4,
    leases: 2,
    cpus: 1,
};

/// A hop in which every field differs from every other, and from those of another seed.
fn hop(generation: u32, seed: u8) -> Hop {
    let wide = u32::from(seed) * 0x0101_0101;
    Hop {
        generation,
        lease: wide + 1,
        mtu: u16::from(seed) * 0x0101 + 2,
        shape: seed.wrapping_add(3),
        flags: seed.wrapping_add(4),
        ip_sum: u16::from(seed) * 0x0101 + 5,
        udp_sum: u16::from(seed) * 0x0101 + 6,
        ssrc: wide + 7,
        timestamp_offset: wide + 8,
        sequence_offset: u16::from(seed) * 0x0101 + 9,
        payload_type_from: seed.wrapping_add(10),
        payload_type_to: seed.wrapping_add(11),
        socket: wide + 12,
        template: std::array::from_fn::<u8, TEMPLATE_LEN, _>(|i| seed.wrapping_add(i as u8)),
        zero: [0; 24],
    }
}

/// The bytes of a hop in the table.
fn bytes(memory: &Memory, index: u32) -> Vec<u8> {
    let words = memory.hop_words(index).unwrap();
    words
        .iter()
        .flat_map(|word| word.load(Relaxed).to_ne_bytes())
        .collect()
}

#[test]
fn a_hop_comes_back_as_it_was_put_and_lies_as_the_abi_says() {
    let memory = Memory::heap(SIZES).unwrap();
    let hop = hop(5, 0x11);
    assert_eq!(memory.put_hop(3, &hop), Some(()));
    assert_eq!(memory.hop(3), Some(hop));

    let bytes = bytes(&memory, 3);
    let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), hop.generation);
    assert_eq!(word(std::mem::offset_of!(Hop, lease)), hop.lease);
    assert_eq!(word(std::mem::offset_of!(Hop, ssrc)), hop.ssrc);
    assert_eq!(word(std::mem::offset_of!(Hop, socket)), hop.socket);
    assert_eq!(bytes[std::mem::offset_of!(Hop, shape)], hop.shape);
    assert_eq!(
        bytes[std::mem::offset_of!(Hop, payload_type_to)],
        hop.payload_type_to
    );
    let template = std::mem::offset_of!(Hop, template);
    assert_eq!(bytes[template..template + TEMPLATE_LEN], hop.template);

    assert_eq!(memory.void_hop(3), Some(()));
    assert_eq!(memory.hop(3), None);
}

#[test]
fn chunks_and_routes_hold_what_is_set() {
    let memory = Memory::heap(SIZES).unwrap();
    let member = |n: u32| Member {
        hop: n,
        generation: n + 100,
    };
    for slot in 0..CHUNK_SLOTS as u32 {
        memory.set_chunk_slot(2, slot, member(slot)).unwrap();
    }
    memory.set_chunk_mask(2, u64::MAX).unwrap();
    assert_eq!(memory.chunk_slot(2, 63), member(63));
    assert_eq!(memory.chunk_slot(3, 0), Member::default());
    memory.init_chunk(2, DEVICE_SOCKET, 3).unwrap();
    assert_eq!(memory.chunk_mask(2), 0);
    assert_eq!(memory.chunk_slot(2, 63), Member::default());
    assert_eq!(
        (memory.chunk_next(2), memory.chunk_device(2)),
        (3, DEVICE_SOCKET)
    );
    memory.set_chunk_next(2, 1).unwrap();
    assert_eq!(
        (memory.chunk_next(2), memory.chunk_device(2)),
        (1, DEVICE_SOCKET)
    );

    let route = Route {
        head: 1,
        socket_head: 2,
    };
    memory.set_route(3, route).unwrap();
    assert_eq!(memory.route(3), route);
    memory.set_lease(1, 77).unwrap();
    assert_eq!((memory.lease(0), memory.lease(1)), (0, 77));
}

#[test]
fn outside_everything_is_none() {
    let memory = Memory::heap(SIZES).unwrap();
    assert_eq!(memory.route(4), Route::default());
    assert_eq!(memory.chunk_mask(u32::MAX), 0);
    assert_eq!(memory.chunk_next(4), NONE);
    assert_eq!(memory.chunk_slot(3, 64), Member::default());
    assert_eq!(memory.hop(8), None);
    assert_eq!(memory.lease(2), 0);
    assert_eq!(memory.set_route(4, Route::default()), None);
    assert_eq!(memory.set_chunk_mask(4, 1), None);
    assert_eq!(memory.set_chunk_slot(3, 64, Member::default()), None);
    assert_eq!(memory.set_chunk_slot(2, 64, Member::default()), None);
    assert_eq!(memory.put_hop(8, &hop(1, 1)), None);
    assert_eq!(memory.set_lease(2, 1), None);
    // Number 0 means "none" and stays empty.
    assert_eq!(memory.put_hop(0, &hop(1, 1)), None);
    assert_eq!(memory.init_chunk(0, 1, 1), None);
    assert_eq!(memory.set_chunk_slot(0, 1, Member::default()), None);
    assert_eq!(memory.set_route(0, Route::default()), None);
}

#[test]
fn a_reader_never_sees_a_mixture_of_two_hops() {
    let memory = Memory::heap(SIZES).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = 0u32;
            while !done.load(Relaxed) || seen == 0 {
                if let Some(read) = memory.hop(1) {
                    assert_eq!(read, hop(read.generation, (read.generation % 200) as u8));
                    seen += 1;
                }
            }
            seen
        });
        for generation in 1..20_000 {
            memory
                .put_hop(1, &hop(generation, (generation % 200) as u8))
                .unwrap();
        }
        done.store(true, Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
}
