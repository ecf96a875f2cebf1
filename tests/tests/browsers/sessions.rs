//! Browsers through the forwarder by sessions of ORTC's parameters.

use std::time::{Duration, Instant};

use forwarder_tests::browsers::{Candidates, Media, Peer};

use crate::room::Room;
use crate::stage::{LONG, Stage};
use crate::{Scenario, ortc};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    ("kernel_v4", |stage| call(stage, "kernel", Candidates::V4)),
    ("kernel_v6", |stage| call(stage, "kernel", Candidates::V6)),
    ("socket_v4", |stage| call(stage, "socket", Candidates::V4)),
    ("over_tcp", |stage| call(stage, "kernel", Candidates::Tcp)),
    ("ramp", ramp),
    ("ramp_direct", ramp_direct),
    ("codecs", codecs),
    ("firefox_publishes", firefox_publishes),
    ("same_host_beside_far", same_host_beside_far),
    ("late_and_restarted", late_and_restarted),
];

/// Chromium is seen and heard by Chromium and Firefox.
fn call(stage: &mut Stage, path: &'static str, candidates: Candidates) {
    let room = Room::open(stage, path, candidates);
    let publisher = room.publish(&stage.publisher, &Media::hd(5).with_codec("VP8"));
    let all =
        [&stage.chromium, &stage.firefox].map(|browser| room.watch(browser, &publisher, None));
    for quality in room.assert_flows(5, &[&all[0], &all[1]]) {
        println!("{quality}");
    }
}

fn ramp(stage: &mut Stage) {
    let room = Room::open(stage, "kernel", Candidates::V4);
    let publisher = room.publish(&stage.publisher, &Media::hd(5).with_codec("VP8"));
    let watcher = room.watch(&stage.chromium, &publisher, None);
    watch_ramp(&publisher.peer, &watcher.peer);
}

fn ramp_direct(stage: &mut Stage) {
    let (sender, receiver) = (stage.publisher.peer("sender").unwrap(), stage.local.peer("receiver").unwrap());
    sender.publish(&Media::hd(7)).unwrap();
    let answer = receiver.answer(&sender.offer().unwrap()).unwrap();
    sender.accept(&answer).unwrap();
    watch_ramp(&sender, &receiver);
}

fn watch_ramp(from: &Peer, to: &Peer) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_secs(1));
        let (out, to) = (from.stats().unwrap(), to.stats().unwrap());
        println!(
            "{:4.1} s: available {} target {} {}x{}@{} limited by {} rtt {}; rtx {} freezes {} dropped {} nack {} pli {} sync {:?}",
            start.elapsed().as_secs_f32(),
            out.pair[0]["availableOutgoingBitrate"],
            out.outbound("video", "targetBitrate"),
            out.outbound("video", "frameWidth"),
            out.outbound("video", "frameHeight"),
            out.outbound("video", "framesPerSecond"),
            out.outbound("video", "qualityLimitationReason"),
            out.remote_inbound.iter().map(|r| r["roundTripTime"].to_string()).collect::<Vec<_>>().join("/"),
            out.outbound("video", "retransmittedPacketsSent"),
            to.inbound("video", "freezeCount"),
            to.inbound("video", "framesDropped"),
            out.outbound("video", "nackCount"),
            out.outbound("video", "pliCount"),
            to.inbound("video", "estimatedPlayoutTimestamp").as_f64().unwrap_or(0.) - to.inbound("audio", "estimatedPlayoutTimestamp").as_f64().unwrap_or(0.),
        );
    }
}

/// Every codec that Chromium sends, to Chromium and, where it has it, Firefox.
fn codecs(stage: &mut Stage) {
    let room = Room::open(stage, "kernel", Candidates::V4);
    for (stream, codec) in (10..).zip(["VP8", "VP9", "AV1", "H264"]) {
        let publisher = room.publish(&stage.publisher, &Media::small(stream).with_codec(codec));
        let takers = [&stage.chromium, &stage.firefox]
            .into_iter()
            .filter(|browser| browser.codecs().unwrap().takes.iter().any(|name| name == codec));
        let members: Vec<_> = takers.map(|browser| room.watch(browser, &publisher, Some(codec))).collect();
        for quality in room.assert_flows(stream, &members.iter().collect::<Vec<_>>()) {
            println!("{quality}");
            assert_eq!(quality.codec, format!("video/{codec}"));
        }
    }
}

fn firefox_publishes(stage: &mut Stage) {
    let room = Room::open(stage, "kernel", Candidates::V4);
    let publisher = room.publish(&stage.firefox, &Media::hd(7));
    let all = [&stage.publisher, &stage.firefox].map(|browser| room.watch(browser, &publisher, None));
    for quality in room.assert_flows(7, &[&all[0], &all[1]]) {
        println!("{quality}");
    }
}

/// The socket path serves who is on the forwarder's own host, XDP the others, in one room.
fn same_host_beside_far(stage: &mut Stage) {
    let room = Room::open(stage, "kernel", Candidates::V4);
    let far = room.publish(&stage.publisher, &Media::small(11));
    let near = room.publish(&stage.local, &Media::small(12));
    let watchers = [&stage.local, &stage.chromium];
    let seeing_far = watchers.map(|browser| room.watch(browser, &far, None));
    let seeing_near = watchers.map(|browser| room.watch(browser, &near, None));
    for (stream, members) in [(11, &seeing_far), (12, &seeing_near)] {
        for (member, path) in members.iter().zip(["socket", "sealed"]) {
            member.peer.wait_for_stream(stream, 10, LONG).unwrap();
            room.assert_path(member, path);
        }
    }
}

/// Who comes late sees something at once, and a restart of ICE on either side interrupts nothing.
fn late_and_restarted(stage: &mut Stage) {
    let room = Room::open(stage, "kernel", Candidates::V4);
    let publisher = room.publish(&stage.publisher, &Media::small(13));
    let early = room.watch(&stage.firefox, &publisher, None);
    room.assert_flows(13, &[&early]);
    let start = Instant::now();
    let late = room.watch(&stage.chromium, &publisher, None);
    let report = late.peer.wait_for("a picture", LONG, |report| report.picture(13).is_some()).unwrap();
    println!("late: {:?} {:?}", start.elapsed(), report.picture(13).unwrap().first);
    for member in [&publisher, &early, &late] {
        let before = room.view(member)["ufrag"].clone();
        ortc::restart(&room.api, &member.peer, &member.session, Candidates::V4);
        late.peer.wait_for_stream(13, 10, LONG).unwrap();
        early.peer.wait_for_stream(13, 10, LONG).unwrap();
        assert_ne!(room.view(member)["ufrag"], before);
    }
    for quality in room.assert_flows(13, &[&early, &late]) {
        println!("{quality}");
    }
}
