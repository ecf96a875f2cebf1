//! What calls refuse, and what is left of sessions that are over.

use forwarder_tests::rtc::Codec;
use serde_json::{Value, json};

use crate::hall::{Hall, Kind, clip};

// What the API refuses depends on neither path nor family.
scenarios!(
    kernel_v4: nothing_is_left_of_a_session;
    kernel_v6: nothing_is_left_of_a_session;
    socket_v4: nothing_is_left_of_a_session, refusals_name_the_field;
    socket_v6: nothing_is_left_of_a_session
);

fn refusals_name_the_field(kind: Kind) {
    let hall = Hall::new(kind);
    let publisher = hall.publisher(0);
    let published = publisher.publish(&clip(Codec::Opus)).unwrap();
    let sessions = "/v0/sessions".to_owned();
    let own = format!("/v0/sessions/{}", publisher.id);
    let codec = json!({"payload_type": 111, "name": "opus", "clock_rate": 48000, "channels": 2});
    let cases: Vec<(String, Value, u16, &str)> = vec![
        (sessions, json!({"ice": {"ufrag": "abcd"}}), 400, "ice.pwd"),
        (
            format!("{own}/subscriptions"),
            json!({"publication": "99999", "mid": "9", "codecs": [codec], "header_extensions": []}),
            404,
            "publication",
        ),
        (
            format!("{own}/publications"),
            json!({"kind": "smell", "mid": "9", "codecs": [codec], "encodings": [], "header_extensions": []}),
            400,
            "kind",
        ),
        (
            format!("{own}/publications"),
            json!({"kind": "audio", "mid": "0", "codecs": [codec], "encodings": [{"ssrc": 5}], "header_extensions": []}),
            409,
            "mid",
        ),
        (
            "/v0/sessions/4711/ice".to_owned(),
            json!({"ufrag": "abcd", "pwd": "0123456789012345678901"}),
            404,
            "session",
        ),
    ];
    for (path, body, status, field) in cases {
        let refused = hall.api.post::<Value>(&path, &body).unwrap_err().problem();
        assert_eq!(refused.field.as_deref(), Some(field), "{path}: {refused:?}");
        assert_eq!(refused.status, status, "{path}: {refused:?}");
        assert!(!refused.detail.is_empty());
    }
    publisher.unpublish(&published).unwrap();
    hall.close();
}

fn nothing_is_left_of_a_session(kind: Kind) {
    let hall = Hall::new(kind);
    for _ in 0..3 {
        let (publisher, tracks) = hall.call();
        let subscriber = hall.subscriber(0);
        crate::hall::subscribe(&subscriber, &tracks);
        subscriber.leave().unwrap();
        publisher.leave().unwrap();
        assert_eq!(hall.state().more["sessions"], json!([]));
        publisher.member.dismiss();
        subscriber.member.dismiss();
    }
    hall.close();
}
