//! Ways that differ within one room: two workers, TCP, clients on the forwarder's own host.

use std::time::Duration;

use forwarder_tests::Lab;
use forwarder_tests::rtc::{AgentOptions, Codec, Crowd, Participant, Protocol};

use crate::hall::{
    Hall, Kind, LONG, Side, WHILE, assert_whole, clip, counted, play, subscribe, wait_until,
};

// Who does not read is slow to show, so that takes one worker on one path, and two, with a relay between them, on the other.
scenarios!(
    kernel_v4: one_is_fed_from_two_workers, tcp_beside_udp, a_client_on_the_same_host, many_publishers, who_does_not_read_holds_nobody_up;
    kernel_v6: one_is_fed_from_two_workers, tcp_beside_udp, a_client_on_the_same_host, many_publishers;
    socket_v4: one_is_fed_from_two_workers, tcp_beside_udp, a_client_on_the_same_host, many_publishers, who_does_not_read_holds_nobody_up;
    socket_v6: one_is_fed_from_two_workers, tcp_beside_udp, a_client_on_the_same_host, many_publishers
);

/// Both workers seal under the same keys, and share the transport-wide sequence numbers of the subscriber.
fn one_is_fed_from_two_workers(kind: Kind) {
    let hall = Hall::with(kind, Lab::star(), &["--workers", "2"]);
    let publishers = [hall.publisher(0), hall.publisher(1)];
    let workers = publishers
        .each_ref()
        .map(|one| hall.view(one)["worker"].clone());
    assert_ne!(workers[0], workers[1]);
    let options = AgentOptions {
        inspects: true,
        ..hall.options(Side::Receiving, 0)
    };
    let subscriber = hall.join(Side::Receiving, options);
    for publisher in &publishers {
        let tracks =
            [Codec::Vp8, Codec::Opus].map(|codec| publisher.publish(&clip(codec)).unwrap());
        subscribe(&subscriber, &tracks);
    }
    play(&[&publishers[0], &publishers[1]], &[&subscriber], WHILE);
    let headers = subscriber.report().headers;
    assert_eq!(headers.transport_sequences.len() as u64, headers.packets);
    assert_eq!(headers.repeated_transport_sequences(), 0);
    hall.close();
}

/// RFC 6544: publisher and subscriber over TCP, each beside one over UDP.
fn tcp_beside_udp(kind: Kind) {
    let hall = Hall::new(kind);
    let over = |side, n, protocol| {
        let options = AgentOptions {
            name: format!("{side:?} over {protocol:?}"),
            protocol,
            // A TCP connection is made from the namespace's own address.
            address: match protocol {
                Protocol::Udp => hall.options(side, n).address,
                Protocol::Tcp => hall.leaf(side).addr(kind.family),
            },
            ..hall.options(side, n)
        };
        hall.join(side, options)
    };
    let publishers = [Protocol::Udp, Protocol::Tcp].map(|way| over(Side::Publishing, 0, way));
    let subscribers = [Protocol::Udp, Protocol::Tcp].map(|way| over(Side::Receiving, 0, way));
    for publisher in &publishers {
        let tracks =
            [Codec::Vp8, Codec::Opus].map(|codec| publisher.publish(&clip(codec)).unwrap());
        for subscriber in &subscribers {
            subscribe(subscriber, &tracks);
        }
    }
    let all = [&publishers[0], &publishers[1]];
    play(&all, &[&subscribers[0], &subscribers[1]], WHILE);
    hall.assert_path(&[&subscribers[0]]);
    let view = hall.view(&subscribers[1]);
    assert_eq!(view["pair"]["protocol"], "tcp", "{view:#}");
    hall.close();
}

/// A peer over TCP that reads nothing: its queue fills, and what finds no room is dropped and counted, while who is beside it gets
/// everything.
fn who_does_not_read_holds_nobody_up(kind: Kind) {
    let workers = if kind.path == "kernel" { "2" } else { "1" };
    let hall = Hall::with(kind, Lab::star(), &["--workers", workers]);
    let publisher = hall.publisher(0);
    let reads = hall.subscriber(0);
    // A thread of its own, which can be held up.
    let crowd = Crowd::start(Some(&hall.lab.receiver().netns)).unwrap();
    let options = AgentOptions {
        protocol: Protocol::Tcp,
        address: hall.leaf(Side::Receiving).addr(kind.family),
        ..hall.options(Side::Receiving, 1)
    };
    // Where there are two workers, the one whose session is not the publisher's.
    let of = |one: &Participant| hall.view(one)["worker"].clone();
    let _beside = (workers == "2" && of(&reads) != of(&publisher)).then(|| hall.subscriber(2));
    let stalls = Participant::join(&crowd, &hall.api, options).unwrap();
    assert_eq!(of(&stalls) == of(&publisher), workers == "1");
    for _ in 0..6 {
        let track = publisher.publish(&clip(Codec::Vp8)).unwrap();
        subscribe(&reads, std::slice::from_ref(&track));
        subscribe(&stalls, &[track]);
    }
    publisher.start_media();
    let held = stalls.member.clone();
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let holding = std::thread::spawn(move || {
        held.ask(move |_, _| {
            let _ = wait.recv_timeout(LONG);
        });
    });
    let full = wait_until(LONG, || hall.state().reason("tcp_full") > 0);
    // The dropped end of the channel releases the thread as well.
    drop(release);
    holding.join().unwrap();
    publisher.stop_media();
    assert!(full, "{:?}", counted(&hall.state()));
    assert_whole(&[&reads]);
    hall.close_after_losses();
}

/// Its packets go over `lo`, which XDP never sees: the socket path serves it, in the same room.
fn a_client_on_the_same_host(kind: Kind) {
    let hall = Hall::new(kind);
    let here = Crowd::start(Some(&hall.lab.fwd)).unwrap();
    let address = hall.leaf(Side::Receiving).fwd_addr(kind.family);
    let join = |name: &str| {
        let options = AgentOptions::new(name, address);
        Participant::join(&here, &hall.api, options).unwrap()
    };
    let (near, far) = (join("publisher here"), hall.publisher(0));
    let subscribers = [join("subscriber here"), hall.subscriber(0)];
    for publisher in [&near, &far] {
        let tracks =
            [Codec::Vp8, Codec::Opus].map(|codec| publisher.publish(&clip(codec)).unwrap());
        for subscriber in &subscribers {
            subscribe(subscriber, &tracks);
        }
    }
    play(&[&near, &far], &[&subscribers[0], &subscribers[1]], WHILE);
    let view = hall.view(&subscribers[0]);
    assert_eq!(view["path"], "socket", "{view:#}");
    hall.assert_path(&[&subscribers[1]]);
    hall.close();
}

fn many_publishers(kind: Kind) {
    let hall = Hall::new(kind);
    let publishers: Vec<Participant> = (0..6).map(|n| hall.publisher(n)).collect();
    let subscribers: Vec<Participant> = (0..6).map(|n| hall.subscriber(n)).collect();
    for publisher in &publishers {
        let tracks =
            [Codec::Vp8, Codec::Opus].map(|codec| publisher.publish(&clip(codec)).unwrap());
        for subscriber in &subscribers {
            subscribe(subscriber, &tracks);
        }
    }
    let (from, to): (Vec<&Participant>, Vec<&Participant>) =
        (publishers.iter().collect(), subscribers.iter().collect());
    play(&from, &to, Duration::from_millis(800));
    hall.close();
}
