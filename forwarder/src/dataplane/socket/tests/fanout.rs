//! Every subscriber gets every packet once, with its own header and the payload untouched.

use forwarder_common::{reason::Reason, rewrite::Rewrite};

use super::rig::{Rig, V4, V6, listen, nothing_more, rtp, take};

#[test]
fn two_hundred_subscribers_of_both_families_get_every_packet_once() {
    let mut rig = Rig::new();
    for publisher in [V4, V6] {
        let mut stream = rig.publish(publisher, 0x0102_0304);
        let listeners: Vec<_> = (0..200)
            .map(|i| listen(if i % 3 == 0 { V6 } else { V4 }))
            .collect();
        for listener in &listeners {
            let leg = rig.leg(listener.local_addr().unwrap(), None);
            rig.subscribe(&mut stream, &leg);
        }
        let sent: Vec<_> = (0..5).map(|n| stream.send_rtp(n, 700)).collect();
        for listener in &listeners {
            let local = rig.local[usize::from(listener.local_addr().unwrap().is_ipv6())];
            for packet in &sent {
                assert_eq!(take(listener), (packet.clone(), local));
            }
        }
        for listener in listeners.iter().step_by(40) {
            nothing_more(listener);
        }
    }
    rig.wait(Reason::Sent, 2000);
    rig.wait(Reason::Taken, 10);
    assert_eq!(rig.counts().len(), 2, "{:?}", rig.counts());
}

#[test]
fn clear_legs_get_their_own_header_across_wraps() {
    let mut rig = Rig::new();
    let mut stream = rig.publish(V4, 0xaabb_ccdd);
    let listeners: Vec<_> = (0..3).map(|_| listen(V4)).collect();
    for (listener, n) in listeners.iter().zip(0u8..) {
        let rewrite = Rewrite {
            ssrc: 0x1000 + u32::from(n),
            timestamp_offset: u32::MAX - 100 - u32::from(n),
            sequence_offset: 65_530 + u16::from(n),
            payload_type_from: 96,
            payload_type_to: 100 + n,
        };
        let leg = rig.leg(listener.local_addr().unwrap(), Some(rewrite));
        rig.subscribe(&mut stream, &leg);
    }
    let sequences = (65_500..=65_535).chain(0..40);
    for (sequence, i) in sequences.clone().zip(0u32..) {
        let timestamp = 50u32.wrapping_sub(40).wrapping_add(i * 30);
        // The marker stays, and another payload type of the same SSRC is not mapped.
        let payload_type = if i % 5 == 0 { 0x80 | 96 } else { 97 };
        stream.send(&rtp(0xaabb_ccdd, payload_type, sequence, timestamp, 100));
    }
    for (listener, n) in listeners.iter().zip(0u8..) {
        for (sequence, i) in sequences.clone().zip(0u32..) {
            let timestamp = (10 + i * 30).wrapping_add(u32::MAX - 100 - u32::from(n));
            let payload_type = if i % 5 == 0 { 0x80 | (100 + n) } else { 97 };
            let mut expected = rtp(
                0x1000 + u32::from(n),
                payload_type,
                sequence.wrapping_add(65_530 + u16::from(n)),
                timestamp,
                100,
            );
            // The payload is the publisher's.
            expected[12..].copy_from_slice(&rtp(0, 0, sequence, 0, 100)[12..]);
            assert_eq!(take(listener).0, expected, "subscriber {n}, packet {i}");
        }
        nothing_more(listener);
    }
}

#[test]
fn sizes_from_the_bare_header_to_the_largest_buffer_pass_untouched() {
    let mut rig = Rig::new();
    let mut stream = rig.publish(V6, 5);
    let opaque = listen(V4);
    let clear = listen(V6);
    let rewrite = Rewrite {
        ssrc: 5,
        timestamp_offset: 0,
        sequence_offset: 0,
        payload_type_from: 0,
        payload_type_to: 0,
    };
    let leg = rig.leg(opaque.local_addr().unwrap(), None);
    rig.subscribe(&mut stream, &leg);
    let leg = rig.leg(clear.local_addr().unwrap(), Some(rewrite));
    rig.subscribe(&mut stream, &leg);
    for len in (12..40).chain([1200, 1452, 1472, 2048, 9216]) {
        let packet = stream.send_rtp(len as u16, len);
        assert_eq!(take(&opaque).0, packet);
        assert_eq!(take(&clear).0, packet);
    }
    // Beyond the buffer nothing can be forwarded whole, so nothing is.
    stream.send_rtp(1, 9217);
    rig.wait(Reason::TooBig, 1);
    nothing_more(&opaque);
}

#[test]
fn hops_and_routes_count_what_they_carried() {
    use crate::core::ops::Tables;

    let mut rig = Rig::new();
    let mut stream = rig.publish(V4, 9);
    let listener = listen(V4);
    let leg = rig.leg(listener.local_addr().unwrap(), None);
    let seat = rig.subscribe(&mut stream, &leg);
    for n in 0..10 {
        stream.send_rtp(n, 300);
    }
    rig.wait(Reason::Sent, 10);
    let (hop, route) = (
        rig.tables.hop_traffic(seat.hop),
        rig.tables.route_traffic(stream.route),
    );
    assert_eq!((hop.packets, hop.bytes), (10, 3000));
    assert_eq!((route.packets, route.bytes), (10, 3000));
    let now = crate::dataplane::clock::boottime();
    assert!(hop.last_seen > 0 && hop.last_seen <= now);
    assert!(route.last_seen > 0 && route.last_seen <= now);
}

#[test]
fn legs_leave_from_the_socket_that_their_hop_names() {
    let mut rig = Rig::new();
    let mut stream = rig.publish(V4, 9);
    let second = rig.handle.bind(2, "127.0.0.1:0".parse().unwrap()).unwrap();
    let listeners: Vec<_> = (0..40).map(|_| listen(V4)).collect();
    for (listener, i) in listeners.iter().zip(0..) {
        let mut leg = rig.leg(listener.local_addr().unwrap(), None);
        leg.socket = if i % 2 == 0 { 0 } else { 2 };
        rig.subscribe(&mut stream, &leg);
    }
    let sent: Vec<_> = (0..50).map(|n| stream.send_rtp(n, 60)).collect();
    for (listener, i) in listeners.iter().zip(0..) {
        let from = if i % 2 == 0 { rig.local[0] } else { second };
        for packet in &sent {
            assert_eq!(take(listener), (packet.clone(), from));
        }
    }
}
