//! Pairs before one of them is nominated (RFC 8445 §12.1): a peer may begin DTLS on any whose check was answered.

use std::net::SocketAddr;
use std::time::Duration;

use forwarder_tests::Publisher;
use is::stun::{StunMessage, TransId};
use is::{DefaultSha1HmacProvider, Sha1HmacProvider as _};
use serde_json::{Value, json};

use crate::hall::{Hall, Kind, LONG, Side, wait_until};

scenarios!(dtls_is_heard_on_every_valid_pair);

/// A binding request that does not nominate, signed with the node's password.
fn check(session: &Value) -> Vec<u8> {
    let ice = |field: &str| session["ice"][field].as_str().unwrap();
    let username = format!("{}:abcd", ice("ufrag"));
    let message = StunMessage::binding_request(&username, TransId::new(), true, 7, 100, false);
    let mut bytes = vec![0; 512];
    let hmac = |key: &[u8], parts: &[&[u8]]| DefaultSha1HmacProvider.sha1_hmac(key, parts);
    let len = message.to_bytes(Some(ice("pwd").as_bytes()), &mut bytes, hmac);
    bytes.truncate(len.unwrap());
    bytes
}

fn dtls_is_heard_on_every_valid_pair(kind: Kind) {
    let hall = Hall::new(kind);
    let publisher = hall.publisher(0);
    assert!(wait_until(LONG, || {
        hall.view(&publisher)["state"] == "connected"
    }));
    let local = hall.view(&publisher)["pair"]["local"].clone();
    let to: SocketAddr = local.as_str().unwrap().parse().unwrap();
    let value = ["AB"; 32].join(":");
    let session = json!({
        "ice": {"ufrag": "abcd", "pwd": "0123456789012345678901"},
        "dtls": {"role": "active", "fingerprints": [{"algorithm": "sha-256", "value": value}]},
    });
    let session: Value = hall.api.post("/v0/sessions", &session).unwrap();
    let leaf = hall.leaf(Side::Publishing);
    let at = |port| {
        let from = leaf.pool_socket(kind.family, 0, port);
        Publisher::between(&leaf.netns, from, to).unwrap()
    };
    // What looks like DTLS and is none: XDP lets it pass to a pair, and nobody answers.
    let hello = [&[22, 254, 253][..], &[0; 8], &[0, 4, 9, 9, 9, 9]].concat();
    for (port, valid) in [(5001, true), (5002, true), (5003, true), (5004, false)] {
        let socket = at(port);
        if valid {
            socket.send_datagrams(&[check(&session)]).unwrap();
        }
        let heard = || hall.state().reason("dtls");
        // What the worker counts comes a moment later.
        let mut before = heard();
        let settled = wait_until(LONG, || {
            std::thread::sleep(Duration::from_millis(200));
            before == std::mem::replace(&mut before, heard())
        });
        assert!(settled);
        let passes = wait_until(if valid { LONG } else { Duration::from_secs(1) }, || {
            socket.send_datagrams(std::slice::from_ref(&hello)).unwrap();
            heard() > before
        });
        assert_eq!(passes, valid, "from port {port}");
    }
    let id = session["id"].as_str().unwrap();
    let view: Value = hall.api.read(&format!("/v0/sessions/{id}")).unwrap();
    assert_eq!(view["state"], "new", "{view:#}");
    hall.close_after_losses();
}
