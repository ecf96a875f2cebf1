//! The thread of the socket path: waits for packets and commands, and never for anything else for long.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc,
        mpsc::{Receiver, Sender as CommandSender, SyncSender, channel, sync_channel},
    },
    thread::{Builder, JoinHandle},
};

use anyhow::Context;
use forwarder_common::reason::Reason;
use nix::{
    errno::Errno,
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        eventfd::{EfdFlags, EventFd},
    },
};

use super::{
    batch::Inbox,
    bind::open,
    fanout::{Origin, fan_out},
    judge::judge,
    send::Sender,
    sockets::{Bound, MAX_SOCKETS, Sockets},
    stash::Stash,
};
use crate::dataplane::shared::SharedTables;

/// What epoll calls the source of punted packets and of commands; smaller numbers are sockets.
const PUNT: u64 = 1 << 32;
const WAKE: u64 = 2 << 32;

/// Sockets that are served between two looks at the others.
const EVENTS: usize = 64;

/// Packets that XDP took and hands over, for the legs that it cannot serve.
pub trait Punt: Send {
    /// Readable while packets wait.
    fn fd(&self) -> BorrowedFd<'_>;

    /// Passes waiting packets on, first chunk and UDP payload; at most some hundreds at a time, so that sockets get their turn.
    /// Gives how many had waited for so long that their chunk may belong to another route by now.
    fn drain(&mut self, each: &mut dyn FnMut(u32, &[u8])) -> u64;
}

enum Command {
    Bind {
        number: u32,
        bound: Bound,
        done: SyncSender<io::Result<()>>,
    },
    Close {
        number: u32,
        done: SyncSender<io::Result<()>>,
    },
    Stop,
}

/// The worker, as its thread holds it.
pub struct SocketWorker {
    tables: Arc<SharedTables>,
    punt: Option<Box<dyn Punt>>,
    epoll: Epoll,
    wake: Arc<EventFd>,
    commands: Receiver<Command>,
}

/// Commands to the worker; dropping it stops the thread.
#[derive(Debug)]
pub struct Handle {
    commands: CommandSender<Command>,
    wake: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

impl SocketWorker {
    /// Starts a worker without sockets.
    ///
    /// # Errors
    /// Where the system has no thread or no descriptor left.
    pub fn spawn(tables: Arc<SharedTables>, punt: Option<Box<dyn Punt>>) -> anyhow::Result<Handle> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
            .context("cannot create the socket worker's epoll descriptor")?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake = EventFd::from_flags(flags)
            .context("cannot create the socket worker's event descriptor")?;
        let wake = Arc::new(wake);
        epoll
            .add(&*wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))
            .context("cannot watch the socket worker's event descriptor")?;
        if let Some(punt) = &punt {
            epoll
                .add(punt.fd(), EpollEvent::new(EpollFlags::EPOLLIN, PUNT))
                .context("cannot watch the ring of packets that XDP hands to the socket worker")?;
        }
        let (sender, commands) = channel();
        let worker = Self {
            tables,
            punt,
            epoll,
            wake: Arc::clone(&wake),
            commands,
        };
        let thread = Builder::new()
            .name("socket-worker".into())
            .spawn(move || worker.run())
            .context("cannot start the socket worker's thread")?;
        Ok(Handle {
            commands: sender,
            wake,
            thread: Some(thread),
        })
    }

    fn run(self) {
        let Self {
            tables,
            mut punt,
            epoll,
            wake,
            commands,
        } = self;
        let mut sockets = Sockets::default();
        let mut inbox = Inbox::new();
        let mut stash = Stash::new();
        let mut sender = Sender::new();
        let mut events = [EpollEvent::empty(); EVENTS];
        loop {
            let ready = match epoll.wait(&mut events, EpollTimeout::NONE) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(error) => {
                    log::error!("the socket worker ends: epoll_wait: {error}");
                    return;
                }
            };
            for event in events.iter().take(ready) {
                match event.data() {
                    WAKE => {
                        // Level 0 again before the commands are read, so that none that comes meanwhile is missed.
                        let _ = wake.read();
                        if obey(&commands, &mut sockets, &epoll) == Next::Stop {
                            return;
                        }
                    }
                    PUNT => {
                        if let Some(punt) = &mut punt {
                            drain(punt.as_mut(), &mut stash, &mut sender, &tables, &sockets);
                        }
                    }
                    number => receive(
                        u32::try_from(number).unwrap_or(MAX_SOCKETS),
                        &mut inbox,
                        &mut sender,
                        &tables,
                        &sockets,
                    ),
                }
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Next {
    Continue,
    Stop,
}

/// Carries out what was asked for meanwhile.
fn obey(commands: &Receiver<Command>, sockets: &mut Sockets, epoll: &Epoll) -> Next {
    for command in commands.try_iter() {
        // Whoever asked may have stopped waiting.
        match command {
            Command::Bind {
                number,
                bound,
                done,
            } => {
                let _ = done.send(watch(number, bound, sockets, epoll));
            }
            Command::Close { number, done } => {
                // The descriptor leaves epoll by being closed.
                let closed = sockets.remove(number).map(drop).ok_or_else(|| {
                    let message = format!("socket number {number} is not in use");
                    io::Error::new(io::ErrorKind::NotFound, message)
                });
                let _ = done.send(closed);
            }
            Command::Stop => return Next::Stop,
        }
    }
    Next::Continue
}

fn watch(number: u32, bound: Bound, sockets: &mut Sockets, epoll: &Epoll) -> io::Result<()> {
    let bound = sockets.insert(number, bound)?;
    let event = EpollEvent::new(EpollFlags::EPOLLIN, number.into());
    if let Err(error) = epoll.add(bound, event) {
        sockets.remove(number);
        return Err(error.into());
    }
    Ok(())
}

/// Forwards what waits at one socket, one batch of it.
fn receive(
    number: u32,
    inbox: &mut Inbox,
    sender: &mut Sender,
    tables: &SharedTables,
    sockets: &Sockets,
) {
    let Some(bound) = sockets.find(number) else {
        return;
    };
    // An error here was left by an ICMP message about something sent before; asking has cleared it.
    if inbox.receive(bound.as_fd()).is_err() {
        return;
    }
    let routes = tables.lookup.routes();
    let counters = &tables.worker;
    let mut sending = sender.open(tables, sockets);
    for datagram in inbox.datagrams() {
        let taken = match judge(&datagram, bound, &routes) {
            Ok(taken) => taken,
            Err(reason) => {
                counters.reasons.add(0, reason, 1);
                continue;
            }
        };
        counters.reasons.add(0, Reason::Taken, 1);
        let bytes = taken.payload.len() as u64;
        counters.routes.add(0, taken.route, bytes, sending.now);
        if fan_out(&mut sending, Origin::Socket(taken.route), taken.payload) == 0 {
            counters.reasons.add(0, Reason::NoMembers, 1);
        }
    }
    sending.flush();
}

/// Forwards what XDP handed over.
fn drain(
    punt: &mut dyn Punt,
    stash: &mut Stash,
    sender: &mut Sender,
    tables: &SharedTables,
    sockets: &Sockets,
) {
    let stale = punt.drain(&mut |head, payload| {
        if stash.is_full() {
            forward(stash, sender, tables, sockets);
        }
        if stash.push(head, payload).is_none() {
            tables.worker.reasons.add(0, Reason::TooBig, 1);
        }
    });
    tables.worker.reasons.add(0, Reason::PuntFull, stale);
    forward(stash, sender, tables, sockets);
}

fn forward(stash: &mut Stash, sender: &mut Sender, tables: &SharedTables, sockets: &Sockets) {
    let mut sending = sender.open(tables, sockets);
    for (head, payload) in stash.packets() {
        fan_out(&mut sending, Origin::Punt(head), payload);
    }
    sending.flush();
    stash.clear();
}

impl Handle {
    /// Opens a socket at `address` and serves it under `number`; gives the address, with the port where 0 left it open.
    /// When this returns, packets that arrive are forwarded and hops may name the socket.
    ///
    /// # Errors
    /// `InvalidInput` for the wildcard address or a number of 4096 or more, `AlreadyExists` for a number in use, and
    /// what the system says about the address.
    pub fn bind(&self, number: u32, address: SocketAddr) -> io::Result<SocketAddr> {
        let socket = open(address)?;
        let address = socket.local_addr()?;
        let bound = Bound::new(socket)?;
        self.ask(|done| Command::Bind {
            number,
            bound,
            done,
        })?;
        Ok(address)
    }

    /// Closes a socket. When this returns, nothing is sent from it any more and its address is free.
    ///
    /// # Errors
    /// `NotFound` for a number that is not in use.
    pub fn close(&self, number: u32) -> io::Result<()> {
        self.ask(|done| Command::Close { number, done })
    }

    fn ask(&self, command: impl FnOnce(SyncSender<io::Result<()>>) -> Command) -> io::Result<()> {
        let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "the socket worker has ended");
        let (done, answer) = sync_channel(1);
        self.commands.send(command(done)).map_err(|_| gone())?;
        self.wake.write(1)?;
        answer.recv().map_err(|_| gone())?
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Where either fails, the thread has ended already.
        let _ = self.commands.send(Command::Stop);
        let _ = self.wake.write(1);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
