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
    ("gstreamer", |stage| {
        both_ways(stage, Toolkit::Gstreamer, 22)
    }),
    ("ffmpeg_publishes", |stage| {
        h264_is_published(stage, Script::ffmpeg, 23)
    }),
    ("obs_publishes", |stage| {
        h264_is_published(stage, Script::obs, 24)
    }),
];

/// A toolkit publishes to Chromium, and plays what Chromium publishes.
fn both_ways(stage: &mut Stage, toolkit: Toolkit, stream: u8) {
    let room = Room::open(stage, Way::Whip, "kernel", Candidates::V4);
    let start = |netns, role, url: &str, time| {
        let token = room.token.as_deref();
        Script::start(netns, toolkit, role, url, token, stream, time).unwrap()
    };
    let (here, there) = (&stage.lab.publisher().netns, &stage.lab.receiver().netns);

    // Until it is dropped.
    let publishing = start(here, Role::Publish, &room.whip, LONG + LONG + LONG);
    let watcher = room.watch_session(&stage.chromium, &joined(&room));
    room.assert_flows(stream, &[&watcher]);
    drop(publishing);

    let publisher = room.publish(&stage.publisher, &Media::small(stream).with_codec("VP8"));
    let playing = start(there, Role::Play, &room.whep(&publisher.id), WHILE);
    assert_played(&playing.finish().unwrap(), stream);
}

fn assert_played(played: &Played, stream: u8) {
    println!("{played:?}");
    assert_eq!(played.state, "connected", "{played:?}");
    assert_eq!(played.stream, Some(stream), "{played:?}");
    assert!(played.read >= SOME, "{played:?}");
    // aiortc shows what it decodes after a loss; one in its own socket, which it reads too late, is nobody else's.
    let damaged = played.unreadable + played.backwards;
    assert!(damaged == 0 || played.overruns > 0, "{played:?}");
    let tone = f64::from(Media::tone_of(stream));
    assert!((played.frequency - tone).abs() < 12.0, "{played:?}");
}

/// Starts a program in a namespace, with the endpoint, a token, the number of its stream and its time.
type Start = fn(&Netns, &str, Option<&str>, u8, Duration) -> Result<Script>;

fn h264_is_published(stage: &mut Stage, start: Start, stream: u8) {
    let room = Room::open(stage, Way::Whip, "kernel", Candidates::V4);
    let (netns, token) = (&stage.lab.publisher().netns, room.token.as_deref());
    let _publishing = start(netns, &room.whip, token, stream, LONG + WHILE).unwrap();
    let watcher = room.watch_session(&stage.chromium, &joined(&room));
    // ffmpeg offers no GCM, so its own suite is another than the watcher's.
    for quality in room.assert_flows(stream, &[&watcher]) {
        assert_eq!(quality.codec, "video/H264");
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
