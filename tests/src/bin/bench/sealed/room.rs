//! A room: publishers and subscribers with keys of their own, and the workers that serve them, told by hand what control
//! would tell them.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use anyhow::{Context, Result};
use aya::maps::{Array, MapData};
use forwarder::core::ops::{TableOp, Tables};
use forwarder::dataplane::counters::ReasonTable;
use forwarder::dataplane::kernel::worker_port::WorkerPort;
use forwarder::media::{Codec, Kind};
use forwarder::srtp::{ReceiveKeys, SendKeys, Suite};
use forwarder::transport::Pair;
use forwarder::worker::command::{Command, Leg, Reach, Receiver, Sender, Track, TrackCodec};
use forwarder::worker::send_state::SendState;
use forwarder::worker::{Options, Workers};
use forwarder_common::hop::{Addresses, Leg as HopLeg};
use forwarder_common::tables::{Endpoint, EndpointKey, Member, PairKey, Steer};
use forwarder_common::wire::ip::mapped;
use forwarder_tests::{Family, Leaf};

use super::{keys, packet, sockets};
use crate::generator::Packets;
use crate::programs::PREPARED;
use crate::stage::Stage;
use crate::subscribers::{LOCAL_PORT, PAYLOAD_TYPE, REMOTE_PORT, SOURCE_PORT, SUBSCRIBER_PORT, v4};

/// By which way packets come and replicas go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// XDP, rings and slots.
    Xdp,
    /// Connected sockets.
    Socket,
}

/// A group of sessions of one suite that one worker serves: a publisher, and subscribers.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// How it is sealed, both towards us and from us.
    pub suite: Suite,
    /// By which way.
    pub way: Way,
    /// Number of the worker.
    pub worker: u32,
    /// Number of the publisher among those of the stage: its output.
    pub out: u32,
    /// Number of the receiver that all subscribers are behind: also its device.
    pub receiver: u32,
    /// The fan-outs: a stream for each.
    pub fan_outs: &'a [u32],
}

/// A stream of a group.
struct Stream {
    source: packet::Source,
    publisher: Arc<SendKeys>,
    out: u32,
}

/// Sessions and their workers.
pub struct Room {
    workers: Workers,
    send_state: Arc<SendState>,
    prepared: Array<MapData, [u8; crate::layout::PREPARED_LEN]>,
    streams: BTreeMap<(Suite, Way, u32, u32), Stream>,
    /// What goes to subscribers, by suite and way: the keys of the first, second, ...
    pub audience: BTreeMap<(Suite, Way), Vec<Arc<SendKeys>>>,
    /// Numbers given out, the same for sessions, tracks, legs and SSRCs, which need not be dense.
    sessions: u32,
    tracks: u32,
    legs: u32,
    hops: BTreeMap<u32, u32>,
    connected: Vec<Arc<OwnedFd>>,
}

impl Room {
    /// An empty room, with a worker for each of these ports on the CPU of the same place. The threads inherit the caller's
    /// priority.
    ///
    /// # Errors
    /// The system's.
    pub fn open(stage: &mut Stage, ports: Vec<WorkerPort>, cpus: Vec<usize>) -> Result<Self> {
        let options = Options {
            ports: ports.into_iter().map(Some).collect(),
            cpus,
            send_state: Arc::clone(&stage.send_state),
            reasons: Arc::new(ReasonTable::heap(64)?),
        };
        stage.tables.apply(&TableOp::SetLease {
            lease: 0,
            deadline: u64::MAX,
        })?;
        Ok(Self {
            workers: Workers::spawn(options)?,
            send_state: Arc::clone(&stage.send_state),
            prepared: stage.programs.take_array("PREPARED")?,
            streams: BTreeMap::new(),
            audience: BTreeMap::new(),
            sessions: 0,
            tracks: 0,
            legs: 0,
            hops: BTreeMap::new(),
            connected: Vec::new(),
        })
    }

    /// Lets a group in.
    ///
    /// # Errors
    /// The system's.
    pub fn add(&mut self, stage: &mut Stage, group: &Group<'_>) -> Result<()> {
        let publisher = stage.publisher(group.out).clone();
        let session = self.next_session();
        // Sessions behind one publisher's address are told apart by its port.
        let port = REMOTE_PORT + session as u16;
        self.receive(stage, group, &publisher, port, session)?;
        let keys = keys::send_keys(group.suite, session)?;
        let most = group.fan_outs.iter().copied().max().unwrap_or(0);
        let first = self.subscribe(stage, group, most)?;
        for &fan_out in group.fan_outs {
            self.tracks += 1;
            let track = self.tracks;
            self.workers.tell(
                group.worker,
                Command::AddTrack(Track {
                    track,
                    session,
                    kind: Kind::Video,
                    mid: None,
                    ssrcs: [track].into_iter().collect(),
                    codecs: [TrackCodec {
                        payload_type: PAYLOAD_TYPE,
                        codec: Codec::Vp8,
                        clock_rate: 90_000,
                    }]
                    .into_iter()
                    .collect(),
                    counters: Arc::default(),
                }),
            );
            for n in 0..fan_out {
                self.legs += 1;
                let leg = Leg {
                    leg: self.legs,
                    track,
                    session: first + n,
                    ssrc: 0x1000_0000 + self.legs,
                    payload_types: [(PAYLOAD_TYPE, 100)].into_iter().collect(),
                    profile: packet::profile()?,
                    // As the publisher's, so that latencies can be told by the sequence number.
                    first_index: 0,
                    timestamp_offset: 90_000 + n,
                    paused: false,
                    counters: Arc::default(),
                };
                self.workers.tell(group.worker, Command::AddLeg(leg));
            }
            let stream = Stream {
                source: packet::Source::new(&publisher, port, track),
                publisher: Arc::clone(&keys),
                out: group.out,
            };
            let key = (group.suite, group.way, group.worker, fan_out);
            self.streams.insert(key, stream);
        }
        Ok(())
    }

    fn next_session(&mut self) -> u32 {
        self.sessions += 1;
        self.sessions
    }

    /// Gives the publisher a session.
    fn receive(
        &mut self,
        stage: &mut Stage,
        group: &Group<'_>,
        publisher: &Leaf,
        port: u16,
        session: u32,
    ) -> Result<()> {
        let receiver = Receiver {
            keys: ReceiveKeys::new(&keys::master(group.suite, session)?),
            ids: packet::extension_ids()?,
            transport_cc: true,
            counters: Arc::default(),
        };
        self.workers
            .tell(group.worker, Command::PutReceiver { session, receiver });
        let (local, remote) = (
            publisher.fwd_socket(Family::V4, LOCAL_PORT),
            publisher.socket(Family::V4, port),
        );
        if group.way == Way::Socket {
            let socket = stage
                .lab
                .fwd
                .enter(|| sockets::connected(local, remote))
                .context("the publisher's socket")?;
            let added = Command::AddSocket {
                session,
                pair: Pair::udp(local, remote),
                socket: Arc::new(socket),
            };
            self.workers.tell(group.worker, added);
            return Ok(());
        }
        let local = mapped(v4(local.ip())?.octets());
        let remote = mapped(v4(remote.ip())?.octets());
        stage.tables.apply(&TableOp::PutEndpoint {
            key: EndpointKey::new(local, LOCAL_PORT),
            endpoint: Endpoint::sealed(publisher.fwd_mac.0),
        })?;
        stage.tables.apply(&TableOp::PutSteer {
            key: PairKey::new((remote, port), (local, LOCAL_PORT)),
            steer: Steer {
                worker: group.worker,
                session,
                ..Steer::default()
            },
        })?;
        Ok(())
    }

    /// Gives so many subscribers a session each; gives the first one's number.
    fn subscribe(&mut self, stage: &mut Stage, group: &Group<'_>, count: u32) -> Result<u32> {
        let receiver = stage.lab.receivers[group.receiver as usize].clone();
        let first_hop = match group.way {
            Way::Xdp => self.hops(stage, &receiver, group.receiver, count)?,
            Way::Socket => {
                self.connect(stage, &receiver, count)?;
                0
            }
        };
        let unused = Arc::new(OwnedFd::from(UdpSocket::bind("127.0.0.1:0")?));
        let first = self.sessions + 1;
        let mut audience = Vec::new();
        for n in 0..count {
            let session = self.next_session();
            let keys = keys::send_keys(group.suite, session)?;
            audience.push(Arc::clone(&keys));
            let reach = match group.way {
                Way::Xdp => Reach::Xdp {
                    device: group.receiver,
                    member: Member {
                        hop: first_hop + n,
                        generation: 1,
                    },
                    socket: Arc::clone(&unused),
                },
                Way::Socket => Reach::Socket(Arc::clone(
                    self.connected.get(n as usize).context("a socket")?,
                )),
            };
            let sender = Arc::new(Sender {
                session,
                keys,
                reach,
                send_state: self
                    .send_state
                    .session(session)
                    .context("more sessions than there is send state for")?,
            });
            self.workers
                .tell(group.worker, Command::PutSender { session, sender });
        }
        self.audience.insert((group.suite, group.way), audience);
        Ok(first)
    }

    /// The hop to the first address behind a receiver.
    pub const fn first_hop(receiver: u32) -> u32 {
        1 + 2048 * receiver
    }

    /// Hops to the addresses behind a receiver, the same for every group; gives the first one's number.
    fn hops(&mut self, stage: &mut Stage, leaf: &Leaf, receiver: u32, count: u32) -> Result<u32> {
        let first = Self::first_hop(receiver);
        let known = self.hops.entry(receiver).or_default();
        for n in *known..count {
            let value = hop(leaf, n)?.to_hop(1);
            stage.tables.apply(&TableOp::PutHop {
                hop: first + n,
                value,
            })?;
        }
        *known = count.max(*known);
        Ok(first)
    }

    fn connect(&mut self, stage: &Stage, leaf: &Leaf, count: u32) -> Result<()> {
        let local = leaf.fwd_socket(Family::V4, SOURCE_PORT);
        let more = (self.connected.len() as u32..count)
            .map(|n| leaf.pool_socket(Family::V4, n as usize, SUBSCRIBER_PORT));
        let more = more.collect::<Vec<_>>();
        let sockets = stage.lab.fwd.enter(|| {
            more.into_iter()
                .map(|remote| Ok(Arc::new(sockets::connected(local, remote)?)))
                .collect::<Result<Vec<_>>>()
        });
        self.connected
            .extend(sockets.context("the subscribers' sockets")?);
        Ok(())
    }

    /// The sockets to subscribers, connected.
    pub fn sockets(&self) -> &[Arc<OwnedFd>] {
        &self.connected
    }

    /// Prepares the next `count` packets of a stream from frame number `first` on.
    ///
    /// # Errors
    /// No such stream.
    pub fn prepare(
        &mut self,
        stream: (Suite, Way, u32, u32),
        payload: u32,
        first: u32,
        count: u32,
    ) -> Result<Packets> {
        let stream = self.streams.get_mut(&stream).context("no such stream")?;
        let payload = packet::payload(payload);
        let mut last = Vec::new();
        for place in first..(first + count).min(PREPARED) {
            last = stream.source.next(&stream.publisher, &payload)?;
            let mut frame = [0; crate::layout::PREPARED_LEN];
            frame
                .get_mut(..last.len())
                .context("a frame too long")?
                .copy_from_slice(&last);
            self.prepared.set(place, frame, 0)?;
        }
        Ok(Packets::prepared(last, stream.out, first))
    }

    /// Takes what the workers have told, as control would.
    pub fn listen(&mut self) {
        self.workers.acknowledge();
        while self.workers.drain(1024, |_| {}) {}
    }
}

fn hop(receiver: &Leaf, n: u32) -> Result<HopLeg> {
    Ok(HopLeg {
        source_mac: receiver.fwd_mac.0,
        destination_mac: Some(receiver.mac.0),
        vlan: None,
        addresses: Addresses::V4 {
            source: v4(receiver.fwd_addr(Family::V4))?.octets(),
            destination: v4(receiver.pool_addr(Family::V4, n as usize))?.octets(),
        },
        source_port: SOURCE_PORT,
        destination_port: SUBSCRIBER_PORT,
        dscp: 46,
        ttl: 64,
        mtu: 1500,
        rewrite: None,
        lease: 0,
        socket: 0,
    })
}
