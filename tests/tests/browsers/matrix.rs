//! Everybody with everybody: Chromium and Firefox, far by way of XDP and near, on the forwarder's own host, by way of sockets, all in
//! one room. Each publishes, and each watches all of them, so that every pair of browsers and of paths is there, both ways.

use forwarder_tests::browsers::{Browser, Candidates, Media};

use crate::Scenario;
use crate::control::Quality;
use crate::room::{Member, Room, Way};
use crate::stage::{LONG, Stage};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    ("kernel_v4", |stage| room(stage, "kernel", Candidates::V4)),
    ("kernel_v6", |stage| room(stage, "kernel", Candidates::V6)),
    ("socket_v6", |stage| room(stage, "socket", Candidates::V6)),
];

/// Pictures that each has to read of each: with sixteen streams a browser on a busy machine reads few in a second.
const FEW: u64 = 5;

/// Who publishes which stream.
struct Publisher {
    stream: u8,
    member: Member,
}

fn room(stage: &mut Stage, path: &'static str, candidates: Candidates) {
    let room = Room::open(stage, Way::Whip, path, candidates);
    let publishers = [
        (&stage.publisher, 5),
        // Firefox publishes the tone of its fake microphone alone, which is this stream's.
        (&stage.firefox, Stage::FIREFOX_STREAM),
        (&stage.local, 6),
        (&stage.local_firefox, Stage::LOCAL_FIREFOX_STREAM),
    ];
    let publishers = publishers.map(|(browser, stream)| Publisher {
        stream,
        member: room.publish(browser, &Media::tiny(stream)),
    });
    let watchers = [
        &stage.chromium,
        &stage.firefox,
        &stage.local,
        &stage.local_firefox,
    ];
    for watcher in watchers {
        let members = publishers
            .each_ref()
            .map(|publisher| (publisher, room.watch(watcher, &publisher.member, None)));
        for (publisher, member) in &members {
            assert_sees(&room, stage, publisher, member);
        }
        for (_, member) in members {
            member.peer.close().unwrap();
        }
    }
    for publisher in &publishers {
        assert_served(&room, stage, &publisher.member);
    }
}

fn assert_sees(room: &Room, stage: &Stage, publisher: &Publisher, member: &Member) {
    let (from, to) = (publisher.member.peer.browser(), member.peer.browser());
    let seen = member.peer.wait_for_stream(publisher.stream, FEW, LONG);
    seen.unwrap_or_else(|error| {
        let views = [room.view(&publisher.member), room.view(member)];
        panic!("{} to {}: {error:#}: {views:#?}", from.name(), to.name())
    });
    assert_served(room, stage, member);
    let quality = Quality::of(&member.peer, publisher.stream);
    println!("{} to {quality}", from.name());
}

/// Who is near is served by sockets, whatever the path of the node.
fn assert_served(room: &Room, stage: &Stage, member: &Member) {
    let browser = member.peer.browser();
    let near: [&Browser; 2] = [&stage.local, &stage.local_firefox];
    let is_near = near.iter().any(|one| one.name() == browser.name());
    room.assert_path(member, if is_near { "socket" } else { room.served() });
}
