//! Between the session core and the system: what it wants is carried out, what happens is told to it. Runs in the node's task,
//! in turns that are bounded, so that neither strangers nor media keep commands waiting.

use std::{io, net::SocketAddr, os::fd::OwnedFd};

use forwarder_common::{
    reason::{COUNT, Reason},
    stun,
};
use tokio::io::Interest;

use super::{
    super::{Node, clock::boottime},
    Media,
    connections::Closing,
    strangers::{Ready, prepare},
};
use crate::{
    core::Input,
    sessions::{
        Sessions,
        output::{Event, Output},
    },
    transport::{Pair, Protocol},
    worker::{command::Command, note::Note},
};

/// Datagrams and news that are read of each worker in one turn.
const NOTES: usize = 256;
/// Largest datagram that control reads, in bytes: what an Ethernet frame carries.
const DATAGRAM: usize = 1500;

/// What the media of sessions has to be looked at for.
#[derive(Clone, Copy, Debug)]
pub enum Wakeup {
    /// Workers have told something.
    Notes,
    /// A listener has something to read.
    Stranger(Ready),
}

impl Media {
    /// Waits until there is something to do. Cancel safe. Notes come first: they are from peers that have proved who they are.
    pub(in super::super) async fn ready(&mut self) -> Wakeup {
        if self.notes_left {
            return Wakeup::Notes;
        }
        tokio::select! {
            biased;
            // An error shows when the notes are read, which there are then none of.
            _ = self.bell.readable() => Wakeup::Notes,
            ready = self.strangers.ready() => Wakeup::Stranger(ready),
        }
    }

    /// When there is something to do at the latest, in nanoseconds of CLOCK_BOOTTIME.
    pub(in super::super) fn poll_timeout(&self) -> u64 {
        let connections = self.connections.poll_timeout();
        self.sessions.poll_timeout().min(connections)
    }

    fn close_connection(&mut self, Closing { connection, worker }: Closing) {
        self.workers.tell(worker, Command::CloseTcp { connection });
    }
}

impl Node {
    /// Sessions, to look at.
    #[must_use]
    pub const fn sessions(&self) -> &Sessions {
        &self.media.sessions
    }

    /// How often each reason occurred, on all paths.
    #[must_use]
    pub fn reasons(&self) -> [u64; COUNT] {
        let mut counts = self.parts.tables.reasons();
        for (count, reason) in counts.iter_mut().zip(Reason::ALL) {
            *count = count.wrapping_add(self.media.reasons.sum(*reason));
        }
        counts
    }

    /// Notes of workers that found no room.
    #[must_use]
    pub fn lost_notes(&self) -> u64 {
        self.media.workers.lost()
    }

    /// Commands the session core; what it wants done is done when this returns.
    pub fn command<T>(&mut self, command: impl FnOnce(&mut Sessions, u64) -> T) -> T {
        let outcome = command(&mut self.media.sessions, boottime());
        self.carry_out();
        outcome
    }

    /// Takes packets of sessions at all addresses of the media port, behind the MACs that their interfaces have now.
    pub(in super::super) fn open_ports(&mut self) {
        let locals: Vec<_> = self.media.strangers.locals().collect();
        for local in locals {
            let mac = self.parts.placer.local_mac(local.ip()).unwrap_or_default();
            if let Err(refusal) = self.handle(Input::OpenPort(local, mac)) {
                log::warn!("XDP takes no packets of sessions at {local}: {refusal}");
            }
        }
    }

    /// Ends all sessions, so that their peers do not wait for a node that is gone.
    pub(in super::super) fn close_sessions(&mut self) {
        self.command(|sessions, now| {
            let ids: Vec<_> = sessions.ids().collect();
            for id in ids {
                if let Err(refusal) = sessions.close(now, id) {
                    log::debug!("{refusal}");
                }
            }
        });
    }

    /// Does what is due.
    pub(in super::super) fn handle_media_timeout(&mut self) {
        let now = boottime();
        while let Some(closing) = self.media.connections.poll_expired(now) {
            self.media.close_connection(closing);
        }
        // Arrivals wake nobody, and feedback is about them.
        self.read_notes();
        self.media.sessions.handle_timeout(now);
        self.rooms.handle_timeout(&mut self.media.sessions, now);
        self.carry_out();
    }

    /// One turn of what woke the task.
    pub(in super::super) fn serve(&mut self, wakeup: Wakeup) {
        match wakeup {
            Wakeup::Notes => self.read_notes(),
            Wakeup::Stranger(Ready::Udp(listener)) => self.receive(listener),
            Wakeup::Stranger(Ready::Tcp(listener)) => self.accept(listener),
        }
        self.carry_out();
    }

    fn read_notes(&mut self) {
        let now = boottime();
        let Media {
            sessions,
            workers,
            connections,
            bell,
            notes_left,
            ..
        } = &mut self.media;
        // Before the notes are read: what is told from now on wakes the task again.
        workers.acknowledge();
        let cleared = bell.try_io(Interest::READABLE, |_| {
            Err::<(), _>(io::ErrorKind::WouldBlock.into())
        });
        debug_assert!(cleared.is_err());
        *notes_left = workers.drain(NOTES, |note| {
            if let Note::TcpClosed { connection } = note {
                connections.close(connection);
            }
            sessions.handle_note(now, note);
        });
    }

    /// Datagrams of strangers: only those that name a session, and those of pairs that were opened this very moment.
    fn receive(&mut self, listener: usize) {
        let now = boottime();
        let core = &self.parts.core;
        let Media {
            sessions,
            strangers,
            inbox,
            known,
            ..
        } = &mut self.media;
        strangers.receive(listener, inbox, |local, remote, payload| {
            let named = stun::ufrag(payload, 0, payload.len());
            let pair = Pair::udp(local, remote);
            if !named.is_some_and(|ufrag| core.is_admitted(ufrag))
                && !known.contains_key(&pair)
                && !sessions.is_claimed(&pair)
            {
                return;
            }
            let mut bytes = [0; DATAGRAM];
            if let Some(bytes) = bytes.get_mut(..payload.len()) {
                bytes.copy_from_slice(payload);
                sessions.handle_datagram(now, pair, bytes);
            }
        });
    }

    fn accept(&mut self, listener: usize) {
        let now = boottime();
        for (local, remote, stream) in self.media.strangers.accept(listener) {
            if let Err(error) = prepare(&stream) {
                log::debug!("a connection from {remote} is of no use: {error}");
                continue;
            }
            self.admit_connection(now, local, remote, stream.into());
        }
    }

    fn admit_connection(
        &mut self,
        now: u64,
        local: SocketAddr,
        remote: SocketAddr,
        stream: OwnedFd,
    ) {
        let Some(accepted) = self.media.connections.accept(now, remote.ip()) else {
            log::debug!("a connection from {remote} is one too many");
            return;
        };
        if let Some(evicted) = accepted.evicted {
            self.media.close_connection(evicted);
        }
        let connection = accepted.connection;
        let pair = Pair::tcp(local, remote, connection);
        let command = Command::AddTcp {
            connection,
            pair,
            stream,
        };
        self.media.workers.tell(accepted.worker, command);
    }

    /// Carries out what the session core and rooms want, until they want nothing more.
    pub(in super::super) fn carry_out(&mut self) {
        loop {
            self.carry_out_sessions();
            let more = self.rooms.settle(&mut self.media.sessions, boottime());
            while let Some(event) = self.rooms.poll_event() {
                self.events.push(&event);
            }
            if !more {
                return;
            }
        }
    }

    fn carry_out_sessions(&mut self) {
        // A peer answers at once, and XDP drops its DTLS until the pair is open: what goes out by the listeners goes last.
        let mut datagrams = Vec::new();
        while let Some(output) = self.media.sessions.poll_output() {
            match output {
                Output::Transmit { pair, bytes } => match pair.protocol {
                    Protocol::Udp => datagrams.push((pair, bytes)),
                    Protocol::Tcp => self.send_frame(pair.connection, bytes),
                },
                Output::OpenPair {
                    session,
                    pair,
                    worker,
                    audio,
                } => self.open_pair(session, pair, worker, audio),
                Output::SteerPair {
                    session,
                    pair,
                    worker,
                    audio,
                } => self.steer_pair(session, pair, worker, audio),
                Output::ClosePair { session, pair } => self.close_pair(session, pair),
                Output::RenewPair {
                    session,
                    pair,
                    until,
                } => self.renew_pair(session, pair, until),
                Output::AdmitUfrag(ufrag) => {
                    self.tell_core(Input::AdmitUfrag(stun::ufrag_word(ufrag)));
                }
                Output::ForgetUfrag(ufrag) => {
                    self.tell_core(Input::ForgetUfrag(stun::ufrag_word(ufrag)));
                }
                Output::Command(worker, command) => self.media.workers.tell(worker, command),
                Output::Event(event) => {
                    note_event(&event);
                    self.rooms.handle_event(&event);
                }
            }
        }
        for (pair, bytes) in datagrams {
            self.media.strangers.send(pair.local, pair.remote, &bytes);
        }
    }

    /// Carries out a command of the core that nobody waits for.
    pub(super) fn tell_core(&mut self, input: Input) {
        if let Err(refusal) = self.handle(input) {
            log::warn!("the data plane does not follow a session: {refusal}");
        }
    }

    fn send_frame(&mut self, connection: u32, bytes: Vec<u8>) {
        if let Some(worker) = self.media.connections.worker(connection) {
            let command = Command::SendTcp { connection, bytes };
            self.media.workers.tell(worker, command);
        }
    }

    /// Closes a TCP connection, if it is open.
    pub(super) fn close_connection(&mut self, connection: u32) {
        if let Some(closing) = self.media.connections.close(connection) {
            self.media.close_connection(closing);
        }
    }

    /// Gives a TCP connection that ICE has validated to a worker, and says which one had it; `None` if it has been closed meanwhile.
    pub(super) fn trust_connection(&mut self, connection: u32, worker: u32) -> Option<u32> {
        self.media.connections.trust(connection, worker)
    }
}

fn note_event(event: &Event) {
    match event {
        Event::Connected { session, suite } => {
            log::info!("session {session} is connected, {}", suite.label());
        }
        Event::Selected { session, pair } => log::info!("session {session} is at {pair}"),
        Event::Closed { session, reason } => {
            log::info!("session {session} is closed: {}", reason.label());
        }
        other => log::debug!("{other:?}"),
    }
}
