//! A hall: a lab with a node and clients in it, and the few steps that all scenarios take.

use std::sync::Arc;
use std::time::{Duration, Instant};

use forwarder_tests::model::State;
use forwarder_tests::rtc::{
    AgentOptions, Clip, Codec, Crowd, Participant, Published, Report, Subscribed,
};
use forwarder_tests::{Client, Family, Lab, Leaf, Node, Star};
use serde_json::Value;

use crate::leftovers;

/// How long anything may take that happens at all.
pub const LONG: Duration = Duration::from_secs(20);

/// How long media flows in most scenarios: past the wrap of RTP time, which comes after a second.
pub const WHILE: Duration = Duration::from_millis(1300);

/// How far a sender report may be from the truth: the 20 ms that people do not notice between picture and sound (ITU-R BT.1359) less
/// what threads of a busy machine are late by.
pub const IN_SYNC: Duration = Duration::from_millis(15);

/// Reasons that a hall without faults never counts: each is a packet that should have arrived.
const LOSSES: [&str; 16] = [
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
    "slots_full",
    "stale_slot",
    "ring_full",
    "video_shed",
    "seal_failed",
    "tcp_full",
];

/// Path and address family of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// `kernel` or `socket`.
    pub path: &'static str,
    /// Of all addresses.
    pub family: Family,
}

impl Kind {
    /// As modules are named: `kernel_v4`.
    pub fn named(module: &str) -> Self {
        Self {
            path: if module.starts_with("kernel") {
                "kernel"
            } else {
                "socket"
            },
            family: if module.ends_with("v6") {
                Family::V6
            } else {
                Family::V4
            },
        }
    }
}

/// A lab, its node and its clients. Close it at the end of the scenario.
pub struct Hall {
    pub api: Client,
    pub kind: Kind,
    publishing: Crowd,
    receiving: Crowd,
    pub node: Node,
    pub lab: Lab,
}

/// Which side of the star a client is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first publisher's namespace.
    Publishing,
    /// The first receiver's.
    Receiving,
}

impl Hall {
    /// A lab of one publisher and one receiver namespace.
    pub fn new(kind: Kind) -> Self {
        Self::with(kind, Lab::star(), &[])
    }

    /// Another lab, and more arguments for the node.
    pub fn with(kind: Kind, star: Star, arguments: &[&str]) -> Self {
        let lab = star.build().unwrap();
        let all = [&["--path", kind.path], arguments].concat();
        let node = Node::start_on_all(&lab, &all).unwrap();
        Self::of(kind, lab, node)
    }

    /// This lab with this node.
    pub fn of(kind: Kind, lab: Lab, node: Node) -> Self {
        assert_eq!(node.path(), kind.path, "{}", node.ready_line());
        Self {
            api: node.client().unwrap(),
            kind,
            publishing: Crowd::start(Some(&lab.publisher().netns)).unwrap(),
            receiving: Crowd::start(Some(&lab.receiver().netns)).unwrap(),
            node,
            lab,
        }
    }

    /// The namespace of a side.
    pub fn leaf(&self, side: Side) -> &Leaf {
        match side {
            Side::Publishing => self.lab.publisher(),
            Side::Receiving => self.lab.receiver(),
        }
    }

    /// The clients of a side.
    pub fn crowd(&self, side: Side) -> &Crowd {
        match side {
            Side::Publishing => &self.publishing,
            Side::Receiving => &self.receiving,
        }
    }

    /// Client `n` of a side: at an address of its own.
    pub fn options(&self, side: Side, n: usize) -> AgentOptions {
        let address = self.leaf(side).pool_addr(self.kind.family, n);
        AgentOptions::new(format!("{side:?} {n}"), address)
    }

    /// Joins a client.
    pub fn join(&self, side: Side, options: AgentOptions) -> Participant {
        Participant::join(self.crowd(side), &self.api, options).unwrap()
    }

    /// Joins client `n` of the publishing side.
    pub fn publisher(&self, n: usize) -> Participant {
        self.join(Side::Publishing, self.options(Side::Publishing, n))
    }

    /// Joins client `n` of the receiving side.
    pub fn subscriber(&self, n: usize) -> Participant {
        self.join(Side::Receiving, self.options(Side::Receiving, n))
    }

    /// A publisher of VP8 and Opus.
    pub fn call(&self) -> (Participant, [Published; 2]) {
        let publisher = self.publisher(0);
        let tracks =
            [Codec::Vp8, Codec::Opus].map(|codec| publisher.publish(&clip(codec)).unwrap());
        (publisher, tracks)
    }

    /// The whole state.
    pub fn state(&self) -> State {
        self.api.state().unwrap()
    }

    /// The session as the node shows it.
    pub fn view(&self, participant: &Participant) -> Value {
        serde_json::to_value(participant.view().unwrap()).unwrap()
    }

    /// All these sessions are reached by the path of the hall: by slots and XDP, or by their sockets.
    pub fn assert_path(&self, participants: &[&Participant]) {
        let path = match self.kind.path {
            "kernel" => "sealed",
            other => other,
        };
        for participant in participants {
            let view = self.view(participant);
            assert_eq!(view["path"], path, "{view:#}");
        }
    }

    /// Ends the scenario: nothing was lost on the way, the node stops as told and leaves nothing behind.
    pub fn close(self) {
        let state = self.state();
        for loss in LOSSES {
            assert_eq!(state.reason(loss), 0, "{loss}: {:?}", counted(&state));
        }
        for device in &state.devices {
            assert_eq!(device["xmit_drops"].as_u64(), Some(0), "{device}");
        }
        self.close_after_losses();
    }

    /// Ends a scenario in which packets were to be lost.
    pub fn close_after_losses(self) {
        let Self {
            api,
            publishing,
            receiving,
            mut node,
            lab,
            ..
        } = self;
        drop((api, publishing, receiving));
        let status = node.stop().unwrap();
        assert!(status.success(), "{status:?}: {:?}", node.log());
        leftovers::assert_none(&lab, node.name());
    }
}

/// The clip of a codec.
pub fn clip(codec: Codec) -> Arc<Clip> {
    Clip::load(codec).unwrap()
}

/// What was counted at all.
pub fn counted(state: &State) -> Vec<(&str, u64)> {
    let all = state.reasons.iter();
    all.map(|(name, count)| (name.as_str(), *count))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Subscribes to all of these.
pub fn subscribe(participant: &Participant, tracks: &[Published]) -> Vec<Subscribed> {
    let all = tracks.iter();
    all.map(|track| participant.subscribe(track).unwrap())
        .collect()
}

/// Lets media flow for a while, stops it, and waits until everybody has all of it; then nobody found any fault.
pub fn play(publishers: &[&Participant], subscribers: &[&Participant], time: Duration) {
    publishers.iter().for_each(|one| one.start_media());
    std::thread::sleep(time);
    publishers.iter().for_each(|one| one.stop_media());
    assert_whole(subscribers);
}

/// Everybody gets all that was published, and nobody found any fault.
pub fn assert_whole(subscribers: &[&Participant]) {
    let complete = |one: &&Participant| one.member.ask(|agent, _| agent.is_complete());
    let reached = wait_until(LONG, || subscribers.iter().all(complete));
    for subscriber in subscribers {
        let report = subscriber.report();
        assert_eq!(report.faults(), [""; 0], "{report:#?}");
        assert!(reached || complete(subscriber), "not all came: {report:#?}");
    }
}

/// Waits until a subscription has this many frames.
pub fn wait_for_frames(participant: &Participant, subscribed: &Subscribed, count: u64) -> Report {
    let reached = wait_until(LONG, || participant.frames(subscribed) >= count);
    let report = participant.report();
    assert!(reached, "{count} frames were to come: {report:#?}");
    report
}

/// Waits for a condition; whether it came.
pub fn wait_until(timeout: Duration, mut reached: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + timeout;
    while !reached() {
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}
