//! Opens the sockets that media is received at and sent from.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::{AsRawFd, OwnedFd},
    ptr,
};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket, sockopt,
};

/// Bytes of the receive and of the send buffer: what a keyframe to many subscribers, or a burst of publishers, takes.
const BUFFERS: usize = 8 << 20;

/// A non-blocking UDP socket at `address`, with large buffers, that never fragments what it sends: like XDP's replicas,
/// datagrams carry "don't fragment" and those beyond the MTU of the interface are an error.
///
/// # Errors
/// `InvalidInput` for the wildcard address, since streams are found by the address that they were sent to; otherwise
/// what the system says.
pub fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    if address.ip().is_unspecified() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("cannot receive media at {address}: give the address of an interface"),
        ));
    }
    let family = match address.ip() {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(family, SockType::Datagram, flags, None)?;
    if address.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
    }
    enlarge(&fd)?;
    refuse_fragments(&fd, address)?;
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(UdpSocket::from(fd))
}

/// Beyond the system's limit where that is allowed (CAP_NET_ADMIN), else up to it.
fn enlarge(fd: &OwnedFd) -> io::Result<()> {
    if setsockopt(fd, sockopt::RcvBufForce, &BUFFERS).is_err() {
        setsockopt(fd, sockopt::RcvBuf, &BUFFERS)?;
    }
    if setsockopt(fd, sockopt::SndBufForce, &BUFFERS).is_err() {
        setsockopt(fd, sockopt::SndBuf, &BUFFERS)?;
    }
    Ok(())
}

/// "Probe" rather than "do": what an ICMP message claims about the path's MTU is not believed, anybody could send it.
pub(crate) fn refuse_fragments(fd: &impl AsRawFd, address: SocketAddr) -> io::Result<()> {
    let (level, option, value) = match address {
        SocketAddr::V4(_) => (
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_PROBE,
        ),
        SocketAddr::V6(_) => (
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_PROBE,
        ),
    };
    // SAFETY: the option is an int, and is only read during the call.
    let done = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            option,
            ptr::from_ref(&value).cast(),
            size_of_val(&value) as libc::socklen_t,
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
    use super::*;

    #[test]
    fn the_wildcard_address_is_refused_with_what_to_do() {
        let error = open("0.0.0.0:5000".parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("0.0.0.0:5000"));
        assert!(open("[::]:5000".parse().unwrap()).is_err());
    }

    #[test]
    fn an_address_in_use_is_an_error() {
        let first = open("127.0.0.1:0".parse().unwrap()).unwrap();
        let error = open(first.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
