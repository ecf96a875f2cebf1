//! What Opus can besides: two channels, and next to no packets while it is silent (RFC 7587 §3.1.3, §3.4).

use std::time::{Duration, Instant};

use forwarder_tests::browsers::{Candidates, Media, Peer, Report};

use crate::Scenario;
use crate::room::{Room, Way};
use crate::stage::{LONG, Stage};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[("stereo_and_pauses", stereo_and_pauses)];

const LEFT: u8 = 41;
const RIGHT: u8 = 45;

/// What Chromium is made to say of Opus. Firefox leaves `sprop-stereo` out of its offers.
const TUNED: &str = "stereo=1;sprop-stereo=1;usedtx=1";

/// Chromium and Firefox hear a tone on each side; while there is none, hardly anything is sent; then they hear both again.
fn stereo_and_pauses(stage: &mut Stage) {
    let room = Room::open(stage, Way::Whip, "kernel", Candidates::V4);
    let peer = room.peer(&stage.publisher);
    peer.tune(TUNED).unwrap();
    let publisher = room.publish_by(peer, &Media::tiny(LEFT).with_right(RIGHT));
    assert_told(&publisher.peer, TUNED);
    let watchers = [&stage.chromium, &stage.firefox].map(|browser| {
        let peer = room.peer(browser);
        peer.tune(TUNED).unwrap();
        let watcher = room.watch_id(peer, &publisher.id, None);
        assert_told(&watcher.peer, "stereo=1;usedtx=1");
        watcher
    });
    let both = |report: &Report| report.hears_both(LEFT, RIGHT);
    for watcher in &watchers {
        watcher.peer.wait_for("both tones", LONG, both).unwrap();
    }

    // By packets of 20 ms that is 50 in a second, and one in 400 ms where nothing sounds.
    wait_for_rate(&publisher.peer, |rate| rate > 40.0);
    let lost = || watchers.each_ref().map(|it| lost_packets(&it.peer));
    let before = lost();
    publisher.peer.quiet(true).unwrap();
    wait_for_rate(&publisher.peer, |rate| rate < 10.0);
    for watcher in &watchers {
        let silent = Report::hears_nothing;
        watcher.peer.wait_for("silence", LONG, silent).unwrap();
    }
    publisher.peer.quiet(false).unwrap();
    for watcher in &watchers {
        watcher.peer.wait_for("both again", LONG, both).unwrap();
    }
    // A pause is no gap in the sequence numbers: that would be a hundred packets. A busy machine may lose a few.
    for (before, after) in before.iter().zip(lost()) {
        assert!(after - before < 25, "{before} {after}");
    }
}

fn lost_packets(peer: &Peer) -> i64 {
    let lost = peer.stats().unwrap().inbound("audio", "packetsLost");
    lost.as_i64().unwrap()
}

/// The answer says of Opus what the offer said.
fn assert_told(peer: &Peer, parameters: &str) {
    let told = peer.told().unwrap();
    let mut formats = told.lines().filter(|line| line.starts_with("a=fmtp:"));
    let is_ours = |line: &str| parameters.split(';').all(|one| line.contains(one));
    assert!(formats.any(is_ours), "{told}");
}

/// Waits until so many packets come of each second of sound, by the clock of the sound itself: that of a busy machine stands still at
/// times.
fn wait_for_rate(publisher: &Peer, is_so: impl Fn(f64) -> bool) {
    let end = Instant::now() + LONG;
    let counted = || {
        let stats = publisher.stats().unwrap();
        let packets = stats.outbound("audio", "packetsSent").as_f64();
        let seconds = stats.source("audio", "totalSamplesDuration").as_f64();
        (packets.unwrap(), seconds.unwrap())
    };
    let mut before = counted();
    loop {
        let now = counted();
        if now.1 - before.1 >= 1.0 {
            let rate = (now.0 - before.0) / (now.1 - before.1);
            println!("{rate:.1} packets of a second of sound");
            if is_so(rate) {
                return;
            }
            before = now;
        }
        assert!(Instant::now() < end, "{before:?} {now:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
