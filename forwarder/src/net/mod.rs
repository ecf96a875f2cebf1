//! Next hops, taken from the kernel's own tables and followed live.
//!
//! XDP sends frames by itself, so it must know what the kernel knows: which device a packet leaves by, which MAC addresses and
//! VLAN tag it carries, how large it may be. All of that is asked from the kernel over rtnetlink, never configured twice:
//!
//! - a route is looked up with `RTM_GETROUTE` (remote and local address), so that policy rules, source routes, gateways and
//!   multipath give the answer that they would give to a socket;
//! - links, addresses and neighbours are held as a copy ([`table`]) that multicast notifications keep current (`follow`);
//! - what follows from the two is decided in one pure function ([`hop::pick`]).
//!
//! The answer to a query is remembered until a notification touches it, so resolving thousands of endpoints again after a
//! neighbour changed costs no system call.
//!
//! | file | holds |
//! | --- | --- |
//! | `hop` | [`Query`], [`NextHop`], [`Unreachable`], and the pure choice |
//! | `facts` | what is known about links, routes and neighbours |
//! | `parse` | netlink messages to facts |
//! | `table` | the copy of the kernel's tables, and what a notification changes in it |
//! | `kernel` | the netlink sockets: dumps, route lookups, probes |
//! | `follow` | the task that keeps the copy current; [`Changes`] |
//! | `resolver` | [`Resolver`], which the rest of the forwarder uses |
//! | `fresh` | [`keep_fresh`]: neighbours that only XDP uses must be kept alive by hand |

pub mod facts;
mod follow;
mod fresh;
pub mod hop;
mod kernel;
mod parse;
mod resolver;
pub mod table;

pub use facts::{Link, LinkKind, Neighbour};
pub use follow::{Change, Changes};
pub use fresh::{PROBE_INTERVAL, RETRY_INTERVAL, keep_fresh};
pub use hop::{NextHop, Query, SocketOnly, Unreachable};
pub use kernel::ProbeError;
pub use resolver::Resolver;
