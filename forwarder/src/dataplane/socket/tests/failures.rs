//! What cannot be sent is counted, and disturbs nobody else.

use std::net::SocketAddr;

use forwarder_common::{hop::Addresses, reason::Reason};

use super::rig::{Rig, V4, V6, listen, nothing_more, take};

#[test]
fn subscribers_whose_port_is_closed_disturb_nobody() {
    for ip in [V4, V6] {
        let mut rig = Rig::new();
        let mut stream = rig.publish(ip, 1);
        let listeners: Vec<_> = (0..10).map(|_| listen(ip)).collect();
        for listener in &listeners {
            // One in two is gone; its port answers with ICMP.
            let gone = listen(ip).local_addr().unwrap();
            let leg = rig.leg(gone, None);
            rig.subscribe(&mut stream, &leg);
            let leg = rig.leg(listener.local_addr().unwrap(), None);
            rig.subscribe(&mut stream, &leg);
        }
        let sent: Vec<_> = (0..50).map(|n| stream.send_rtp(n, 300)).collect();
        for listener in &listeners {
            for packet in &sent {
                assert_eq!(&take(listener).0, packet);
            }
            nothing_more(listener);
        }
    }
}

#[test]
fn destinations_that_the_system_refuses_disturb_nobody() {
    let mut rig = Rig::new();
    let mut stream = rig.publish(V4, 1);
    let listeners: Vec<_> = (0..10).map(|_| listen(V4)).collect();
    // Port 0; a broadcast address without SO_BROADCAST; another family than the socket's; no route from loopback.
    let refused: [(SocketAddr, u32); 3] = [
        ("127.0.0.1:0".parse().unwrap(), 0),
        ("255.255.255.255:9".parse().unwrap(), 0),
        ("127.0.0.1:9".parse().unwrap(), 1),
    ];
    for (listener, i) in listeners.iter().zip(0..) {
        let (to, socket) = refused[i % refused.len()];
        let mut leg = rig.leg(to, None);
        leg.socket = socket;
        rig.subscribe(&mut stream, &leg);
        let leg = rig.leg(listener.local_addr().unwrap(), None);
        rig.subscribe(&mut stream, &leg);
    }
    let sent: Vec<_> = (0..20).map(|n| stream.send_rtp(n, 300)).collect();
    for listener in &listeners {
        for packet in &sent {
            assert_eq!(&take(listener).0, packet);
        }
    }
    rig.wait(Reason::Sent, 200);
    rig.wait(Reason::SendFailed, 200);
}

#[test]
fn the_mtu_of_the_hop_holds_to_the_byte() {
    let mut rig = Rig::new();
    let mut stream = rig.publish(V4, 1);
    let listeners = [listen(V4), listen(V6)];
    for listener in &listeners {
        let mut leg = rig.leg(listener.local_addr().unwrap(), None);
        leg.mtu = 1500;
        rig.subscribe(&mut stream, &leg);
    }
    let [v4, v6] = &listeners;
    for (len, fits_v4, fits_v6) in [
        (1452, true, true),
        (1453, true, false),
        (1472, true, false),
        (1473, false, false),
    ] {
        let packet = stream.send_rtp(1, len);
        for (listener, fits) in [(v4, fits_v4), (v6, fits_v6)] {
            if fits {
                assert_eq!(take(listener).0, packet);
            }
        }
    }
    rig.wait(Reason::TooBig, 4);
    nothing_more(v4);
    nothing_more(v6);
}

#[test]
fn what_the_interface_cannot_carry_is_too_big_and_never_fragmented() {
    use std::os::fd::AsFd;

    use crate::dataplane::socket::{batch::Outbox, bind::open, sockets::Differences};

    // Loopback carries 65536 bytes, more than a hop can be given; so this asks the socket itself.
    for ip in [V4, V6] {
        let socket = open(SocketAddr::new(ip.parse().unwrap(), 0)).unwrap();
        let listener = listen(ip);
        let payload = vec![0x80; 65_508];
        let mut outbox = Outbox::new();
        let mut outgoing = outbox.open();
        let to = listener.local_addr().unwrap();
        outgoing
            .push(to, Differences::default(), None, &payload)
            .unwrap();
        let error = outgoing.send(socket.as_fd(), &[0]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    }
}

#[test]
fn an_unresolved_neighbour_is_the_systems_business() {
    let mut rig = Rig::new();
    let mut stream = rig.publish(V4, 1);
    let listener = listen(V4);
    let mut leg = rig.leg(listener.local_addr().unwrap(), None);
    assert!(matches!(leg.addresses, Addresses::V4 { .. }));
    for mac in [None, Some([2; 6])] {
        leg.destination_mac = mac;
        rig.subscribe(&mut stream, &leg);
    }
    let packet = stream.send_rtp(0, 50);
    assert_eq!(take(&listener).0, packet);
    assert_eq!(take(&listener).0, packet);
}
