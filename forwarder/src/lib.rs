//! The forwarder: control plane, control API, data plane, and the shell around them.

pub mod api;
pub mod args;
pub mod config;
pub mod core;
pub mod dataplane;
pub mod doctor;
pub mod feedback;
pub mod jsep;
pub mod media;
pub mod net;
pub mod node;
pub mod page;
pub mod prefetch;
pub mod rooms;
pub mod sdp;
pub mod sessions;
mod shell;
pub mod srtp;
pub mod transport;
pub mod worker;

pub use shell::{examine, made_key, run, stop};
