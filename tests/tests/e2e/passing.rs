//! What is not media to one of our addresses goes where it would go without us: other ports, TCP, ICMP, while XDP is attached
//! and media flows beside it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;

use forwarder_tests::frame::{Frame, Mac};
use forwarder_tests::model::Mode;
use forwarder_tests::rtp::Stream;
use forwarder_tests::{Family, Netns, Pace, RawSender, Receivers};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrStorage, connect, recv, send, socket,
};

use crate::room::{
    BOTH, LONG, MEDIA, PUBLISHER, Path, QUIET, RECEIVER, Room, as_sent, assert_exactly,
    send_in_bursts,
};

scenarios!(
    kernel: other_traffic, other_macs;
    socket: other_traffic, other_macs
);

/// Each kind of traffic between a leaf and the forwarder's host, both ways, over an interface with media on it.
fn other_traffic(path: Path) {
    let room = Room::new(path);
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    room.fill(&receivers, &source, stream, 0..3, |_| Family::V4, as_sent);
    for (step, leaf) in (0..).zip(room.lab.leaves()) {
        for family in BOTH {
            let (theirs, ours) = (
                leaf.socket(family, 9000),
                leaf.fwd_socket(family, MEDIA + 1),
            );
            datagrams(&leaf.netns, theirs, &room.lab.fwd, ours);
            datagrams(&room.lab.fwd, ours, &leaf.netns, theirs);
            // The port of media, for whoever else: TCP.
            stream_of_bytes(&leaf.netns, &room.lab.fwd, leaf.fwd_socket(family, MEDIA));
            ping(&leaf.netns, leaf.fwd_socket(family, 0));
            ping(&room.lab.fwd, leaf.socket(family, 0));
        }
        send_in_bursts(
            &source.publisher,
            &stream,
            step * 64..(step + 1) * 64,
            &[&receivers],
            3,
        );
    }
    assert_exactly(receivers, 0..128);
    let state = room.state();
    assert_eq!(state.reason("taken"), 128);
    if path == Path::Kernel {
        assert!(
            state.reason("not_ours") > 100,
            "{}",
            state.reason("not_ours")
        );
    }
    room.close();
}

fn udp(netns: &Netns, address: SocketAddr) -> UdpSocket {
    let socket = netns.enter(|| UdpSocket::bind(address)).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket
}

/// Datagrams, among them some that look like media, of every size up to fragments.
fn datagrams(from: &Netns, source: SocketAddr, to: &Netns, destination: SocketAddr) {
    let (sender, receiver) = (udp(from, source), udp(to, destination));
    for length in [0, 1, 12, 100, 1400, 4000] {
        let mut sent = vec![0x80; length];
        if let Some(last) = sent.last_mut() {
            *last = 1;
        }
        sender.send_to(&sent, destination).unwrap();
        let mut buffer = [0; 5000];
        let (received, by) = receiver.recv_from(&mut buffer).unwrap();
        assert_eq!(
            (&buffer[..received], by),
            (&sent[..], source),
            "{length} bytes"
        );
    }
}

fn stream_of_bytes(from: &Netns, to: &Netns, destination: SocketAddr) {
    let listener = to.enter(|| TcpListener::bind(destination)).unwrap();
    let mut client = from
        .enter(|| TcpStream::connect_timeout(&destination, LONG))
        .unwrap();
    let (mut server, _) = listener.accept().unwrap();
    for side in [&client, &server] {
        side.set_read_timeout(Some(LONG)).unwrap();
    }
    let sent: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    let echo = std::thread::spawn(move || {
        let mut all = vec![0; 100_000];
        server.read_exact(&mut all).unwrap();
        server.write_all(&all).unwrap();
    });
    client.write_all(&sent).unwrap();
    let mut back = vec![0; sent.len()];
    client.read_exact(&mut back).unwrap();
    echo.join().unwrap();
    assert!(back == sent);
}

/// An ICMP echo and its answer, by the sockets that the kernel has for it (icmp(7)).
fn ping(from: &Netns, to: SocketAddr) {
    from.sysctl(&[("ipv4/ping_group_range", "0 2147483647")])
        .unwrap();
    let (family, protocol, request, reply) = match to {
        SocketAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp, 8, 0),
        SocketAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6, 128, 129),
    };
    let socket = from
        .enter(|| socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, protocol))
        .unwrap();
    let patience = nix::sys::time::TimeVal::new(LONG.as_secs() as i64, 0);
    nix::sys::socket::setsockopt(
        &socket,
        nix::sys::socket::sockopt::ReceiveTimeout,
        &patience,
    )
    .unwrap();
    connect(socket.as_raw_fd(), &SockaddrStorage::from(to)).unwrap();
    let mut packet = vec![request, 0, 0, 0, 0, 0, 0, 1];
    packet.extend_from_slice(b"is anybody there");
    send(
        socket.as_raw_fd(),
        &packet,
        nix::sys::socket::MsgFlags::empty(),
    )
    .unwrap();
    let mut buffer = [0; 100];
    let length = recv(
        socket.as_raw_fd(),
        &mut buffer,
        nix::sys::socket::MsgFlags::empty(),
    )
    .unwrap();
    assert_eq!((buffer[0], &buffer[8..length]), (reply, &packet[8..]));
}

/// Media for one of our addresses that is on its way to another MAC, as a flooding switch or a mirror port delivers it.
fn other_macs(path: Path) {
    let room = Room::new(path);
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    room.fill(&receivers, &source, stream, 0..3, |_| Family::V4, as_sent);
    let from = room.lab.publisher();
    let (sender, to) = (
        from.socket(Family::V4, PUBLISHER),
        from.fwd_socket(Family::V4, MEDIA),
    );
    let strangers = [
        Mac([2, 9, 9, 9, 9, 9]),
        Mac([0xff; 6]),
        room.lab.receiver().fwd_mac,
    ];
    let frames: Vec<_> = (0..30)
        .map(|n| {
            Frame::udp(
                from.mac,
                strangers[n % 2 * 2],
                sender,
                to,
                &stream.packet(1000 + n as u64),
            )
            .build()
        })
        .collect();
    RawSender::open(from).unwrap().send(&frames).unwrap();
    if path == Path::Kernel {
        room.wait_for_reason("foreign_mac", 30);
    }
    send_in_bursts(&source.publisher, &stream, 0..64, &[&receivers], 3);
    receivers.settle(QUIET);
    assert_exactly(receivers, 0..64);
    // A pause in which the publisher's own traffic is still whole.
    source
        .publisher
        .send(&stream, 64..65, Pace::per_second(1000))
        .unwrap();
    assert!(crate::room::wait_until(crate::room::LONG, || room
        .state()
        .reason("taken")
        == 65));
    room.close();
}
