//! The proof, at every start, that copies come out distinct and whole: real programs, real tables, live frames.
//!
//! One packet is broadcast to [`COPIES`] members twice. To a probe pair of our own, where every copy is read back and
//! compared with what the same rules make of it on the host: this catches kernels whose clones share memory. And to
//! every media interface, whose driver must take all copies: this catches drivers that cannot be a target of redirects.
//! The copies carry the EtherType for local experiments (IEEE 802, 0x88b5), which switches do not forward to anybody's
//! application, and our own MAC as destination.

use std::{
    collections::BTreeSet,
    io::Read,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use aya::{
    maps::{MapData, of_maps::ArrayOfMaps},
    programs::{TestRun, TestRunAttrs, TestRunOptions, XdpMode, xdp::XdpLink},
};
use forwarder_common::{
    checksum::Sum,
    egress::replicate,
    hop::{Addresses, Leg},
    packet::Buffer,
    rewrite::Rewrite,
    tables::{Endpoint, EndpointKey, Hop, Member, Route, RouteKey, ladder_index},
    ticket::Ticket,
    wire::{eth, ip, rtp},
};
use socket2::{Domain, Protocol, Socket, Type};

use super::{
    ladder, loop_pair::Probe, namespace::Namespace, object::Object, start::Device,
    tables::KernelTables,
};
use crate::core::ops::{TableOp, Tables};

/// Copies per broadcast.
pub const COPIES: u32 = 8;
/// IEEE 802 EtherType for local experiments.
const EXPERIMENT: u16 = 0x88b5;
const MAC: [u8; 6] = [2, 0x66, 0x77, 0x64, 0, 1];
/// TEST-NET-1 (RFC 5737): nobody's address.
const ADDRESSES: ([u8; 4], [u8; 4]) = ([192, 0, 2, 1], [192, 0, 2, 2]);
const PORT: u16 = 9;
const SSRC: u32 = 0x5e1f_7e57;
/// Bytes of UDP payload: odd, and more than a cache line.
const PAYLOAD: usize = 1201;
const HEADERS: usize = 42;
const ROUTE: u32 = 1;
const CHUNK: u32 = 1;
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs the test; what it needs of the tables it takes back.
///
/// # Errors
/// What came out wrong.
pub fn run(
    object: &mut Object,
    tables: &mut KernelTables,
    namespace: &Namespace,
    devices: &[Device],
) -> Result<()> {
    let probe_device = devices.len() as u32;
    let probe = Probe::make(namespace)?;
    let link = open_probe(object, namespace, probe, probe_device)?;
    put_stream(tables)?;
    let result = to_probe(object, tables, namespace, probe_device).and_then(|()| {
        (0..).zip(devices).try_for_each(|(number, device)| {
            to_interface(object, tables, number)
                .with_context(|| format!("interface {}", device.name))
        })
    });
    take_back(tables)?;
    tables.start_counting();
    drop(link);
    probe.remove(namespace)?;
    result
}

/// Makes the probe a device of the ladder, for one number of copies.
fn open_probe(
    object: &mut Object,
    namespace: &Namespace,
    probe: Probe,
    device: u32,
) -> Result<XdpLink> {
    // The far end takes redirected frames while a program is attached to it; this one passes what is not ours.
    let ingress = object.xdp("ingress")?;
    let link = namespace.run(|| {
        let id = ingress.attach_to_if_index(probe.far, XdpMode::Driver)?;
        Ok(ingress.take_link(id)?)
    })?;
    let egress = object.xdp("egress")?.fd()?.try_clone()?;
    let rung = namespace.run(|| ladder::rung(0, COPIES, probe.near, &egress))?;
    let mut ladder = ArrayOfMaps::<_, MapData>::try_from(object.map_mut("LADDER")?)?;
    ladder.set(
        ladder_index(device, false, COPIES),
        &ladder::into_data(rung)?,
        0,
    )?;
    Ok(link)
}

/// The packet, as a publisher would send it.
fn packet() -> Vec<u8> {
    let payload: Vec<u8> = (0..PAYLOAD).map(|at| (at * 7 + 3) as u8).collect();
    let mut frame = Vec::with_capacity(HEADERS + PAYLOAD);
    frame.extend(MAC);
    frame.extend(MAC);
    frame.extend(eth::IPV4.to_be_bytes());
    frame.extend([0x45, 0]);
    frame.extend(((HEADERS - eth::LEN + PAYLOAD) as u16).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, ip::UDP, 0, 0]);
    frame.extend(ADDRESSES.0);
    frame.extend(ADDRESSES.1);
    frame.extend(PORT.to_be_bytes());
    frame.extend(PORT.to_be_bytes());
    frame.extend(((8 + PAYLOAD) as u16).to_be_bytes());
    frame.extend([0, 0]);
    frame.extend([0x80, 96, 0xff, 0xff, 0, 0, 0, 1]);
    frame.extend(SSRC.to_be_bytes());
    frame.extend(payload.get(rtp::LEN..).unwrap_or_default());
    frame
}

/// What member `copy` gets.
fn hop(copy: u32) -> Hop {
    let leg = Leg {
        source_mac: MAC,
        destination_mac: Some(MAC),
        vlan: None,
        addresses: Addresses::V4 {
            source: ADDRESSES.1,
            destination: ADDRESSES.0,
        },
        source_port: PORT,
        destination_port: 10_000 + copy as u16,
        dscp: 0,
        ttl: 1,
        mtu: 1500,
        rewrite: Some(Rewrite {
            ssrc: SSRC ^ copy,
            timestamp_offset: copy,
            sequence_offset: copy as u16,
            payload_type_from: 96,
            payload_type_to: 97,
        }),
        lease: 0,
        socket: 0,
    };
    let mut hop = leg.to_hop(1);
    let ether_type = hop.template.iter_mut().skip(eth::LEN - 2);
    for (to, from) in ether_type.zip(EXPERIMENT.to_be_bytes()) {
        *to = from;
    }
    hop
}

/// What the host makes of the packet for member `copy`.
fn expected(copy: u32) -> Result<Vec<u8>> {
    let mut bytes = packet();
    let rest = bytes.get(HEADERS + rtp::LEN..).unwrap_or_default();
    let ticket = Ticket {
        tag: 0,
        chunk: CHUNK,
        mask: 0,
        now: 0,
        payload_len: PAYLOAD as u16,
        sum: Sum::default().bytes(rest).fold(),
        header_len: HEADERS as u8,
        state: 0,
        round: 0,
        load: 0,
    };
    let mut frame = Buffer::new(&mut bytes, 0).context("an empty packet")?;
    if let Err(reason) = replicate(&mut frame, &hop(copy), &ticket) {
        bail!("the host cannot make copy {copy}: {}", reason.label());
    }
    Ok(bytes)
}

fn put_stream(tables: &mut KernelTables) -> Result<()> {
    let [source, destination] = [ADDRESSES.0, ADDRESSES.1].map(ip::mapped);
    let mut ops = vec![
        TableOp::SetLease {
            lease: 0,
            deadline: u64::MAX,
        },
        TableOp::SetRoute {
            route: ROUTE,
            value: Route {
                head: CHUNK,
                socket_head: 0,
            },
        },
        TableOp::PutRoute {
            key: RouteKey::new((source, PORT), (destination, PORT), SSRC),
            route: ROUTE,
        },
        TableOp::PutEndpoint {
            key: EndpointKey::new(destination, PORT),
            endpoint: Endpoint::new(MAC),
        },
    ];
    ops.extend((1..=COPIES).map(|copy| TableOp::PutHop {
        hop: copy,
        value: hop(copy),
    }));
    Ok(ops.iter().try_for_each(|op| tables.apply(op))?)
}

fn put_members(tables: &mut KernelTables, device: u32) -> Result<()> {
    tables.apply(&TableOp::InitChunk {
        chunk: CHUNK,
        device,
        next: 0,
    })?;
    for copy in 1..=COPIES {
        tables.reset_hop(copy);
        // Every second slot, so that holes are part of the test.
        tables.apply(&TableOp::SetSlot {
            chunk: CHUNK,
            slot: 2 * copy,
            member: Member {
                hop: copy,
                generation: 1,
            },
        })?;
    }
    let mask = (1..=COPIES).fold(0, |mask, copy| mask | 1 << (2 * copy));
    Ok(tables.apply(&TableOp::SetMask { chunk: CHUNK, mask })?)
}

fn take_back(tables: &mut KernelTables) -> Result<()> {
    let [source, destination] = [ADDRESSES.0, ADDRESSES.1].map(ip::mapped);
    let mut ops = vec![
        TableOp::DropEndpoint {
            key: EndpointKey::new(destination, PORT),
        },
        TableOp::DropRoute {
            key: RouteKey::new((source, PORT), (destination, PORT), SSRC),
        },
        TableOp::SetRoute {
            route: ROUTE,
            value: Route::default(),
        },
        TableOp::InitChunk {
            chunk: CHUNK,
            device: 0,
            next: 0,
        },
        TableOp::SetLease {
            lease: 0,
            deadline: 0,
        },
    ];
    ops.extend((1..=COPIES).map(|hop| TableOp::VoidHop { hop }));
    ops.iter().try_for_each(|op| tables.apply(op))?;
    tables.reset_route(ROUTE);
    (1..=COPIES).for_each(|hop| tables.reset_hop(hop));
    Ok(())
}

/// Sends the packet through `ingress` as if it had arrived.
fn send(object: &mut Object) -> Result<()> {
    let frame = packet();
    let options = TestRunOptions {
        data_in: Some(&frame),
        repeat: 1,
        attrs: TestRunAttrs::new().xdp_live_frames(1),
        ..TestRunOptions::new()
    };
    object
        .xdp("ingress")?
        .test_run(options)
        .context("the kernel cannot run XDP on live frames (5.18 or newer can)")?;
    Ok(())
}

fn to_probe(
    object: &mut Object,
    tables: &mut KernelTables,
    namespace: &Namespace,
    device: u32,
) -> Result<()> {
    let mut socket = namespace.run(|| {
        let protocol = Protocol::from(i32::from(EXPERIMENT.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(socket)
    })?;
    put_members(tables, device)?;
    send(object)?;
    let mut missing: BTreeSet<Vec<u8>> = (1..=COPIES).map(expected).collect::<Result<_>>()?;
    let deadline = Instant::now() + PATIENCE;
    let mut buffer = vec![0; 2 * (HEADERS + PAYLOAD)];
    while !missing.is_empty() {
        let Some(len) = socket
            .read(&mut buffer)
            .ok()
            .filter(|_| Instant::now() < deadline)
        else {
            bail!("{} of {COPIES} copies did not come out", missing.len());
        };
        let frame = buffer.get(..len).unwrap_or_default();
        ensure!(
            missing.remove(frame),
            "a copy came out twice, or other than the rules say"
        );
    }
    Ok(())
}

fn to_interface(object: &mut Object, tables: &mut KernelTables, device: u32) -> Result<()> {
    put_members(tables, device)?;
    let before = tables.device(device);
    send(object)?;
    for copy in 1..=COPIES {
        let packets = tables.hop_traffic(copy).packets;
        ensure!(packets == 1, "copy {copy} left {packets} times");
    }
    let after = tables.device(device);
    let refused = after.drops - before.drops;
    ensure!(
        refused == 0,
        "its driver refused {refused} of {COPIES} copies: it has no room, or cannot be a target of redirects \
         (on a veth, the other end needs GRO or an XDP program)"
    );
    Ok(())
}
