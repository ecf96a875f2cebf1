//! [`Resolver`]: answers queries from the copy of the kernel's tables, and asks the kernel where the copy does not know.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;

use super::facts::{Link, Neighbour};
use super::follow::{Changes, Outbox, Shared, follow};
use super::hop::{NextHop, Query, Unreachable};
use super::kernel::{Kernel, ProbeError};
use super::table::{Answer, Table};

/// Finds next hops. Cheap to clone; the sockets close with the last clone.
#[derive(Debug, Clone)]
pub struct Resolver {
    shared: Arc<Shared>,
}

impl Resolver {
    /// Opens netlink sockets in the network namespace of the calling thread, copies the tables and follows them from then on.
    /// Needs no privilege, and a tokio runtime.
    ///
    /// # Errors
    /// When netlink sockets cannot be opened or the kernel does not dump its tables.
    pub async fn new() -> anyhow::Result<(Self, Changes)> {
        let (kernel, notifications) = Kernel::open().context("netlink sockets cannot be opened")?;
        let mut table = Table::default();
        table.replace(kernel.dump().await?, &mut BTreeSet::new());
        let outbox = Arc::new(Outbox::default());
        let shared = Arc::new(Shared {
            kernel,
            table: Mutex::new(table),
            outbox: Arc::clone(&outbox),
        });
        let changes = outbox.reader();
        tokio::spawn(follow(Arc::downgrade(&shared), outbox, notifications));
        Ok((Self { shared }, changes))
    }

    /// Finds the next hop for `query`. Where the kernel has not resolved the neighbour yet, it is asked to, and a
    /// [`Change::Neighbour`](super::Change) follows when it has.
    ///
    /// A query that was asked before and that no change touched since costs no system call.
    ///
    /// # Errors
    /// When no packet can be sent: the reason, and what to do.
    pub async fn resolve(&self, query: Query) -> Result<NextHop, Unreachable> {
        let query = self.settle(query)?;
        let remembered = self.shared.table().remembered(&query);
        let answer = match remembered {
            Some(answer) => answer,
            None => self.ask(query).await,
        };
        let hop = self.shared.table().hop(&query, &answer?)?;
        if let (None, Some(neighbour)) = (hop.destination_mac, hop.neighbour) {
            // Without the privilege only the socket path runs, and its packets resolve the neighbour by themselves.
            if let Err(error) = self.probe(neighbour).await {
                log::debug!("{neighbour:?}: {error}");
            }
        }
        Ok(hop)
    }

    /// Asks the kernel to resolve a neighbour or to check that it is still there. Entries set by hand are left alone.
    ///
    /// # Errors
    /// When the process lacks `CAP_NET_ADMIN` or the device is gone.
    pub async fn probe(&self, neighbour: Neighbour) -> Result<(), ProbeError> {
        let pinned = self
            .shared
            .table()
            .neighbour(&neighbour)
            .is_some_and(|known| known.fixed);
        if pinned {
            Ok(())
        } else {
            self.shared.kernel.probe(neighbour).await
        }
    }

    /// Whether the neighbour's MAC address is known.
    #[must_use]
    pub fn is_resolved(&self, neighbour: &Neighbour) -> bool {
        self.shared.table().neighbour(neighbour).is_some()
    }

    /// The addresses of this host, each with the interface indices that it is on.
    #[must_use]
    pub fn local_addresses(&self) -> Vec<(IpAddr, Vec<u32>)> {
        self.shared
            .table()
            .addresses()
            .iter()
            .map(|(a, devices)| (*a, devices.iter().copied().collect()))
            .collect()
    }

    /// The link with this interface index.
    #[must_use]
    pub fn link(&self, device: u32) -> Option<Link> {
        self.shared.table().links().get(&device).cloned()
    }

    /// The link with this name.
    #[must_use]
    pub fn link_by_name(&self, name: &str) -> Option<Link> {
        self.shared
            .table()
            .links()
            .values()
            .find(|link| link.name == name)
            .cloned()
    }

    /// All links, by interface index.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        let mut links: Vec<Link> = self.shared.table().links().values().cloned().collect();
        links.sort_by_key(|link| link.index);
        links
    }

    /// Checks a query and settles the device of link-local addresses.
    fn settle(&self, query: Query) -> Result<Query, Unreachable> {
        // An IPv4 address written as IPv6 (::ffff:10.0.0.1) means the same.
        let mut query = Query {
            remote: query.remote.to_canonical(),
            local: query.local.to_canonical(),
            ..query
        };
        if query.local.is_ipv4() != query.remote.is_ipv4() {
            return Err(Unreachable::FamilyMismatch(query));
        }
        if query.remote.is_unspecified() || query.remote.is_multicast() {
            return Err(Unreachable::NotUnicast(query.remote));
        }
        if is_link_local(query.remote) && query.device.is_none() {
            let mut table = self.shared.table();
            let mut devices = table.addresses().get(&query.local).into_iter().flatten();
            match (devices.next(), devices.next()) {
                (Some(only), None) if is_link_local(query.local) => query.device = Some(*only),
                _ => {
                    // Remembered so that the address, when it comes, is announced to whoever asked.
                    return remember(
                        &mut table,
                        query,
                        &self.shared.outbox,
                        Unreachable::ScopeMissing(query.remote),
                    );
                }
            }
        }
        Ok(query)
    }

    async fn ask(&self, query: Query) -> Answer {
        let mut changes = BTreeSet::new();
        let ticket = self.shared.table().begin(query, &mut changes);
        self.shared.outbox.tell(changes);
        let answer = self.look_up(&query).await;
        let mut table = self.shared.table();
        if matches!(answer, Err(Unreachable::Kernel(_))) {
            table.abandon(query, &ticket);
        } else {
            table.finish(query, ticket, answer.clone());
        }
        answer
    }

    async fn look_up(&self, query: &Query) -> Answer {
        let known = query.local.is_unspecified()
            || self.shared.table().addresses().contains_key(&query.local);
        // IPv6 looks a route up from any source address, and IPv4 refuses foreign ones as if there were no route.
        if !known && !self.shared.kernel.is_local(query.local).await {
            return Err(Unreachable::NotLocal(query.local));
        }
        self.shared.kernel.look_up(query).await
    }
}

fn remember(
    table: &mut Table,
    query: Query,
    outbox: &Outbox,
    why: Unreachable,
) -> Result<Query, Unreachable> {
    let mut changes = BTreeSet::new();
    let ticket = table.begin(query, &mut changes);
    table.finish(query, ticket, Err(why.clone()));
    outbox.tell(changes);
    Err(why)
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}
