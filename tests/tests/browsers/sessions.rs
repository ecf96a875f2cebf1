//! Browsers through the forwarder by sessions of ORTC's parameters.

use forwarder_tests::browsers::{Browser, Candidates, Media};

use crate::control::assert_whole;
use crate::stage::{LONG, SOME, Stage};
use crate::{Scenario, ortc};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    ("kernel_v4", |stage| call(stage, "kernel", Candidates::V4)),
    ("kernel_v6", |stage| call(stage, "kernel", Candidates::V6)),
    ("socket_v4", |stage| call(stage, "socket", Candidates::V4)),
];

/// Chromium is seen and heard by Chromium and Firefox.
fn call(stage: &mut Stage, path: &str, candidates: Candidates) {
    let api = stage.start(path);
    let from = stage.publisher.peer("publisher").unwrap();
    from.publish(&Media::hd(5).with_codec("VP8")).unwrap();
    let published = ortc::publish(&api, &from, candidates);
    let watch = |browser: &Browser| {
        let peer = browser.peer("subscriber").unwrap();
        peer.subscribe(&["audio", "video"], Some("VP8")).unwrap();
        let session = ortc::subscribe(&api, &peer, &published, candidates);
        (peer, session)
    };
    let all = [watch(&stage.chromium), watch(&stage.firefox)];
    for (peer, session) in &all {
        peer.wait_for_stream(5, SOME, LONG).unwrap();
        let view = session.view(&api);
        assert!(
            view["suite"].as_str().is_some_and(|suite| suite.contains("GCM")),
            "{view:#}"
        );
        assert_whole(peer, 5);
    }
    println!("{:#}", published.view(&api));
}
