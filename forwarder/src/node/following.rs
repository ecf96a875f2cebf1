//! Following next hops: which endpoints and pairs have to be placed again, one after the other.

use std::{
    collections::BTreeSet,
    fmt,
    future::pending,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Node,
    parts::{Answer, Change, Placer},
};
use crate::core::{
    Input,
    ids::{EndpointId, PairId},
    placement::Placement,
    refusal::{Refusal, RefusalKind},
};

/// A placement that the tables had no room for is tried again after this: numbers rest for a second.
const RETRY: Duration = Duration::from_secs(1);

/// Who is placed. Pairs come first: their media goes by sockets until they are placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Followed {
    /// A pair of a session.
    Pair(PairId),
    /// An endpoint.
    Endpoint(EndpointId),
}

impl fmt::Display for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pair(id) => write!(f, "{id}"),
            Self::Endpoint(id) => write!(f, "endpoint {id}"),
        }
    }
}

/// A question on its way, and who it is about.
pub type Placing = Answer<'static, (Followed, Result<Placement, Refusal>)>;

/// Those whose placement may be out of date.
#[derive(Default)]
pub struct Following {
    marked: BTreeSet<Followed>,
    later: BTreeSet<Followed>,
    retry_at: Option<Instant>,
}

impl Following {
    /// Notes that someone has to be placed again.
    pub fn mark(&mut self, id: Followed) {
        self.marked.insert(id);
    }

    /// Time until those that had no room are tried again.
    pub fn until_retry(&self) -> Duration {
        self.retry_at.map_or(Duration::from_secs(3600), |at| {
            at.saturating_duration_since(Instant::now())
        })
    }

    /// Marks those that had no room, when it is time.
    pub fn retry(&mut self) {
        if self.retry_at.is_some_and(|at| at <= Instant::now()) {
            self.retry_at = None;
            self.marked.append(&mut self.later);
        }
    }

    fn postpone(&mut self, id: Followed) {
        self.later.insert(id);
        self.retry_at.get_or_insert(Instant::now() + RETRY);
    }
}

/// The outcome of a future that may not be there; then it never comes.
pub async fn ready<T>(future: &mut Option<Answer<'_, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

/// Whether a change may concern an endpoint that is placed like this.
fn concerns(change: &Change, placement: &Placement) -> bool {
    match *change {
        Change::All => true,
        Change::Interface(interface) => {
            placement.interface == interface
                || placement
                    .neighbour
                    .is_some_and(|neighbour| neighbour.interface == interface)
        }
        Change::Neighbour { interface, address } => placement.neighbour.is_some_and(|neighbour| {
            neighbour.interface == interface && neighbour.address == address
        }),
    }
}

impl Node {
    /// Marks those that changes may concern.
    pub(super) fn note_changes(&mut self, changes: &[Change]) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        let core = &self.parts.core;
        let endpoints = core
            .endpoints()
            .map(|(id, endpoint)| (Followed::Endpoint(id), &endpoint.placement));
        let pairs = core
            .pairs()
            .map(|(id, pair)| (Followed::Pair(id), &pair.placement));
        for (id, placement) in endpoints.chain(pairs) {
            if changes.iter().any(|change| concerns(change, placement)) {
                self.following.mark(id);
            }
        }
    }

    /// Asks about the next one that is marked.
    pub(super) fn next_placing(&mut self, placer: &Arc<dyn Placer>) -> Option<Placing> {
        loop {
            let id = self.following.marked.pop_first()?;
            // It may have been deleted since.
            let Some((local, remote, vlan)) = self.ends(id) else {
                continue;
            };
            let placer = Arc::clone(placer);
            return Some(Box::pin(async move {
                let placement = placer.place(local, remote, vlan).await;
                (id, placement)
            }));
        }
    }

    /// From where to where someone is placed, and by which VLAN.
    fn ends(&self, id: Followed) -> Option<(SocketAddr, SocketAddr, Option<u16>)> {
        let core = &self.parts.core;
        match id {
            Followed::Endpoint(id) => {
                let spec = core.endpoint(id).ok()?.spec;
                Some((spec.local(), spec.remote(), spec.vlan()))
            }
            Followed::Pair(id) => {
                let spec = core.pair(id).ok()?.spec;
                Some((spec.local(), spec.remote(), None))
            }
        }
    }

    fn placement(&self, id: Followed) -> Option<&Placement> {
        let core = &self.parts.core;
        match id {
            Followed::Endpoint(id) => core.endpoint(id).ok().map(|held| &held.placement),
            Followed::Pair(id) => core.pair(id).ok().map(|held| &held.placement),
        }
    }

    /// Lets someone follow their new placement. Without a way to it, an endpoint stays where it is and nothing is sent; a
    /// pair's packets leave by its socket.
    pub(super) fn follow(&mut self, id: Followed, placement: Result<Placement, Refusal>) {
        let Some(before) = self.placement(id) else {
            return;
        };
        let placement = placement.unwrap_or_else(|refusal| Placement {
            destination_mac: None,
            why: Some(refusal.to_string()),
            ..before.clone()
        });
        if placement == *before {
            return;
        }
        log::debug!("{id} is now reached by {placement:?}");
        let outcome = match id {
            Followed::Endpoint(id) => self.handle(Input::Placed(id, placement)).map(drop),
            Followed::Pair(id) => self.place_pair(id, placement),
        };
        if let Err(refusal) = outcome {
            log::warn!("{id} cannot follow its next hop yet: {refusal}");
            if matches!(refusal.kind, RefusalKind::Full | RefusalKind::Failed) {
                self.following.postpone(id);
            }
        }
    }
}
