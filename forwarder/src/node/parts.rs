//! What the node needs from the system, behind small traits, so that it runs in tests without any of it.

use std::{fmt, future::Future, io, net::SocketAddr, pin::Pin, sync::Arc};

use std::net::IpAddr;

use crate::core::{Core, ops::Tables, placement::Placement, refusal::Refusal};

/// A future behind a trait object.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that may give endpoints another placement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Anything: ask again for every endpoint.
    All,
    /// An interface came, went or changed: ask again for those that leave by it.
    Interface(u32),
    /// A neighbour was resolved, changed or lost.
    Neighbour {
        /// Interface index.
        interface: u32,
        /// Its IP address.
        address: IpAddr,
    },
}

/// Finds out how endpoints are reached.
pub trait Placer: Send + Sync {
    /// How packets get from `local` to `remote`.
    ///
    /// Where the two are fine but the next hop is not known yet, the placement has no destination MAC.
    fn place(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
        vlan: Option<u16>,
    ) -> Answer<'_, Result<Placement, Refusal>>;

    /// MAC of the interface that owns a local address: what frames to it carry. `None` for addresses of loopback, and where
    /// no interface has it.
    fn local_mac(&self, local: IpAddr) -> Option<[u8; 6]>;

    /// Waits for changes. Cancel safe. `None` when there will be none any more.
    fn changed(&self) -> Answer<'_, Option<Vec<Change>>>;
}

/// The UDP sockets of local addresses.
pub trait Sockets: Send {
    /// Binds a local address to a number.
    ///
    /// # Errors
    /// As of `bind(2)`.
    fn bind(&mut self, number: u32, local: SocketAddr) -> io::Result<()>;

    /// Closes what was bound to a number.
    fn close(&mut self, number: u32);
}

/// Which path serves the node's legs by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodePath {
    /// XDP.
    Kernel,
    /// The socket worker.
    Socket,
}

impl fmt::Display for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernel => "kernel",
            Self::Socket => "socket",
        })
    }
}

/// An interface that the node sends by.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its number as an egress device.
    pub device: u32,
    /// Its name.
    pub name: String,
    /// Interface index.
    pub index: u32,
    /// Name of its driver.
    pub driver: String,
}

/// What the node was started with, for those who ask.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The path.
    pub path: NodePath,
    /// Why it is not a faster one.
    pub why: Option<String>,
    /// The interfaces, by device number.
    pub interfaces: Vec<Interface>,
}

/// All that a node is made of.
pub struct Parts {
    /// The control plane.
    pub core: Core,
    /// The tables that it writes.
    pub tables: Box<dyn Tables + Send>,
    /// The sockets of local addresses.
    pub sockets: Box<dyn Sockets>,
    /// Who knows how endpoints are reached.
    pub placer: Arc<dyn Placer>,
    /// What the node was started with.
    pub facts: Facts,
}
