//! What should not be there: tampered, cut, replayed and foreign packets, strangers, floods. No call is disturbed by any of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use forwarder_tests::rtc::Mischief;
use forwarder_tests::{Lab, Publisher};
use serde_json::Value;

use crate::hall::{Hall, Kind, Side, WHILE, assert_whole, play, subscribe};

scenarios!(
    kernel_v4: faulty_packets_go_nowhere, strangers_are_not_heard, floods_beside_a_call;
    socket_v4: faulty_packets_go_nowhere, strangers_are_not_heard
);

/// From the publisher's own address: what somebody on the way could send.
fn faulty_packets_go_nowhere(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let subscriber = hall.subscriber(0);
    subscribe(&subscriber, &tracks);
    for mischief in Mischief::ALL {
        publisher
            .member
            .ask(move |agent, _| agent.set_mischief(Some(mischief)));
        play(&[&publisher], &[&subscriber], Duration::from_millis(400));
    }
    let view = hall.view(&publisher);
    for counter in ["replayed", "unauthentic"] {
        assert!(view[counter].as_u64() > Some(0), "{counter}: {view:#}");
    }
    assert_eq!(hall.view(&subscriber)["subscriptions"].as_array().map(Vec::len), Some(2));
    hall.close_after_losses();
}

/// Packets of a stranger's that name a session's SSRC, its ufrag, or begin a DTLS handshake.
fn stray_packets(ssrc: u32, ufrag: &str) -> Vec<Vec<u8>> {
    let mut rtp = vec![0x80, 96, 0, 1, 0, 0, 0, 9];
    rtp.extend(ssrc.to_be_bytes());
    rtp.extend([7; 200]);
    // A binding request (RFC 8489 §5) with USERNAME, and a MESSAGE-INTEGRITY that is none.
    let username = format!("{ufrag}:abcd");
    let mut attributes = vec![0, 6];
    attributes.extend((username.len() as u16).to_be_bytes());
    attributes.extend(username.bytes());
    attributes.resize(attributes.len().next_multiple_of(4), 0);
    attributes.extend([0, 8, 0, 20]);
    attributes.extend([9; 20]);
    let mut stun = vec![0, 1];
    stun.extend((attributes.len() as u16).to_be_bytes());
    stun.extend(0x2112_a442u32.to_be_bytes());
    stun.extend([3; 12]);
    stun.extend(attributes);
    // The start of a ClientHello of DTLS 1.2 (RFC 6347 §4.1).
    let mut hello = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100];
    hello.extend([1; 100]);
    let rtcp = [&[0x81, 201, 0, 7][..], &ssrc.to_be_bytes(), &[0; 24]].concat();
    vec![rtp, stun, hello, rtcp, vec![0x40; 60], vec![]]
}

fn strangers_are_not_heard(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let subscriber = hall.subscriber(0);
    subscribe(&subscriber, &tracks);
    let ufrag = hall.view(&publisher)["ufrag"].as_str().unwrap().to_owned();
    let to = hall.view(&publisher)["pair"]["local"].as_str().unwrap().parse().unwrap();
    let leaf = hall.leaf(Side::Publishing);
    let from = leaf.pool_socket(kind.family, 77, 5555);
    let stranger = Publisher::between(&leaf.netns, from, to).unwrap();
    let strays = stray_packets(tracks[0].track.ssrc, &ufrag);
    publisher.start_media();
    for _ in 0..100 {
        stranger.send_datagrams(&strays).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    publisher.stop_media();
    assert_whole(&[&subscriber]);
    let sessions = hall.state().more["sessions"].as_array().unwrap().len();
    assert_eq!(sessions, 2);
    hall.close_after_losses();
}

/// Bytes that the node's process has in memory.
fn resident(hall: &Hall) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/statm", hall.node.pid())).unwrap();
    let pages: u64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Two hundred thousand packets a second and more from strangers on the wire of the publisher: the call loses nothing.
fn floods_beside_a_call(kind: Kind) {
    let hall = Hall::with(kind, Lab::star().publishers(2), &[]);
    let (publisher, tracks) = hall.call();
    let subscriber = hall.subscriber(0);
    subscribe(&subscriber, &tracks);
    let view: Value = hall.view(&publisher);
    let ufrag = view["ufrag"].as_str().unwrap().to_owned();
    let to = view["pair"]["local"].as_str().unwrap().parse().unwrap();
    play(&[&publisher], &[&subscriber], Duration::from_millis(300));
    let before = resident(&hall);
    // Known ufrag and none, RTP, DTLS: one kind after the other.
    let mut strays = stray_packets(tracks[0].track.ssrc, &ufrag);
    strays.truncate(3);
    strays.push(stray_packets(1, "nobodys0")[1].clone());
    for stray in strays {
        let leaf = &hall.lab.publishers[1];
        let from = leaf.pool_socket(kind.family, 5, 5555);
        let stranger = Publisher::between(&leaf.netns, from, to).unwrap();
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let theirs = (Arc::clone(&stop), Arc::clone(&sent));
        let first = stray[0];
        let batch = vec![stray; 64];
        let began = Instant::now();
        let flood = std::thread::spawn(move || {
            while !theirs.0.load(Ordering::Relaxed) {
                stranger.send_datagrams(&batch).unwrap();
                theirs.1.fetch_add(64, Ordering::Relaxed);
            }
        });
        publisher.start_media();
        std::thread::sleep(WHILE);
        stop.store(true, Ordering::Relaxed);
        flood.join().unwrap();
        let rate = sent.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
        println!("a flood of packets that begin with {first}: {rate:.0} per second");
        publisher.stop_media();
        assert_whole(&[&subscriber]);
    }
    let grown = resident(&hall).saturating_sub(before);
    assert!(grown < 8 << 20, "the node grew by {grown} bytes");
    hall.close_after_losses();
}
