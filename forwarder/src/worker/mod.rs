//! The threads that open and seal: what they are told, what they tell, and what they count.
//!
//! A worker owns the SRTP state of the sessions that were given to it. Nobody else reads or writes it: commands go in
//! and notes come out through rings, counters are words with one writer.

pub mod command;
pub mod counters;
pub mod note;
