//! The media port of sessions: its sockets and connections.

pub mod connections;
pub mod sockets;
pub mod strangers;
