//! The forwarder library.

pub mod core;
pub mod dataplane;
pub mod doctor;
pub mod net;
