//! The forwarder library.

pub mod dataplane;
