//! Whole calls in virtual time: the core with peers of another implementation (str0m), a network, and a plain stand-in for
//! the workers.

mod calls;
mod feedback;
mod moving;
mod peer;
mod stand_in;
mod world;
