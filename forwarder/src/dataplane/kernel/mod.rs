//! The kernel path: loads the programs, builds what they need, attaches them, and cleans up after them.
//!
//! | file | holds |
//! | --- | --- |
//! | [`object`] | the embedded object, sized and loaded |
//! | [`namespace`] | a network namespace of our own, where the loop lives |
//! | [`loop_pair`] | the veth pair of the loop |
//! | [`ladder`] | the devmaps that clone |
//! | [`map_batch`] | their ladder, filled in one call |
//! | [`pins`] | what stays in bpffs when this process dies |
//! | [`attach`] | programs on interfaces |
//! | [`tables`] | the operations of the control plane on the maps |
//! | [`punt`] | the ring of packets for the socket worker |
//! | [`worker_port`] | what a worker of sessions shares with XDP: ring, slots, bell |
//! | [`slot_memory`] | the slots, in memory that XDP reads |
//! | [`bell`] | the tap by which a worker makes XDP send |
//! | [`self_test`] | the proof, at start, that copies come out distinct and whole |

pub mod attach;
pub mod bell;
pub mod ladder;
pub mod loop_pair;
pub mod map_batch;
pub mod namespace;
pub mod object;
pub mod pins;
pub mod punt;
pub mod self_test;
pub mod slot_memory;
pub mod start;
pub mod tables;
pub mod worker_port;

pub use start::{Device, Kernel, Options, Started, sweep};
