//! Requests that are sent again.

use serde_json::json;

use crate::{
    access::{ADMIN, claims, guarded, session, token},
    rig::{Reply, Rig},
};

fn create(rig: &Rig, bearer: &str, key: &str, room: &str) -> Reply {
    let bearer = format!("Bearer {bearer}");
    let headers = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    rig.exchange("POST", "/v0/sessions", &headers, &session(room).to_string())
}

#[test]
fn the_same_key_and_body_get_the_same_answer_and_are_carried_out_once() {
    let rig = guarded();
    let first = create(&rig, ADMIN, "k1", "r");
    assert_eq!(first.status, 201, "{}", first.text);
    let again = create(&rig, ADMIN, "\"k1\"", "r");
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("location"), first.header("location"));
    let other = create(&rig, ADMIN, "k1", "s");
    assert_eq!(
        (other.status, &other.json()["field"]),
        (422, &json!("Idempotency-Key"))
    );
    // A key is its caller's own.
    assert_eq!(
        create(&rig, &token(&claims("ann", "r")), "k1", "r").json()["id"],
        "2"
    );
    for wrong in ["", "a b", &"x".repeat(256)] {
        assert_eq!(create(&rig, ADMIN, wrong, "r").status, 400, "{wrong:?}");
    }
    let reply = crate::access::ask(&rig, ADMIN, "GET", "/v0/sessions", &json!(null));
    assert_eq!(reply.json().as_array().map(Vec::len), Some(2));
}

#[test]
fn of_many_at_once_one_is_carried_out() {
    let rig = guarded();
    let replies: Vec<Reply> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| create(&rig, ADMIN, "k", "r")))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let created: Vec<_> = replies.iter().filter(|reply| reply.status == 201).collect();
    assert!(!created.is_empty());
    for reply in &replies {
        match reply.status {
            201 => assert_eq!(reply.text, created[0].text),
            409 => assert_eq!(reply.header("retry-after"), Some("1")),
            other => panic!("{other}: {}", reply.text),
        }
    }
    let reply = crate::access::ask(&rig, ADMIN, "GET", "/v0/sessions", &json!(null));
    assert_eq!(reply.json().as_array().map(Vec::len), Some(1));
}

#[test]
fn one_caller_displaces_nothing_of_another() {
    let rig = guarded();
    let first = create(&rig, ADMIN, "k", "r");
    assert_eq!(first.status, 201, "{}", first.text);
    let bearer = format!("Bearer {}", token(&claims("loud", "loud")));
    for at in 0..1100 {
        let key = at.to_string();
        let headers = [
            ("authorization", &*bearer),
            ("content-type", "application/json"),
            ("idempotency-key", &*key),
        ];
        let reply = rig.exchange("POST", "/v0/sessions", &headers, "{}");
        assert_eq!(reply.status, 400);
    }
    assert_eq!(create(&rig, ADMIN, "k", "r").text, first.text);
    // The same key to another path is another request.
    let bearer = format!("Bearer {ADMIN}");
    let headers = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    let body = session("r").to_string();
    let reply = rig.exchange("POST", "/v0/sessions?dry_run=true", &headers, &body);
    let problem = reply.json();
    assert_eq!(
        (reply.status, &problem["field"], &problem["value"]),
        (422, &json!("Idempotency-Key"), &json!("k"))
    );
}
