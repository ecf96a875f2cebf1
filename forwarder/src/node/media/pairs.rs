//! Pairs of sessions. A new one is served by its connected socket at once; when its next hop is known, XDP sends.

use std::{os::fd::OwnedFd, sync::Arc};

use forwarder_common::tables::{DEVICE_SOCKET, Steer};

use super::{
    super::{Node, clock::boottime, following::Followed},
    sockets::connect_udp,
};
use crate::{
    core::{
        Input, Output as Outcome, ids::PairId, pair::PairSpec, placement::Placement,
        refusal::Refusal,
    },
    transport::{CONSENT, Pair, Protocol},
    worker::command::{Command, Reach},
};

/// A pair that the session core has opened.
#[derive(Debug)]
pub(super) struct OpenPair {
    worker: u32,
    /// The socket connected to the peer; `None` over TCP.
    socket: Option<Arc<OwnedFd>>,
    /// Whether the worker reads that socket for this session: another session of the same peer may have taken it over.
    read: bool,
    /// Its name in the core; `None` over TCP.
    id: Option<PairId>,
}

/// How pairs leave until it is known better.
fn by_socket(why: &str) -> Placement {
    Placement {
        device: DEVICE_SOCKET,
        local_mac: [0; 6],
        source_mac: [0; 6],
        destination_mac: None,
        vlan: None,
        mtu: 0,
        why: Some(why.to_owned()),
        neighbour: None,
        interface: 0,
    }
}

const fn steer(session: u32, worker: u32, audio: [u32; 4]) -> Steer {
    Steer {
        worker,
        session,
        audio,
        until: 0,
    }
}

impl Node {
    pub(super) fn open_pair(&mut self, session: u32, pair: Pair, worker: u32, audio: [u32; 4]) {
        let (open, reach) = match pair.protocol {
            Protocol::Tcp => {
                let connection = pair.connection;
                let Some(from) = self.trust_connection(connection, worker) else {
                    return;
                };
                self.media
                    .workers
                    .bind_tcp(connection, session, from, worker);
                let open = OpenPair {
                    worker,
                    socket: None,
                    read: false,
                    id: None,
                };
                (open, Reach::Tcp { connection, worker })
            }
            Protocol::Udp => {
                // What XDP does not take in it would drop: such a pair is not open, and is asked for again.
                let Some(id) = self.enter_pair(pair, steer(session, worker, audio)) else {
                    return;
                };
                let Some(socket) = self.pair_socket(pair) else {
                    self.tell_core(Input::ClosePair(id));
                    return;
                };
                let add = Command::AddSocket {
                    session,
                    pair,
                    socket: Arc::clone(&socket),
                };
                self.media.workers.tell(worker, add);
                let open = OpenPair {
                    worker,
                    socket: Some(Arc::clone(&socket)),
                    read: true,
                    id: Some(id),
                };
                (open, Reach::Socket(socket))
            }
        };
        if let Some(id) = open.id {
            self.media.ids.insert(id, (session, pair));
            self.following.mark(Followed::Pair(id));
        }
        if self.media.open.insert((session, pair), open).is_none() {
            *self.media.known.entry(pair).or_default() += 1;
        }
        let sessions = &mut self.media.sessions;
        sessions.pair_ready(boottime(), session, pair, reach);
    }

    /// The socket of a pair: a new one, or that of another session which the same peer had before. With two sockets connected
    /// to one peer the kernel would choose.
    fn pair_socket(&mut self, pair: Pair) -> Option<Arc<OwnedFd>> {
        let media = &mut self.media;
        let mut held = None;
        if media.known.contains_key(&pair) {
            for ((_, other), open) in &mut media.open {
                if *other == pair {
                    if std::mem::replace(&mut open.read, false) {
                        let remove = Command::RemoveSocket { pair };
                        media.workers.tell(open.worker, remove);
                    }
                    held = open.socket.clone();
                }
            }
        }
        if held.is_some() {
            return held;
        }
        match connect_udp(pair.local, pair.remote, media.marks) {
            Ok(socket) => Some(Arc::new(socket)),
            Err(error) => {
                log::error!("no socket for {pair}: {error}");
                None
            }
        }
    }

    /// Makes a pair known to the data plane.
    fn enter_pair(&mut self, pair: Pair, steer: Steer) -> Option<PairId> {
        let until = boottime().saturating_add(CONSENT);
        let spec = PairSpec::new(pair.local, pair.remote, steer, until);
        let placement = by_socket("its next hop is being looked up");
        let outcome = spec.and_then(|spec| self.handle(Input::OpenPair(spec, placement)));
        match outcome {
            Ok(Outcome::Pair(id)) => Some(id),
            Ok(_) => None,
            Err(refusal) => {
                log::error!("{pair} cannot be opened: {refusal}");
                None
            }
        }
    }

    pub(super) fn steer_pair(&mut self, session: u32, pair: Pair, worker: u32, audio: [u32; 4]) {
        if let Some(id) = self.pair_id(session, pair) {
            self.tell_core(Input::SteerPair(id, steer(session, worker, audio)));
        }
    }

    pub(super) fn renew_pair(&mut self, session: u32, pair: Pair, until: u64) {
        if let Some(id) = self.pair_id(session, pair) {
            self.tell_core(Input::RenewPair(id, until));
        }
    }

    pub(super) fn close_pair(&mut self, session: u32, pair: Pair) {
        let Some(open) = self.media.open.remove(&(session, pair)) else {
            return;
        };
        if let Some(count) = self.media.known.get_mut(&pair) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.media.known.remove(&pair);
            }
        }
        if open.read {
            let remove = Command::RemoveSocket { pair };
            self.media.workers.tell(open.worker, remove);
        }
        if let Some(id) = open.id {
            self.media.ids.remove(&id);
            self.tell_core(Input::ClosePair(id));
        }
        if pair.protocol == Protocol::Tcp {
            self.close_connection(pair.connection);
        }
    }

    /// Lets a pair follow its next hop, and tells the session if it is reached another way now.
    ///
    /// # Errors
    /// A [`Refusal`] of the core; nothing has changed.
    pub(in super::super) fn place_pair(
        &mut self,
        id: PairId,
        placement: Placement,
    ) -> Result<(), Refusal> {
        let way = |node: &Self| {
            let pair = node.parts.core.pair(id).ok()?;
            Some((pair.placement.device, pair.member))
        };
        let before = way(self);
        self.handle(Input::PlacePair(id, placement))?;
        let after = way(self);
        if before == after {
            return Ok(());
        }
        let Some((session, pair)) = self.media.ids.get(&id).copied() else {
            return Ok(());
        };
        let open = self.media.open.get(&(session, pair));
        let Some(socket) = open.and_then(|open| open.socket.clone()) else {
            return Ok(());
        };
        let reach = match after {
            Some((device, Some(member))) => Reach::Xdp {
                device,
                member,
                socket,
            },
            _ => Reach::Socket(socket),
        };
        let sessions = &mut self.media.sessions;
        sessions.pair_ready(boottime(), session, pair, reach);
        self.carry_out();
        Ok(())
    }

    fn pair_id(&self, session: u32, pair: Pair) -> Option<PairId> {
        self.media.open.get(&(session, pair))?.id
    }

    /// How the packets of a session leave by a pair: the path, and why it is not a faster one.
    #[must_use]
    pub fn pair_path(&self, session: u32, pair: Pair) -> (&'static str, Option<String>) {
        if pair.protocol == Protocol::Tcp {
            return ("tcp", Some("the peer connected over TCP".to_owned()));
        }
        let state = self
            .pair_id(session, pair)
            .and_then(|id| self.parts.core.pair(id).ok());
        match state {
            Some(state) if state.member.is_some() => ("sealed", None),
            Some(state) => ("socket", state.placement.why.clone()),
            None => (
                "socket",
                Some("it could not be opened yet, and is asked for again".to_owned()),
            ),
        }
    }
}
