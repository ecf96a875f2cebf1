//! Datagrams to whoever waits for a DTLS ClientHello.
#![no_main]

#[path = "../../src/fuzzing.rs"]
#[allow(dead_code)]
mod fuzzing;
#[path = "../../src/fuzzing_transport.rs"]
#[allow(dead_code)]
mod fuzzing_transport;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzing_transport::hello(data));
