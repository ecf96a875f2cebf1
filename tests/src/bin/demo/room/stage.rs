//! Where the room is: namespaces for publishers and subscribers, the forwarder between them, and who is there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use forwarder_tests::rtc::participant::Joining;
use forwarder_tests::rtc::{
    AgentOptions, Clip, Crowd, Numbering, Participant, Published, Report, Subscribed,
};
use forwarder_tests::{Client, Family, Lab, Node};

use super::decode::{self, Decoded};
use super::live::{Look, name};
use crate::interrupt;
use crate::options::{Options, Path};

/// Namespaces of publishers and of subscribers, at most: clients share them, each with an address of its own.
const LEAVES: u16 = 2;

/// The namespaces, the forwarder and the clients. Fields are dropped in their order: the lab last.
pub struct Stage {
    /// Client of the forwarder.
    pub api: Client,
    /// Who publishes.
    pub publishers: Vec<Participant>,
    /// What is published: per publisher a video and a sound.
    pub published: Vec<Published>,
    /// Who subscribes, with what each subscribed to.
    pub subscribers: Vec<(Participant, Vec<Subscribed>)>,
    publishing: Vec<Crowd>,
    subscribing: Vec<Crowd>,
    /// The forwarder.
    pub node: Node,
    lab: Lab,
    family: Family,
    wanted: (u16, u16),
    decoders: usize,
}

impl Stage {
    /// Makes the namespaces and starts the forwarder.
    ///
    /// # Errors
    /// When one of these fails.
    pub fn build(options: &Options, path: Path) -> Result<Self> {
        let (publishers, subscribers) = (options.publishers, options.subscribers);
        let lab = Lab::star()
            .publishers(u8::try_from(publishers.min(LEAVES))?)
            .receivers(u8::try_from(subscribers.min(LEAVES))?)
            .build()?;
        interrupt::check()?;
        let node = Node::start_on_all(&lab, &["--path", path.name()])?;
        let crowds = |leaves: &[forwarder_tests::Leaf]| -> Result<Vec<Crowd>> {
            leaves
                .iter()
                .map(|leaf| Crowd::start(Some(&leaf.netns)))
                .collect()
        };
        Ok(Self {
            api: node.client()?,
            publishing: crowds(&lab.publishers)?,
            subscribing: crowds(&lab.receivers)?,
            publishers: Vec::new(),
            published: Vec::new(),
            subscribers: Vec::new(),
            node,
            lab,
            family: options.family(),
            wanted: (publishers, subscribers),
            decoders: options.decoders.into(),
        })
    }

    /// Joins all publishers, and publishes these clips from each.
    ///
    /// # Errors
    /// As the forwarder refuses, or a client does not connect.
    pub fn publish(&mut self, clips: &[Arc<Clip>]) -> Result<()> {
        for n in 0..usize::from(self.wanted.0) {
            interrupt::check()?;
            let leaf = n % self.lab.publishers.len();
            let address = self.lab.publishers[leaf].pool_addr(self.family, n);
            let options = AgentOptions::new(format!("publisher {}", n + 1), address);
            let publisher = Participant::join(&self.publishing[leaf], &self.api, options)?;
            for clip in clips {
                self.published.push(publisher.publish(clip)?);
            }
            self.publishers.push(publisher);
        }
        Ok(())
    }

    /// Joins all subscribers while media flows, and subscribes each to everything.
    ///
    /// # Errors
    /// As the forwarder refuses, or a client does not connect.
    pub fn subscribe(&mut self) -> Result<()> {
        let mut joined = Vec::new();
        for n in 0..usize::from(self.wanted.1) {
            interrupt::check()?;
            let leaf = n % self.lab.receivers.len();
            let address = self.lab.receivers[leaf].pool_addr(self.family, n);
            let options = AgentOptions {
                // Every other one with numbers of its own, so that what it gets must be renumbered.
                numbering: [Numbering::CHROMIUM, Numbering::OTHER][n % 2],
                ..AgentOptions::new(format!("subscriber {}", n + 1), address)
            };
            let joining = Joining {
                waits: false,
                ..Joining::default()
            };
            let crowd = &self.subscribing[leaf];
            joined.push(Participant::join_as(crowd, &self.api, options, joining)?);
        }
        for (n, participant) in joined.into_iter().enumerate() {
            interrupt::check()?;
            participant.wait_until_connected()?;
            let keep = n < self.decoders;
            let subscribed = self
                .published
                .iter()
                .map(|published| participant.subscribe_as(published, false, keep))
                .collect::<Result<_>>()
                .with_context(|| format!("subscribing subscriber {}", n + 1))?;
            self.subscribers.push((participant, subscribed));
        }
        Ok(())
    }

    /// Lets media flow.
    pub fn start_media(&self) {
        self.publishers.iter().for_each(Participant::start_media);
    }

    /// Stops it.
    pub fn stop_media(&self) {
        self.publishers.iter().for_each(Participant::stop_media);
    }

    /// Waits until every subscriber has everything up to the last frame, or the time is over.
    pub fn wait_until_complete(&self, timeout: Duration) {
        let end = Instant::now() + timeout;
        let complete = |(participant, _): &(Participant, _)| {
            participant.member.ask(|agent, _| agent.is_complete())
        };
        while Instant::now() < end && !self.subscribers.iter().all(complete) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// How it goes.
    pub fn look(&self, elapsed: Duration) -> Look {
        Look::of(elapsed, &self.published, &self.reports())
    }

    /// What the subscribers saw.
    pub fn reports(&self) -> Vec<Report> {
        let reports = self.subscribers.iter();
        reports
            .map(|(participant, _)| participant.report())
            .collect()
    }

    /// Decodes what was kept for that.
    ///
    /// # Errors
    /// When ffmpeg cannot be run.
    pub fn decode(&self) -> Result<Vec<Decoded>> {
        let mut all = Vec::new();
        for (participant, subscribed) in self.subscribers.iter().take(self.decoders) {
            for (n, (subscribed, published)) in subscribed.iter().zip(&self.published).enumerate() {
                let codec = published.track.clip.codec;
                if codec.is_audio() {
                    continue;
                }
                let mid = subscribed.mid;
                let frames = participant.member.ask(move |agent, _| agent.take_kept(mid));
                let name = format!("{}, {}", participant.report().name, name(n, published));
                all.push(decode::pictures(name, codec, &frames)?);
            }
        }
        Ok(all)
    }
}
