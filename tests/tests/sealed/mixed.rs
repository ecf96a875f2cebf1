//! Ways that differ within one room: two workers, TCP, clients on the forwarder's own host.

use std::time::Duration;

use forwarder_tests::Lab;
use forwarder_tests::rtc::{AgentOptions, Codec, Crowd, Participant, Protocol};

use crate::hall::{Hall, Kind, Side, WHILE, clip, play, subscribe};

scenarios!(
    one_is_fed_from_two_workers,
    tcp_beside_udp,
    a_client_on_the_same_host,
    many_publishers
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
