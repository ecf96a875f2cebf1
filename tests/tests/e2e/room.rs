//! A room: a lab with a node in it, and the few steps that all scenarios take: publish, subscribe, send, look, close.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use forwarder_tests::model::{
    Endpoint, Mode, NewEndpoint, NewPublication, NewSubscription, State, Subscription,
};
use forwarder_tests::rtp::{Rewrite, Stream};
use forwarder_tests::{Client, Family, Lab, Leaf, Node, Pace, Publisher, Receivers, Star};

use crate::leftovers;

/// How long anything may take that happens at all.
pub const LONG: Duration = Duration::from_secs(20);
/// How long to wait for what must not come.
pub const QUIET: Duration = Duration::from_millis(30);
/// The port that the forwarder takes media at.
pub const MEDIA: u16 = 5000;
/// The port that the forwarder sends to subscribers from.
pub const OUT: u16 = 7000;
/// The port that receivers listen at.
pub const RECEIVER: u16 = 6000;
/// The port that publishers send from.
pub const PUBLISHER: u16 = 4000;
/// Both families.
pub const BOTH: [Family; 2] = [Family::V4, Family::V6];

/// Reasons that a room without faults never counts: each is a packet or a replica that should have arrived.
const LOSSES: [&str; 10] = [
    "queue_full",
    "stalled",
    "no_room",
    "foreign_frame",
    "stale_hop",
    "no_device",
    "punt_full",
    "send_failed",
    "malformed",
    "lease_expired",
];

/// The forwarding path that a node is made to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// XDP.
    Kernel,
    /// UDP sockets.
    Socket,
}

impl Path {
    /// As in `--path` and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Socket => "socket",
        }
    }
}

/// A lab and its node. Close it at the end of the scenario.
pub struct Room {
    pub api: Client,
    pub node: Node,
    pub path: Path,
    pub lab: Lab,
}

/// A publication and its endpoint.
pub struct Announced {
    pub endpoint: Endpoint,
    /// Id of the publication.
    pub id: String,
}

/// A publication, and the socket that feeds it.
pub struct Source {
    pub publisher: Publisher,
    pub announced: Announced,
}

impl std::ops::Deref for Source {
    type Target = Announced;

    fn deref(&self) -> &Announced {
        &self.announced
    }
}

impl Room {
    /// A lab of one publisher and one receiver namespace, and a node on all its interfaces.
    pub fn new(path: Path) -> Self {
        Self::with(path, Lab::star(), &[])
    }

    /// A node with more arguments in a lab of this shape.
    pub fn with(path: Path, star: Star, arguments: &[&str]) -> Self {
        Self::in_lab(path, star.build().unwrap(), arguments)
    }

    /// A node in a lab that is there.
    pub fn in_lab(path: Path, lab: Lab, arguments: &[&str]) -> Self {
        let node = start(&lab, path, arguments);
        Self {
            api: node.client().unwrap(),
            node,
            path,
            lab,
        }
    }

    /// Adds an endpoint for what `leaf` publishes.
    pub fn publisher_endpoint(&self, leaf: &Leaf, family: Family, mode: Mode) -> Endpoint {
        let (local, remote) = (
            leaf.fwd_socket(family, MEDIA),
            leaf.socket(family, PUBLISHER),
        );
        self.api
            .add_endpoint(&NewEndpoint::new(local, remote, mode))
            .unwrap()
    }

    /// The first publisher publishes these streams, all of one payload type.
    pub fn publish(&self, family: Family, mode: Mode, streams: &[Stream]) -> Source {
        self.publish_from(self.lab.publisher(), family, mode, streams)
    }

    /// A leaf publishes these streams.
    pub fn publish_from(
        &self,
        leaf: &Leaf,
        family: Family,
        mode: Mode,
        streams: &[Stream],
    ) -> Source {
        let endpoint = self.publisher_endpoint(leaf, family, mode);
        let announced = self.announce(endpoint, streams);
        Source {
            publisher: Publisher::open(leaf, PUBLISHER, leaf.fwd_socket(family, MEDIA)).unwrap(),
            announced,
        }
    }

    /// Makes the publication alone: whoever feeds it sends already, or not yet.
    pub fn announce(&self, endpoint: Endpoint, streams: &[Stream]) -> Announced {
        let new = NewPublication {
            endpoint: endpoint.id.clone(),
            ssrcs: streams.iter().map(|stream| stream.ssrc).collect(),
            payload_type: streams[0].payload_type,
            clock_rate: 90_000,
        };
        Announced {
            id: self.api.publish(&new).unwrap().id,
            endpoint,
        }
    }

    /// Adds an endpoint for a subscriber that is reached over `leaf`'s wire.
    pub fn subscriber(&self, leaf: &Leaf, remote: SocketAddr, mode: Mode) -> Endpoint {
        let family = if remote.is_ipv4() {
            Family::V4
        } else {
            Family::V6
        };
        let new = NewEndpoint::new(leaf.fwd_socket(family, OUT), remote, mode);
        self.api.add_endpoint(&new).unwrap()
    }

    /// Subscribes an endpoint to a publication of one SSRC.
    pub fn subscribe(
        &self,
        source: &Announced,
        endpoint: &Endpoint,
        rewrite: Rewrite,
    ) -> Subscription {
        self.api
            .subscribe(&subscription(source, endpoint, rewrite))
            .unwrap()
    }

    /// Subscribes receivers `range` of the first receiver leaf, who see the stream as `rewrite` says for each.
    pub fn fill(
        &self,
        receivers: &Receivers,
        source: &Announced,
        stream: Stream,
        range: std::ops::Range<usize>,
        family: impl Fn(usize) -> Family,
        rewrite: impl Fn(usize) -> Rewrite,
    ) -> Vec<Subscription> {
        range
            .map(|n| {
                receivers.expect(n, stream.rewritten(rewrite(n)));
                let remote = receivers.socket(family(n), n);
                let endpoint = self.subscriber(self.lab.receiver(), remote, source.endpoint.mode);
                self.subscribe(source, &endpoint, rewrite(n))
            })
            .collect()
    }

    /// The whole state.
    pub fn state(&self) -> State {
        self.api.state().unwrap()
    }

    /// A subscription's only leg as the state shows it: path, and why it is not a faster one.
    pub fn leg_path(&self, subscription: &Subscription) -> (String, Option<String>) {
        let now = self.api.subscription(&subscription.id).unwrap();
        (now.legs[0].path.clone(), now.legs[0].why.clone())
    }

    /// Waits until a reason was counted this often, and not more.
    pub fn wait_for_reason(&self, name: &str, count: u64) {
        let counted_now = self.wait_for_at_least(name, count);
        assert_eq!(counted_now, count, "{name}: {:?}", counted(&self.state()));
    }

    /// Waits until a reason was counted this often: for those that the kernel's own multicast reports count under, too.
    pub fn wait_for_at_least(&self, name: &str, count: u64) -> u64 {
        let reached = wait_until(LONG, || self.state().reason(name) >= count);
        let state = self.state();
        assert!(
            reached,
            "{name} was to be counted {count} times: {:?}",
            counted(&state)
        );
        state.reason(name)
    }

    /// No device and no table lost anything.
    pub fn assert_lossless(&self) {
        let state = self.state();
        for loss in LOSSES {
            assert_eq!(state.reason(loss), 0, "{loss}: {:?}", counted(&state));
        }
        for device in &state.devices {
            assert_eq!(device["xmit_drops"].as_u64(), Some(0), "{device}");
        }
    }

    /// Ends the scenario: nothing was lost on the way, the node stops as told and leaves nothing behind.
    pub fn close(self) {
        self.assert_lossless();
        self.close_after_losses();
    }

    /// Ends a scenario in which packets were to be lost.
    pub fn close_after_losses(self) {
        let Self {
            api, mut node, lab, ..
        } = self;
        drop(api);
        let status = node.stop().unwrap();
        assert!(status.success(), "{status:?}: {:?}", node.log());
        leftovers::assert_none(&lab, node.name());
    }
}

/// Starts a node of this path on all interfaces of the lab.
pub fn start(lab: &Lab, path: Path, arguments: &[&str]) -> Node {
    let all = [&["--path", path.name()], arguments].concat();
    let node = Node::start_on_all(lab, &all).unwrap();
    assert_eq!(node.path(), path.name(), "{}", node.ready_line());
    node
}

/// What was counted at all.
pub fn counted(state: &State) -> Vec<(&str, u64)> {
    let all = state
        .reasons
        .iter()
        .map(|(name, count)| (name.as_str(), *count));
    all.filter(|(_, count)| *count > 0).collect()
}

/// The body that subscribes an endpoint to a publication of one SSRC.
pub fn subscription(source: &Announced, endpoint: &Endpoint, rewrite: Rewrite) -> NewSubscription {
    let offset = |offset| (offset != 0).then_some(offset);
    NewSubscription {
        publication: source.id.clone(),
        endpoint: endpoint.id.clone(),
        ssrcs: rewrite.ssrc.map(|ssrc| vec![ssrc]),
        payload_type: rewrite.payload_type,
        sequence_offset: offset(rewrite.sequence_offset.into()).map(|n: u32| n as u16),
        timestamp_offset: offset(rewrite.timestamp_offset),
        paused: None,
    }
}

/// What receiver `n` has rewritten: each something else, all wraps included.
pub fn rewrite_of(n: usize) -> Rewrite {
    let n = n as u32;
    Rewrite {
        ssrc: Some(0x5000_0000 + n),
        payload_type: Some(96 + (n % 32) as u8),
        sequence_offset: n.wrapping_mul(7919) as u16,
        timestamp_offset: n.wrapping_mul(0x0123_4567),
    }
}

/// Nothing rewritten.
pub fn as_sent(_: usize) -> Rewrite {
    Rewrite::default()
}

/// Sends packets in bursts of 64, each once the one before it has arrived `copies` times in all at these receivers.
pub fn send_in_bursts(
    publisher: &Publisher,
    stream: &Stream,
    range: std::ops::Range<u64>,
    receivers: &[&Receivers],
    copies: u64,
) {
    let received = || {
        receivers
            .iter()
            .map(|receivers| receivers.received())
            .sum::<u64>()
    };
    let mut wanted = received();
    let mut at = range.start;
    while at < range.end {
        let end = (at + 64).min(range.end);
        publisher.send(stream, at..end, Pace::Full).unwrap();
        wanted += (end - at) * copies;
        let all_came = wait_until(LONG, || received() >= wanted);
        assert!(
            all_came,
            "packets {at} to {end}: {} of {wanted} came in all",
            received()
        );
        at = end;
    }
}

/// Every receiver got these packets once each, in order, and nothing else.
pub fn assert_exactly(receivers: Receivers, wanted: std::ops::Range<u64>) {
    receivers.settle(QUIET);
    let report = receivers.finish().unwrap();
    report.exactly(wanted).unwrap();
    let reordered = report
        .streams
        .iter()
        .find(|(_, expected)| expected.tally.reordered > 0);
    if let Some(((receiver, ssrc), expected)) = reordered {
        panic!(
            "receiver {receiver}, ssrc {ssrc:#x}: {} out of order",
            expected.tally.reordered
        );
    }
}

/// Waits for a condition; whether it came.
pub fn wait_until(timeout: Duration, mut reached: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + timeout;
    loop {
        if reached() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
