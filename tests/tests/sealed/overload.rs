//! A worker that does not keep up: of what waits for it video is dropped before audio, and counted.

use std::time::Duration;

use forwarder_tests::flood::{Flood, received};
use forwarder_tests::frame::Frame;
use forwarder_tests::rtc::{Codec, Participant};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::hall::{Hall, Kind, LONG, Side, clip, counted, play, subscribe, wait_until};

// Only XDP has a ring; sockets shed by themselves, which has its tests where it is written.
scenarios!(kernel_v4: video_goes_first; kernel_v6: video_goes_first);

/// Sessions that flood. What a ring takes past its half, from each at once, is 257 packets: theirs fill it to three quarters.
const FLOODERS: usize = 8;
/// Bytes of their packets.
const LEN: usize = 1200;
/// Frames a second.
const RATE: u64 = 50_000;
/// Frames that come while the worker does nothing: three quarters of its ring are some 2,600 of them.
const FRAMES: u64 = 12_000;

/// The node is stopped for half a second, in which it is as slow as a worker can be. Meanwhile others flood their own pairs with video.
fn video_goes_first(kind: Kind) {
    let hall = Hall::with(kind, forwarder_tests::Lab::star(), &["--workers", "1"]);
    hall.crowd(Side::Publishing).stay_on_one_cpu().unwrap();
    let (publisher, tracks) = hall.call();
    let subscriber = hall.subscriber(0);
    let [_, audio] = &subscribe(&subscriber, &tracks)[..] else {
        panic!("video and audio");
    };
    let flooders: Vec<Participant> = (1..=FLOODERS).map(|n| hall.publisher(n)).collect();
    for flooder in &flooders {
        flooder.publish(&clip(Codec::Vp8)).unwrap();
        flooder.start_media();
    }
    play(&[&publisher], &[&subscriber], Duration::from_millis(300));
    flooders.iter().for_each(Participant::stop_media);
    let view = hall.view(&publisher);
    let media = view["pair"]["local"].as_str().unwrap().parse().unwrap();
    let frames = frames(&hall, &flooders, media);
    let before = hall.state();

    publisher.start_media();
    let leaf = hall.leaf(Side::Publishing);
    let arrived = || received(&hall.lab.fwd, leaf.fwd_interface()).unwrap();
    let node = Pid::from_raw(hall.node.pid());
    kill(node, Signal::SIGSTOP).unwrap();
    let first = arrived();
    let flood = Flood::start(leaf, &frames, RATE).unwrap();
    let came = wait_until(LONG, || arrived() - first >= FRAMES);
    // The call goes on, into what room is left.
    std::thread::sleep(Duration::from_millis(300));
    flood.stop().unwrap();
    kill(node, Signal::SIGCONT).unwrap();
    assert!(came, "{} came", arrived() - first);
    std::thread::sleep(Duration::from_millis(300));
    publisher.stop_media();

    let sent = || {
        let outbound = publisher.report().outbound;
        outbound[&tracks[1].track.mid.to_string()].frames
    };
    let heard = || subscriber.report().inbound[&audio.mid.to_string()].clone();
    let whole = wait_until(LONG, || {
        let heard = heard();
        heard.missing() == 0 && heard.last.is_some_and(|last| last + 1 == sent())
    });
    let report = subscriber.report();
    assert!(whole, "{} frames of audio: {report:#?}", sent());
    assert_eq!(report.wire.streams[&audio.ssrc].lost(), 0, "{report:#?}");
    let state = hall.state();
    let counted_since = |reason| state.reason(reason) - before.reason(reason);
    assert!(counted_since("video_shed") > 0, "{:?}", counted(&state));
    assert_eq!(counted_since("ring_full"), 0, "{:?}", counted(&state));
    println!("{:?}", counted(&state));
    hall.close_after_losses();
}

/// The last packet of each flooder, made longer: the worker refuses it, once it gets to it.
fn frames(hall: &Hall, flooders: &[Participant], to: std::net::SocketAddr) -> Vec<Vec<u8>> {
    let leaf = hall.leaf(Side::Publishing);
    let of = |flooder: &Participant| {
        let mut payload = flooder.member.ask(|agent, _| agent.last_media());
        payload.resize(LEN, 0x5a);
        let from = flooder.report().local;
        Frame::udp(leaf.mac, leaf.fwd_mac, from, to, &payload).build()
    };
    flooders.iter().map(of).collect()
}
