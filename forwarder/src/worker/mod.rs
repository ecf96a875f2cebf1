//! The threads that open and seal: what they are told, what they tell, and what they count.
//!
//! A worker owns the SRTP state of the sessions that were given to it, and the send state of the legs of their tracks. Nobody else reads
//! or writes it: commands go in and notes come out through rings, counters are words with one writer.
//!
//! | file | holds |
//! | --- | --- |
//! | [`command`], [`note`], [`counters`] | the seam to control |
//! | [`pool`] | all workers of a node |
//! | `thread` | the loop: XDP's ring, sockets, TCP connections, commands |
//! | [`state`] | what a worker knows, and what it does with a packet |
//! | `inbound` | opening: whose packet it is |
//! | `track`, `forward` | tracks and legs; replicas of a packet |
//! | [`outlets`] | ways out: `slots` (XDP) with `payload_sum`, sockets, `tcp`, `relay` (to another worker's TCP) |
//! | [`send_state`] | what keys were used for, outside of the process |
//! | `history` | what was sent lately, for retransmissions |

pub mod command;
pub mod counters;
mod forward;
pub mod history;
mod inbound;
pub mod note;
pub mod outlets;
mod payload_sum;
pub mod pool;
pub mod receive_state;
mod relay;
pub mod send_state;
mod slots;
mod sockets;
pub mod state;
pub mod tally;
pub mod tcp;
pub mod telling;
mod thread;
mod track;

#[cfg(test)]
mod allocations;
#[cfg(test)]
mod far_end;
#[cfg(test)]
mod reference_tests;
#[cfg(test)]
mod slot_tests;

pub use pool::{Options, Workers};
