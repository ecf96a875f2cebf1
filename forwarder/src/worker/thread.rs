//! The thread of a worker: waits for packets and commands, serves all that wait in turns, and never waits for anything else for long.

use std::{
    os::fd::AsFd,
    sync::{Arc, mpsc::Receiver},
};

use nix::{
    errno::Errno,
    sched::{CpuSet, sched_setaffinity},
    sys::{
        epoll::{Epoll, EpollEvent, EpollFlags, EpollTimeout},
        eventfd::EventFd,
    },
    unistd::Pid,
};

use forwarder_common::reason::Reason;

use super::{
    command::Command, note::Note, outlets::Outlets, sockets::SessionSockets, state::State,
    tcp::Frame,
};
use crate::dataplane::{
    clock::boottime,
    kernel::worker_port::Arrivals,
    socket::batch::{Inbox, RECEIVE},
};

/// What epoll calls its sources; smaller numbers are sockets.
pub const WAKE: u64 = 1 << 40;
/// The ring of packets from XDP.
pub const RING: u64 = 2 << 40;
/// TCP connections, with their number.
const TCP: u64 = 4 << 40;

/// Sources that are served between two looks at the others.
const EVENTS: usize = 64;
/// Packets of the ring that are forwarded before a bell at the latest, and before other sources get their turn.
const RING_BATCH: usize = 64;
/// Frames of one TCP connection that are read before other sources get their turn.
const FRAMES: usize = 64;
/// Bytes of the largest packet.
const PACKET: usize = forwarder_common::tables::MAX_PAYLOAD;

/// What the thread owns.
pub struct Thread {
    /// Everything but sockets.
    pub state: State,
    /// What XDP steers here, if there is XDP.
    pub arrivals: Option<Arrivals>,
    /// What it waits at.
    pub epoll: Epoll,
    /// Woken for commands and relayed packets.
    pub wake: Arc<EventFd>,
    /// Commands.
    pub commands: Receiver<Command>,
    /// The CPU that it stays on, if any.
    pub cpu: Option<usize>,
}

impl Thread {
    /// Runs until it is told to stop.
    pub fn run(self) {
        let Self {
            mut state,
            mut arrivals,
            epoll,
            wake,
            commands,
            cpu,
        } = self;
        if let Some(cpu) = cpu {
            pin(cpu);
        }
        let mut sockets = SessionSockets::default();
        let mut inbox = Inbox::new();
        let mut packet = vec![0; PACKET];
        let mut events = [EpollEvent::empty(); EVENTS];
        loop {
            let ready = match epoll.wait(&mut events, EpollTimeout::NONE) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(error) => {
                    log::error!("a worker ends: epoll_wait: {error}");
                    return;
                }
            };
            for event in events.iter().take(ready) {
                match event.data() {
                    WAKE => {
                        // Level 0 again before the commands are read, so that none that comes meanwhile is missed.
                        let _ = wake.read();
                        // What waits leaves first: by sockets that a command may close.
                        state.flush();
                        if obey(&mut state, &mut sockets, &epoll, &commands).is_none() {
                            return;
                        }
                        take_relayed(&mut state);
                    }
                    RING => {
                        if let Some(arrivals) = &mut arrivals {
                            drain_ring(&mut state, arrivals, &mut packet);
                        }
                    }
                    tcp if tcp >= TCP => {
                        read_tcp(&mut state, &epoll, (tcp - TCP) as u32, &mut packet);
                    }
                    number => {
                        read_socket(&mut state, &mut sockets, number, &mut inbox, &mut packet);
                    }
                }
            }
            state.flush();
        }
    }
}

/// A worker that stays on its CPU finds its keys in the cache, and its bells have been heard when `send` returns.
fn pin(cpu: usize) {
    let mut one = CpuSet::new();
    let pinned = one
        .set(cpu)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &one));
    if let Err(error) = pinned {
        log::warn!("a worker is not pinned to CPU {cpu}: {error}");
    }
}

/// Carries out what was asked for meanwhile; `None` where it was to stop.
fn obey(
    state: &mut State,
    sockets: &mut SessionSockets,
    epoll: &Epoll,
    commands: &Receiver<Command>,
) -> Option<()> {
    for command in commands.try_iter() {
        let Some(command) = state.obey(command) else {
            continue;
        };
        match command {
            Command::Stop => return None,
            Command::AddSocket {
                session,
                pair,
                socket,
            } => {
                if let Err(error) = sockets.add(epoll, session, pair, socket) {
                    log::error!("the socket of {pair} is not read: {error}");
                }
            }
            Command::RemoveSocket { pair } => sockets.remove(epoll, &pair),
            other => obey_tcp(state, epoll, other),
        }
    }
    Some(())
}

/// Carries out a command about a TCP connection.
fn obey_tcp(state: &mut State, epoll: &Epoll, command: Command) {
    let tcp = &mut state.outlets.tcp;
    match command {
        Command::AddTcp {
            connection,
            pair,
            stream,
        } => {
            let added = tcp.add(connection, pair, stream);
            let watched = added.and_then(|stream| Ok(epoll.add(stream, tcp_event(connection))?));
            if let Err(error) = watched {
                log::warn!("the connection {pair} is not served: {error}");
                close(state, connection);
            }
        }
        Command::BindTcp {
            connection,
            session,
        } => {
            if let Some(held) = tcp.find(connection) {
                held.origin.session = session;
            }
        }
        Command::ExpectTcp { connection } => tcp.expect(connection),
        Command::HandTcp {
            connection,
            session,
            to,
        } => {
            let held = tcp.take(connection).map(|mut held| {
                held.origin.session = session;
                let _watched = epoll.delete(&held);
                Box::new(held)
            });
            to.tell(Command::TakeTcp { connection, held });
        }
        Command::TakeTcp { connection, held } => {
            let later = tcp.put(connection, held.map(|held| *held));
            if let Some(held) = tcp.find(connection)
                && let Err(error) = epoll.add(held, tcp_event(connection))
            {
                log::warn!("connection {connection} is not served: {error}");
                close(state, connection);
            }
            for command in later {
                obey_tcp(state, epoll, command);
            }
        }
        Command::SendTcp { connection, .. } | Command::CloseTcp { connection } => {
            let Some(command) = tcp.postpone(connection, command) else {
                return;
            };
            if let Command::SendTcp { bytes, .. } = command {
                // Control's own datagrams are repeated by whoever misses them.
                let _queued = tcp.queue(connection, Frame::Control, &bytes);
            } else {
                tcp.remove(connection);
            }
        }
        _ => {}
    }
}

/// Sends what other workers have sealed for connections of this one.
fn take_relayed(state: &mut State) {
    let Outlets { tcp, relays, .. } = &mut state.outlets;
    let mut full = 0;
    relays.drain(|connection, frame, bytes| {
        full += u32::from(tcp.queue(connection, frame, bytes).is_none());
    });
    state.tally.count_many(Reason::TcpFull, full);
}

/// Forwards what XDP has steered here, one batch of it.
fn drain_ring(state: &mut State, arrivals: &mut Arrivals, packet: &mut [u8]) {
    let now = boottime();
    for _ in 0..RING_BATCH {
        let Some(arrived) = arrivals.next(packet) else {
            return;
        };
        let (session, at, len) = (arrived.session, arrived.at, arrived.payload.len());
        if let Some(packet) = packet.get_mut(..len) {
            state.forward(session, packet, at, now);
        }
    }
}

/// Forwards what waits at one socket, one batch of it.
fn read_socket(
    state: &mut State,
    sockets: &mut SessionSockets,
    number: u64,
    inbox: &mut Inbox,
    packet: &mut [u8],
) {
    let Some(socket) = sockets.find(number) else {
        return;
    };
    // An error here was left by an ICMP message about something sent before; asking has cleared it.
    let Ok(received) = inbox.receive(socket.socket.as_fd()) else {
        return;
    };
    let now = boottime();
    socket.note_batch(received == RECEIVE, now);
    let mut origin = socket.origin;
    for datagram in inbox.datagrams() {
        let payload = datagram.payload.unwrap_or_default();
        if let Some(packet) = packet.get_mut(..payload.len()) {
            packet.copy_from_slice(payload);
            state.receive(&mut origin, packet, now);
        }
    }
    socket.origin = origin;
}

/// Serves a TCP connection: what waits to be written, and what has arrived, one batch of it.
fn read_tcp(state: &mut State, epoll: &Epoll, number: u32, packet: &mut [u8]) {
    let now = boottime();
    if let Some(connection) = state.outlets.tcp.find(number) {
        connection.write();
    }
    for _ in 0..FRAMES {
        // Found anew each time: what a frame brings about may write to this very connection.
        let Some(connection) = state.outlets.tcp.find(number) else {
            return;
        };
        let mut origin = connection.origin;
        match connection.read_frame(packet) {
            Ok(None) => return,
            Ok(Some(len)) => {
                if let Some(frame) = packet.get_mut(..len) {
                    state.receive(&mut origin, frame, now);
                }
                if let Some(connection) = state.outlets.tcp.find(number) {
                    connection.origin.until = origin.until;
                }
            }
            Err(_) => {
                close(state, number);
                return;
            }
        }
    }
    // There may be more, which an edge that has been seen does not tell of again.
    if let Some(connection) = state.outlets.tcp.find(number) {
        let _still_there = epoll.modify(connection, &mut tcp_event(number));
    }
}

/// Told once whenever there is something to read or room to write.
fn tcp_event(number: u32) -> EpollEvent {
    let events = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
    EpollEvent::new(events, TCP + u64::from(number))
}

fn close(state: &mut State, connection: u32) {
    state.outlets.tcp.remove(connection);
    state.telling.tell(Note::TcpClosed { connection });
}
