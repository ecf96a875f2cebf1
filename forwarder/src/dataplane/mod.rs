//! The data plane as userspace sees it: the tables that packets are forwarded by, and the path that needs no XDP.
//!
//! [`memory`] is the flat memory that both paths read, [`lookup`] finds streams and endpoints without a lock, [`shared`]
//! is both together, [`soft`] implements the control plane's table operations on it without a kernel, and [`socket`] is
//! the worker that forwards from UDP sockets.

pub mod clock;
pub mod counters;
pub mod kernel;
pub mod lookup;
pub mod memory;
pub mod region;
pub mod shared;
pub mod socket;
pub mod soft;
