//! The forwarder library.

pub mod doctor;
pub mod net;
