//! Sealing and opening take nothing from Rust's heap, whatever the suite; refusing a packet does not either.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use forwarder::srtp::{ReceiveKeys, ReceiveStreams, SendKeys, Suite};

use crate::packets::{master, rtp};

/// The system's allocator, with a count for each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: the system's allocator does it all; counting in a constant-initialised thread-local allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending has no count any more.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[test]
fn packets_cost_no_allocation() {
    for suite in Suite::ALL {
        let (send, receive) = (
            SendKeys::new(&master(suite, 1)),
            ReceiveKeys::new(&master(suite, 1)),
        );
        let mut streams = ReceiveStreams::new(2);
        let packets: Vec<_> = (0..500).map(|index| rtp(1, index)).collect();
        let mut buffer = vec![0; 2000];
        let mut before = 0;
        for (index, packet) in (0_u64..).zip(&packets) {
            let len = packet.bytes.len();
            buffer[..len].copy_from_slice(&packet.bytes);
            let sealed = send
                .seal(&mut buffer, packet.header_len, len, index)
                .unwrap();
            // A stranger's packet first, then ours, then ours again.
            buffer[sealed - 1] ^= 1;
            let (header_len, bytes) = (packet.header_len, &mut buffer[..sealed]);
            let refused = streams.open(&receive, bytes, header_len, |_| Some(()));
            assert!(refused.is_err());
            buffer[..len].copy_from_slice(&packet.bytes);
            let sealed = send
                .seal(&mut buffer, packet.header_len, len, index)
                .unwrap();
            let bytes = &mut buffer[..sealed];
            assert!(
                streams
                    .open(&receive, bytes, header_len, |_| Some(()))
                    .is_ok()
            );
            assert!(streams.open(&receive, bytes, header_len, |_| None).is_err());
            // The first packet makes the stream.
            if index == 0 {
                before = ALLOCATIONS.get();
            }
        }
        assert_eq!(ALLOCATIONS.get() - before, 0, "{suite}");
    }
}
