//! Many datagrams per system call: `recvmmsg` into an [`Inbox`], `sendmmsg` out of an [`Outbox`]. Everything is allocated
//! once. All the unsafe code of the packet path is in this file.

use std::{
    io,
    marker::PhantomData,
    mem,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

use forwarder_common::wire::rtp;

use super::sockets::Differences;

/// Datagrams that are received at once.
pub const RECEIVE: usize = 64;
/// Bytes of the largest datagram that is taken: a jumbo frame's.
pub const BUFFER: usize = 9216;
/// Replicas that are sent at once.
pub const SEND: usize = 128;

/// Room for the address of either family.
#[derive(Clone, Copy)]
#[repr(C)]
union Name {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl Name {
    fn zeroed() -> Self {
        // SAFETY: all zero bytes are valid socket addresses.
        unsafe { mem::zeroed() }
    }
}

/// A received datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Who sent it; `None` where the system did not say.
    pub source: Option<(IpAddr, u16)>,
    /// Its payload; `None` where it was longer than [`BUFFER`].
    pub payload: Option<&'a [u8]>,
}

/// Buffers that datagrams are received into.
pub struct Inbox {
    bytes: Box<[u8]>,
    names: Box<[Name]>,
    iovecs: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    received: usize,
}

// SAFETY: the pointers in `iovecs` and `headers` lead into boxes that the inbox owns, are set anew by every `receive`, and are
// followed by nobody but the system call in it.
unsafe impl Send for Inbox {}

impl Inbox {
    /// Empty buffers, `RECEIVE` of `BUFFER` bytes.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bytes: vec![0; RECEIVE * BUFFER].into(),
            names: vec![Name::zeroed(); RECEIVE].into(),
            iovecs: vec![EMPTY; RECEIVE].into(),
            headers: no_headers(RECEIVE),
            received: 0,
        }
    }

    /// Takes what waits at a socket, without waiting for more; gives how many datagrams.
    ///
    /// # Errors
    /// What the system says; nothing was received then. ICMP errors come up here (`ECONNREFUSED`) and are used up by it.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.received = 0;
        let buffers = self.bytes.chunks_exact_mut(BUFFER);
        let slots = self.headers.iter_mut().zip(self.iovecs.iter_mut());
        for (((header, iovec), name), buffer) in slots.zip(self.names.iter_mut()).zip(buffers) {
            *iovec = libc::iovec {
                iov_base: buffer.as_mut_ptr().cast(),
                iov_len: buffer.len(),
            };
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = mem::size_of::<Name>() as libc::socklen_t;
            header.msg_hdr.msg_iov = iovec;
            header.msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: every header points to a name, an iovec and a buffer of its own, just set, of the lengths given and
        // borrowed exclusively through `self`; control data is absent.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                RECEIVE as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        self.received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        Ok(self.received)
    }

    /// What the last [`Inbox::receive`] took, in order.
    pub fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        let buffers = self.bytes.chunks_exact(BUFFER);
        let slots = self.headers.iter().zip(&self.names).zip(buffers);
        slots.take(self.received).map(|((header, name), buffer)| {
            let truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
            Datagram {
                source: source(name, header.msg_hdr.msg_namelen),
                payload: buffer.get(..header.msg_len as usize).filter(|_| !truncated),
            }
        })
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

/// Ancillary data with one `int`, laid out as `struct cmsghdr` and its padding.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control {
    len: usize,
    level: libc::c_int,
    kind: libc::c_int,
    value: libc::c_int,
}

const _: () = {
    // SAFETY: these only compute.
    let (space, len) = unsafe { (libc::CMSG_SPACE(4), libc::CMSG_LEN(4)) };
    assert!(mem::size_of::<Control>() == space as usize);
    assert!(mem::offset_of!(Control, value) + 4 == len as usize);
    assert!(mem::offset_of!(Control, level) == mem::offset_of!(libc::cmsghdr, cmsg_level));
    assert!(mem::size_of::<usize>() == mem::size_of_val(&EMPTY.iov_len));
};

impl Control {
    fn new(level: libc::c_int, kind: libc::c_int, value: u8) -> Self {
        Self {
            // Up to the end of `value`, without the padding after it.
            len: mem::offset_of!(Self, value) + mem::size_of::<libc::c_int>(),
            level,
            kind,
            value: value.into(),
        }
    }
}

/// One message, except for the pointers between its parts.
#[derive(Clone, Copy)]
struct Message {
    name: Name,
    name_len: libc::socklen_t,
    controls: [Control; 2],
    controls_count: usize,
    head: [u8; rtp::LEN],
    head_len: usize,
    tail: *const u8,
    tail_len: usize,
}

/// Room for [`SEND`] messages.
pub struct Outbox {
    messages: Box<[Message]>,
    iovecs: Box<[[libc::iovec; 2]]>,
    headers: Box<[libc::mmsghdr]>,
}

impl Outbox {
    /// Empty room.
    #[must_use]
    pub fn new() -> Self {
        let message = Message {
            name: Name::zeroed(),
            name_len: 0,
            controls: [Control::new(0, 0, 0); 2],
            controls_count: 0,
            head: [0; rtp::LEN],
            head_len: 0,
            tail: ptr::null(),
            tail_len: 0,
        };
        Self {
            messages: vec![message; SEND].into(),
            iovecs: vec![[EMPTY; 2]; SEND].into(),
            headers: no_headers(SEND),
        }
    }

    /// Starts a batch of messages whose payloads stay where they are, for as long as `'p`.
    pub fn open<'p>(&mut self) -> Outgoing<'_, 'p> {
        Outgoing {
            outbox: self,
            len: 0,
            payloads: PhantomData,
        }
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

/// A batch of messages on its way out.
pub struct Outgoing<'o, 'p> {
    outbox: &'o mut Outbox,
    /// Messages below this were put in through `self`, so their payloads live for `'p`.
    len: usize,
    payloads: PhantomData<&'p [u8]>,
}

impl<'p> Outgoing<'_, 'p> {
    /// Messages put in.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no message was put in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether no message more has room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len == self.outbox.messages.len()
    }

    /// Forgets all messages.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds a message of `head`, if any, and then `tail`, marked as the socket is but for `marks`. `None` where there is
    /// no room.
    #[must_use]
    pub fn push(
        &mut self,
        to: SocketAddr,
        marks: Differences,
        head: Option<&[u8; rtp::LEN]>,
        tail: &'p [u8],
    ) -> Option<()> {
        let message = self.outbox.messages.get_mut(self.len)?;
        self.len += 1;
        let (level, class, limit) = match to {
            SocketAddr::V4(to) => {
                message.name.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: to.port().to_be(),
                    sin_addr: libc::in_addr {
                        s_addr: u32::from_ne_bytes(to.ip().octets()),
                    },
                    sin_zero: [0; 8],
                };
                message.name_len = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
                (libc::IPPROTO_IP, libc::IP_TOS, libc::IP_TTL)
            }
            SocketAddr::V6(to) => {
                message.name.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: to.port().to_be(),
                    sin6_flowinfo: 0,
                    sin6_addr: libc::in6_addr {
                        s6_addr: to.ip().octets(),
                    },
                    sin6_scope_id: to.scope_id(),
                };
                message.name_len = mem::size_of::<libc::sockaddr_in6>() as libc::socklen_t;
                (libc::IPPROTO_IPV6, libc::IPV6_TCLASS, libc::IPV6_HOPLIMIT)
            }
        };
        let class = marks.traffic_class.map(|value| (class, value));
        let limit = marks.hop_limit.map(|value| (limit, value));
        message.controls_count = 0;
        for ((kind, value), control) in class.into_iter().chain(limit).zip(&mut message.controls) {
            *control = Control::new(level, kind, value);
            message.controls_count += 1;
        }
        message.head_len = 0;
        if let Some(head) = head {
            message.head = *head;
            message.head_len = head.len();
        }
        message.tail = tail.as_ptr();
        message.tail_len = tail.len();
        Some(())
    }

    /// Hands messages to a socket, named by their position, without waiting; gives how many it took, from the first.
    ///
    /// # Errors
    /// What the system says about the first message, of which nothing was sent then.
    pub fn send(&mut self, socket: BorrowedFd<'_>, positions: &[u16]) -> io::Result<usize> {
        let Outbox {
            messages,
            iovecs,
            headers,
        } = &mut *self.outbox;
        let Some(messages) = messages.get(..self.len) else {
            return Ok(0);
        };
        let mut count = 0;
        for ((&position, header), iovecs) in positions.iter().zip(headers.iter_mut()).zip(iovecs) {
            let Some(message) = messages.get(usize::from(position)) else {
                break;
            };
            let header = &mut header.msg_hdr;
            let [head, tail] = iovecs;
            *head = libc::iovec {
                iov_base: message.head.as_ptr().cast_mut().cast(),
                iov_len: message.head_len,
            };
            *tail = libc::iovec {
                iov_base: message.tail.cast_mut().cast(),
                iov_len: message.tail_len,
            };
            (header.msg_iov, header.msg_iovlen) = if message.head_len == 0 {
                (ptr::from_mut(tail), 1)
            } else {
                (iovecs.as_mut_ptr(), 2)
            };
            header.msg_name = ptr::from_ref(&message.name).cast_mut().cast();
            header.msg_namelen = message.name_len;
            header.msg_control = ptr::from_ref(&message.controls).cast_mut().cast();
            header.msg_controllen = message.controls_count * mem::size_of::<Control>();
            count += 1;
        }
        // SAFETY: the first `count` headers were just set: they point to a name, control data and a head inside of
        // messages that are borrowed until after the call, to iovecs of their own, and to payloads that live for `'p`,
        // which outlives `self`. The kernel only reads all of these, and writes `msg_len` of the headers.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

const EMPTY: libc::iovec = libc::iovec {
    iov_base: ptr::null_mut(),
    iov_len: 0,
};

fn no_headers(count: usize) -> Box<[libc::mmsghdr]> {
    // SAFETY: null pointers with zero lengths are valid headers.
    let header: libc::mmsghdr = unsafe { mem::zeroed() };
    vec![header; count].into()
}

fn source(name: &Name, len: libc::socklen_t) -> Option<(IpAddr, u16)> {
    // SAFETY: both kinds start with the family, and any bit pattern is a valid address of either.
    let (v4, v6) = unsafe { (&name.v4, &name.v6) };
    match libc::c_int::from(v4.sin_family) {
        libc::AF_INET if len as usize >= mem::size_of_val(v4) => {
            let address = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
            Some((address.into(), u16::from_be(v4.sin_port)))
        }
        libc::AF_INET6 if len as usize >= mem::size_of_val(v6) => {
            let address = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Some((address.into(), u16::from_be(v6.sin6_port)))
        }
        _ => None,
    }
}
