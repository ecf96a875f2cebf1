//! Credentials that do not hold: how often they may be tried.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use forwarder::{
    api::{
        access::{Allowance, Allowances, Claims},
        limits::Limits,
    },
    config::Config,
};
use socket2::{Domain, Socket, Type};

use crate::{
    access::{ADMIN, ask, claims, control, now, token},
    rig::Rig,
};

/// Asks from an address of this host; gives the head of the answer.
fn ask_from(rig: &Rig, from: Ipv4Addr, bearer: Option<&str>) -> String {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&rig.address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    let limit = Some(Duration::from_secs(20));
    stream.set_read_timeout(limit).unwrap();
    let bearer = bearer.map(|bearer| format!("Authorization: Bearer {bearer}\r\n"));
    let bearer = bearer.unwrap_or_default();
    let head =
        format!("GET /v0/access HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{bearer}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.to_ascii_lowercase()
}

#[test]
fn who_guesses_is_kept_waiting_and_nobody_else() {
    let allowance = Allowance {
        burst: 5,
        renewal: Duration::from_secs(3600),
    };
    let rig = Rig::limited(
        Config {
            control: control(),
            ..Config::default()
        },
        Limits {
            failures: Allowances {
                loopback: allowance,
                others: allowance,
            },
            ..Limits::default()
        },
    );
    let (guesser, other) = (Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3));
    // No credentials are no guess, and a token that was signed by who may is none either.
    let old = token(&Claims {
        exp: now() - 100,
        ..claims("ann", "r")
    });
    let early = token(&Claims {
        nbf: Some(now() + 100),
        ..claims("ann", "r")
    });
    for _ in 0..10 {
        // The key of a session of another run is asked with again and again, by pages that know no better.
        for bearer in [None, Some(&*old), Some(&*early), Some("session.1.AAAA")] {
            let answer = ask_from(&rig, guesser, bearer);
            assert!(answer.starts_with("http/1.1 401"), "{answer}");
        }
    }
    let forged = claims("eve", "r")
        .sign(b"a secret that nobody shares")
        .unwrap();
    for guess in ["a", "b", "c", "d", &forged] {
        let answer = ask_from(&rig, guesser, Some(guess));
        assert!(answer.starts_with("http/1.1 401"), "{answer}");
    }
    // From here on nothing tells right from wrong.
    for guess in ["e", &forged, ADMIN, &token(&claims("ann", "r"))] {
        let answer = ask_from(&rig, guesser, Some(guess));
        assert!(answer.starts_with("http/1.1 429"), "{answer}");
        assert!(answer.contains("retry-after: 3"), "{answer}");
        assert!(answer.contains("urn:forwarder:problem:guessed"), "{answer}");
    }
    assert!(ask_from(&rig, guesser, None).starts_with("http/1.1 401"));
    let answer = ask_from(&rig, other, Some(ADMIN));
    assert!(answer.starts_with("http/1.1 200"), "{answer}");
    let null = serde_json::Value::Null;
    assert_eq!(ask(&rig, ADMIN, "GET", "/v0/access", &null).status, 200);
}

#[test]
fn this_host_may_fail_often() {
    let rig = crate::access::guarded();
    for _ in 0..200 {
        let null = serde_json::Value::Null;
        assert_eq!(ask(&rig, "wrong", "GET", "/v0/access", &null).status, 401);
    }
}
