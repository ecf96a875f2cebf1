//! Peers that are no browsers, by WHIP and WHEP: aiortc, GStreamer's webrtcbin, ffmpeg's WHIP muxer, and libdatachannel as OBS
//! uses it.

use std::time::{Duration, Instant};

use anyhow::Result;
use forwarder_tests::Netns;
use forwarder_tests::browsers::{Candidates, Media, Played, Role, Script, Toolkit};

use crate::Scenario;
use crate::room::{Room, Way};
use crate::stage::{LONG, SOME, Stage};

/// How long peers stay.
const WHILE: Duration = Duration::from_secs(8);

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    ("aiortc", |stage| both_ways(stage, Toolkit::Aiortc, 21)),
    ("aiortc_h264", |stage| {
        both_ways(stage, Toolkit::AiortcH264, 24);
    }),
    ("gstreamer", |stage| {
        both_ways(stage, Toolkit::Gstreamer, 22)
    }),
    ("ffmpeg_publishes", ffmpeg_publishes),
    ("obs_publishes", |stage| {
        let room = Room::open(stage, Way::Whip, "kernel", Candidates::V4);
        h264_is_published(stage, &room, Script::obs, 26, "");
    }),
];

/// A toolkit publishes to Chromium, and plays what Chromium publishes.
fn both_ways(stage: &mut Stage, toolkit: Toolkit, stream: u8) {
    let room = Room::open(stage, Way::Whip, "kernel", Candidates::V4);
    let start = |netns, role, url: &str, time| {
        let token = room.token.as_deref();
        Script::start(netns, toolkit, role, url, token, stream, time).unwrap()
    };
    let codec = match toolkit {
        Toolkit::AiortcH264 => "H264",
        Toolkit::Aiortc | Toolkit::Gstreamer => "VP8",
    };
    let (here, there) = (&stage.lab.publisher().netns, &stage.lab.receiver().netns);

    // Until it is dropped.
    let publishing = start(here, Role::Publish, &room.whip, LONG + LONG + LONG);
    let watcher = room.watch_session(&stage.chromium, &joined(&room));
    for quality in room.assert_flows(stream, &[&watcher]) {
        assert_eq!(quality.codec, format!("video/{codec}"));
    }
    drop(publishing);

    let publisher = room.publish(&stage.publisher, &Media::small(stream).with_codec(codec));
    let playing = start(there, Role::Play, &room.whep(&publisher.id), WHILE);
    let state = match toolkit {
        // It gives the channel of data a transport of its own, for which it waits for good.
        Toolkit::AiortcH264 => "connecting",
        Toolkit::Aiortc | Toolkit::Gstreamer => "connected",
    };
    assert_played(&playing.finish().unwrap(), state, stream);
}

fn assert_played(played: &Played, state: &str, stream: u8) {
    println!("{played:?}");
    assert_eq!(played.state, state, "{played:?}");
    assert_eq!(played.stream, Some(stream), "{played:?}");
    assert!(played.read >= SOME, "{played:?}");
    // aiortc shows what it decodes after a loss; one in its own socket, which it reads too late, is nobody else's.
    let damaged = played.unreadable + played.backwards;
    assert!(damaged == 0 || played.overruns > 0, "{played:?}");
    let tone = f64::from(Media::tone_of(stream));
    assert!((played.frequency - tone).abs() < 12.0, "{played:?}");
}

/// As the README has it; and in profile High, which Chromium takes as the 4:4:4 that it offers alone of those that contain it.
fn ffmpeg_publishes(stage: &mut Stage) {
    let room = Room::open(stage, Way::Whip, "kernel", Candidates::V4);
    let high = ["-preset", "veryfast", "-profile:v", "high"];
    for (stream, more, format) in [(23, &[][..], "42"), (25, &high, "f4")] {
        let start = |netns: &Netns, url: &str, token: Option<&str>, stream, time| {
            Script::ffmpeg(netns, url, token, stream, time, more)
        };
        h264_is_published(stage, &room, start, stream, format);
    }
}

/// A program publishes to Chromium, whose payload type is that of a format that begins like this.
fn h264_is_published(
    stage: &Stage,
    room: &Room,
    start: impl Fn(&Netns, &str, Option<&str>, u8, Duration) -> Result<Script>,
    stream: u8,
    format: &str,
) {
    let (netns, token) = (&stage.lab.publisher().netns, room.token.as_deref());
    let publishing = start(netns, &room.whip, token, stream, LONG + LONG + LONG).unwrap();
    let publisher = joined(room);
    let watcher = room.watch_session(&stage.chromium, &publisher);
    // ffmpeg offers no GCM, so its own suite is another than the watcher's.
    for quality in room.assert_flows(stream, &[&watcher]) {
        assert_eq!(quality.codec, "video/H264");
    }
    let stats = watcher.peer.stats().unwrap();
    let taken = stats.format("video").unwrap();
    let profile = format!("profile-level-id={format}");
    assert!(taken.contains(&profile), "{taken}");
    drop(publishing);
    for id in [publisher, watcher.id] {
        room.api.delete(&format!("/v0/sessions/{id}")).unwrap();
    }
}

/// The id of the session that a program makes, once it is connected.
fn joined(room: &Room) -> String {
    let end = Instant::now() + LONG;
    loop {
        if let [only] = room.sessions().as_slice() {
            let view: serde_json::Value = room.api.read(&format!("/v0/sessions/{only}")).unwrap();
            if view["state"] == "connected" {
                return only.clone();
            }
        }
        assert!(Instant::now() < end, "it did not join");
        std::thread::sleep(Duration::from_millis(50));
    }
}
