//! H.264 in every format that Chromium sends: profiles, and packetization modes 0 and 1 (RFC 6184 §6). Firefox of Debian has none.

use forwarder_tests::browsers::{Candidates, Media};

use crate::Scenario;
use crate::control::Quality;
use crate::room::{Room, Way};
use crate::stage::{LONG, SOME, Stage};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[("every_format", every_format)];

/// The stream of the first format.
const STREAM: u8 = 50;

/// Each publisher is held to one format, all at the same time. Who watches could take any of them, and gets that one, whose payload type
/// tells its decoder so.
fn every_format(stage: &mut Stage) {
    let room = Room::open(stage, Way::Whip, "kernel", Candidates::V4);
    let formats = stage.publisher.formats("H264").unwrap();
    println!("{formats:#?}");
    for profile in ["42e01f", "42001f", "4d001f"] {
        for mode in 0..=1 {
            let is_it = |format: &String| parameters(format) == (profile, &*mode.to_string());
            assert!(formats.iter().any(is_it), "{profile} {mode}: {formats:?}");
        }
    }
    let members: Vec<_> = (STREAM..)
        .zip(&formats)
        .map(|(stream, format)| {
            let mut media = Media::tiny(stream).with_codec("H264");
            media.format = Some(format.clone());
            let publisher = room.publish(&stage.publisher, &media);
            let watcher = room.watch(&stage.chromium, &publisher, None);
            (stream, format, publisher, watcher)
        })
        .collect();
    for (stream, format, _, watcher) in &members {
        watcher.peer.wait_for_stream(*stream, SOME, LONG).unwrap();
        println!("{format}: {}", Quality::of(&watcher.peer, *stream));
        let stats = watcher.peer.stats().unwrap();
        assert_eq!(stats.codec("video"), Some("video/H264"));
        let taken = stats.format("video").unwrap();
        assert_eq!(parameters(taken), parameters(format), "{taken}");
    }
}

/// Profile and packetization mode, as they stand in `a=fmtp`.
fn parameters(format: &str) -> (&str, &str) {
    let value = |name: &str| {
        let mut all = format.split(';').filter_map(|one| one.split_once('='));
        all.find(|(key, _)| *key == name)
            .map_or("", |(_, value)| value)
    };
    (value("profile-level-id"), value("packetization-mode"))
}
