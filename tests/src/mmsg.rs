//! Many packets per system call: `recvmmsg` and `sendmmsg` over buffers of our own, with control messages, and the socket
//! options that the lab needs. All of the lab's unsafe socket code is here.

use std::io;
use std::mem;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

use nix::sys::socket::{
    self, AddressFamily, SockFlag, SockType, SockaddrStorage, setsockopt, sockopt,
};

/// Packets per system call.
pub const BATCH: usize = 64;

const CONTROL: usize = 128;

/// Buffers for [`BATCH`] packets, filled over and over.
pub struct RecvBatch {
    snap: usize,
    bytes: Vec<u8>,
    control: Vec<[u64; CONTROL / 8]>,
    addresses: Vec<libc::sockaddr_storage>,
    headers: Vec<libc::mmsghdr>,
}

impl RecvBatch {
    /// Buffers for packets of up to `snap` bytes.
    #[must_use]
    pub fn new(snap: usize) -> Self {
        Self {
            snap,
            bytes: vec![0; snap * BATCH],
            control: vec![[0; CONTROL / 8]; BATCH],
            // SAFETY: sockaddr_storage and mmsghdr are plain data for which all zeroes is a value.
            addresses: vec![unsafe { mem::zeroed() }; BATCH],
            // SAFETY: as above.
            headers: vec![unsafe { mem::zeroed() }; BATCH],
        }
    }

    /// Waits for a packet, as long as the socket's receive timeout says, and takes what else is there. Returns how many were
    /// taken; 0 when the time is over.
    ///
    /// # Errors
    /// Of the system call.
    pub fn recv(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let mut vectors: [libc::iovec; BATCH] = std::array::from_fn(|_| libc::iovec {
            iov_base: ptr::null_mut(),
            iov_len: 0,
        });
        for (n, vector) in vectors.iter_mut().enumerate() {
            vector.iov_base = self.bytes[n * self.snap..].as_mut_ptr().cast();
            vector.iov_len = self.snap;
            let header = &mut self.headers[n].msg_hdr;
            header.msg_name = (&raw mut self.addresses[n]).cast();
            header.msg_namelen = mem::size_of::<libc::sockaddr_storage>() as _;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_control = self.control[n].as_mut_ptr().cast();
            header.msg_controllen = CONTROL as _;
            header.msg_flags = 0;
        }
        // SAFETY: every header points at buffers of the stated lengths that live in `self` or on this stack until after the
        // call, no two of them overlapping.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as _,
                libc::MSG_WAITFORONE as _,
                ptr::null_mut(),
            )
        };
        match usize::try_from(count) {
            Ok(count) => Ok(count),
            Err(_) => match io::Error::last_os_error() {
                error
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) =>
                {
                    Ok(0)
                }
                error => Err(error),
            },
        }
    }

    /// Packet `n` of those taken last.
    #[must_use]
    pub fn packet(&self, n: usize) -> &[u8] {
        let length = (self.headers[n].msg_len as usize).min(self.snap);
        &self.bytes[n * self.snap..][..length]
    }

    /// Whether packet `n` was longer than the buffers.
    #[must_use]
    pub fn truncated(&self, n: usize) -> bool {
        self.headers[n].msg_hdr.msg_flags & libc::MSG_TRUNC != 0
    }

    /// The control message of packet `n` of this level and type, if it is there and as long as a `T`.
    ///
    /// # Safety
    /// `T` must be plain data, for which any bytes are a value.
    #[must_use]
    pub unsafe fn control<T: Copy>(&self, n: usize, level: i32, kind: i32) -> Option<T> {
        let header = &self.headers[n].msg_hdr;
        // SAFETY: the header was filled by recvmmsg, its control buffer is in `self`; the macros walk what the kernel wrote.
        // The data is copied out unaligned, and only if it is long enough; that any bytes are a `T` is the caller's promise.
        unsafe {
            let mut message = libc::CMSG_FIRSTHDR(header);
            while let Some(found) = message.as_ref() {
                if found.cmsg_level == level && found.cmsg_type == kind {
                    let room = found.cmsg_len - libc::CMSG_LEN(0) as usize;
                    return (room >= mem::size_of::<T>())
                        .then(|| ptr::read_unaligned(libc::CMSG_DATA(message).cast::<T>()));
                }
                message = libc::CMSG_NXTHDR(header, message);
            }
        }
        None
    }

    /// The `sll_pkttype` of packet `n` from a packet socket.
    #[must_use]
    pub fn packet_type(&self, n: usize) -> u8 {
        // SAFETY: sockaddr_ll is plain data and smaller than sockaddr_storage, which is aligned for every address.
        unsafe { (*(&raw const self.addresses[n]).cast::<libc::sockaddr_ll>()).sll_pkttype }
    }
}

/// Sends all packets through a connected or bound socket, [`BATCH`] per call. A full device queue is waited for; so is the
/// error that an ICMP answer to an earlier packet left behind, which is not ours to report.
///
/// # Errors
/// Of the system call, and when the device takes nothing for a second.
pub fn send_all(socket: BorrowedFd<'_>, packets: &[impl AsRef<[u8]>]) -> io::Result<()> {
    let mut refused = 0;
    let mut rest = packets;
    while !rest.is_empty() {
        let now = &rest[..rest.len().min(BATCH)];
        let mut vectors: [libc::iovec; BATCH] = std::array::from_fn(|_| libc::iovec {
            iov_base: ptr::null_mut(),
            iov_len: 0,
        });
        // SAFETY: mmsghdr is plain data for which all zeroes is a value.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        for ((packet, vector), header) in now.iter().zip(&mut vectors).zip(&mut headers) {
            vector.iov_base = packet.as_ref().as_ptr().cast_mut().cast();
            vector.iov_len = packet.as_ref().len();
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: the first `now.len()` headers point at vectors on this stack and through them at the caller's packets, which
        // sendmmsg only reads.
        let sent =
            unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), now.len() as _, 0) };
        if let Ok(sent) = usize::try_from(sent) {
            refused = 0;
            rest = &rest[sent..];
            continue;
        }
        let error = io::Error::last_os_error();
        refused += 1;
        match error.raw_os_error() {
            Some(libc::EINTR | libc::ECONNREFUSED) if refused < 1000 => {}
            Some(libc::ENOBUFS | libc::EAGAIN) if refused < 1000 => {
                std::thread::sleep(Duration::from_millis(1))
            }
            _ => return Err(error),
        }
    }
    Ok(())
}

/// Gives the socket a receive buffer of this many bytes, whatever the limit of the system (the kernel doubles the number for
/// its own bookkeeping). Needs CAP_NET_ADMIN; without it the system's limit holds.
///
/// # Errors
/// Of the system call.
pub fn set_receive_buffer(socket: &impl std::os::fd::AsFd, bytes: usize) -> io::Result<()> {
    if setsockopt(socket, sockopt::RcvBufForce, &bytes).is_err() {
        setsockopt(socket, sockopt::RcvBuf, &bytes)?;
    }
    Ok(())
}

/// Bounds the wait of [`RecvBatch::recv`].
///
/// # Errors
/// Of the system call.
pub fn set_receive_timeout(socket: &impl std::os::fd::AsFd, timeout: Duration) -> io::Result<()> {
    let value = nix::sys::time::TimeVal::new(timeout.as_secs() as _, timeout.subsec_micros() as _);
    Ok(setsockopt(socket, sockopt::ReceiveTimeout, &value)?)
}

/// Sets an integer option for which nix has no name.
///
/// # Errors
/// Of the system call.
pub fn set_flag(socket: BorrowedFd<'_>, level: i32, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the option's value is read from `value`, which is an int as its length says.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            mem::size_of::<i32>() as _,
        )
    };
    if outcome < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// A UDP socket, also at an address that is local by a route only, as those of a pool are: for IPv6 the kernel looks for
/// addresses of interfaces (`inet6_bind_sk` in net/ipv6/af_inet6.c) unless told not to.
///
/// # Errors
/// When the address is taken or belongs to nobody here.
pub fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let (family, level, option) = match address {
        SocketAddr::V4(_) => (AddressFamily::Inet, libc::SOL_IP, libc::IP_FREEBIND),
        SocketAddr::V6(_) => (AddressFamily::Inet6, libc::SOL_IPV6, libc::IPV6_FREEBIND),
    };
    let socket = socket::socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    set_flag(socket.as_fd(), level, option, 1)?;
    socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(socket.into())
}

/// Frames that a packet socket (saw, lost) since the last call.
///
/// # Errors
/// Of the system call.
pub fn packet_statistics(socket: BorrowedFd<'_>) -> io::Result<(u32, u32)> {
    let mut statistics = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    let mut length = mem::size_of::<libc::tpacket_stats>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `statistics`, which has that size.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut length,
        )
    };
    if outcome < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok((statistics.tp_packets, statistics.tp_drops))
    }
}

/// Packets that the socket lost because its buffer was full, ever since it was made (`SO_MEMINFO`).
///
/// # Errors
/// Of the system call.
pub fn socket_drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
    // linux/sock_diag.h: SK_MEMINFO_DROPS is the ninth of the values.
    const DROPS: usize = 8;
    let mut values = [0u32; 9];
    let mut length = mem::size_of_val(&values) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `values`, which has that size.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            values.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if outcome < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(values[DROPS])
    }
}

/// A packet socket on an interface of the calling thread's namespace, for frames of `protocol` (0 to receive none).
///
/// # Errors
/// When there is no such interface, or without CAP_NET_RAW.
pub fn packet_socket(interface: &str, protocol: u16) -> io::Result<std::os::fd::OwnedFd> {
    use std::os::fd::FromRawFd;
    let index = nix::net::if_::if_nametoindex(interface)?;
    // Protocol 0 until bound, so that no frame of another interface gets in.
    // SAFETY: a plain system call; a descriptor it returns is owned by nobody else.
    let socket = unsafe {
        let raw = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        std::os::fd::OwnedFd::from_raw_fd(raw)
    };
    set_flag(
        std::os::fd::AsFd::as_fd(&socket),
        libc::SOL_PACKET,
        libc::PACKET_IGNORE_OUTGOING,
        1,
    )?;
    // SAFETY: sockaddr_ll is plain data for which all zeroes is a value.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = index as i32;
    // SAFETY: the kernel reads a sockaddr_ll of the stated size.
    let outcome = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if outcome < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(socket)
    }
}
