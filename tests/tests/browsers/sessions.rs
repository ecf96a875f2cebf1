//! Browsers through the forwarder by sessions of ORTC's parameters: what a signalling service does that knows no SDP.

use forwarder_tests::browsers::{Candidates, Media};

use crate::room::{Room, Way};
use crate::stage::{LONG, Stage};
use crate::{Scenario, ortc};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[("by_parameters", by_parameters), ("restarted", restarted)];

/// Chromium is seen and heard by Chromium and Firefox.
fn by_parameters(stage: &mut Stage) {
    let room = Room::open(stage, Way::Ortc, "kernel", Candidates::V4);
    let publisher = room.publish(&stage.publisher, &Media::hd(5).with_codec("VP8"));
    let all =
        [&stage.chromium, &stage.firefox].map(|browser| room.watch(browser, &publisher, None));
    room.assert_flows(5, &[&all[0], &all[1]]);
}

/// A restart of ICE, on either side, interrupts nothing.
fn restarted(stage: &mut Stage) {
    let room = Room::open(stage, Way::Ortc, "kernel", Candidates::V4);
    let publisher = room.publish(&stage.publisher, &Media::small(13));
    let watchers =
        [&stage.chromium, &stage.firefox].map(|browser| room.watch(browser, &publisher, None));
    room.assert_flows(13, &[&watchers[0], &watchers[1]]);
    for member in [&publisher, &watchers[0], &watchers[1]] {
        let before = room.view(member)["ufrag"].clone();
        let session = member.ortc.as_ref().unwrap();
        ortc::restart(&room.api, &member.peer, session, Candidates::V4);
        for watcher in &watchers {
            watcher.peer.wait_for_stream(13, 10, LONG).unwrap();
        }
        assert_ne!(room.view(member)["ufrag"], before);
    }
    room.assert_flows(13, &[&watchers[0], &watchers[1]]);
}
