//! Connections: who is read, for how long, and how many there are.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use forwarder::{api::limits::Limits, config::Config};
use serde_json::{Value, json};

use crate::{
    access::{ADMIN, control, guarded},
    rig::Rig,
};

/// A connection that writes what a test says, and reads to its end.
struct Wire(TcpStream);

impl Wire {
    fn open(rig: &Rig) -> Self {
        let stream = TcpStream::connect(rig.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self(stream)
    }

    fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// The next head, and the body that it announces.
    fn answer(&mut self) -> (String, String) {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            let read = self.0.read(&mut byte).unwrap();
            assert_eq!(read, 1, "{}", String::from_utf8_lossy(&head));
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.0.read_exact(&mut body).unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    /// Waits until the other side has closed it.
    fn closed(&mut self) {
        let mut rest = [0; 1024];
        loop {
            match self.0.read(&mut rest) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn limited(limits: Limits) -> Rig {
    let config = Config {
        control: control(),
        ..Config::default()
    };
    Rig::limited(config, limits)
}

fn post(authorization: &str, headers: &str) -> String {
    format!(
        "POST /v0/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Authorization: Bearer {authorization}\r\n{headers}\r\n"
    )
}

#[test]
fn nothing_is_read_of_somebody_who_is_not_known() {
    let rig = guarded();
    // A body that never comes is not waited for.
    for headers in [
        "Content-Length: 500000\r\n",
        "Transfer-Encoding: chunked\r\n",
    ] {
        let mut wire = Wire::open(&rig);
        wire.say(&post("wrong", headers));
        let start = Instant::now();
        let (head, body) = wire.answer();
        assert!(head.starts_with("http/1.1 401"), "{head}");
        assert!(head.contains("connection: close"), "{head}");
        assert!(body.contains("Authorization"), "{body}");
        assert!(start.elapsed() < Duration::from_secs(9), "it waited");
        wire.closed();
    }
    // Nor asked for (RFC 9110 §10.1.1).
    let mut wire = Wire::open(&rig);
    let expects = "Content-Length: 500000\r\nExpect: 100-continue\r\n";
    wire.say(&post("wrong", expects));
    let (head, _) = wire.answer();
    assert!(head.starts_with("http/1.1 401"), "{head}");
    wire.closed();
    let mut wire = Wire::open(&rig);
    wire.say(&post(ADMIN, expects));
    let (head, _) = wire.answer();
    assert!(head.starts_with("http/1.1 100"), "{head}");
    // What came all the same is thrown away, and the connection goes on.
    let mut wire = Wire::open(&rig);
    for _ in 0..2 {
        wire.say(&post("wrong", "Content-Length: 100000\r\n"));
        wire.say(&"x".repeat(100_000));
        let (head, _) = wire.answer();
        assert!(head.starts_with("http/1.1 401"), "{head}");
        assert!(!head.contains("connection: close"), "{head}");
    }
}

#[test]
fn what_does_not_come_is_not_waited_for() {
    let rig = limited(Limits {
        patience: Duration::from_millis(500),
        ..Limits::default()
    });
    // The head, byte after byte.
    let mut slow = Wire::open(&rig);
    let head = post(ADMIN, "Content-Length: 2\r\n");
    let mut bytes = head.bytes();
    let end = Instant::now() + Duration::from_secs(20);
    let cut = loop {
        assert!(Instant::now() < end, "it is read on and on");
        std::thread::sleep(Duration::from_millis(50));
        let Some(byte) = bytes.next() else {
            break false;
        };
        if slow.0.write_all(&[byte]).is_err() {
            break true;
        }
    };
    assert!(cut, "the whole head was read");
    // The body, byte after byte.
    let mut slow = Wire::open(&rig);
    slow.say(&post(ADMIN, "Content-Length: 400\r\n"));
    let (head, body) = std::thread::scope(|scope| {
        let mut writer = slow.0.try_clone().unwrap();
        scope.spawn(move || {
            for _ in 0..400 {
                std::thread::sleep(Duration::from_millis(50));
                if writer.write_all(b" ").is_err() {
                    return;
                }
            }
        });
        let answer = slow.answer();
        slow.closed();
        answer
    });
    assert!(head.starts_with("http/1.1 408"), "{head}");
    let problem: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(problem["field"], "body");
    // Nothing at all.
    Wire::open(&rig).closed();
}

#[test]
fn whoever_comes_on_top_is_told_and_the_others_go_on() {
    let rig = limited(Limits {
        connections: 4,
        ..Limits::default()
    });
    let ask = "GET /v0/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut held: Vec<Wire> = (0..4).map(|_| Wire::open(&rig)).collect();
    for wire in &mut held {
        wire.say(ask);
        assert!(wire.answer().0.starts_with("http/1.1 200"));
    }
    let mut more = Wire::open(&rig);
    more.say(ask);
    let (head, body) = more.answer();
    assert!(head.starts_with("http/1.1 503"), "{head}");
    assert!(head.contains("retry-after: 10"), "{head}");
    let problem: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&problem["field"], &problem["status"]),
        (&json!("connections"), &json!(503))
    );
    assert!(problem["allowed"].as_str().unwrap().contains('4'), "{body}");
    more.closed();
    for wire in &mut held {
        wire.say(ask);
        assert!(wire.answer().0.starts_with("http/1.1 200"));
    }
    // A place is free as soon as somebody has gone.
    held.pop();
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let mut next = Wire::open(&rig);
        next.say(ask);
        if next.answer().0.starts_with("http/1.1 200") {
            break;
        }
        assert!(Instant::now() < end, "the place is not given back");
    }
}
