//! Floods beside a call: two hundred thousand packets a second and more, of each kind, and the call loses nothing.
//!
//! The rate is what the forwarder's interface received while the flood lasted. A flood that did not reach [`RATE`], as on a
//! machine that is busy with something else, is repeated; one that never does fails the test.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use forwarder_tests::flood::{Flood, received};
use forwarder_tests::frame::Frame;
use forwarder_tests::model::State;
use forwarder_tests::rtc::{Codec, Participant};
use forwarder_tests::{Lab, Leaf};

use crate::hall::{Hall, Kind, Side, assert_whole, clip, play, subscribe};
use crate::strays;

scenarios!(of_strangers, from_a_pair);

/// What a flood has to reach, packets per second.
const RATE: f64 = 200_000.0;
/// What its sender aims at.
const AIM: u64 = 240_000;
/// How long one lasts.
const LASTS: Duration = Duration::from_millis(800);
/// How often one is tried, and how long something else that has the machine is waited for in between.
const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_secs(1);
/// What the process may grow by over all floods, bytes.
const GROWTH: u64 = 8 << 20;

/// A kind of flood.
struct Wave {
    what: &'static str,
    from: Vec<SocketAddr>,
    payloads: Vec<Vec<u8>>,
    /// The wire: 0 is the publisher's own.
    by: usize,
    /// Where XDP counts nearly all of it, on the kernel path.
    ends: &'static [&'static str],
}

/// Where RTP from an open pair ends in XDP, which cannot tell what is new and authentic: in the ring of the worker, as far as that has room
/// and the session its rate.
const RTP: &[&str] = &["steered", "metered", "video_shed", "ring_full"];

/// A call, and a wire beside it that floods come by.
struct Beside {
    hall: Hall,
    publisher: Participant,
    subscriber: Participant,
    ssrc: u32,
    /// The publisher's username fragment at the forwarder.
    ufrag: String,
    /// Where its media goes.
    media: SocketAddr,
}

impl Beside {
    fn new(kind: Kind) -> Self {
        let hall = Hall::with(kind, Lab::star().publishers(2), &[]);
        // What counts is the order of the forwarder, not of a sender that moves between CPUs.
        hall.crowd(Side::Publishing).stay_on_one_cpu().unwrap();
        let (publisher, tracks) = hall.call();
        let subscriber = hall.subscriber(0);
        subscribe(&subscriber, &tracks);
        let view = hall.view(&publisher);
        // Memory that the first packets take is taken before any flood.
        play(&[&publisher], &[&subscriber], Duration::from_millis(300));
        Self {
            publisher,
            subscriber,
            ssrc: tracks[0].track.ssrc,
            ufrag: view["ufrag"].as_str().unwrap().to_owned(),
            media: view["pair"]["local"].as_str().unwrap().parse().unwrap(),
            hall,
        }
    }

    fn leaf(&self, by: usize) -> &Leaf {
        &self.hall.lab.publishers[by]
    }

    /// Lets the waves break one after the other: each reaches its rate, the call loses nothing, and the node does not grow.
    fn endure(&self, waves: Vec<Wave>) {
        let before = self.resident();
        for wave in waves {
            let reached = (0..TRIES).any(|before| {
                if before > 0 {
                    std::thread::sleep(PAUSE);
                }
                self.endure_once(&wave)
            });
            assert!(
                reached,
                "no flood of {} was {RATE} packets a second",
                wave.what
            );
        }
        let grown = self.resident().saturating_sub(before);
        println!("the node grew by {grown} bytes");
        assert!(grown < GROWTH, "the node grew by {grown} bytes");
    }

    /// One try; whether it reached the rate.
    fn endure_once(&self, wave: &Wave) -> bool {
        let (fwd, leaf) = (&self.hall.lab.fwd, self.leaf(wave.by));
        let arrived = || received(fwd, leaf.fwd_interface()).unwrap();
        let frames = self.frames(wave);
        let (before, began) = (self.hall.state(), Instant::now());
        self.publisher.start_media();
        let (flood, first, began) = {
            let first = arrived();
            (
                Flood::start(leaf, &frames, AIM).unwrap(),
                first,
                began.max(Instant::now()),
            )
        };
        std::thread::sleep(LASTS);
        let (came, lasted) = (arrived() - first, began.elapsed());
        let sent = flood.stop().unwrap();
        self.publisher.stop_media();
        assert_whole(&[&self.subscriber]);
        let rate = came as f64 / lasted.as_secs_f64();
        let ended = self.ended(wave, &before);
        println!(
            "{}: {rate:.0} packets per second of {:.0}, {ended:?}, {:?}",
            wave.what,
            sent.rate(),
            crate::hall::counted(&self.hall.state())
        );
        if let (Some(ended), true) = (ended, rate >= RATE) {
            assert!(ended as f64 > 0.9 * came as f64, "{ended} of {came}");
        }
        rate >= RATE
    }

    /// How many ended where they should, on the kernel path.
    fn ended(&self, wave: &Wave, before: &State) -> Option<u64> {
        if wave.ends.is_empty() || self.hall.kind.path != "kernel" {
            return None;
        }
        let now = self.hall.state();
        let counted = |reason: &&str| now.reason(reason) - before.reason(reason);
        Some(wave.ends.iter().map(counted).sum())
    }

    fn frames(&self, wave: &Wave) -> Vec<Vec<u8>> {
        let leaf = self.leaf(wave.by);
        let frame = |from: &SocketAddr, payload: &[u8]| {
            Frame::udp(leaf.mac, leaf.fwd_mac, *from, self.media, payload).build()
        };
        let from = wave.from.iter();
        from.flat_map(|from| {
            wave.payloads
                .iter()
                .map(move |payload| frame(from, payload))
        })
        .collect()
    }

    /// Bytes that the node's process has in memory.
    fn resident(&self) -> u64 {
        let statm = format!("/proc/{}/statm", self.hall.node.pid());
        let text = std::fs::read_to_string(statm).unwrap();
        let pages: u64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
        pages * 4096
    }
}

fn of_strangers(kind: Kind) {
    let beside = Beside::new(kind);
    let address = |n| beside.leaf(0).pool_socket(kind.family, n, 5555);
    let of = |what, payload, ends| Wave {
        what,
        from: vec![address(5)],
        payloads: vec![payload],
        by: 0,
        ends,
    };
    let by_another = |what, payload, ends| Wave {
        from: vec![beside.leaf(1).pool_socket(kind.family, 5, 5555)],
        by: 1,
        ..of(what, payload, ends)
    };
    beside.endure(vec![
        of("RTP", strays::rtp(beside.ssrc), &["unknown_pair"]),
        of("RTCP", strays::rtcp(beside.ssrc), &["unknown_pair"]),
        of("DTLS", strays::hello(), &["unknown_pair"]),
        of(
            "checks of nobody",
            strays::check("nobodys0"),
            &["unknown_ufrag"],
        ),
        of(
            "checks of the publisher",
            strays::check(&beside.ufrag),
            &["metered"],
        ),
        // Too many for the meter: half of them reach the listener.
        Wave {
            what: "checks from 256 addresses",
            from: (0..256).map(address).collect(),
            payloads: vec![strays::check(&beside.ufrag)],
            by: 0,
            ends: &[],
        },
        // The stack takes it, too, so it is judged as if it came by the interface that has the address.
        by_another(
            "RTP by another interface",
            strays::rtp(beside.ssrc),
            &["unknown_pair"],
        ),
        by_another(
            "checks of the publisher by another interface",
            strays::check(&beside.ufrag),
            &["metered"],
        ),
    ]);
    assert_eq!(
        beside.hall.state().more["sessions"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    beside.hall.close_after_losses();
}

/// A client whose session is all right floods from its own address, with the addresses and SSRC that are open to it.
fn from_a_pair(kind: Kind) {
    let beside = Beside::new(kind);
    let hall = &beside.hall;
    let flooder = hall.publisher(1);
    flooder.publish(&clip(Codec::Opus)).unwrap();
    flooder.start_media();
    std::thread::sleep(Duration::from_millis(100));
    flooder.stop_media();
    let seen = flooder.member.ask(|agent, _| agent.last_media());
    let own = flooder.report().local;
    let ufrag = hall.view(&flooder)["ufrag"].as_str().unwrap().to_owned();
    let tampered = |n: u8| {
        let mut copy = seen.clone();
        // Ahead of all that was there, so that each is new to the window.
        copy[3] = copy[3].wrapping_add(n);
        *copy.last_mut().unwrap() ^= 1;
        copy
    };
    let of = |what, payloads, ends| Wave {
        what,
        from: vec![own],
        payloads,
        by: 0,
        ends,
    };
    beside.endure(vec![
        of("replayed packets", vec![seen.clone()], RTP),
        of(
            "packets that do not verify",
            (1..=64).map(tampered).collect(),
            RTP,
        ),
        of(
            "checks of its own with a wrong key",
            vec![strays::check(&ufrag)],
            &["metered"],
        ),
        of(
            "DTLS hellos of its own",
            vec![strays::hello()],
            &["metered"],
        ),
        of(
            "DTLS records of its own",
            vec![strays::record()],
            &["metered"],
        ),
        of(
            "RTCP of its own",
            vec![strays::rtcp(beside.ssrc)],
            &["metered"],
        ),
    ]);
    if kind.path == "kernel" {
        // What was let into the ring did not get past the worker: the call's own packets are some thousand.
        let state = hall.state();
        let let_in = state.reason("steered");
        let refused = state.reason("replayed") + state.reason("unauthentic");
        assert!(
            refused as f64 > 0.9 * let_in as f64,
            "{refused} of {let_in}"
        );
    }
    println!("{:?}", crate::hall::counted(&hall.state()));
    beside.hall.close_after_losses();
}
