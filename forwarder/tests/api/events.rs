//! Server-sent events: what is told, to whom, and going on after an interruption.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use forwarder::config::Config;
use serde_json::{Value, json};

use crate::{
    access::{ADMIN, ask, claims, control, session, token},
    rig::Rig,
};

/// A listener.
struct Listener {
    lines: BufReader<TcpStream>,
    pub head: String,
}

impl Listener {
    /// Reads until the stream ends.
    fn ends_within(&mut self, time: Duration) {
        let start = Instant::now();
        let mut rest = String::new();
        // The last chunk is empty.
        while !rest.ends_with("\r\n0\r\n") {
            assert!(self.lines.read_line(&mut rest).unwrap() > 0, "{rest}");
        }
        assert!(start.elapsed() < time, "{rest}");
    }

    fn open(rig: &Rig, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(rig.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
        )
        .unwrap();
        let mut listener = Self {
            lines: BufReader::new(stream),
            head: String::new(),
        };
        loop {
            let line = listener.line();
            listener.head.push_str(&line);
            if line == "\r\n" {
                return listener;
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(
            self.lines.read_line(&mut line).unwrap() > 0,
            "closed: {}",
            self.head
        );
        line
    }

    /// The next event: its id, its type and its data. Lines between are comments and lengths of chunks.
    fn next(&mut self) -> (String, String, Value) {
        let mut event = (String::new(), String::new(), Value::Null);
        loop {
            let line = self.line();
            let line = line.trim_end();
            if let Some(id) = line.strip_prefix("id: ") {
                event.0 = id.to_owned();
            } else if let Some(name) = line.strip_prefix("event: ") {
                event.1 = name.to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                event.2 = serde_json::from_str(data).unwrap();
            } else if line.is_empty() && !event.1.is_empty() {
                return event;
            }
        }
    }
}

#[test]
fn listeners_are_told_what_happens_and_go_on_after_the_last_they_saw() {
    let rig = Rig::start();
    let mut all = Listener::open(&rig, "/v0/events", "");
    assert!(all.head.starts_with("HTTP/1.1 200"), "{}", all.head);
    assert!(
        all.head.contains("content-type: text/event-stream"),
        "{}",
        all.head
    );
    let mut of_room = Listener::open(&rig, "/v0/events?room=b", "");
    let first = rig.create("/v0/sessions", session("a"));
    let (id, name, data) = all.next();
    assert_eq!(
        (&*name, &data["type"], &data["room"]),
        ("room.created", &json!("room.created"), &json!("a"))
    );
    assert_eq!(data["id"], id);
    assert!(data["time"].as_str().unwrap().ends_with('Z'));
    let (_, name, data) = all.next();
    assert_eq!(
        (&*name, &data["session"]),
        ("session.joined", &json!(first))
    );
    let mut own = Listener::open(&rig, &format!("/v0/sessions/{first}/events"), "");
    let second = rig.create("/v0/sessions", session("b"));
    let (_, name, data) = of_room.next();
    assert_eq!((&*name, &data["room"]), ("room.created", &json!("b")));
    assert_eq!(
        rig.call("DELETE", &format!("/v0/sessions/{second}"), "").0,
        204
    );
    assert_eq!(
        rig.call("DELETE", &format!("/v0/sessions/{first}"), "").0,
        204
    );
    // Of another room it heard nothing.
    let (_, name, data) = own.next();
    assert_eq!(
        (&*name, &data["session"]),
        ("session.closed", &json!(first))
    );

    let told: Vec<_> = (0..3).map(|_| all.next()).collect();
    let mut back = Listener::open(&rig, "/v0/events", &format!("Last-Event-ID: {id}\r\n"));
    assert_eq!(back.next().1, "session.joined");
    for event in &told {
        assert_eq!(back.next(), *event);
    }
    let mut late = Listener::open(&rig, "/v0/events", "Last-Event-ID: 999\r\n");
    assert_eq!(late.next().1, "reset");
    for (path, headers, status) in [
        ("/v0/events", "Last-Event-ID: x\r\n", "400"),
        ("/v0/events?room=a%20b", "", "400"),
        ("/v0/events?rooms=a", "", "400"),
        ("/v0/sessions/99/events", "", "404"),
    ] {
        let refused = Listener::open(&rig, path, headers);
        assert!(
            refused.head.starts_with(&format!("HTTP/1.1 {status}")),
            "{path}: {}",
            refused.head
        );
    }
}

#[test]
fn a_token_listens_to_its_room_until_it_expires() {
    let rig = Rig::with(Config {
        control: control(),
        ..Config::default()
    });
    let mut short = claims("ann", "r");
    short.exp = crate::access::now() + 1;
    let bearer = format!("Authorization: Bearer {}\r\n", token(&short));
    let mut listener = Listener::open(&rig, "/v0/events?room=r", &bearer);
    assert_eq!(
        ask(&rig, ADMIN, "PUT", "/v0/rooms/r", &json!({})).status,
        201
    );
    assert_eq!(listener.next().1, "room.created");
    let other = Listener::open(&rig, "/v0/events?room=s", &bearer);
    assert!(other.head.starts_with("HTTP/1.1 403"), "{}", other.head);
    listener.ends_within(Duration::from_secs(5));
}

#[test]
fn who_is_removed_hears_no_more() {
    let rig = Rig::with(Config {
        control: control(),
        ..Config::default()
    });
    let created = ask(&rig, ADMIN, "POST", "/v0/sessions", &session("r")).json();
    let (id, key) = (created["id"].as_str().unwrap(), &created["key"]);
    let bearer = format!("Authorization: Bearer {}\r\n", key.as_str().unwrap());
    let path = format!("/v0/sessions/{id}");
    let mut listener = Listener::open(&rig, &format!("{path}/events"), &bearer);
    assert!(
        listener.head.starts_with("HTTP/1.1 200"),
        "{}",
        listener.head
    );
    let removed = ask(&rig, ADMIN, "DELETE", &path, &json!(null));
    assert_eq!(removed.status, 204);
    listener.ends_within(Duration::from_secs(8));
}

#[test]
fn a_thousand_listeners_are_told_and_the_slow_keep_nobody_waiting() {
    let rig = Rig::start();
    let open = || Listener::open(&rig, "/v0/events", "");
    // Some never read.
    let mut listeners: Vec<Listener> = (0..1000).map(|_| open()).collect();
    let start = Instant::now();
    let mut slowest = Duration::ZERO;
    for at in 0..20 {
        let asked = Instant::now();
        assert_eq!(rig.call("PUT", &format!("/v0/rooms/r{at}"), "{}").0, 201);
        slowest = slowest.max(asked.elapsed());
    }
    for listener in &mut listeners[..900] {
        for at in 0..20 {
            let (_, name, data) = listener.next();
            assert_eq!(
                (&*name, &data["room"]),
                ("room.created", &json!(format!("r{at}")))
            );
        }
    }
    println!(
        "20 events to 900 of 1000 listeners in {:?}; slowest PUT {slowest:?}",
        start.elapsed()
    );
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}
