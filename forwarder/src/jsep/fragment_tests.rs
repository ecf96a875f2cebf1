//! Candidates that come by themselves.

use super::{samples::*, *};

const FRAGMENT: &str = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0\r\na=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ host generation 0\r\na=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\r\na=end-of-candidates\r\n";

/// One whose peer has the credentials of [`FRAGMENT`].
fn connected() -> Negotiation {
    let mut negotiation = Negotiation::new();
    let offer = offer("ffmpeg-whip").replace("bf0a4215", "EsAw").replace(
        "564654f7a390daabad5eae0d2a0e0573",
        "P2uYro0UCOQ4zxjKXaWCBui1",
    );
    answered(&mut negotiation, &offer);
    negotiation
}

#[test]
fn the_example_of_whip() {
    let read = fragment::parse(FRAGMENT).unwrap();
    assert_eq!(read.ice.as_ref().unwrap().ufrag(), "EsAw");
    assert_eq!(read.candidates.len(), 3);
    assert_eq!(read.candidates[2].protocol, "tcp");
    assert!(read.ended);
    assert_eq!(connected().handle_fragment(&read).unwrap(), None);
}

#[test]
fn other_credentials_restart() {
    let mut negotiation = connected();
    let text = "a=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n";
    let read = fragment::parse(text).unwrap();
    let remote = negotiation.handle_fragment(&read).unwrap().unwrap();
    assert_eq!((remote.ice.ufrag(), remote.restarted), ("ysXw", true));
    assert_eq!(
        negotiation.handle_fragment(&read).unwrap(),
        None,
        "the same again"
    );
    let answer = negotiation.fragment(&Side::new(7).local());
    let back = fragment::parse(&answer).unwrap();
    assert_eq!(back.ice, Some(Side::new(7).ice));
    assert_eq!((back.candidates.len(), back.ended), (2, true));
    assert!(
        answer.contains("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"),
        "{answer}"
    );
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut negotiation = connected();
    let stray = fragment::parse("a=ice-ufrag:other\r\n").unwrap();
    assert_eq!(
        negotiation.handle_fragment(&stray).unwrap_err().field,
        "ice.ufrag"
    );
    let empty = fragment::parse("").unwrap();
    assert_eq!(negotiation.handle_fragment(&empty).unwrap(), None);
    assert!(Negotiation::new().handle_fragment(&empty).is_err());
    let refused = |text: &str| fragment::parse(text).unwrap_err().field;
    assert_eq!(refused("a=candidate:what\r\n"), "candidate");
    assert_eq!(refused("what\r\n"), "sdpfrag");
    assert_eq!(
        refused("a=ice-ufrag:one1\r\na=ice-ufrag:two2\r\n"),
        "ice.ufrag"
    );
    assert_eq!(
        refused("a=ice-ufrag:one1\r\na=ice-pwd:short\r\n"),
        "ice.pwd"
    );
    assert_eq!(refused(&"a=x\r\n".repeat(20_000)), "sdpfrag");
    let many = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n".repeat(257);
    assert_eq!(refused(&many), "candidate");
    let secret = fragment::parse("a=ice-ufrag:one1\r\na=ice-pwd:hunter2\r\n").unwrap_err();
    assert!(!secret.to_string().contains("hunter2"));
}
