//! The worker's sockets, as the node asks for them.

use std::{io, net::SocketAddr};

use crate::{dataplane::socket::Handle, node::parts::Sockets};

/// The sockets of the worker behind a handle.
pub struct WorkerSockets(pub Handle);

impl Sockets for WorkerSockets {
    fn bind(&mut self, number: u32, local: SocketAddr) -> io::Result<()> {
        self.0.bind(number, local).map(drop)
    }

    fn close(&mut self, number: u32) {
        if let Err(error) = self.0.close(number) {
            log::warn!("socket {number} was not open: {error}");
        }
    }
}
