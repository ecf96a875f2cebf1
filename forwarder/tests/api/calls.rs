//! Calls through a whole node on this host: real sockets, real peers, the workers' threads.

use std::{
    io::ErrorKind,
    net::{TcpStream, UdpSocket},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use forwarder::{core::ops::TableOp, node::parts::Change};
use serde_json::json;

use crate::{
    peer::{Peer, until},
    rig::Rig,
};

fn connect<const N: usize>(peers: [&mut Peer; N]) {
    until(peers, |peers| peers.iter().all(|peer| peer.connected));
}

/// Sends `count` packets from the first to the second, and waits until all have come.
fn talk(from: &mut Peer, to: &mut Peer, count: usize) {
    let before = to.heard.len();
    let sent: Vec<Vec<u8>> = (0..count).map(|at| vec![at as u8; 100]).collect();
    let mut waiting = sent.iter();
    until([from, to], |[from, to]| {
        if let Some(payload) = waiting.next() {
            from.speak(payload.clone());
        }
        to.heard.len() >= before + count
    });
    assert_eq!(to.heard[before..], sent);
}

#[test]
fn sound_goes_from_udp_to_tcp_and_back() {
    let rig = Rig::start();
    let (mut alice, mut bob) = (Peer::join(&rig, false), Peer::join(&rig, true));
    let from_alice = alice.publish(&rig, 11);
    let from_bob = bob.publish(&rig, 12);
    alice.subscribe(&rig, &from_bob);
    bob.subscribe(&rig, &from_alice);
    connect([&mut alice, &mut bob]);
    talk(&mut alice, &mut bob, 50);
    talk(&mut bob, &mut alice, 50);

    let shown = |peer: &Peer| rig.get(&format!("/v0/sessions/{}", peer.id));
    let (alice_shown, bob_shown) = (shown(&alice), shown(&bob));
    assert_eq!(alice_shown["state"], "connected");
    assert_eq!(alice_shown["suite"], "AEAD_AES_256_GCM");
    assert_eq!(
        (&alice_shown["path"], &alice_shown["why"]),
        (&json!("socket"), &json!("on this host"))
    );
    assert_eq!(
        (&bob_shown["path"], &bob_shown["pair"]["protocol"]),
        (&json!("tcp"), &json!("tcp"))
    );
    assert_eq!(alice_shown["packets"], 50);
    assert_eq!(bob_shown["subscriptions"][0]["packets"], 50);

    // A session that is closed says so: over TCP the connection ends, too.
    assert_eq!(
        rig.call("DELETE", &format!("/v0/sessions/{}", bob.id), "")
            .0,
        204
    );
    until([&mut bob], |[bob]| bob.closed);
    until([&mut alice], |[_]| {
        rig.get("/v0/sessions").as_array().map(Vec::len) == Some(1)
    });
}

#[test]
fn who_is_muted_by_the_server_is_not_heard_until_they_are_again() {
    let rig = Rig::start();
    let (mut alice, mut bob) = (Peer::join(&rig, false), Peer::join(&rig, false));
    let sound = alice.publish(&rig, 11);
    bob.subscribe(&rig, &sound);
    connect([&mut alice, &mut bob]);
    talk(&mut alice, &mut bob, 20);
    let track = format!("/v0/sessions/{}/publications/{sound}", alice.id);
    let mute = |muted: bool| {
        let body = json!({"muted": muted}).to_string();
        assert_eq!(rig.call("PATCH", &track, &body).0, 200);
    };
    mute(true);
    let arrived = || rig.get(&track)["packets"].as_u64().unwrap();
    let (before, heard) = (arrived(), bob.heard.len());
    until([&mut alice, &mut bob], |[alice, _]| {
        alice.speak(vec![9; 100]);
        arrived() >= before + 50
    });
    assert_eq!(bob.heard.len(), heard);
    mute(false);
    until([&mut alice, &mut bob], |[alice, bob]| {
        alice.speak(vec![10; 100]);
        bob.heard.len() >= heard + 20
    });
}

/// What XDP does not take in it would drop, so the pair is not open, and asked for again.
#[test]
fn a_pair_that_the_data_plane_refuses_is_opened_later() {
    let rig = Rig::start();
    let (mut alice, mut bob) = (Peer::join(&rig, false), Peer::join(&rig, false));
    let from_alice = alice.publish(&rig, 11);
    bob.subscribe(&rig, &from_alice);
    rig.world.refuse_pairs.store(true, Ordering::SeqCst);
    let path = format!("/v0/sessions/{}", bob.id);
    // DTLS goes by the listener as long as nobody keeps it out.
    connect([&mut alice, &mut bob]);
    let shown = rig.get(&path);
    let why = shown["why"].as_str().unwrap();
    assert!(why.contains("could not be opened"), "{shown}");
    let steers = |rig: &Rig| {
        let ops = rig.world.ops.lock().unwrap();
        let put = |op: &&TableOp| matches!(op, TableOp::PutSteer { .. });
        ops.iter().filter(put).count()
    };
    assert_eq!(steers(&rig), 0);
    rig.world.refuse_pairs.store(false, Ordering::SeqCst);
    until([&mut alice, &mut bob], |_| steers(&rig) == 2);
    until([&mut alice, &mut bob], |_| {
        rig.get(&path)["why"] == "on this host"
    });
    talk(&mut alice, &mut bob, 20);
}

#[test]
fn a_call_follows_its_next_hop_from_path_to_path_without_a_loss() {
    let rig = Rig::start();
    let (mut alice, mut bob) = (Peer::join(&rig, false), Peer::join(&rig, false));
    let from_alice = alice.publish(&rig, 11);
    bob.subscribe(&rig, &from_alice);
    connect([&mut alice, &mut bob]);
    let path = format!("/v0/sessions/{}", bob.id);
    for (loops, wanted) in [
        (false, "socket"),
        (true, "sealed"),
        (false, "socket"),
        (true, "sealed"),
    ] {
        rig.world.loops.store(loops, Ordering::SeqCst);
        rig.changes.blocking_send(Change::All).unwrap();
        talk(&mut alice, &mut bob, 20);
        until([&mut alice, &mut bob], |_| rig.get(&path)["path"] == wanted);
        talk(&mut alice, &mut bob, 20);
    }
    let shown = rig.get(&path);
    assert_eq!(shown["subscriptions"][0]["path"], "sealed");
    assert_eq!(shown["why"], json!(null));
    drop((alice, bob));
    for id in ["1", "2"] {
        assert_eq!(rig.call("DELETE", &format!("/v0/sessions/{id}"), "").0, 204);
    }
    let ops = rig.world.ops.lock().unwrap();
    let count = |wanted: fn(&TableOp) -> bool| ops.iter().filter(|op| wanted(op)).count();
    let steers = count(|op| matches!(op, TableOp::PutSteer { .. }));
    assert_eq!(count(|op| matches!(op, TableOp::DropSteer { .. })), 2);
    // Once when opened, and again when the publisher's sound was known.
    assert!((2..=4).contains(&steers), "{steers}");
    // Twice for each; the last ones end with their pairs, the first ones after a second.
    assert_eq!(count(|op| matches!(op, TableOp::PutHop { .. })), 4);
    assert!(count(|op| matches!(op, TableOp::VoidHop { .. })) >= 2);
    let ended = count(|op| matches!(op, TableOp::SetLease { lease, deadline: 0 } if *lease != 0));
    assert_eq!(ended, 2);
}

#[test]
fn a_peer_begins_anew_from_the_same_address() {
    let rig = Rig::start();
    let (mut alice, mut bob) = (Peer::join(&rig, false), Peer::join(&rig, false));
    let publication = alice.publish(&rig, 11);
    bob.subscribe(&rig, &publication);
    connect([&mut alice, &mut bob]);
    talk(&mut alice, &mut bob, 20);
    for _ in 0..3 {
        let former = alice.id.clone();
        alice = alice.join_again(&rig);
        let publication = alice.publish(&rig, 11);
        let former_bob = bob.id.clone();
        bob = bob.join_again(&rig);
        bob.subscribe(&rig, &publication);
        connect([&mut alice, &mut bob]);
        talk(&mut alice, &mut bob, 20);
        // What is left of the former sessions ends, and takes nothing from the new ones.
        for id in [former, former_bob] {
            assert_eq!(rig.call("DELETE", &format!("/v0/sessions/{id}"), "").0, 204);
        }
        talk(&mut alice, &mut bob, 20);
    }
}

#[test]
fn a_crowd_joins_at_once_and_hears_one_speaker() {
    let rig = Rig::start();
    let mut alice = Peer::join(&rig, false);
    let publication = alice.publish(&rig, 11);
    let mut crowd: Vec<Peer> = (0..40).map(|at| Peer::join(&rig, at % 4 == 0)).collect();
    for peer in &mut crowd {
        peer.subscribe(&rig, &publication);
    }
    let mut said = 0;
    let asked = Instant::now();
    until([&mut alice], |[alice]| {
        crowd.iter_mut().for_each(Peer::turn);
        if alice.connected && crowd.iter().all(|peer| peer.connected) && said < 20 {
            said += 1;
            alice.speak(vec![said; 100]);
        }
        crowd.iter().all(|peer| peer.heard.len() >= 20)
    });
    println!("40 joined and heard 20 packets in {:?}", asked.elapsed());
    for peer in &crowd {
        assert_eq!(peer.heard.len(), 20);
    }
    let state = rig.get("/v0/state");
    let sessions = state["sessions"].as_array().unwrap();
    let tcp = sessions.iter().filter(|session| session["path"] == "tcp");
    assert_eq!((sessions.len(), tcp.count()), (41, 10));
}

#[test]
fn strangers_keep_neither_a_call_nor_the_api_waiting() {
    let rig = Rig::start();
    let (mut alice, mut bob) = (Peer::join(&rig, false), Peer::join(&rig, false));
    let from_alice = alice.publish(&rig, 11);
    bob.subscribe(&rig, &from_alice);
    connect([&mut alice, &mut bob]);
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
            // RTP, DTLS, STUN that names nobody, and nothing at all.
            let stun = [
                &[0, 1, 0, 20, 0x21, 0x12, 0xa4, 0x42][..],
                &[7; 12],
                &[0, 6, 0, 13],
                b"abcdefgh:wxyz\0\0\0",
            ]
            .concat();
            let strays = [vec![0x80; 1200], vec![22; 500], stun, vec![]];
            while !stop.load(Ordering::Relaxed) {
                for stray in &strays {
                    if stranger.send_to(stray, rig.media).is_ok() {
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            talk(&mut alice, &mut bob, 20);
            let asked = Instant::now();
            rig.get("/v0/node");
            slowest = slowest.max(asked.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
        println!(
            "{} strays beside the call, slowest answer of the API {slowest:?}",
            sent.load(Ordering::Relaxed)
        );
        // An answer that waits for the strangers to stop never comes.
        assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    });
    let shown = rig.get(&format!("/v0/sessions/{}", alice.id));
    assert_eq!(
        (&shown["packets"], &shown["unauthentic"]),
        (&json!(400), &json!(0))
    );
}

#[test]
fn tcp_strangers_are_few_and_do_not_stay() {
    let rig = Rig::start();
    let connections: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(rig.media).unwrap())
        .collect();
    let waits = |held: &&TcpStream| {
        held.set_nonblocking(true).unwrap();
        let peeked = held.peek(&mut [0; 1]);
        matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
    };
    let alive = || connections.iter().filter(waits).count();
    let end = Instant::now() + Duration::from_secs(20);
    while alive() > 64 {
        assert!(Instant::now() < end, "{} stay", alive());
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(alive(), 64);
    drop(connections);
    // Those that left give their places back, so somebody else may stay.
    let stays = || {
        let next = TcpStream::connect(rig.media).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        waits(&&next)
    };
    let end = Instant::now() + Duration::from_secs(20);
    while !stays() {
        assert!(Instant::now() < end, "places are not given back");
    }
    let mut peer = Peer::join(&rig, true);
    connect([&mut peer]);
}
