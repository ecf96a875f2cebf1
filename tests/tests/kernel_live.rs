//! The kernel path with live frames, on tables written by hand: fan-out through the ladder and the loop.

use std::time::Duration;

use forwarder::core::ops::{TableOp, Tables};
use forwarder::dataplane::{
    kernel::{Device, Kernel, Options},
    memory::Sizes,
};
use forwarder_common::{
    hop::{Addresses, Leg},
    reason::Reason,
    rewrite::Rewrite,
    tables::{CHUNK_SLOTS, Endpoint, EndpointKey, Member, Route, RouteKey},
};
use forwarder_tests::{Capture, Family, Lab, Pace, Pool, Publisher, needs_root, rtp::Stream};

const SIZES: Sizes = Sizes {
    hops: 4096,
    chunks: 1024,
    routes: 64,
    leases: 16,
    cpus: 2,
};

#[test]
fn fan_out() {
    needs_root!();
    let _ = env_logger::builder()
        .filter_level(log::LevelFilter::Debug)
        .is_test(false)
        .try_init();
    let fan_out: u32 = std::env::var("N")
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(1024);
    let packets: u64 = std::env::var("P")
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(64);
    let lab = Lab::star()
        .pool(Pool::Individual(fan_out as usize))
        .build()
        .unwrap();
    let (publisher, receiver) = (lab.publisher(), lab.receiver());
    let index = |name: &str| {
        let name = name.to_owned();
        lab.fwd
            .enter(move || nix::net::if_::if_nametoindex(name.as_str()).unwrap())
    };
    let options = Options {
        name: format!("live{}", std::process::id()),
        devices: [receiver.fwd_interface(), publisher.fwd_interface()]
            .map(|name| Device {
                name: name.to_owned(),
                ifindex: index(name),
                ring: 256,
                queues: 2,
            })
            .to_vec(),
        sizes: SIZES,
    };
    let started = lab.fwd.enter(|| Kernel::start(&options)).unwrap();
    let mut tables = started.tables;
    let v4 = |addr: std::net::IpAddr| match addr {
        std::net::IpAddr::V4(v4) => v4.octets(),
        _ => panic!(),
    };
    let mapped = |addr| forwarder_common::wire::ip::mapped(v4(addr));
    let local = publisher.fwd_socket(Family::V4, 5000);
    let remote = publisher.socket(Family::V4, 4000);
    let stream = Stream::new(1, 0xabcd).with_payload(1188);
    tables
        .apply(&TableOp::SetLease {
            lease: 0,
            deadline: u64::MAX,
        })
        .unwrap();
    let chunks = fan_out.div_ceil(64);
    for chunk in 1..=chunks {
        let next = if chunk == chunks { 0 } else { chunk + 1 };
        tables
            .apply(&TableOp::InitChunk {
                chunk,
                device: 0,
                next,
            })
            .unwrap();
    }
    for n in 0..fan_out {
        let to = receiver.pool_addr(Family::V4, n as usize);
        let leg = Leg {
            source_mac: receiver.fwd_mac.0,
            destination_mac: Some(receiver.pool_mac(n as usize).0),
            vlan: None,
            addresses: Addresses::V4 {
                source: v4(receiver.fwd_addr(Family::V4)),
                destination: v4(to),
            },
            source_port: 7000,
            destination_port: 6000,
            dscp: 46,
            ttl: 64,
            mtu: 1500,
            rewrite: Some(Rewrite {
                ssrc: 0xabcd,
                timestamp_offset: 0,
                sequence_offset: 0,
                payload_type_from: 0,
                payload_type_to: 0,
            }),
            lease: 0,
            socket: 0,
        };
        let hop = n + 1;
        tables
            .apply(&TableOp::PutHop {
                hop,
                value: leg.to_hop(1),
            })
            .unwrap();
        let (chunk, slot) = (n / CHUNK_SLOTS as u32 + 1, n % CHUNK_SLOTS as u32);
        tables
            .apply(&TableOp::SetSlot {
                chunk,
                slot,
                member: Member { hop, generation: 1 },
            })
            .unwrap();
        tables
            .apply(&TableOp::SetMask {
                chunk,
                mask: u64::MAX >> (63 - slot),
            })
            .unwrap();
    }
    tables
        .apply(&TableOp::SetRoute {
            route: 1,
            value: Route {
                head: 1,
                socket_head: 0,
            },
        })
        .unwrap();
    tables
        .apply(&TableOp::PutEndpoint {
            key: EndpointKey::new(mapped(local.ip()), local.port()),
            endpoint: Endpoint::new(publisher.fwd_mac.0),
        })
        .unwrap();
    tables
        .apply(&TableOp::PutRoute {
            key: RouteKey::new(
                (mapped(remote.ip()), remote.port()),
                (mapped(local.ip()), local.port()),
                0xabcd,
            ),
            route: 1,
        })
        .unwrap();

    let capture = Capture::each(receiver, |_| ()).unwrap();
    let sender = Publisher::open(publisher, 4000, local).unwrap();
    let t = std::time::Instant::now();
    sender.send(&stream, 0..packets, Pace::Full).unwrap();
    let _ = capture.wait_for(u64::from(fan_out) * packets, Duration::from_secs(3));
    println!(
        "{:?} seen {} of {}",
        t.elapsed(),
        capture.seen(),
        u64::from(fan_out) * packets
    );
    capture.settle(Duration::from_millis(100));
    let reasons = tables.reasons();
    for &reason in Reason::ALL {
        if reasons[reason as usize] != 0 {
            println!("{}: {}", reason.label(), reasons[reason as usize]);
        }
    }
    for d in tables.devices() {
        println!("{d:?}");
    }
    println!("seen {}", capture.seen());
    let seen = capture.seen();
    let c = capture.count();
    println!("{c:?}");
    lab.fwd.enter(|| started.kernel.stop()).unwrap();
    assert_eq!(seen, u64::from(fan_out) * packets);
}
