//! What an offer asks and the forwarder does not have is rejected by itself (RFC 3264 §6): the browser takes the answer, and the rest
//! of the call is as it would have been.

use forwarder_tests::browsers::{Browser, Candidates, Kind, Media, Peer, Report};
use serde_json::json;

use crate::Scenario;
use crate::room::{Member, Room, Way};
use crate::stage::{LONG, Stage};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[("beside_a_call", beside_a_call)];

const OPEN: bool = true;
const REJECTED: bool = false;

/// Chromium and Firefox ask for a channel of data and for sound by a codec that is not carried, behind what they publish and before what
/// they watch. Then comes one who has a track more than the room has place for.
fn beside_a_call(stage: &mut Stage) {
    let room = Room::open(stage, Way::Whip, "kernel", Candidates::V4);
    let publish = |browser: &Browser, stream: u8| {
        let peer = room.peer(browser);
        let media = Media::small(stream).with_codec("VP8");
        peer.publish(&media).unwrap();
        peer.ask_for_more().unwrap();
        let publisher = room.publish_by(peer, &Media::default());
        let lines = [
            ("audio", OPEN),
            ("video", OPEN),
            ("audio", REJECTED),
            ("application", REJECTED),
        ];
        assert_lines(&publisher.peer, &lines);
        publisher
    };
    let watch = |browser: &Browser, of: &Member| {
        let peer = room.peer(browser);
        peer.ask_for_more().unwrap();
        let watcher = room.watch_id(peer, &of.id, None);
        let lines = [
            // The first has the transport of the bundle, and stays for that (RFC 9143 §7.3): nothing comes on it.
            ("audio", OPEN),
            ("audio", OPEN),
            ("video", OPEN),
            ("application", REJECTED),
        ];
        assert_lines(&watcher.peer, &lines);
        watcher
    };
    let ours = publish(&stage.publisher, 33);
    let firefox = publish(&stage.firefox, Stage::FIREFOX_STREAM);
    room.assert_flows(33, &[&watch(&stage.firefox, &ours)]);
    let by_chromium = watch(&stage.chromium, &firefox);
    room.assert_flows(Stage::FIREFOX_STREAM, &[&by_chromium]);

    let body = json!({ "max_tracks": 5 }).to_string();
    let reply = room.api.request("PUT", "/v0/rooms/hall", Some(&body));
    assert!(reply.unwrap().status < 300);
    let last = room.publish(&stage.local, &Media::small(34));
    assert_lines(&last.peer, &[("audio", OPEN), ("video", REJECTED)]);
    let hearer = room.watch(&stage.chromium, &last, None);
    let hears = |report: &Report| report.hears(34);
    hearer.peer.wait_for("the tone", LONG, hears).unwrap();
    // Nobody who was there before is worse off.
    room.assert_flows(Stage::FIREFOX_STREAM, &[&by_chromium]);
}

/// The answer has these m-lines, in the order of the offer. Of a channel of data that was asked for nothing comes: Chromium closes it,
/// Firefox leaves it `connecting` for good.
fn assert_lines(peer: &Peer, expected: &[(&str, bool)]) {
    let lines = peer.lines().unwrap();
    let lines: Vec<_> = lines.iter().map(|(kind, open)| (&**kind, *open)).collect();
    let browser = peer.browser();
    assert_eq!(lines, expected, "{}", browser.name());
    if expected.contains(&("application", REJECTED)) {
        let state = match browser.kind() {
            Kind::Chromium => "closed",
            Kind::Firefox => "connecting",
        };
        let is_so = |report: &Report| report.channel.as_deref() == Some(state);
        peer.wait_for(state, LONG, is_so).unwrap();
    }
}
