//! The lab checks itself, without the forwarder: wires carry both families, captures show frames as they were, thousands of
//! receivers are told apart, and nothing is left behind.

use std::time::{Duration, Instant};

use forwarder_tests::frame::{self, Flaw, Frame, Mac, Tag};
use forwarder_tests::receiver::LEAF_ITSELF;
use forwarder_tests::rtp::Stream;
use forwarder_tests::{
    Capture, Family, Lab, Leaf, Neighbours, Netns, Pace, Pool, Publisher, RawSender, Receivers,
    needs_root, sweep, veth,
};

const BOTH: [Family; 2] = [Family::V4, Family::V6];
const LONG: Duration = Duration::from_secs(20);

/// Sends from the forwarder's end of a leaf's wire, as the lab has no forwarder here.
fn from_forwarder(
    lab: &Lab,
    leaf: &Leaf,
    family: Family,
    port: u16,
    to: std::net::SocketAddr,
) -> Publisher {
    Publisher::between(&lab.fwd, leaf.fwd_socket(family, port), to).unwrap()
}

#[test]
fn both_families_pass_both_ways() {
    needs_root!();
    let lab = Lab::star().build().unwrap();
    let leaf = lab.receiver();
    let receivers = Receivers::start(leaf, 6000).unwrap();
    for (id, family) in (1..).zip(BOTH) {
        let stream = Stream::new(id, 0x1000 + id);
        receivers.expect(LEAF_ITSELF, stream);
        let publisher = from_forwarder(
            &lab,
            leaf,
            family,
            5000,
            receivers.socket(family, LEAF_ITSELF),
        );
        publisher.send(&stream, 0..500, Pace::Full).unwrap();
    }
    assert!(receivers.wait_for(1000, LONG));
    let report = receivers.finish().unwrap();
    report.exactly(0..500).unwrap();
    assert_eq!((report.packets(), report.latency.count()), (1000, 1000));
    assert!(report.latency.quantile(0.5) < 1_000_000_000);

    let publisher = lab.publisher();
    let capture = Capture::on(&lab.fwd, publisher.fwd_interface()).unwrap();
    let stream = Stream::new(9, 9).with_payload(1452);
    for family in BOTH {
        let sender = Publisher::open(publisher, 5000, publisher.fwd_socket(family, 5000)).unwrap();
        sender
            .send(
                &stream.with_payload(if family == Family::V6 { 1440 } else { 1460 }),
                0..3000,
                Pace::Full,
            )
            .unwrap();
    }
    assert!(
        capture.wait_for(6000, LONG),
        "{} of 6000 came",
        capture.seen()
    );
    let frames = capture.finish().unwrap();
    // Which came first is the kernel's affair: its stack keeps no order between CPUs.
    let mut seen = [vec![], vec![]];
    for captured in &frames {
        let parsed = captured.parsed();
        let family = if parsed.src.is_ipv4() {
            Family::V4
        } else {
            Family::V6
        };
        assert_eq!(
            (parsed.src, parsed.dst),
            (
                publisher.socket(family, 5000),
                publisher.fwd_socket(family, 5000)
            )
        );
        assert_eq!(
            (parsed.eth_src, parsed.eth_dst),
            (publisher.mac, publisher.fwd_mac)
        );
        assert_eq!(captured.bytes.len(), 14 + 1500, "the whole MTU was used");
        let sent = stream.with_payload(parsed.payload.len() - 12);
        seen[usize::from(family == Family::V6)].push(sent.check(parsed.payload).unwrap().index);
    }
    for mut indices in seen {
        indices.sort_unstable();
        assert!(indices.into_iter().eq(0..3000));
    }
}

#[test]
fn a_capture_shows_frames_as_they_were_on_the_wire() {
    needs_root!();
    let lab = Lab::star().build().unwrap();
    let leaf = lab.publisher();
    let v4 = |payload: &[u8]| {
        Frame::udp(
            leaf.mac,
            leaf.fwd_mac,
            leaf.socket(Family::V4, 5000),
            leaf.fwd_socket(Family::V4, 5000),
            payload,
        )
    };
    let v6 = |payload: &[u8]| {
        Frame::udp(
            leaf.mac,
            leaf.fwd_mac,
            leaf.socket(Family::V6, 5000),
            leaf.fwd_socket(Family::V6, 5000),
            payload,
        )
    };
    let whole = [
        v4(b"plain").build(),
        v6(b"plain").hop_limit(3).traffic_class(46, 2).build(),
        v4(b"tagged").vlan(7).build(),
        v6(b"priority")
            .tag(Tag {
                ethertype: 0x8100,
                control: 0xe000 | 0x1000 | 4094,
            })
            .build(),
        v4(b"priority only").vlan(0).build(),
        v4(b"service").tag(Tag::service(9)).build(),
        v6(b"two tags").tag(Tag::service(9)).vlan(7).build(),
        Frame::udp(
            leaf.mac,
            Mac([2, 9, 9, 9, 9, 9]),
            leaf.socket(Family::V4, 1),
            leaf.fwd_socket(Family::V4, 1),
            b"stranger",
        )
        .build(),
        v4(&[0x55; 1472]).vlan(7).build(),
    ];
    let capture = Capture::on(&lab.fwd, leaf.fwd_interface()).unwrap();
    let sender = RawSender::open(leaf).unwrap();
    sender.send(&whole).unwrap();
    assert!(capture.wait_for(whole.len() as u64, LONG));
    let frames = capture.finish().unwrap();
    for (captured, sent) in frames.iter().zip(&whole) {
        assert_eq!(&captured.bytes, sent);
    }
    assert_eq!(frames.len(), whole.len());

    let flawed = [
        v4(b"x").wrong_udp_checksum().build(),
        v4(b"x").vlan(7).wrong_udp_checksum().build(),
        v6(b"x").wrong_udp_checksum().build(),
        v4(b"x").without_checksum().build(),
        v4(b"x").pad_to(60).build(),
        v4(b"x").options(&[1, 1, 1, 0]).build(),
        v4(b"x").fragment(0, true).build(),
    ];
    let capture = Capture::on(&lab.fwd, leaf.fwd_interface()).unwrap();
    sender.send(&flawed).unwrap();
    sender.send(&[v4(b"last").build()]).unwrap();
    assert!(capture.wait_for(flawed.len() as u64 + 1, LONG));
    let count = capture.count().unwrap();
    assert_eq!(
        (count.udp, count.faulty, count.lost),
        (1, flawed.len() as u64, 0)
    );
    assert!(
        count
            .flawless()
            .unwrap_err()
            .to_string()
            .contains("UDP checksum")
    );
    for ((bytes, why), sent) in count.faults.iter().zip(&flawed) {
        assert_eq!(
            (bytes, why),
            (sent, &frame::check(sent).unwrap_err().to_string())
        );
    }
}

/// Why the lab turns offloads off: with them, what a capture sees has no checksum yet.
#[test]
fn offloads_are_off_unless_asked_for() {
    needs_root!();
    for offloaded in [false, true] {
        let star = Lab::star().receivers(0);
        let lab = if offloaded {
            star.with_offloads()
        } else {
            star
        }
        .build()
        .unwrap();
        let leaf = lab.publisher();
        assert_eq!(
            veth::offloads(&leaf.netns, "eth0").unwrap(),
            (offloaded, true)
        );
        let capture = Capture::on(&lab.fwd, leaf.fwd_interface()).unwrap();
        let publisher = Publisher::open(leaf, 5000, leaf.fwd_socket(Family::V4, 5000)).unwrap();
        publisher
            .send(&Stream::new(1, 1), 0..1, Pace::Full)
            .unwrap();
        assert!(capture.wait_for(1, LONG));
        let count = capture.count().unwrap();
        assert_eq!(count.flawless().is_err(), offloaded);
        if let Some((bytes, _)) = count.faults.first() {
            assert!(matches!(frame::check(bytes), Err(Flaw::UdpChecksum(..))));
        }
    }
}

#[test]
fn a_thousand_receivers_are_told_apart() {
    needs_root!();
    for pool in [Pool::Gateway, Pool::OnLink(1024)] {
        let lab = Lab::star().publishers(0).pool(pool).build().unwrap();
        let leaf = lab.receiver();
        let receivers = Receivers::start(leaf, 6000).unwrap();
        for n in 0..1024 {
            let family = BOTH[n % 2];
            // Lengths from 0 to the MTU, and a stream of its own for each.
            let stream = Stream::new(n as u32, 0xf000 + n as u32).with_payload(n * 1440 / 1023);
            receivers.expect(n, stream);
            let publisher = from_forwarder(&lab, leaf, family, 5000, receivers.socket(family, n));
            publisher.send(&stream, 0..20, Pace::Full).unwrap();
        }
        assert!(
            receivers.wait_for(1024 * 20, LONG),
            "{:?}: {} came",
            pool,
            receivers.received()
        );
        let report = receivers.finish().unwrap();
        report.exactly(0..20).unwrap();
        assert_eq!(report.packets(), 1024 * 20);
        assert_eq!(report.streams.len(), 1024);
    }
}

#[test]
fn a_missing_a_doubled_and_a_strange_packet_are_told() {
    needs_root!();
    let lab = Lab::star().publishers(0).build().unwrap();
    let receivers = Receivers::start(lab.receiver(), 6000).unwrap();
    let stream = Stream::new(1, 0xabc);
    receivers.expect(5, stream);
    let publisher = from_forwarder(
        &lab,
        lab.receiver(),
        Family::V4,
        5000,
        receivers.socket(Family::V4, 5),
    );
    let stranger = from_forwarder(
        &lab,
        lab.receiver(),
        Family::V4,
        5001,
        receivers.socket(Family::V4, 6),
    );
    publisher.send(&stream, 0..3, Pace::Full).unwrap();
    publisher.send(&stream, 2..3, Pace::Full).unwrap();
    publisher
        .send(&stream, 5..6, Pace::per_second(1000))
        .unwrap();
    stranger.send(&stream, 0..1, Pace::Full).unwrap();
    let mut damaged = stream.packet(4);
    damaged[900] ^= 1;
    publisher.send_datagrams(&[damaged]).unwrap();
    assert!(receivers.wait_for(7, LONG));
    receivers.settle(Duration::from_millis(20));
    let report = receivers.finish().unwrap();
    let tally = report.tally(5, 0xabc).unwrap();
    assert_eq!(
        (tally.packets, tally.duplicates, tally.last),
        (4, 1, Some(5))
    );
    assert_eq!(report.faulty, 2);
    let words = report.exactly(0..6).unwrap_err().to_string();
    for word in [
        "nobody at 10.64.0.7 expects",
        "packet 4: the payload's pattern",
        "2 missing, the first is 3",
        "1 twice",
    ] {
        assert!(words.contains(word), "{word:?} in {words}");
    }
}

#[test]
fn individual_neighbours_and_changed_macs_show_in_frames() {
    needs_root!();
    let lab = Lab::star()
        .publishers(0)
        .pool(Pool::Individual(8))
        .build()
        .unwrap();
    let leaf = lab.receiver();
    let capture = Capture::start(leaf).unwrap();
    let stream = Stream::new(1, 1);
    for family in BOTH {
        from_forwarder(&lab, leaf, family, 5000, leaf.pool_socket(family, 7, 6000))
            .send(&stream, 0..1, Pace::Full)
            .unwrap();
    }
    lab.change_mac(leaf, Mac([2, 7, 7, 7, 7, 7])).unwrap();
    from_forwarder(&lab, leaf, Family::V4, 5000, leaf.socket(Family::V4, 6000))
        .send(&stream, 0..1, Pace::Full)
        .unwrap();
    assert!(capture.wait_for(3, LONG));
    let macs: Vec<Mac> = capture
        .finish()
        .unwrap()
        .iter()
        .map(|captured| captured.parsed().eth_dst)
        .collect();
    assert_eq!(
        macs,
        [leaf.pool_mac(7), leaf.pool_mac(7), Mac([2, 7, 7, 7, 7, 7])]
    );
}

#[test]
fn dynamic_neighbours_are_found_by_asking() {
    needs_root!();
    let lab = Lab::star()
        .publishers(0)
        .neighbours(Neighbours::Dynamic)
        .build()
        .unwrap();
    let leaf = lab.receiver();
    assert_eq!(
        lab.fwd.ask_ip(&["neigh", "show", "dev", "rx0"]).unwrap(),
        ""
    );
    let receivers = Receivers::start(leaf, 6000).unwrap();
    let stream = Stream::new(1, 1);
    receivers.expect(3, stream);
    for (n, family) in BOTH.into_iter().enumerate() {
        let publisher = from_forwarder(&lab, leaf, family, 5000, receivers.socket(family, 3));
        publisher
            .send(&stream, n as u64..n as u64 + 1, Pace::Full)
            .unwrap();
    }
    assert!(receivers.wait_for(2, LONG));
    receivers.finish().unwrap().exactly(0..2).unwrap();
    assert!(
        lab.fwd
            .ask_ip(&["neigh", "show", "dev", "rx0"])
            .unwrap()
            .contains(&leaf.mac.to_string())
    );
}

/// 20,000 packets at full speed over rings of 256 arrive, in order. GRO stands in for the forwarder's XDP program: without either
/// there is no ring, and a publisher that moves to another CPU reorders.
#[test]
fn a_publisher_at_full_speed_loses_nothing() {
    needs_root!();
    let lab = Lab::star().receivers(0).build().unwrap();
    let leaf = lab.publisher();
    veth::set_gro(&lab.fwd, leaf.fwd_interface(), true).unwrap();
    let stream = Stream::new(1, 1);
    let mut next = 0;
    let (ordered, in_order) = std::sync::mpsc::channel();
    let capture = Capture::open(
        &lab.fwd,
        leaf.fwd_interface(),
        64 << 20,
        Some(Box::new(move |parsed| {
            let arrival = stream.check(parsed.payload);
            let _ = ordered.send(arrival.is_ok_and(|arrival| arrival.index == next));
            next += 1;
        })),
    )
    .unwrap();
    let publisher = Publisher::open(leaf, 5000, leaf.fwd_socket(Family::V4, 5000)).unwrap();
    publisher.send(&stream, 0..20_000, Pace::Full).unwrap();
    assert!(
        capture.wait_for(20_000, LONG),
        "{} of 20000 came",
        capture.seen()
    );
    let count = capture.count().unwrap();
    count.flawless().unwrap();
    assert_eq!(count.udp, 20_000);
    assert_eq!(in_order.iter().filter(|right| *right).count(), 20_000);
}

#[test]
fn pacing_keeps_time() {
    needs_root!();
    let lab = Lab::star().receivers(0).build().unwrap();
    let publisher = Publisher::open(
        lab.publisher(),
        5000,
        lab.publisher().fwd_socket(Family::V4, 5000),
    )
    .unwrap();
    // A busy machine may be late, but not every time; nothing is ever early.
    let in_time = (0..10).any(|_| {
        let start = Instant::now();
        publisher
            .send(&Stream::new(1, 1), 0..200, Pace::per_second(1000))
            .unwrap();
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(199), "{took:?}");
        took < Duration::from_millis(600)
    });
    assert!(in_time);
}

#[test]
fn nothing_is_left_behind_not_even_by_a_panic() {
    needs_root!();
    let names = |lab: &Lab| -> Vec<String> {
        lab.leaves()
            .map(|leaf| leaf.netns.name().to_owned())
            .chain([lab.fwd.name().to_owned()])
            .collect()
    };
    let (told, tells) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let lab = Lab::star().publishers(2).receivers(2).build().unwrap();
        let sleeper = lab.receivers[1]
            .netns
            .command("sleep")
            .arg("600")
            .spawn()
            .unwrap();
        told.send((names(&lab), sleeper)).unwrap();
        panic!("on purpose: a test of the lab's cleaning up");
    });
    assert!(thread.join().is_err());
    let (names, mut sleeper) = tells.recv().unwrap();
    assert_eq!(names.len(), 5);
    for name in names {
        assert!(Netns::open(&name).is_err(), "{name} is there");
    }
    assert!(
        !sleeper.wait().unwrap().success(),
        "what ran in the lab was ended"
    );
}

#[test]
fn what_a_killed_lab_left_is_swept() {
    needs_root!();
    // A process that is certainly dead: its number was ours to wait for, and nobody got it since.
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let dead = format!("{}{}n0", sweep::PREFIX, child.id());
    let left = [format!("{dead}-rx0"), format!("forwarder-{dead}")]
        .map(|name| Netns::create(&name).unwrap());
    let mut orphan = left[0].command("sleep").arg("600").spawn().unwrap();
    let lab = Lab::star().build().unwrap();
    for netns in &left {
        assert!(
            Netns::open(netns.name()).is_err(),
            "{} is there",
            netns.name()
        );
    }
    assert!(!orphan.wait().unwrap().success());
    assert!(
        Netns::open(lab.fwd.name()).is_ok(),
        "and the living are left alone"
    );
}

#[test]
fn statistics_of_a_link_are_read() {
    needs_root!();
    let lab = Lab::star().receivers(0).build().unwrap();
    let leaf = lab.publisher();
    let before = lab.fwd.link_statistics("pub0").unwrap()["rx_packets"];
    RawSender::open(leaf)
        .unwrap()
        .send(&[[0u8; 60]; 5])
        .unwrap();
    let arrived = || lab.fwd.link_statistics("pub0").unwrap()["rx_packets"] - before;
    let end = Instant::now() + LONG;
    while arrived() < 5 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    // More only by what the kernel says of itself, such as which multicast groups it joined.
    assert!((5..10).contains(&arrived()));
}
