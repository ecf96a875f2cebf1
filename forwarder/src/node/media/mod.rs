//! Sessions in the node: their sockets and connections, and what is done for the session core.
//!
//! | file | holds |
//! | --- | --- |
//! | `sockets` | the sockets of the media port |
//! | `strangers` | the listeners, as the node's task reads them |
//! | `connections` | which TCP connections are kept |
//! | `driver` | carries out what the session core wants, and tells it what happened |
//! | `pairs` | pairs of sessions: their sockets, hops and readers |

pub mod connections;
mod driver;
mod pairs;
pub mod sockets;
pub mod strangers;

use std::{collections::HashMap, io, os::fd::OwnedFd, sync::Arc};

use tokio::io::unix::AsyncFd;

use self::{
    connections::Connections,
    pairs::OpenPair,
    sockets::Marks,
    strangers::{Listener, Strangers, watch},
};
use crate::{
    core::ids::PairId,
    dataplane::{counters::ReasonTable, socket::Inbox},
    rooms,
    sessions::Sessions,
    transport::Pair,
    worker::Workers,
};

/// What sessions need of the system.
pub struct MediaParts {
    /// The session core.
    pub sessions: Sessions,
    /// The threads that open and seal.
    pub workers: Workers,
    /// What they count.
    pub reasons: Arc<ReasonTable>,
    /// The sockets of the media port, by local address.
    pub listeners: Vec<Listener>,
    /// What packets carry that leave by sockets.
    pub marks: Marks,
    /// Limits of rooms.
    pub rooms: rooms::Settings,
}

/// Everything of sessions that the node's task owns.
pub struct Media {
    pub(super) sessions: Sessions,
    pub(super) workers: Workers,
    pub(super) reasons: Arc<ReasonTable>,
    /// Readable when a worker has told something.
    bell: AsyncFd<OwnedFd>,
    pub(super) strangers: Strangers,
    inbox: Inbox,
    connections: Connections,
    marks: Marks,
    /// Pairs that the session core has opened, by session and 5-tuple.
    open: HashMap<(u32, Pair), OpenPair>,
    /// Those of them that the core knows.
    ids: HashMap<PairId, (u32, Pair)>,
    /// How many sessions have a 5-tuple open: datagrams from there are no stranger's.
    known: HashMap<Pair, u32>,
    /// Whether notes were left when the last turn ended.
    notes_left: bool,
}

/// Sessions can have this many TCP connections each: the selected one, and those that they leave.
const CONNECTIONS_PER_SESSION: usize = 4;

impl Media {
    /// Takes the listeners over. In a tokio runtime.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn new(parts: MediaParts, max_sessions: u32) -> io::Result<Self> {
        let MediaParts {
            sessions,
            workers,
            reasons,
            listeners,
            marks,
            rooms: _,
        } = parts;
        let limit = max_sessions as usize * CONNECTIONS_PER_SESSION;
        Ok(Self {
            sessions,
            strangers: Strangers::new(listeners)?,
            inbox: Inbox::new(),
            connections: Connections::new(workers.count(), limit),
            bell: watch(workers.fd().try_clone_to_owned()?)?,
            workers,
            reasons,
            marks,
            open: HashMap::new(),
            ids: HashMap::new(),
            known: HashMap::new(),
            notes_left: false,
        })
    }
}
