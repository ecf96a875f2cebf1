//! Server-sent events: what is told, to whom, and going on after an interruption.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use forwarder::{api::limits::Limits, config::Config};
use serde_json::{Value, json};

use crate::{
    access::{ADMIN, ask, claims, control, session, token},
    rig::Rig,
};

/// A listener.
pub struct Listener {
    lines: BufReader<TcpStream>,
    pub head: String,
}

impl Listener {
    /// Reads until the stream ends.
    pub fn ends_within(&mut self, time: Duration) {
        let start = Instant::now();
        let mut rest = String::new();
        // The last chunk is empty.
        while !rest.ends_with("\r\n0\r\n") {
            assert!(self.lines.read_line(&mut rest).unwrap() > 0, "{rest}");
        }
        assert!(start.elapsed() < time, "{rest}");
    }

    pub fn open(rig: &Rig, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(rig.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
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

    /// The body of a refusal.
    pub fn body(&mut self) -> Value {
        let length = self.head.lines().find_map(|line| {
            let length = line.strip_prefix("content-length: ")?;
            length.parse().ok()
        });
        let mut body = vec![0; length.unwrap()];
        self.lines.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
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

    /// The next event: its id, its type and its data.
    pub fn next(&mut self) -> (String, String, Value) {
        let next = self.try_next();
        next.unwrap_or_else(|| panic!("closed: {}", self.head))
    }

    /// The same, and `None` where the stream has ended. Lines between are comments and lengths of chunks.
    pub fn try_next(&mut self) -> Option<(String, String, Value)> {
        let mut event = (String::new(), String::new(), Value::Null);
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            if let Some(id) = line.strip_prefix("id: ") {
                event.0 = id.to_owned();
            } else if let Some(name) = line.strip_prefix("event: ") {
                event.1 = name.to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                event.2 = serde_json::from_str(data).unwrap();
            } else if line.is_empty() && !event.1.is_empty() {
                return Some(event);
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
    short.exp = crate::access::now() + 3;
    let bearer = format!("Authorization: Bearer {}\r\n", token(&short));
    let mut listener = Listener::open(&rig, "/v0/events?room=r", &bearer);
    assert_eq!(
        ask(&rig, ADMIN, "PUT", "/v0/rooms/r", &json!({})).status,
        201
    );
    assert_eq!(listener.next().1, "room.created");
    let other = Listener::open(&rig, "/v0/events?room=s", &bearer);
    assert!(other.head.starts_with("HTTP/1.1 403"), "{}", other.head);
    listener.ends_within(Duration::from_secs(20));
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
    listener.ends_within(Duration::from_secs(20));
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
    // Those that never read would keep it waiting for good.
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
}

#[test]
fn nobody_hears_what_was_before_them() {
    let rig = crate::access::guarded();
    let open = |bearer: &str, path: &str, after: u64| {
        let headers = format!("Authorization: Bearer {bearer}\r\nLast-Event-ID: {after}\r\n");
        let listener = Listener::open(&rig, path, &headers);
        assert!(
            listener.head.starts_with("HTTP/1.1 200"),
            "{}",
            listener.head
        );
        listener
    };
    let join = || {
        let told = ask(&rig, ADMIN, "POST", "/v0/sessions", &session("r")).json();
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        (text("id"), text("key"))
    };
    // A room whose name is used again.
    let (former, _) = join();
    let gone = ask(&rig, ADMIN, "DELETE", "/v0/rooms/r", &json!(null));
    assert_eq!(gone.status, 204);
    let told = rig.events_told();
    let (first, _) = join();
    let (second, key) = join();
    let mut of_room = open(&token(&claims("eve", "r")), "/v0/events?room=r", 1);
    let (id, name, _) = of_room.next();
    assert_eq!((&*name, id), ("room.created", (told + 1).to_string()));
    assert_eq!(of_room.next().2["session"], json!(first));
    // A session, by its own path and by that of the room.
    let eyes = format!("/v0/sessions/{second}/events");
    for path in [&*eyes, "/v0/events?room=r"] {
        let mut own = open(&key, path, 1);
        let (_, name, data) = own.next();
        assert_eq!(
            (&*name, &data["session"]),
            ("session.joined", &json!(second)),
            "{path}"
        );
    }
    // Who operates the node goes back as far as events are kept.
    let mut operator = open(ADMIN, "/v0/events?room=r", 0);
    operator.next();
    assert_eq!(operator.next().2["session"], json!(former));
    // With its end a session hears no more, whoever is in a room of that name by then.
    let mut own = open(&key, &eyes, rig.events_told());
    for path in [format!("/v0/sessions/{second}"), "/v0/rooms/r".to_owned()] {
        assert_eq!(ask(&rig, ADMIN, "DELETE", &path, &json!(null)).status, 204);
    }
    join();
    let (_, name, data) = own.next();
    assert_eq!(
        (&*name, &data["session"]),
        ("session.closed", &json!(second))
    );
    own.ends_within(Duration::from_secs(20));
}

#[test]
fn nobody_takes_the_places_of_others() {
    let limits = Limits {
        listeners: 16,
        listeners_per_operator: 10,
        listeners_per_token: 3,
        listeners_per_session: 1,
        ..Limits::default()
    };
    let config = Config {
        control: control(),
        ..Config::default()
    };
    let rig = Rig::limited(config, limits);
    let open = |bearer: &str, path: &str| {
        let headers = format!("Authorization: Bearer {bearer}\r\n");
        Listener::open(&rig, path, &headers)
    };
    let taken = |bearer: &str, path: &str| {
        let listener = open(bearer, path);
        let taken = listener.head.starts_with("HTTP/1.1 200");
        taken.then_some(listener)
    };
    let refused = |bearer: &str, path: &str, status: u16| {
        let mut listener = open(bearer, path);
        assert!(
            listener.head.starts_with(&format!("HTTP/1.1 {status}")),
            "{}",
            listener.head
        );
        assert!(
            listener.head.contains("retry-after: 10"),
            "{}",
            listener.head
        );
        let problem = listener.body();
        assert_eq!(problem["field"], "listeners");
        assert!(problem["allowed"].as_str().unwrap().contains("at most"));
    };
    let joined = |bearer: &str| {
        let told = ask(&rig, bearer, "POST", "/v0/sessions", &session("r")).json();
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        (format!("/v0/sessions/{}/events", text("id")), text("key"))
    };
    let room = "/v0/events?room=r";
    let ann = token(&claims("ann", "r"));
    let own = joined(&ann);
    // A token shares its places with the sessions that it created.
    let mut held = vec![
        taken(&ann, room).unwrap(),
        taken(&ann, &own.0).unwrap(),
        taken(&own.1, &own.0).unwrap(),
    ];
    refused(&ann, room, 429);
    refused(&own.1, room, 429);
    let one = joined(ADMIN);
    held.push(taken(&one.1, &one.0).unwrap());
    refused(&one.1, &one.0, 429);
    for name in ["b", "c", "d", "e"] {
        let token = token(&claims(name, "r"));
        held.extend((0..3).filter_map(|_| taken(&token, room)));
    }
    // What is left is for who operates the node.
    refused(&token(&claims("f", "r")), room, 503);
    held.push(taken(ADMIN, "/v0/events").unwrap());
    refused(ADMIN, "/v0/events", 503);
    drop(held);
    let end = Instant::now() + Duration::from_secs(20);
    // Those that went are noticed when something is sent to them.
    while taken(&ann, room).is_none() {
        assert!(Instant::now() < end, "places are not given back");
        assert_eq!(
            ask(&rig, ADMIN, "PUT", "/v0/rooms/r", &json!({})).status,
            200
        );
    }
}
