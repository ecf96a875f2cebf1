//! Packets that XDP hands over reach the legs that XDP cannot serve, and only those.

use std::{
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixDatagram,
    },
    time::Duration,
};

use forwarder_common::{
    reason::Reason,
    tables::{Member, NONE, Route},
};

use super::rig::{Rig, V4, V6, listen, nothing_more, rtp, take};
use crate::{core::ops::TableOp, dataplane::socket::Punt};

/// A pair of local sockets in the place of the kernel's ring: first chunk in the first four bytes, then the payload.
struct Ring(UnixDatagram);

impl Punt for Ring {
    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn drain(&mut self, each: &mut dyn FnMut(u32, &[u8])) -> u64 {
        let mut buffer = vec![0; 20_000];
        for _ in 0..200 {
            let Ok(len) = self.0.recv(&mut buffer) else {
                return 0;
            };
            let (head, payload) = buffer[..len].split_first_chunk().unwrap();
            each(u32::from_ne_bytes(*head), payload);
        }
        0
    }
}

#[test]
fn punted_packets_go_to_the_socket_chain_only_and_received_ones_to_both() {
    let (ring, xdp) = UnixDatagram::pair().unwrap();
    ring.set_nonblocking(true).unwrap();
    xdp.set_write_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut rig = Rig::with_punt(Some(Box::new(Ring(ring))));
    let mut stream = rig.publish(V4, 1);
    let (kernel, socket) = (listen(V4), listen(V6));
    let leg = rig.leg(socket.local_addr().unwrap(), None);
    let seat = rig.subscribe(&mut stream, &leg);
    // A second chain, as for legs that XDP serves.
    let leg = rig.leg(kernel.local_addr().unwrap(), None);
    rig.apply(TableOp::PutHop {
        hop: 4000,
        value: leg.to_hop(1),
    });
    rig.apply(TableOp::InitChunk {
        chunk: 200,
        device: 0,
        next: NONE,
    });
    rig.apply(TableOp::SetSlot {
        chunk: 200,
        slot: 63,
        member: Member {
            hop: 4000,
            generation: 1,
        },
    });
    rig.apply(TableOp::SetMask {
        chunk: 200,
        mask: 1 << 63,
    });
    rig.apply(TableOp::SetRoute {
        route: stream.route,
        value: Route {
            head: 200,
            socket_head: seat.chunk,
        },
    });

    let packet = stream.send_rtp(0, 500);
    assert_eq!(take(&kernel).0, packet);
    assert_eq!(take(&socket).0, packet);
    let punt = |packet: &[u8]| {
        let message = [&seat.chunk.to_ne_bytes()[..], packet].concat();
        xdp.send(&message).unwrap();
    };
    for round in 0..10 {
        let round = round * 100..round * 100 + 100;
        for n in round.clone() {
            punt(&rtp(1, 96, n, 0, 300));
        }
        for n in round {
            assert_eq!(take(&socket).0, rtp(1, 96, n, 0, 300));
        }
    }
    nothing_more(&kernel);
    nothing_more(&socket);
    // Nothing that cannot be right comes from XDP; if it does it is dropped.
    punt(&[]);
    punt(&rtp(1, 96, 0, 0, 9217));
    rig.wait(Reason::TooBig, 1);
    rig.wait(Reason::Taken, 1);
}
