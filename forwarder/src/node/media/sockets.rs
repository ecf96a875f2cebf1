//! Opens the sockets of the media port: unconnected ones for strangers, and one connected to each validated pair.
//!
//! All UDP sockets of a local address share its port (SO_REUSEPORT). The kernel gives a datagram to the socket that is
//! connected to its sender, so a flood of strangers fills the buffer of the listener and of nobody else. Between `bind` and
//! `connect` a new socket would get a share of what strangers send; the listener therefore comes first in the group and holds
//! a filter that chooses the first socket for everything that none is connected to.

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    os::fd::{AsRawFd, OwnedFd},
};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::dataplane::socket::refuse_fragments;

/// Bytes of the listener's receive buffer: connectivity checks of a thousand sessions at once.
const LISTENER_BUFFER: usize = 4 << 20;
/// Bytes of a pair's buffers: what a peer sends, or is sent, in a burst.
const PAIR_BUFFER: usize = 512 << 10;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// What every packet carries.
#[derive(Clone, Copy, Debug)]
pub struct Marks {
    /// Differentiated services code point, 0-63.
    pub dscp: u8,
    /// TTL or hop limit.
    pub ttl: u8,
}

/// A UDP socket that strangers reach, non-blocking.
///
/// # Errors
/// What the system says.
pub fn listen_udp(local: SocketAddr, marks: Marks) -> io::Result<UdpSocket> {
    let socket = udp(local, marks, LISTENER_BUFFER)?;
    // Before `bind`, so that the group begins with it.
    take_all_strangers(&socket)?;
    socket.bind(&local.into())?;
    Ok(socket.into())
}

/// A UDP socket connected to a peer, non-blocking, at a local address that [`listen_udp`] has.
///
/// # Errors
/// What the system says.
pub fn connect_udp(local: SocketAddr, remote: SocketAddr, marks: Marks) -> io::Result<OwnedFd> {
    let socket = udp(local, marks, PAIR_BUFFER)?;
    socket.bind(&local.into())?;
    socket.connect(&remote.into())?;
    Ok(socket.into())
}

/// A TCP listener, non-blocking (RFC 6544 §4.1: passive candidates).
///
/// # Errors
/// What the system says.
pub fn listen_tcp(local: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(local),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A node that is started again must not wait for the last connections of the one before.
    socket.set_reuse_address(true)?;
    socket.bind(&local.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn udp(local: SocketAddr, marks: Marks, buffer: usize) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(local),
        Type::DGRAM.nonblocking().cloexec(),
        Some(Protocol::UDP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    let class = u32::from(marks.dscp) << 2;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
        socket.set_tclass_v6(class)?;
        socket.set_unicast_hops_v6(u32::from(marks.ttl))?;
    } else {
        socket.set_tos_v4(class)?;
        socket.set_ttl_v4(u32::from(marks.ttl))?;
    }
    // Beyond the system's limit where that is allowed (CAP_NET_ADMIN), else up to it.
    if setsockopt(&socket, sockopt::RcvBufForce, &buffer).is_err() {
        socket.set_recv_buffer_size(buffer)?;
    }
    if setsockopt(&socket, sockopt::SndBufForce, &buffer).is_err() {
        socket.set_send_buffer_size(buffer)?;
    }
    refuse_fragments(&socket, local)?;
    Ok(socket)
}

/// Makes the first socket of the group take what none is connected to.
fn take_all_strangers(socket: &Socket) -> io::Result<()> {
    let mut choose_first = [libc::sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: 0,
    }];
    let program = libc::sock_fprog {
        len: 1,
        filter: choose_first.as_mut_ptr(),
    };
    // SAFETY: the program and its one instruction outlive the call, which copies them.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            std::ptr::from_ref(&program).cast(),
            size_of_val(&program) as libc::socklen_t,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MARKS: Marks = Marks { dscp: 46, ttl: 60 };

    fn peer(ip: &str) -> UdpSocket {
        UdpSocket::bind((ip, 0)).unwrap()
    }

    fn receive(socket: &UdpSocket) -> Option<Vec<u8>> {
        let mut buffer = [0; 100];
        let len = socket.recv(&mut buffer).ok()?;
        Some(buffer[..len].to_vec())
    }

    #[test]
    fn a_connected_socket_gets_its_peer_and_the_listener_everybody_else() {
        for ip in ["127.0.0.1", "::1"] {
            let any = SocketAddr::new(ip.parse().unwrap(), 0);
            let listener = listen_udp(any, MARKS).unwrap();
            let local = listener.local_addr().unwrap();
            let (friend, stranger) = (peer(ip), peer(ip));
            let mut pairs = Vec::new();
            // With more than one connected socket in the group, too.
            for remote in [friend.local_addr().unwrap(), peer(ip).local_addr().unwrap()] {
                pairs.push(UdpSocket::from(connect_udp(local, remote, MARKS).unwrap()));
            }
            friend.send_to(b"friend", local).unwrap();
            stranger.send_to(b"stranger", local).unwrap();
            assert_eq!(receive(&pairs[0]).unwrap(), b"friend");
            assert_eq!(receive(&listener).unwrap(), b"stranger");
            assert_eq!(
                (receive(&pairs[0]), receive(&pairs[1]), receive(&listener)),
                (None, None, None)
            );
            // What goes out by either comes from the same address.
            pairs[0].send(b"to a friend").unwrap();
            listener
                .send_to(b"to a stranger", stranger.local_addr().unwrap())
                .unwrap();
            friend
                .set_read_timeout(Some(Duration::from_secs(5)))
                .unwrap();
            assert_eq!(friend.recv_from(&mut [0; 100]).unwrap().1, local);
            assert_eq!(stranger.recv_from(&mut [0; 100]).unwrap().1, local);
        }
    }

    #[test]
    fn a_socket_that_is_being_connected_takes_nothing_from_strangers() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = listen_udp(any, MARKS).unwrap();
        let local = listener.local_addr().unwrap();
        let between = udp(local, MARKS, PAIR_BUFFER).unwrap();
        between.bind(&local.into()).unwrap();
        let between = UdpSocket::from(between);
        for _ in 0..32 {
            let stranger = peer("127.0.0.1");
            stranger.send_to(b"x", local).unwrap();
            assert!(receive(&listener).is_some());
            assert_eq!(receive(&between), None);
        }
    }

    #[test]
    fn a_port_of_another_program_is_an_error() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let error = listen_udp(taken.local_addr().unwrap(), MARKS).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = listen_tcp(taken.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
