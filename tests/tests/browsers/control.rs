//! Browsers against each other over a veth pair, without a forwarder: what the rig sees when nothing is in between.

use forwarder_tests::browsers::{Browser, Media, Peer};

use crate::Scenario;
use crate::stage::{LONG, SOME, Stage};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    ("chromium_to_chromium", chromium_to_chromium),
    ("chromium_to_firefox", chromium_to_firefox),
    ("firefox_to_chromium", firefox_to_chromium),
];

fn chromium_to_chromium(stage: &mut Stage) {
    call(&stage.publisher, &stage.local);
}

fn chromium_to_firefox(stage: &mut Stage) {
    call(&stage.local, &stage.firefox);
}

fn firefox_to_chromium(stage: &mut Stage) {
    call(&stage.firefox, &stage.local);
}

/// Picture and sound of a stream at the other browser, whole, in order and without a freeze.
fn call(from: &Browser, to: &Browser) {
    let (sender, receiver) = (from.peer("sender").unwrap(), to.peer("receiver").unwrap());
    sender.publish(&Media::hd(7)).unwrap();
    let answer = receiver.answer(&sender.offer().unwrap()).unwrap();
    sender.accept(&answer).unwrap();
    receiver.wait_for_stream(7, SOME, LONG).unwrap();
    assert_whole(&receiver, 7);
}

/// Every picture that was read is of this stream, in order.
pub fn assert_whole(receiver: &Peer, stream: u8) {
    let report = receiver.report().unwrap();
    let seen = report.picture(stream).unwrap();
    assert_eq!(
        (seen.unreadable, seen.backwards, seen.strangers),
        (0, 0, 0),
        "{seen:#?}"
    );
    let stats = receiver.stats().unwrap();
    println!(
        "{}: {} {}x{}, age {:?} ms (oldest {}), freezes {}, {} frames decoded, {} bytes",
        receiver.browser().name(),
        stats.codec("video").unwrap_or("?"),
        seen.width,
        seen.height,
        seen.latest.map(|latest| latest.age),
        seen.oldest,
        stats.inbound("video", "freezeCount"),
        stats.inbound("video", "framesDecoded"),
        stats.inbound("video", "bytesReceived"),
    );
}
