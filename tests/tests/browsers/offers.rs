//! Sessions by offers and answers over the control API, as a signalling service relays them: both sides offer, as tracks come and go.

use std::{cell::Cell, time::Instant};

use forwarder_tests::Client;
use forwarder_tests::browsers::{Browser, Media, Peer, Report};
use serde_json::{Value, json};

use crate::Scenario;
use crate::stage::{LONG, SOME, Stage};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    ("renegotiation", renegotiation),
    ("m_lines_are_used_again", m_lines_are_used_again),
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

    for one in [&ann, &watchers[0], &watchers[1]] {
        let before = one.view()["ufrag"].clone();
        one.offer(&one.peer.restart_offer().unwrap());
        assert_ne!(one.view()["ufrag"], before);
        for bob in &watchers {
            bob.peer.wait_for_stream(STREAM, SOME, LONG).unwrap();
        }
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
        let body = json!({ "sdp": answer, "version": version }).to_string();
        let path = format!("/v0/sessions/{}/answer", self.id);
        let reply = self.api.request("PUT", &path, Some(&body)).unwrap();
        assert_eq!(reply.status, 204, "{}", reply.body);
    }

    /// Answers offers of the forwarder until what a report says is so.
    fn follow_until(&self, what: &str, is_so: impl Fn(&Report) -> bool) {
        let path = format!("/v0/sessions/{}/offer", self.id);
        let end = Instant::now() + LONG;
        loop {
            let reply = self.api.request("GET", &path, None).unwrap();
            if reply.status == 200 {
                let offer: Value = serde_json::from_str(&reply.body).unwrap();
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
