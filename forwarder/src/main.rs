//! The forwarder binary.
fn main() {}
