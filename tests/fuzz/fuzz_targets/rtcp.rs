//! A compound RTCP packet.
#![no_main]

#[path = "../../src/fuzzing_media.rs"]
#[allow(dead_code)]
mod fuzzing_media;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzing_media::rtcp(data));
