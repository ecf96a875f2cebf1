//! The forwarder library.

pub mod core;
pub mod dataplane;
