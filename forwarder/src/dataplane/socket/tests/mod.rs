//! The worker over loopback: a publisher, subscribers and the forwarder are sockets of this process.

mod failures;
mod fanout;
mod hostile;
mod marks;
mod membership;
mod punt;
mod rig;
