//! The task that keeps the copy of the kernel's tables current, and the changes that it tells.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::StreamExt as _;
use netlink_packet_core::NetlinkPayload;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::kernel::{Kernel, Notifications};
use super::parse;
use super::table::Table;

/// Route notifications come in bursts (a link that comes up, a routing daemon): they are told once, this long after the first.
pub const ROUTES_DELAY: Duration = Duration::from_millis(50);

/// Under steady route churn, everyone asks again at most this often.
pub const ROUTES_PAUSE: Duration = Duration::from_millis(500);

/// Pause before a failed dump is tried again.
const DUMP_RETRY: Duration = Duration::from_millis(100);

/// Something that may give an endpoint another next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// Routes, rules or addresses changed, or notifications were lost: resolve every endpoint again.
    Routes,
    /// A link came, went, or changed its state, MAC address or MTU: resolve the endpoints again whose hop has it as `device` or
    /// in `neighbour`.
    Link {
        /// Interface index.
        device: u32,
    },
    /// A neighbour got, changed or lost its MAC address: resolve the endpoints again whose hop has this `neighbour`.
    Neighbour {
        /// Interface index.
        device: u32,
        /// The neighbour's IP address.
        address: IpAddr,
    },
}

/// Changes as they come, each told once however often it happened since the last look: it never grows beyond what differs.
#[derive(Debug)]
pub struct Changes {
    outbox: Arc<Outbox>,
}

impl Changes {
    /// Waits for changes; `None` when the resolver is gone or its netlink connection broke. Cancel safe.
    pub async fn next(&mut self) -> Option<BTreeSet<Change>> {
        loop {
            let (changes, closed) = self.outbox.take();
            if !changes.is_empty() {
                return Some(changes);
            }
            if closed {
                return None;
            }
            // A permit is kept if changes arrive between the look and this line.
            self.outbox.arrived.notified().await;
        }
    }
}

/// Where changes wait for the one who reads them.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Mutex<(BTreeSet<Change>, bool)>,
    arrived: Notify,
}

impl Outbox {
    pub fn reader(self: &Arc<Self>) -> Changes {
        Changes {
            outbox: Arc::clone(self),
        }
    }

    pub fn tell(&self, changes: BTreeSet<Change>) {
        if !changes.is_empty() {
            lock(&self.waiting).0.extend(changes);
            self.arrived.notify_one();
        }
    }

    pub fn close(&self) {
        lock(&self.waiting).1 = true;
        self.arrived.notify_one();
    }

    fn take(&self) -> (BTreeSet<Change>, bool) {
        let mut waiting = lock(&self.waiting);
        (std::mem::take(&mut waiting.0), waiting.1)
    }
}

/// What the resolver and the following task share.
#[derive(Debug)]
pub struct Shared {
    pub kernel: Kernel,
    pub table: Mutex<Table>,
    pub outbox: Arc<Outbox>,
}

impl Shared {
    pub fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.outbox.close();
    }
}

/// A panic elsewhere leaves these tables whole: each update is complete before the lock is given up.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes in notifications until the connection ends or the resolver is dropped.
pub async fn follow(shared: Weak<Shared>, outbox: Arc<Outbox>, mut notifications: Notifications) {
    let mut routes_due: Option<Instant> = None;
    let mut routes_told: Option<Instant> = None;
    loop {
        // Polled in both cases; the far future stands for "nothing due".
        let due = routes_due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        let mut changes = BTreeSet::new();
        tokio::select! {
            () = tokio::time::sleep_until(due) => {
                if routes_due.take().is_some() {
                    routes_told = Some(Instant::now());
                    outbox.tell(BTreeSet::from([Change::Routes]));
                }
                continue;
            }
            message = notifications.next() => {
                let (Some((message, _)), Some(shared)) = (message, shared.upgrade()) else { break };
                match message.payload {
                    NetlinkPayload::InnerMessage(inner) => {
                        if let Some(fact) = parse::fact(&inner) {
                            shared.table().apply(fact, &mut changes);
                        }
                    }
                    NetlinkPayload::Overrun(_) => start_over(&shared, &mut notifications, &mut changes).await,
                    _ => {}
                }
            }
        }
        if changes.remove(&Change::Routes) && routes_due.is_none() {
            let now = Instant::now();
            let earliest = routes_told.map_or(now, |told| told + ROUTES_PAUSE);
            routes_due = Some(earliest.max(now + ROUTES_DELAY));
        }
        outbox.tell(changes);
    }
    outbox.close();
}

/// Notifications were lost: takes a fresh dump instead.
///
/// The error is reported ahead of notifications that were queued before it, and applying those on top of the dump would bring old
/// times back: they are thrown away first. What comes afterwards is complete and in order.
async fn start_over(
    shared: &Shared,
    notifications: &mut Notifications,
    changes: &mut BTreeSet<Change>,
) {
    loop {
        shared.kernel.catch_up().await;
        while notifications.try_recv().is_ok() {}
        match shared.kernel.dump().await {
            Ok(facts) => {
                log::info!(
                    "netlink notifications were lost; links, addresses and neighbours were read anew"
                );
                return shared.table().replace(facts, changes);
            }
            Err(error) => {
                log::warn!(
                    "netlink notifications were lost, and reading the tables anew failed: {error:#}; trying again"
                );
                tokio::time::sleep(DUMP_RETRY).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn changes_are_merged_and_end() {
        let outbox = Arc::new(Outbox::default());
        let mut changes = outbox.reader();
        let link = Change::Link { device: 3 };
        outbox.tell(BTreeSet::from([link]));
        outbox.tell(BTreeSet::from([link, Change::Routes]));
        outbox.close();
        assert_eq!(
            changes.next().await,
            Some(BTreeSet::from([Change::Routes, link]))
        );
        assert_eq!(changes.next().await, None);
        assert_eq!(changes.next().await, None);
    }
}
