//! DSCP and hop limit reach the subscriber as its hop says, next to others that are marked otherwise.

use std::{
    io::IoSliceMut,
    net::UdpSocket,
    os::fd::{AsFd, AsRawFd},
};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};

use super::rig::{Rig, V4, V6, listen};

/// Traffic class and hop limit of the next packet.
fn marks(socket: &UdpSocket) -> (u8, i32) {
    let mut buffer = [0; 2000];
    let mut slices = [IoSliceMut::new(&mut buffer)];
    let mut space = nix::cmsg_space!(i32, i32, u8);
    let flags = MsgFlags::empty();
    let fd = socket.as_raw_fd();
    let message = recvmsg::<SockaddrStorage>(fd, &mut slices, Some(&mut space), flags).unwrap();
    let (mut class, mut limit) = (None, None);
    for control in message.cmsgs().unwrap() {
        match control {
            ControlMessageOwned::Ipv4Tos(value) => class = Some(value),
            ControlMessageOwned::Ipv6TClass(value) => class = u8::try_from(value).ok(),
            ControlMessageOwned::Ipv4Ttl(value) | ControlMessageOwned::Ipv6HopLimit(value) => {
                limit = Some(value);
            }
            _ => {}
        }
    }
    (class.unwrap(), limit.unwrap())
}

#[test]
fn every_leg_is_marked_as_its_hop_says() {
    let mut rig = Rig::new();
    let mut stream = rig.publish(V4, 1);
    let wanted = [(0, 64), (46, 1), (34, 255), (63, 17), (0, 64), (46, 64)];
    let mut listeners = Vec::new();
    for (ip, (dscp, ttl)) in [V4, V6].into_iter().cycle().zip(wanted.repeat(2)) {
        let listener = listen(ip);
        let fd = listener.as_fd();
        if ip == V4 {
            setsockopt(&fd, sockopt::IpRecvTos, &true).unwrap();
            setsockopt(&fd, sockopt::Ipv4RecvTtl, &true).unwrap();
        } else {
            setsockopt(&fd, sockopt::Ipv6RecvTClass, &true).unwrap();
            setsockopt(&fd, sockopt::Ipv6RecvHopLimit, &true).unwrap();
        }
        let mut leg = rig.leg(listener.local_addr().unwrap(), None);
        (leg.dscp, leg.ttl) = (dscp, ttl);
        rig.subscribe(&mut stream, &leg);
        listeners.push((listener, (dscp << 2, i32::from(ttl))));
    }
    for n in 0..3 {
        stream.send_rtp(n, 100);
        for (listener, expected) in &listeners {
            assert_eq!(marks(listener), *expected);
        }
    }
}
