//! The forwarder library.

pub mod core;
