//! The sans-IO control plane: told the time and the commands, it changes [`ops::Tables`]. No tokio, no aya, no
//! socket, no clock in here.

pub mod ops;
