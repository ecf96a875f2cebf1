//! The wrapper against `dimpl` itself as the peer, in virtual time over a network that loses and repeats; on hellos of browsers; and
//! against what no peer sends.

mod handshake;
mod hello;
mod hostile;
mod profiles;
mod rig;
