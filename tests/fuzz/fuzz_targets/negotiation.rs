//! A script of offers, answers and rollbacks.
#![no_main]

#[path = "../../src/fuzzing_sdp.rs"]
#[allow(dead_code)]
mod fuzzing_sdp;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzing_sdp::negotiation(data));
