//! The lite agent against the full agent of the `is` crate in virtual time, and against checks made by hand.

mod hostile;
mod nomination;
mod restart;
mod rig;
mod wire;
