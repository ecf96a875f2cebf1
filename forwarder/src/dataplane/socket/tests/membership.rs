//! Who is a member when a packet arrives gets it, and nobody else.

use std::time::Duration;

use forwarder_common::{reason::Reason, tables::Member};

use super::rig::{Rig, V4, listen, nothing_more, take};
use crate::{core::ops::TableOp, dataplane::clock::boottime};

#[test]
fn paused_subscribers_get_exactly_what_came_while_they_were_not() {
    let mut rig = Rig::new();
    let mut stream = rig.publish(V4, 1);
    let (steady, paused) = (listen(V4), listen(V4));
    let leg = rig.leg(steady.local_addr().unwrap(), None);
    rig.subscribe(&mut stream, &leg);
    let leg = rig.leg(paused.local_addr().unwrap(), None);
    let seat = rig.subscribe(&mut stream, &leg);
    for n in 0..200u16 {
        let on = n % 2 == 0;
        rig.set_member(&mut stream, seat, on);
        let packet = stream.send_rtp(n, 200);
        // Waiting for it makes the change of the next round come after this packet.
        assert_eq!(take(&steady).0, packet);
        if on {
            assert_eq!(take(&paused).0, packet);
        }
    }
    nothing_more(&paused);
    nothing_more(&steady);
}

#[test]
fn after_leaving_not_one_packet_that_is_sent_later_arrives() {
    let mut rig = Rig::new();
    let mut stream = rig.publish(V4, 1);
    let (steady, guest) = (listen(V4), listen(V4));
    let leg = rig.leg(steady.local_addr().unwrap(), None);
    rig.subscribe(&mut stream, &leg);
    let guest_leg = rig.leg(guest.local_addr().unwrap(), None);
    let mut sequence = 0u16;
    for _ in 0..300 {
        let seat = rig.subscribe(&mut stream, &guest_leg);
        let first = sequence;
        for _ in 0..3 {
            stream.send_rtp(sequence, 50);
            sequence += 1;
        }
        // No waiting: packets may be anywhere on their way when the guest leaves.
        rig.set_member(&mut stream, seat, false);
        rig.apply(TableOp::SetSlot {
            chunk: seat.chunk,
            slot: seat.slot,
            member: Member::default(),
        });
        rig.apply(TableOp::VoidHop { hop: seat.hop });
        let last = sequence;
        stream.send_rtp(sequence, 50);
        sequence += 1;
        rig.wait(Reason::Taken, sequence.into());
        guest.set_nonblocking(true).unwrap();
        let mut buffer = [0; 100];
        while guest.recv(&mut buffer).is_ok() {
            let got = u16::from_be_bytes([buffer[2], buffer[3]]);
            assert!((first..last).contains(&got), "{got} not in {first}..{last}");
        }
        for n in first..sequence {
            let (packet, _) = take(&steady);
            assert_eq!(u16::from_be_bytes([packet[2], packet[3]]), n);
        }
    }
}

#[test]
fn a_stale_member_and_an_empty_slot_get_nothing() {
    let mut rig = Rig::new();
    let mut stream = rig.publish(V4, 1);
    let listener = listen(V4);
    let leg = rig.leg(listener.local_addr().unwrap(), None);
    let seat = rig.subscribe(&mut stream, &leg);
    rig.apply(TableOp::VoidHop { hop: seat.hop });
    stream.send_rtp(0, 50);
    rig.wait(Reason::StaleHop, 1);
    // The hop is somebody else's now.
    rig.apply(TableOp::PutHop {
        hop: seat.hop,
        value: leg.to_hop(77),
    });
    stream.send_rtp(1, 50);
    rig.wait(Reason::StaleHop, 2);
    rig.apply(TableOp::SetSlot {
        chunk: seat.chunk,
        slot: seat.slot,
        member: Member::default(),
    });
    stream.send_rtp(2, 50);
    rig.wait(Reason::Removed, 1);
    rig.set_member(&mut stream, seat, false);
    stream.send_rtp(3, 50);
    rig.wait(Reason::NoMembers, 1);
    nothing_more(&listener);
}

#[test]
fn a_lease_that_ran_out_stops_its_legs_only() {
    let mut rig = Rig::new();
    let mut stream = rig.publish(V4, 1);
    let (leased, node) = (listen(V4), listen(V4));
    let mut leg = rig.leg(leased.local_addr().unwrap(), None);
    leg.lease = 3;
    rig.subscribe(&mut stream, &leg);
    let leg = rig.leg(node.local_addr().unwrap(), None);
    rig.subscribe(&mut stream, &leg);

    // Never granted.
    stream.send_rtp(0, 50);
    rig.wait(Reason::LeaseExpired, 1);
    rig.apply(TableOp::SetLease {
        lease: 3,
        deadline: boottime() + 3_600_000_000_000,
    });
    stream.send_rtp(1, 50);
    assert_eq!(take(&leased).0[3], 1);
    // Only now, so that what came before came in time however slow the machine is.
    rig.apply(TableOp::SetLease {
        lease: 3,
        deadline: boottime() + 50_000_000,
    });
    std::thread::sleep(Duration::from_millis(60));
    stream.send_rtp(2, 50);
    rig.wait(Reason::LeaseExpired, 2);
    nothing_more(&leased);
    for n in 0..3 {
        assert_eq!(take(&node).0[3], n);
    }
}

#[test]
fn sockets_come_and_go() {
    let mut rig = Rig::new();
    let error = |result: std::io::Result<_>| result.map(drop).unwrap_err().to_string();
    let free = || "127.0.0.1:0".parse().unwrap();
    assert!(error(rig.handle.bind(0, free())).contains("socket number 0 is in use"));
    assert!(error(rig.handle.bind(4096, free())).contains("0 to 4095"));
    assert!(rig.handle.bind(5, rig.local[0]).is_err());
    assert!(rig.handle.close(5).is_err());

    let mut stream = rig.publish(V4, 1);
    let listener = listen(V4);
    let leg = rig.leg(listener.local_addr().unwrap(), None);
    rig.subscribe(&mut stream, &leg);
    stream.send_rtp(0, 50);
    take(&listener);
    for n in 1..50 {
        // When `close` returns the address is free; when `bind` returns it takes packets.
        rig.handle.close(0).unwrap();
        assert_eq!(rig.handle.bind(0, rig.local[0]).unwrap(), rig.local[0]);
        stream.send_rtp(n, 50);
        assert_eq!(u16::from(take(&listener).0[3]), n);
    }
    // A leg whose socket is gone is counted, and nothing more.
    let mut leg = leg;
    leg.socket = 9;
    rig.subscribe(&mut stream, &leg);
    stream.send_rtp(60, 50);
    rig.wait(Reason::SendFailed, 1);
    assert_eq!(take(&listener).0[3], 60);
    nothing_more(&listener);
}
