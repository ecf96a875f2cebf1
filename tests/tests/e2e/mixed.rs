//! A room with legs of both paths: subscribers on the network beside one on the forwarder's own host, whom XDP cannot reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use forwarder_tests::model::{Mode, NewEndpoint};
use forwarder_tests::rtp::{Rewrite, Stream};
use forwarder_tests::tally::Tally;
use forwarder_tests::{Family, Receivers};

use crate::room::{
    BOTH, LONG, OUT, Path, RECEIVER, Room, assert_exactly, rewrite_of, send_in_bursts, wait_until,
};

scenarios!(
    kernel: a_recorder_on_the_same_host, only_a_recorder;
    socket: a_recorder_on_the_same_host, only_a_recorder
);

/// A subscriber in the forwarder's own namespace.
struct Recorder {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Tally>,
}

impl Recorder {
    fn start(room: &Room, address: SocketAddr, stream: Stream) -> Self {
        let socket = room.lab.fwd.enter(|| UdpSocket::bind(address)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut tally, mut buffer) = (Tally::default(), [0; 2000]);
            loop {
                let stopping = theirs.load(Ordering::SeqCst);
                match socket.recv(&mut buffer) {
                    Ok(length) => {
                        tally.note(stream.check(&buffer[..length]).unwrap().index, length);
                    }
                    Err(_) if stopping => return tally,
                    Err(_) => {}
                }
            }
        });
        Self { stop, thread }
    }

    fn finish(self) -> Tally {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

/// Adds recorders on the loopback address of each family and on the host's own address, and gives what each is to see.
fn recorders(
    room: &Room,
    source: &crate::room::Announced,
    stream: Stream,
) -> Vec<(Recorder, String)> {
    let addresses: [IpAddr; 3] = [
        Ipv4Addr::LOCALHOST.into(),
        Ipv6Addr::LOCALHOST.into(),
        room.lab.publisher().fwd_addr(Family::V4),
    ];
    let mut all = Vec::new();
    for (n, address) in addresses.into_iter().enumerate() {
        let rewrite = Rewrite {
            ssrc: Some(0xee00 + n as u32),
            ..rewrite_of(n)
        };
        let (local, remote) = (
            SocketAddr::new(address, OUT),
            SocketAddr::new(address, RECEIVER),
        );
        let recorder = Recorder::start(room, remote, stream.rewritten(rewrite));
        let endpoint = room
            .api
            .add_endpoint(&NewEndpoint::new(local, remote, Mode::Clear))
            .unwrap();
        let subscribed = room.subscribe(source, &endpoint, rewrite);
        let (path, why) = room.leg_path(&subscribed);
        assert_eq!(path, "socket");
        let why = why.unwrap();
        let reason = if room.path == Path::Kernel {
            "on this host"
        } else {
            "asked for"
        };
        assert!(why.contains(reason), "{why}");
        all.push((recorder, subscribed.id));
    }
    all
}

/// Waits until legs have sent so much, then ends their recorders: each has all of it, in order.
fn assert_recorded(room: &Room, recorders: Vec<(Recorder, String)>, packets: u64) {
    for (recorder, id) in recorders {
        let sent = || {
            room.api
                .state()
                .unwrap()
                .subscriptions
                .iter()
                .find(|one| one.id == id)
                .unwrap()
                .legs[0]
                .packets
        };
        assert!(
            wait_until(LONG, || sent() >= packets),
            "{id} sent {} of {packets}",
            sent()
        );
        let tally = recorder.finish();
        assert_eq!(
            (tally.differs_from(0..packets), tally.reordered),
            (None, 0),
            "{id}"
        );
    }
}

fn a_recorder_on_the_same_host(path: Path) {
    let room = Room::new(path);
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    let early = room.fill(
        &receivers,
        &source,
        stream,
        0..40,
        |n| BOTH[n % 2],
        rewrite_of,
    );
    let recorders = recorders(&room, &source, stream);
    let late = room.fill(
        &receivers,
        &source,
        stream,
        40..80,
        |n| BOTH[n % 2],
        rewrite_of,
    );
    for subscription in early.iter().chain(&late) {
        assert_eq!(room.leg_path(subscription).0, path.name());
    }
    send_in_bursts(&source.publisher, &stream, 0..1024, &[&receivers], 80);
    assert_exactly(receivers, 0..1024);
    assert_recorded(&room, recorders, 1024);
    let state = room.state();
    assert_eq!(state.reason("taken"), 1024);
    let punted = if path == Path::Kernel { 1024 } else { 0 };
    assert_eq!(
        (state.reason("punted"), state.reason("sent")),
        (punted, 1024 * 83)
    );
    room.close();
}

/// Nobody on the network at all: everything goes by the ring, and when the last recorder leaves nothing does.
fn only_a_recorder(path: Path) {
    let room = Room::new(path);
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V6, Mode::Clear, &[stream]);
    let recorders = recorders(&room, &source, stream);
    let ids: Vec<String> = recorders.iter().map(|(_, id)| id.clone()).collect();
    source
        .publisher
        .send(&stream, 0..256, forwarder_tests::Pace::per_second(20_000))
        .unwrap();
    assert_recorded(&room, recorders, 256);
    let punted = room.state().reason("punted");
    ids.iter().for_each(|id| room.api.unsubscribe(id).unwrap());
    source
        .publisher
        .send(&stream, 256..320, forwarder_tests::Pace::Full)
        .unwrap();
    room.wait_for_reason("no_members", 64);
    assert_eq!(room.state().reason("punted"), punted);
    room.close();
}
