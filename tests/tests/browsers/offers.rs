//! Sessions by offers and answers over the control API, as a signalling service relays them: both sides offer, as tracks come and go.

use std::{cell::Cell, time::Instant};

use forwarder_tests::browsers::{Browser, Media, Peer, Report};
use forwarder_tests::{Client, client::Reply};
use serde_json::{Value, json};

use crate::Scenario;
use crate::stage::{LONG, SOME, Stage};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    ("renegotiation", renegotiation),
    ("m_lines_are_used_again", m_lines_are_used_again),
    ("firefox_offers", firefox_offers),
    ("glare", glare),
];

/// The stream of the publisher.
const STREAM: u8 = 31;

/// Ann talks; then she shows a picture, everybody's network changes, she takes the picture away, and leaves. Bob in Chromium and Firefox
/// follows, by offers of the forwarder.
fn renegotiation(stage: &mut Stage) {
    let (api, _) = stage.start_reachable("kernel");
    let media = Media::small(STREAM);
    let ann = Negotiator::offering(&api, &stage.publisher, "Ann", &media.without_picture());
    let watchers = [&stage.chromium, &stage.firefox]
        .map(|browser| Negotiator::offered(&api, browser, &["audio"]));
    for bob in &watchers {
        bob.follow_until("the tone", |report| report.hears(STREAM));
    }

    ann.peer.publish(&media.without_tone()).unwrap();
    ann.offer(&ann.peer.offer().unwrap());
    for bob in &watchers {
        bob.follow_until("the picture", |report| {
            report.picture(STREAM).is_some_and(|seen| seen.read >= SOME)
        });
    }

    let decoded = || {
        let stats = watchers[0].peer.stats().unwrap();
        stats.inbound("video", "framesDecoded").as_u64().unwrap()
    };
    let mut before = decoded();
    for one in [&ann, &watchers[0], &watchers[1]] {
        let ufrag = one.view()["ufrag"].clone();
        one.offer(&one.peer.restart_offer().unwrap());
        assert_ne!(one.view()["ufrag"], ufrag);
        // To Chromium, which is told its SSRC, the stream stays the same: no decoder begins anew. Firefox makes one at any answer.
        let after = decoded();
        assert!(after >= before, "{before} {after}");
        for bob in &watchers {
            bob.peer.wait_for_stream(STREAM, SOME, LONG).unwrap();
        }
        before = decoded();
    }

    ann.peer.unpublish("video").unwrap();
    ann.offer(&ann.peer.offer().unwrap());
    for bob in &watchers {
        bob.follow_until("the end of the picture", |report| {
            report.pictures.iter().all(|seen| seen.ended)
        });
        let hears = |report: &Report| report.hears(STREAM);
        bob.peer.wait_for("the tone", LONG, hears).unwrap();
    }

    api.delete(&format!("/v0/sessions/{}", ann.id)).unwrap();
    let view = watchers[0].view();
    assert_eq!(
        view["subscriptions"].as_array().map(Vec::len),
        Some(0),
        "{view:#}"
    );
}

/// Bob ends his m-line of the picture, Ann hers; what she shows next comes on the place of each, in both browsers.
fn m_lines_are_used_again(stage: &mut Stage) {
    let (api, _) = stage.start_reachable("kernel");
    let media = Media::small(STREAM);
    let ann = Negotiator::offering(&api, &stage.publisher, "Ann", &media);
    let watchers = [&stage.chromium, &stage.firefox]
        .map(|browser| Negotiator::offered(&api, browser, &["audio", "video"]));
    let sees = |report: &forwarder_tests::browsers::Report| {
        let mut now = report.pictures.iter().filter(|seen| !seen.ended);
        now.any(|seen| seen.stream == Some(STREAM) && seen.read >= SOME)
    };
    for bob in &watchers {
        bob.follow_until("the picture", sees);
    }
    let before = watchers.each_ref().map(|bob| bob.m_lines.get());
    for _ in 0..2 {
        ann.peer.unpublish("video").unwrap();
        ann.offer(&ann.peer.offer().unwrap());
        for bob in &watchers {
            bob.follow_until("the end of the picture", |report| {
                report.pictures.iter().all(|seen| seen.ended)
            });
            bob.peer.unsubscribe("video").unwrap();
            bob.offer(&bob.peer.offer().unwrap());
        }
        ann.peer.publish(&media.without_tone()).unwrap();
        ann.offer(&ann.peer.offer().unwrap());
        for bob in &watchers {
            bob.follow_until("another picture", sees);
        }
    }
    assert_eq!(watchers.each_ref().map(|bob| bob.m_lines.get()), before);
}

/// Firefox is who changes what it publishes, and asks for a channel of data meanwhile, which it does not get.
fn firefox_offers(stage: &mut Stage) {
    let (api, _) = stage.start_reachable("kernel");
    let media = Media::small(Stage::FIREFOX_STREAM);
    let ann = Negotiator::offering(&api, &stage.firefox, "Ann", &media.without_picture());
    let bob = Negotiator::offered(&api, &stage.chromium, &["audio"]);
    let hears = |report: &Report| report.hears(Stage::FIREFOX_STREAM);
    bob.follow_until("the tone", hears);
    ann.peer.ask_for_more().unwrap();
    for _ in 0..2 {
        ann.peer.publish(&media.without_tone()).unwrap();
        ann.offer(&ann.peer.offer().unwrap());
        bob.follow_until("the picture", |report| {
            let mut now = report.pictures.iter().filter(|seen| !seen.ended);
            now.any(|seen| seen.stream == Some(Stage::FIREFOX_STREAM) && seen.read >= SOME)
        });
        ann.peer.unpublish("video").unwrap();
        ann.offer(&ann.peer.offer().unwrap());
        bob.follow_until("the end of the picture", |report| {
            report.pictures.iter().all(|seen| seen.ended)
        });
        bob.peer.wait_for("the tone", LONG, hears).unwrap();
    }
    let lines = ann.peer.lines().unwrap();
    let open = |kind: &str| lines.iter().filter(|line| line.0 == kind && line.1).count();
    assert_eq!(["audio", "video", "application"].map(open), [1, 0, 0]);
}

/// Both sides have an offer out at the same time: first the browser holds to its own, then it gives way. Neither costs the call anything.
fn glare(stage: &mut Stage) {
    let (api, _) = stage.start_reachable("kernel");
    let media = Media::small(STREAM);
    let ann = Negotiator::offering(&api, &stage.publisher, "Ann", &media.without_picture());
    let bobs = [&stage.chromium, &stage.firefox]
        .map(|browser| Negotiator::offered(&api, browser, &["audio"]));
    for bob in &bobs {
        bob.follow_until("the tone", |report| report.hears(STREAM));
    }

    let own = bobs.each_ref().map(|bob| bob.peer.restart_offer().unwrap());
    ann.peer.publish(&media.without_tone()).unwrap();
    ann.offer(&ann.peer.offer().unwrap());
    for (bob, own) in bobs.iter().zip(&own) {
        let theirs = bob.wait_for_offer();
        bob.offer(own);
        // What it did not answer is out of the world, and comes again.
        let reply = bob.put_answer(own, &theirs["version"]);
        assert_eq!(reply.status, 409, "{}", reply.body);
        bob.follow_until("the picture", |report| {
            report.picture(STREAM).is_some_and(|seen| seen.read >= SOME)
        });
    }

    for bob in &bobs {
        bob.peer.restart_offer().unwrap();
    }
    ann.peer.unpublish("video").unwrap();
    ann.offer(&ann.peer.offer().unwrap());
    for bob in &bobs {
        let theirs = bob.wait_for_offer();
        // By taking the forwarder's, the browser takes its own back.
        bob.answer(theirs["sdp"].as_str().unwrap(), &theirs["version"]);
        bob.follow_until("the end of the picture", |report| {
            report.pictures.iter().all(|seen| seen.ended)
        });
        let before = bob.view()["ufrag"].clone();
        bob.offer(&bob.peer.restart_offer().unwrap());
        assert_ne!(bob.view()["ufrag"], before);
        let hears = |report: &Report| report.hears(STREAM);
        bob.peer.wait_for("the tone", LONG, hears).unwrap();
        assert_eq!(bob.peer.report().unwrap().state, "connected");
    }
}

/// A browser, and the service that relays for it.
struct Negotiator {
    api: Client,
    peer: Peer,
    id: String,
    /// In the latest description of the forwarder.
    m_lines: Cell<usize>,
}

impl Negotiator {
    /// Joins by an offer of the browser.
    fn offering(api: &Client, browser: &Browser, name: &str, media: &Media) -> Self {
        let peer = browser.peer(name).unwrap();
        peer.publish(media).unwrap();
        let body = json!({ "room": "hall", "name": name, "offer": peer.offer().unwrap() });
        let joined: Value = api.post("/v0/sessions", &body).unwrap();
        peer.accept(joined["answer"].as_str().unwrap()).unwrap();
        Self::new(api, peer, &joined)
    }

    /// Joins by an offer of the forwarder, which has m-lines of these kinds.
    fn offered(api: &Client, browser: &Browser, kinds: &[&str]) -> Self {
        let peer = browser.peer("Bob").unwrap();
        let body = json!({ "room": "hall", "name": browser.name(), "receive": kinds });
        let joined: Value = api.post("/v0/sessions", &body).unwrap();
        let bob = Self::new(api, peer, &joined);
        bob.answer(joined["offer"].as_str().unwrap(), &joined["version"]);
        bob
    }

    fn new(api: &Client, peer: Peer, joined: &Value) -> Self {
        Self {
            api: api.clone(),
            peer,
            id: joined["id"].as_str().unwrap().to_owned(),
            m_lines: Cell::new(0),
        }
    }

    fn view(&self) -> Value {
        self.api.read(&format!("/v0/sessions/{}", self.id)).unwrap()
    }

    /// The browser offers anew.
    fn offer(&self, sdp: &str) {
        let path = format!("/v0/sessions/{}/offer", self.id);
        let answer: Value = self.api.post(&path, &json!({ "sdp": sdp })).unwrap();
        self.peer.accept(answer["sdp"].as_str().unwrap()).unwrap();
    }

    fn answer(&self, offer: &str, version: &Value) {
        self.m_lines.set(offer.matches("\nm=").count());
        let answer = self.peer.answer(offer).unwrap();
        let reply = self.put_answer(&answer, version);
        assert_eq!(reply.status, 204, "{}", reply.body);
    }

    fn put_answer(&self, sdp: &str, version: &Value) -> Reply {
        let body = json!({ "sdp": sdp, "version": version }).to_string();
        let path = format!("/v0/sessions/{}/answer", self.id);
        self.api.request("PUT", &path, Some(&body)).unwrap()
    }

    /// The outstanding offer of the forwarder, if there is one.
    fn pending_offer(&self) -> Option<Value> {
        let path = format!("/v0/sessions/{}/offer", self.id);
        let reply = self.api.request("GET", &path, None).unwrap();
        let is_there = reply.status == 200;
        is_there.then(|| serde_json::from_str(&reply.body).unwrap())
    }

    fn wait_for_offer(&self) -> Value {
        let end = Instant::now() + LONG;
        loop {
            if let Some(offer) = self.pending_offer() {
                return offer;
            }
            assert!(Instant::now() < end, "no offer comes");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Answers offers of the forwarder until what a report says is so.
    fn follow_until(&self, what: &str, is_so: impl Fn(&Report) -> bool) {
        let end = Instant::now() + LONG;
        loop {
            if let Some(offer) = self.pending_offer() {
                self.answer(offer["sdp"].as_str().unwrap(), &offer["version"]);
            }
            let report = self.peer.report().unwrap();
            if is_so(&report) {
                return;
            }
            let name = self.peer.browser().name();
            assert!(Instant::now() < end, "{name}: {what}: {report:#?}");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
}
