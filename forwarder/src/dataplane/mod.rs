//! The data plane as userspace sees it: the tables that packets are forwarded by, and the path that needs no XDP.
//!
//! [`memory`] is the flat memory that both paths read, [`lookup`] finds streams and endpoints without a lock, [`soft`]
//! applies the control plane's table operations to both without a kernel, and [`socket`] is the worker that forwards
//! from UDP sockets.

pub mod counters;
pub mod memory;
pub mod region;
