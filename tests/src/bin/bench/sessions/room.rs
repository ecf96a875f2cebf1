//! A room that fills: idle sessions, then publications, subscriptions and media, with the node's memory at every step.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use forwarder::worker::history::VIDEO_PACKETS;
use forwarder_tests::rtc::api::{
    ApiCodec, ApiExtension, Encoding, NewSession, NewSessionPublication, NewSessionSubscription,
    SessionPublication,
};
use forwarder_tests::rtc::{Clip, Codec, DtlsVersion, Numbering};
use forwarder_tests::{Client, Leaf, Node};
use serde::Serialize;
use serde_json::Value;

use super::calls::{CallRow, Calls};
use super::clients::Clients;
use super::process::{Memory, cpu_time};
use super::setups::{Joined, join};

/// Videos that everybody subscribes to.
const PUBLICATIONS: usize = 2;
/// Packets that a history of video holds.
const HISTORY: u64 = VIDEO_PACKETS as u64;
/// Packets that are waited for: some more than fill it.
const PACKETS: u64 = HISTORY + HISTORY / 8;
/// Bytes of a frame: three packets.
const FRAME: usize = 3000;
/// Time that sessions are idle before they are measured.
const IDLE: Duration = Duration::from_secs(4);
/// How long media may take.
const LONG: Duration = Duration::from_secs(60);
/// What both sides number codecs and extensions by.
const NUMBERING: Numbering = Numbering::CHROMIUM;

/// A node with sessions.
pub struct Room<'a> {
    node: &'a Node,
    api: Client,
    clients: Clients,
    publishers: Vec<Joined>,
    sessions: Vec<Joined>,
    publications: Vec<String>,
    figures: Figures,
    /// Before the last step.
    before: Memory,
}

/// What was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Idle sessions.
    pub sessions: usize,
    /// Resident memory of each, bytes.
    pub session_bytes: u64,
    /// Of which anonymous.
    pub session_anonymous_bytes: u64,
    /// Objects of the kernel's slabs for each session: its socket, and that of its client, among whatever else the system does.
    pub session_kernel_bytes: u64,
    /// CPU time that a thousand idle sessions take, percent of a core: checks of consent.
    pub idle_percent: f64,
    /// Resident memory of a publication of video whose history is full, bytes.
    pub publication_bytes: u64,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Resident memory of each before media, bytes.
    pub subscription_bytes: u64,
    /// The same after media.
    pub subscription_bytes_after_media: u64,
    /// Fewest packets that left on a leg.
    pub packets: u64,
    /// Calls of the API with all these sessions.
    pub calls: Vec<CallRow>,
}

impl<'a> Room<'a> {
    /// A room with a few sessions, which make what is made once; two of them will publish.
    ///
    /// # Errors
    /// As for [`join`].
    pub fn new(node: &'a Node, leaf: &Leaf, warm_up: u32) -> Result<Self> {
        let mut clients = Clients::new(leaf)?;
        let api = node.client()?;
        let (publishers, _) = join(&api, &mut clients, DtlsVersion::Both, warm_up)?;
        clients.run_for(Duration::from_millis(500))?;
        Ok(Self {
            node,
            api,
            clients,
            publishers,
            sessions: Vec::new(),
            publications: Vec::new(),
            figures: Figures::default(),
            before: Memory::of(node.pid())?,
        })
    }

    /// What was measured.
    pub fn figures(self) -> Figures {
        self.figures
    }

    /// Connects sessions, and leaves them alone for a while.
    ///
    /// # Errors
    /// As for [`join`]; one is not connected at its end, or its packets would leave by another path than `path`.
    pub fn fill(&mut self, count: u32, path: &str) -> Result<()> {
        (self.sessions, _) = join(&self.api, &mut self.clients, DtlsVersion::Both, count)?;
        let (cpu, start) = (cpu_time(self.node.pid())?, Instant::now());
        self.clients.run_for(IDLE)?;
        let busy = (cpu_time(self.node.pid())? - cpu).as_secs_f64() / start.elapsed().as_secs_f64();
        let each = self.step(count as usize)?;
        let all = self.sessions.len() + self.publishers.len();
        let views: Vec<Value> = self.api.read("/v0/sessions")?;
        let connected = views
            .iter()
            .filter(|view| view["state"] == "connected" && view["path"] == path);
        ensure!(
            connected.count() == all,
            "not all of {all} sessions are connected by the path {path}"
        );
        let figures = &mut self.figures;
        figures.sessions = count as usize;
        figures.session_bytes = each.resident;
        figures.session_anonymous_bytes = each.anonymous;
        figures.session_kernel_bytes = each.slab;
        figures.idle_percent = busy * 100.0 * 1000.0 / all as f64;
        Ok(())
    }

    /// Makes calls, and times them.
    ///
    /// # Errors
    /// The node refuses one.
    pub fn call(&mut self, count: u32) -> Result<()> {
        let mut post = Calls::new("POST", "/v0/sessions");
        let mut read = Calls::new("GET", "/v0/sessions/{id}");
        let mut delete = Calls::new("DELETE", "/v0/sessions/{id}");
        let seat = self.clients.add(DtlsVersion::Both)?;
        let local = self.clients.ask(seat, |agent, _| agent.local())??;
        let body = serde_json::to_string(&NewSession::of(&local, "auto"))?;
        for _ in 0..count {
            let created = self.timed("POST", "/v0/sessions", Some(&body), &mut post)?;
            let id = created["id"].as_str().context("no id of a session")?;
            let path = format!("/v0/sessions/{id}");
            self.timed("GET", &path, None, &mut read)?;
            self.timed("DELETE", &path, None, &mut delete)?;
            self.clients.turn(Duration::ZERO)?;
        }
        self.clients.dismiss(seat);
        let mut list = Calls::new("GET", "/v0/sessions");
        let mut state = Calls::new("GET", "/v0/state");
        for _ in 0..count.div_ceil(10) {
            self.timed("GET", "/v0/sessions", None, &mut list)?;
            self.timed("GET", "/v0/state", None, &mut state)?;
            self.clients.turn(Duration::ZERO)?;
        }
        let calls = [post, read, delete, list, state];
        self.figures.calls.extend(calls.iter().map(Calls::row));
        Ok(())
    }

    /// Publishes videos, and lets them flow until their history is full.
    ///
    /// # Errors
    /// The node refuses, or media does not arrive.
    pub fn publish(&mut self) -> Result<()> {
        self.before = Memory::of(self.node.pid())?;
        let clip = clip()?;
        for publisher in self.publishers.iter().take(PUBLICATIONS) {
            let theirs = Arc::clone(&clip);
            let track = self
                .clients
                .ask(publisher.seat, move |agent, _| agent.publish(&theirs))?;
            let new = NewSessionPublication {
                kind: "video".to_owned(),
                mid: track.mid.to_string(),
                codecs: vec![ApiCodec::of(Codec::Vp8, NUMBERING)],
                encodings: vec![Encoding { ssrc: track.ssrc }],
                header_extensions: ApiExtension::all(NUMBERING, false),
            };
            let path = format!("/v0/sessions/{}/publications", publisher.id);
            let published: SessionPublication = self.api.post(&path, &new)?;
            self.publications.push(published.id);
        }
        self.start_media()?;
        let end = Instant::now() + LONG;
        loop {
            self.clients.run_for(Duration::from_millis(200))?;
            let arrived = self.fewest(&self.publishers[..PUBLICATIONS], "publications")?;
            if arrived >= PACKETS {
                break;
            }
            if Instant::now() > end {
                bail!("{arrived} packets of a publication have arrived within {LONG:?}");
            }
        }
        self.stop_media()?;
        self.figures.publication_bytes = self.step(PUBLICATIONS)?.resident;
        Ok(())
    }

    /// Subscribes every session to every video.
    ///
    /// # Errors
    /// The node refuses.
    pub fn subscribe(&mut self) -> Result<()> {
        let mut calls = Calls::new("POST", "/v0/sessions/{id}/subscriptions");
        self.before = Memory::of(self.node.pid())?;
        for session in self.sessions.clone() {
            for (mid, publication) in self.publications.clone().into_iter().enumerate() {
                let new = NewSessionSubscription {
                    publication,
                    mid: mid.to_string(),
                    codecs: vec![ApiCodec::of(Codec::Vp8, NUMBERING)],
                    header_extensions: ApiExtension::all(NUMBERING, false),
                    paused: false,
                };
                let path = format!("/v0/sessions/{}/subscriptions", session.id);
                let body = serde_json::to_string(&new)?;
                self.timed("POST", &path, Some(&body), &mut calls)?;
            }
            self.clients.turn(Duration::ZERO)?;
        }
        self.clients.run_for(Duration::from_millis(500))?;
        let count = self.sessions.len() * self.publications.len();
        self.figures.calls.push(calls.row());
        self.figures.subscriptions = count;
        let now = Memory::of(self.node.pid())?;
        self.figures.subscription_bytes = now.growth_each(self.before, count).resident;
        Ok(())
    }

    /// Lets media flow until every leg has had its packets.
    ///
    /// # Errors
    /// The system's.
    pub fn flow(&mut self) -> Result<()> {
        self.clients.deafen()?;
        self.start_media()?;
        let end = Instant::now() + LONG;
        // Of a few first: to ask for all takes the node's time.
        let few: Vec<Joined> = self.sessions.iter().step_by(97).cloned().collect();
        while self.fewest(&few, "subscriptions")? < PACKETS && Instant::now() < end {
            self.clients.run_for(Duration::from_millis(500))?;
        }
        self.stop_media()?;
        self.clients.run_for(Duration::from_millis(500))?;
        self.figures.packets = self.fewest(&self.sessions, "subscriptions")?;
        let count = self.figures.subscriptions;
        let now = Memory::of(self.node.pid())?;
        let each = now.growth_each(self.before, count);
        self.figures.subscription_bytes_after_media = each.resident;
        Ok(())
    }

    /// Whether every leg had its packets.
    pub const fn is_full(figures: &Figures) -> bool {
        figures.packets >= HISTORY
    }

    fn step(&mut self, count: usize) -> Result<Memory> {
        let now = Memory::of(self.node.pid())?;
        let before = std::mem::replace(&mut self.before, now);
        Ok(now.growth_each(before, count))
    }

    fn start_media(&mut self) -> Result<()> {
        for publisher in self.publishers.iter().take(PUBLICATIONS) {
            self.clients
                .ask(publisher.seat, |agent, now| agent.start_media(now))?;
        }
        Ok(())
    }

    fn stop_media(&mut self) -> Result<()> {
        for publisher in self.publishers.iter().take(PUBLICATIONS) {
            self.clients
                .ask(publisher.seat, |agent, _| agent.stop_media())?;
        }
        Ok(())
    }

    /// Fewest packets of the m-lines of one direction in some sessions, as the node counts them.
    fn fewest(&self, sessions: &[Joined], direction: &str) -> Result<u64> {
        let mut fewest = u64::MAX;
        for session in sessions {
            let view: Value = self.api.read(&format!("/v0/sessions/{}", session.id))?;
            let lines = view[direction].as_array().context("no m-lines")?;
            ensure!(!lines.is_empty(), "no {direction}: {view}");
            let packets = lines.iter().filter_map(|line| line["packets"].as_u64());
            fewest = packets.fold(fewest, u64::min);
        }
        Ok(fewest)
    }

    fn timed(
        &self,
        method: &'static str,
        path: &str,
        body: Option<&str>,
        calls: &mut Calls,
    ) -> Result<Value> {
        let reply = self.api.request(method, path, body)?;
        ensure!(
            reply.status < 300,
            "{method} {path}: {} {}",
            reply.status,
            reply.body
        );
        calls.note(reply.took, reply.body.len());
        Ok(serde_json::from_str(&reply.body).unwrap_or_default())
    }
}

/// Frames that look like keyframes of VP8 (RFC 6386 §9.1), so that every leg can join at any of them.
fn clip() -> Result<Arc<Clip>> {
    let frames = (0..60_u8).map(|n| {
        let mut frame = vec![n; FRAME];
        frame[..10].copy_from_slice(&[0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0]);
        frame
    });
    Clip::of(Codec::Vp8, frames.collect())
}
