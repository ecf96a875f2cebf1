//! The socket path: one thread that receives media at UDP sockets, and sends every subscriber its replica from them.
//!
//! It follows the rules of the XDP path, by the same functions and from the same tables: for packets that XDP does not
//! see (no privilege, no driver support, loopback), and for legs that it cannot serve, whose packets XDP hands over
//! through a [`Punt`]. Nothing is allocated, locked or logged per packet.
//!
//! `judge` says what a datagram is, `fanout` makes the replicas, `send` sends them by way of `batch`, and `worker` is the
//! thread around it.

pub(crate) mod batch;
mod bind;
pub mod destination;
mod fanout;
mod judge;
mod send;
mod sockets;
mod stash;
mod worker;

#[cfg(test)]
mod tests;

pub use batch::Inbox;
pub(crate) use bind::refuse_fragments;
pub use sockets::MAX_SOCKETS;
pub use worker::{Handle, Punt, SocketWorker};
