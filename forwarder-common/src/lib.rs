//! The rules of the data plane, written once: XDP, the socket worker and the tests call the same functions.
//!
//! `no_std`, no allocation, no dependency, no panic. What differs between the callers stands behind two traits:
//! [`packet::Packet`] (how bytes are reached) and [`ingress::Lookup`] (how tables are asked).
#![cfg_attr(not(test), no_std)]
#![deny(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used
)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used))]

pub mod checksum;
pub mod classify;
pub mod egress;
pub mod hop;
pub mod ingress;
pub mod meter;
pub mod pacer;
pub mod packet;
pub mod reason;
pub mod rewrite;
pub mod slots;
pub mod stun;
pub mod tables;
pub mod ticket;
pub mod wire;

#[cfg(feature = "user")]
mod pod;
