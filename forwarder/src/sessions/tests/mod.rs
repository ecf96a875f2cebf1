//! Whole calls in virtual time: the core with peers of another implementation (str0m), a network, and a plain stand-in for
//! the workers.

mod calls;
mod commands;
mod feedback;
mod moving;
pub mod parameters;
pub mod peer;
mod properties;
mod stand_in;
pub mod world;
