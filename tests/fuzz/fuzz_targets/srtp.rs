//! Suite, header length and index, and a packet.
#![no_main]

#[path = "../../src/fuzzing_srtp.rs"]
#[allow(dead_code)]
mod fuzzing_srtp;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzing_srtp::srtp(data));
