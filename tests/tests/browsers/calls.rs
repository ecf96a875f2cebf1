//! Browsers through the forwarder by WHIP and WHEP, as a page does it: over XDP, over sockets, over TCP, over IPv4 and IPv6.

use std::time::Instant;

use forwarder_tests::browsers::{Browser, Candidates, Kind, Media};

use crate::Scenario;
use crate::room::{Room, Way};
use crate::stage::{LONG, Stage};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    ("kernel_v4", |stage| call(stage, "kernel", Candidates::V4)),
    ("kernel_v6", |stage| call(stage, "kernel", Candidates::V6)),
    ("socket_v4", |stage| call(stage, "socket", Candidates::V4)),
    ("over_tcp", |stage| call(stage, "kernel", Candidates::Tcp)),
    ("every_codec", every_codec),
    ("redundant_sound", redundant_sound),
    ("restarted", restarted),
    ("late_and_leaving", late_and_leaving),
];

/// Chromium is seen and heard by Chromium and Firefox.
fn call(stage: &mut Stage, path: &'static str, candidates: Candidates) {
    let room = Room::open(stage, Way::Whip, path, candidates);
    let publisher = room.publish(&stage.publisher, &Media::hd(5).with_codec("VP8"));
    let all =
        [&stage.chromium, &stage.firefox].map(|browser| room.watch(browser, &publisher, None));
    room.assert_flows(5, &[&all[0], &all[1]]);
    let ahead = all[0].peer.wait_for_sync(LONG).unwrap();
    println!("the picture is {ahead:.0} ms ahead of the sound");
}

/// Every codec that Chromium and Firefox send, to each that takes it.
fn every_codec(stage: &mut Stage) {
    let room = Room::open(stage, Way::Whip, "kernel", Candidates::V4);
    let mut sent = Vec::new();
    for (publisher, stream) in [
        (&stage.publisher, 10),
        (&stage.firefox, Stage::FIREFOX_STREAM),
    ] {
        let sends = publisher.codecs().unwrap().sends;
        for codec in CODECS.iter().filter(|codec| has(&sends, codec)) {
            one_codec(&room, stage, publisher, &Media::small(stream), codec);
            sent.push((publisher.kind(), *codec));
        }
    }
    // Debian's Firefox lacks H.264 alone.
    for (kind, codecs) in [(Kind::Chromium, &CODECS[..]), (Kind::Firefox, &CODECS[1..])] {
        for codec in codecs {
            assert!(
                sent.contains(&(kind, codec)),
                "{codec} of {kind:?}: {sent:?}"
            );
        }
    }
}

const CODECS: [&str; 4] = ["H264", "VP8", "VP9", "AV1"];

fn has(codecs: &[String], wanted: &str) -> bool {
    codecs.iter().any(|codec| codec == wanted)
}

/// Sound by RED reaches Chromium as it is, and Firefox, which has no RED, as the Opus that is in it.
fn redundant_sound(stage: &mut Stage) {
    let room = Room::open(stage, Way::Whip, "kernel", Candidates::V4);
    let media = Media::small(15).with_codec("VP8").redundant();
    let publisher = room.publish(&stage.publisher, &media);
    let watchers =
        [&stage.chromium, &stage.firefox].map(|browser| room.watch(browser, &publisher, None));
    room.assert_flows(15, &[&watchers[0], &watchers[1]]);
    // Both name what they decode, which is Opus. What tells is how much comes with each packet: with RED it comes twice.
    let [whole, unpacked] = watchers.map(|watcher| {
        let stats = watcher.peer.stats().unwrap();
        let number = |field| stats.inbound("audio", field).as_f64().unwrap();
        number("bytesReceived") / number("packetsReceived")
    });
    println!("bytes of a packet: {whole:.0} with RED, {unpacked:.0} without");
    assert!(whole > 1.4 * unpacked, "{whole} {unpacked}");
}

fn one_codec(room: &Room, stage: &Stage, from: &Browser, media: &Media, codec: &str) {
    let publisher = room.publish(from, &media.clone().with_codec(codec));
    let takers = [&stage.chromium, &stage.firefox].into_iter();
    let members: Vec<_> = takers
        .filter(|browser| has(&browser.codecs().unwrap().takes, codec))
        .map(|browser| room.watch(browser, &publisher, Some(codec)))
        .collect();
    assert_eq!(members.len(), if codec == "H264" { 1 } else { 2 });
    let stream = media.picture.unwrap().stream;
    for quality in room.assert_flows(stream, &members.iter().collect::<Vec<_>>()) {
        assert_eq!(quality.codec, format!("video/{codec}"));
    }
    for member in members.into_iter().chain([publisher]) {
        member.peer.close().unwrap();
    }
}

/// A restart of ICE by PATCH, of the publisher and of each who watches, interrupts nothing.
fn restarted(stage: &mut Stage) {
    let room = Room::open(stage, Way::Whip, "kernel", Candidates::V4);
    let ours = room.publish(&stage.publisher, &Media::small(12));
    let firefox = room.publish(&stage.firefox, &Media::small(Stage::FIREFOX_STREAM));
    let by_firefox = room.watch(&stage.firefox, &ours, None);
    let by_chromium = room.watch(&stage.chromium, &firefox, None);
    let all = || {
        room.assert_flows(12, &[&by_firefox]);
        room.assert_flows(Stage::FIREFOX_STREAM, &[&by_chromium]);
    };
    all();
    for member in [&ours, &firefox, &by_firefox, &by_chromium] {
        room.restart(member);
        all();
    }
}

/// Who comes late sees something at once; who leaves is gone, and disturbs nobody.
fn late_and_leaving(stage: &mut Stage) {
    let room = Room::open(stage, Way::Whip, "kernel", Candidates::V4);
    let publisher = room.publish(&stage.publisher, &Media::small(13));
    let early = room.watch(&stage.firefox, &publisher, None);
    room.assert_flows(13, &[&early]);

    let start = Instant::now();
    let late = room.watch(&stage.chromium, &publisher, None);
    let sees = |report: &forwarder_tests::browsers::Report| report.picture(13).is_some();
    late.peer.wait_for("a picture", LONG, sees).unwrap();
    println!("the late one sees something after {:?}", start.elapsed());
    room.assert_flows(13, &[&early, &late]);

    late.peer.leave(room.token.as_deref()).unwrap();
    assert!(!room.sessions().contains(&late.id));
    room.assert_flows(13, &[&early]);
}
