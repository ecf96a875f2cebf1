//! Where endpoints are: next hops from the kernel's tables, as placements on our devices.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use forwarder_common::tables::DEVICE_SOCKET;
use tokio::sync::Mutex as AsyncMutex;

use crate::{
    core::{
        placement::{NeighbourKey, Placement},
        refusal::Refusal,
    },
    net::{Change, Changes, Neighbour, NextHop, Query, Resolver, Unreachable},
    node::{
        NodeHandle,
        parts::{self, Answer, Placer},
    },
};

/// How often the neighbours in use are read from the node.
const IN_USE_INTERVAL: Duration = Duration::from_secs(3);

/// Places endpoints by the kernel's tables.
pub struct KernelPlacer {
    resolver: Resolver,
    changes: AsyncMutex<Changes>,
    /// Interface indices, by device number.
    devices: Vec<u32>,
    /// Why no leg is on the kernel path, where none is.
    why: Option<String>,
}

impl KernelPlacer {
    /// A placer for these devices.
    #[must_use]
    pub fn new(
        resolver: Resolver,
        changes: Changes,
        devices: Vec<u32>,
        why: Option<String>,
    ) -> Self {
        Self {
            resolver,
            changes: AsyncMutex::new(changes),
            devices,
            why,
        }
    }

    /// Keeps the neighbours of the node's endpoints known: XDP traffic does not refresh them.
    pub async fn keep_fresh(&self, node: NodeHandle) {
        let in_use = Arc::new(Mutex::new(BTreeSet::new()));
        let wanted = Arc::clone(&in_use);
        let reading = async {
            while let Ok(neighbours) = node.call(|node| neighbours(node.core())).await {
                *in_use.lock().unwrap_or_else(PoisonError::into_inner) = neighbours;
                tokio::time::sleep(IN_USE_INTERVAL).await;
            }
        };
        let probing = crate::net::keep_fresh(self.resolver.clone(), move || {
            wanted
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        });
        tokio::select! {
            () = reading => {}
            () = probing => {}
        }
    }

    async fn place_endpoint(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
        vlan: Option<u16>,
    ) -> Result<Placement, Refusal> {
        let hop = self
            .resolver
            .resolve(Query::between(local, remote))
            .await
            .map_err(|error| refuse(local, remote, &error))?;
        let (device, why) = self.device(&hop);
        if let Some(vlan) = vlan.filter(|_| device == DEVICE_SOCKET) {
            let why = why.unwrap_or_default();
            return Err(Refusal::conflict(
                "vlan",
                vlan,
                format!(
                    "no vlan on the socket path, where the system's VLAN devices tag frames; it is the path because {why}"
                ),
            ));
        }
        let unresolved = hop.destination_mac.is_none() && device != DEVICE_SOCKET;
        let waiting = || match hop.neighbour {
            Some(neighbour) => format!("the neighbour {} is not resolved", neighbour.address),
            None => "the next hop is not resolved".to_owned(),
        };
        Ok(Placement {
            device,
            local_mac: self.local_mac(local.ip()).unwrap_or(hop.source_mac),
            source_mac: hop.source_mac,
            destination_mac: hop.destination_mac,
            vlan: vlan.or(hop.vlan),
            mtu: hop.mtu,
            why: why.or_else(|| unresolved.then(waiting)),
            neighbour: hop.neighbour.map(|neighbour| NeighbourKey {
                interface: neighbour.device,
                address: neighbour.address,
            }),
            interface: hop.device,
        })
    }

    /// The device that serves a hop, or the sockets and why.
    fn device(&self, hop: &NextHop) -> (u32, Option<String>) {
        if let Some(why) = &self.why {
            return (DEVICE_SOCKET, Some(why.clone()));
        }
        if let Some(socket_only) = hop.socket_only {
            return (DEVICE_SOCKET, Some(socket_only.to_string()));
        }
        match (0..)
            .zip(&self.devices)
            .find(|(_, index)| **index == hop.device)
        {
            Some((number, _)) => (number, None),
            None => (
                DEVICE_SOCKET,
                Some(format!(
                    "the route leaves by {name}, which the forwarder was not given: add --iface {name}",
                    name = hop.device_name
                )),
            ),
        }
    }
}

impl Placer for KernelPlacer {
    fn place(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
        vlan: Option<u16>,
    ) -> Answer<'_, Result<Placement, Refusal>> {
        Box::pin(self.place_endpoint(local, remote, vlan))
    }

    fn local_mac(&self, local: IpAddr) -> Option<[u8; 6]> {
        let owners = self
            .resolver
            .local_addresses()
            .into_iter()
            .find(|(address, _)| *address == local)?
            .1;
        owners
            .iter()
            .find_map(|index| self.resolver.link(*index)?.mac)
    }

    fn changed(&self) -> Answer<'_, Option<Vec<parts::Change>>> {
        Box::pin(async {
            let changes = self.changes.lock().await.next().await?;
            Some(
                changes
                    .into_iter()
                    .map(|change| match change {
                        Change::Routes => parts::Change::All,
                        Change::Link { device } => parts::Change::Interface(device),
                        Change::Neighbour { device, address } => parts::Change::Neighbour {
                            interface: device,
                            address,
                        },
                    })
                    .collect(),
            )
        })
    }
}

/// The neighbours that XDP sends to.
fn neighbours(core: &crate::core::Core) -> BTreeSet<Neighbour> {
    let endpoints = core.endpoints().map(|(_, endpoint)| &endpoint.placement);
    let pairs = core.pairs().map(|(_, pair)| &pair.placement);
    endpoints
        .chain(pairs)
        .filter(|placement| !placement.on_socket())
        .filter_map(|placement| placement.neighbour)
        .map(|neighbour| Neighbour {
            device: neighbour.interface,
            address: neighbour.address,
        })
        .collect()
}

/// Names the address at fault.
fn refuse(local: SocketAddr, remote: SocketAddr, error: &Unreachable) -> Refusal {
    match error {
        Unreachable::NotLocal(_) => Refusal::invalid("local", local, error.to_string()),
        Unreachable::Kernel(_) => Refusal::failed("remote", remote, error.to_string()),
        _ => Refusal::invalid("remote", remote, error.to_string()),
    }
}
