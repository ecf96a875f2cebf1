//! Following next hops: which endpoints have to be placed again, one after the other.

use std::{
    collections::BTreeSet,
    future::pending,
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
    ids::EndpointId,
    placement::Placement,
    refusal::{Refusal, RefusalKind},
};

/// A placement that the tables had no room for is tried again after this: numbers rest for a second.
const RETRY: Duration = Duration::from_secs(1);

/// A question on its way, and the endpoint that it is about.
pub type Placing = Answer<'static, (EndpointId, Result<Placement, Refusal>)>;

/// Endpoints whose placement may be out of date.
#[derive(Default)]
pub struct Following {
    marked: BTreeSet<EndpointId>,
    later: BTreeSet<EndpointId>,
    retry_at: Option<Instant>,
}

impl Following {
    /// Notes that an endpoint has to be placed again.
    pub fn mark(&mut self, id: EndpointId) {
        self.marked.insert(id);
    }

    /// Time until endpoints that had no room are tried again.
    pub fn until_retry(&self) -> Duration {
        self.retry_at.map_or(Duration::from_secs(3600), |at| {
            at.saturating_duration_since(Instant::now())
        })
    }

    /// Marks endpoints that had no room, when it is time.
    pub fn retry(&mut self) {
        if self.retry_at.is_some_and(|at| at <= Instant::now()) {
            self.retry_at = None;
            self.marked.append(&mut self.later);
        }
    }

    fn postpone(&mut self, id: EndpointId) {
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
    /// Marks the endpoints that changes may concern.
    pub(super) fn note_changes(&mut self, changes: &[Change]) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        for (id, endpoint) in self.parts.core.endpoints() {
            if changes
                .iter()
                .any(|change| concerns(change, &endpoint.placement))
            {
                self.following.mark(id);
            }
        }
    }

    /// Asks about the next endpoint that is marked.
    pub(super) fn next_placing(&mut self, placer: &Arc<dyn Placer>) -> Option<Placing> {
        loop {
            let id = self.following.marked.pop_first()?;
            // It may have been deleted since.
            let Ok(endpoint) = self.parts.core.endpoint(id) else {
                continue;
            };
            let (spec, placer) = (endpoint.spec, Arc::clone(placer));
            return Some(Box::pin(async move {
                let placement = placer.place(spec.local(), spec.remote(), spec.vlan()).await;
                (id, placement)
            }));
        }
    }

    /// Lets an endpoint follow its new placement. Without a way to it, it stays where it is and nothing is sent.
    pub(super) fn follow(&mut self, id: EndpointId, placement: Result<Placement, Refusal>) {
        let Ok(endpoint) = self.parts.core.endpoint(id) else {
            return;
        };
        let placement = placement.unwrap_or_else(|refusal| Placement {
            destination_mac: None,
            why: Some(refusal.to_string()),
            ..endpoint.placement.clone()
        });
        if placement == endpoint.placement {
            return;
        }
        log::info!("endpoint {id} is now reached by {placement:?}");
        if let Err(refusal) = self.handle(Input::Placed(id, placement)) {
            log::warn!("endpoint {id} cannot follow its next hop yet: {refusal}");
            if matches!(refusal.kind, RefusalKind::Full | RefusalKind::Failed) {
                self.following.postpone(id);
            }
        }
    }
}
