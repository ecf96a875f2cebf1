//! Everything that changes is told, by a call with real peers: to who listens, and to a webhook.

use std::{
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    events::Listener,
    peer::{Peer, until},
    rig::Rig,
    webhooks::{Post, hook, secret, verify},
};

/// What is told, as it comes.
struct Told {
    events: Receiver<Value>,
    seen: Vec<Value>,
    /// What a webhook was posted, and how much of that was compared.
    posts: Receiver<Post>,
    compared: usize,
}

impl Told {
    fn listen(rig: &Rig, posts: Receiver<Post>) -> Self {
        let mut listener = Listener::open(rig, "/v0/events", "");
        let (sender, events) = channel();
        // It ends with the node.
        std::thread::spawn(move || {
            while let Some((_, _, event)) = listener.try_next() {
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Self {
            events,
            seen: Vec::new(),
            posts,
            compared: 0,
        }
    }

    /// The hook was told the same, signed, in the same order.
    fn compare(&mut self) {
        for event in &self.seen[self.compared..] {
            let post = self.posts.recv_timeout(Duration::from_secs(20)).unwrap();
            assert_eq!(verify(&post), *event);
        }
        self.compared = self.seen.len();
    }

    /// Whether an event of this type was told that has these fields.
    fn has(&mut self, name: &str, fields: &Value) -> bool {
        while let Ok(event) = self.events.try_recv() {
            self.seen.push(event);
        }
        let fields = fields.as_object().unwrap();
        self.seen.iter().any(|event| {
            let same = fields.iter().all(|(key, value)| event[key] == *value);
            event["type"] == name && same
        })
    }
}

#[test]
fn everything_that_changes_is_told() {
    let rig = Rig::start();
    let (url, posts) = hook(&[]);
    let mut told = Told::listen(&rig, posts);
    rig.create("/v0/webhooks", json!({"url": url, "secret": secret()}));

    let (mut alice, mut bob) = (Peer::join(&rig, false), Peer::join(&rig, false));
    let (a, b) = (alice.id.clone(), bob.id.clone());
    let sound = alice.publish(&rig, 11);
    bob.subscribe(&rig, &sound);
    until([&mut alice, &mut bob], |[alice, bob]| {
        alice.connected && bob.connected
    });
    let video = json!([{"payload_type": 96, "name": "VP8", "clock_rate": 90_000}]);
    let picture =
        json!({"kind": "video", "mid": "1", "codecs": video, "encodings": [{"ssrc": 12}]});
    let picture = rig.create(&format!("/v0/sessions/{a}/publications"), picture);
    let wanted = json!({"publication": picture, "mid": "2", "codecs": video});
    let leg = rig.create(&format!("/v0/sessions/{b}/subscriptions"), wanted);
    let mut expected = vec![
        ("session.joined", json!({"session": a})),
        (
            "session.connected",
            json!({"session": a, "suite": "AEAD_AES_256_GCM"}),
        ),
        ("session.path", json!({"session": a, "protocol": "udp"})),
        (
            "track.published",
            json!({"session": a, "publication": sound, "kind": "audio"}),
        ),
        (
            "track.published",
            json!({"session": a, "publication": picture, "kind": "video"}),
        ),
        (
            "subscription.started",
            json!({"session": b, "publication": picture}),
        ),
        (
            "track.keyframe",
            json!({"session": a, "publication": picture}),
        ),
        (
            "speaking",
            json!({"session": a, "publication": sound, "speaking": true}),
        ),
    ];
    until([&mut alice, &mut bob], |[alice, _]| {
        alice.shout(vec![1; 80]);
        let all = expected.iter();
        all.fold(true, |all, (name, fields)| told.has(name, fields) && all)
    });
    let later = [
        (
            "speaking",
            json!({"session": a, "publication": sound, "speaking": false}),
        ),
        (
            "track.muted",
            json!({"session": a, "publication": sound, "muted": true}),
        ),
        (
            "subscription.paused",
            json!({"session": b, "subscription": leg, "paused": true}),
        ),
        (
            "subscription.ended",
            json!({"session": b, "subscription": leg}),
        ),
        ("track.ended", json!({"session": a, "publication": picture})),
        ("room.created", json!({"room": "r"})),
        ("room.changed", json!({"room": "r", "locked": true})),
        ("room.closed", json!({"room": "r"})),
        ("session.closed", json!({"session": b, "reason": "asked"})),
    ];
    let track = |id: &str| format!("/v0/sessions/{a}/publications/{id}");
    for (method, path, body, status) in [
        ("PATCH", track(&sound), r#"{"muted": true}"#, 200),
        (
            "POST",
            format!("/v0/sessions/{b}/subscriptions/{leg}/pause"),
            "",
            200,
        ),
        ("DELETE", track(&picture), "", 204),
        ("PUT", "/v0/rooms/r".to_owned(), "{}", 201),
        ("PUT", "/v0/rooms/r".to_owned(), r#"{"locked": true}"#, 200),
        ("DELETE", "/v0/rooms/r".to_owned(), "", 204),
        ("DELETE", format!("/v0/sessions/{b}"), "", 204),
    ] {
        let reply = rig.call(method, &path, body);
        assert_eq!(reply.0, status, "{method} {path}: {}", reply.1);
    }
    until([&mut alice, &mut bob], |_| {
        let mut all = later.iter();
        all.all(|(name, fields)| told.has(name, fields))
    });
    expected.extend(later);

    told.compare();

    // A peer that falls silent: its consent ends 30 s later (RFC 7675 §5.1).
    drop(alice);
    let silent = [
        ("session.consent_lost", json!({"session": a})),
        (
            "session.closed",
            json!({"session": a, "reason": "consent_lost"}),
        ),
    ];
    let end = std::time::Instant::now() + Duration::from_secs(90);
    for (name, fields) in &silent {
        while !told.has(name, fields) {
            assert!(std::time::Instant::now() < end, "{name} {fields}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    expected.extend(silent);

    told.compare();
    for (name, fields) in &expected {
        assert!(told.has(name, fields), "{name} {fields}");
    }
}
