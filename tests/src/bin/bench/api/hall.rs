//! Rooms that are full: connected sessions, publications and subscriptions.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use forwarder_tests::rtc::api::{
    ApiCodec, ApiExtension, Encoding, NewSession, NewSessionPublication, NewSessionSubscription,
    SessionPublication,
};
use forwarder_tests::rtc::{Codec, DtlsVersion, Numbering};
use forwarder_tests::{Client, Leaf, Node};
use serde::Serialize;
use serde_json::Value;

use super::Size;
use crate::sessions::clients::Clients;
use crate::sessions::setups::{Joined, join_room};

/// What both sides number codecs and extensions by.
const NUMBERING: Numbering = Numbering::CHROMIUM;

/// A node with full rooms.
pub struct Hall<'a> {
    /// Where the clients are, which need a turn now and then.
    pub clients: Clients,
    /// Who subscribes, all rooms.
    pub subscribers: Vec<Joined>,
    /// Ids of the videos of the first room.
    pub videos: Vec<String>,
    node: &'a Node,
    api: Client,
}

/// What the node says it has.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Account {
    /// Connected sessions.
    pub sessions: usize,
    /// Subscriptions of them.
    pub subscriptions: usize,
}

impl<'a> Hall<'a> {
    /// Nobody is in it.
    ///
    /// # Errors
    /// When the node has no API.
    pub fn new(node: &'a Node, leaf: &Leaf) -> Result<Self> {
        Ok(Self {
            clients: Clients::new(leaf)?,
            subscribers: Vec::new(),
            videos: Vec::new(),
            node,
            api: node.client()?,
        })
    }

    /// Fills the rooms.
    ///
    /// # Errors
    /// The node refuses a call, or a client does not connect.
    pub fn fill(&mut self, size: Size) -> Result<()> {
        for number in 0..size.rooms {
            let room = room(number);
            let joined = self.join(&room, size.subscribers + 1)?;
            let (publisher, subscribers) = joined.split_first().context("a room of nobody")?;
            let videos = (0..size.videos).map(|mid| self.publish(publisher, mid));
            let videos: Vec<String> = videos.collect::<Result<_>>()?;
            for subscriber in subscribers {
                for (mid, video) in videos.iter().enumerate() {
                    let body = Self::wish(video, &mid.to_string())?;
                    let path = format!("/v0/sessions/{}/subscriptions", subscriber.id);
                    self.call("POST", &path, Some(&body))?;
                }
                self.clients.turn(Duration::ZERO)?;
            }
            self.subscribers.extend_from_slice(subscribers);
            if number == 0 {
                self.videos = videos;
            }
        }
        self.clients.run_for(Duration::from_millis(500))
    }

    /// What the node says it has.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn account(&self) -> Result<Account> {
        let sessions: Vec<Value> = self.api.read("/v0/sessions")?;
        let connected = sessions.iter().filter(|view| view["state"] == "connected");
        let legs = sessions
            .iter()
            .filter_map(|it| it["subscriptions"].as_array());
        Ok(Account {
            sessions: connected.count(),
            subscriptions: legs.map(Vec::len).sum(),
        })
    }

    /// Another client of the API, with a connection of its own.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn client(&self) -> Result<Client> {
        self.node.client()
    }

    /// What asks for a session in a room, of a client that never comes.
    ///
    /// # Errors
    /// When there is no socket for it.
    pub fn newcomer(&mut self) -> Result<String> {
        let seat = self.clients.add(DtlsVersion::Both)?;
        let local = self.clients.ask(seat, |agent, _| agent.local())??;
        self.clients.dismiss(seat);
        let new = NewSession {
            room: Some(room(0)),
            ..NewSession::of(&local, "auto")
        };
        Ok(serde_json::to_string(&new)?)
    }

    /// What asks for a video on an m-line.
    ///
    /// # Errors
    /// None that happens.
    pub fn wish(video: &str, mid: &str) -> Result<String> {
        let new = NewSessionSubscription {
            publication: video.to_owned(),
            mid: mid.to_owned(),
            codecs: vec![ApiCodec::of(Codec::Vp8, NUMBERING)],
            header_extensions: ApiExtension::all(NUMBERING, false),
            paused: false,
        };
        Ok(serde_json::to_string(&new)?)
    }

    /// Calls, and wants success.
    ///
    /// # Errors
    /// When the node refuses.
    pub fn call(&self, method: &'static str, path: &str, body: Option<&str>) -> Result<Called> {
        let reply = self.api.request(method, path, body)?;
        let (status, body) = (reply.status, reply.body);
        ensure!(status < 300, "{method} {path}: {status} {body}");
        Ok(Called {
            took: reply.took,
            body,
        })
    }

    fn join(&mut self, room: &str, count: u32) -> Result<Vec<Joined>> {
        let version = DtlsVersion::Both;
        let (joined, _) = join_room(&self.api, &mut self.clients, version, count, Some(room))?;
        Ok(joined)
    }

    fn publish(&self, publisher: &Joined, mid: u32) -> Result<String> {
        let new = NewSessionPublication {
            kind: "video".to_owned(),
            mid: mid.to_string(),
            codecs: vec![ApiCodec::of(Codec::Vp8, NUMBERING)],
            encodings: vec![Encoding { ssrc: 1000 + mid }],
            header_extensions: ApiExtension::all(NUMBERING, false),
        };
        let path = format!("/v0/sessions/{}/publications", publisher.id);
        let published: SessionPublication = self.api.post(&path, &new)?;
        Ok(published.id)
    }
}

/// An answer.
pub struct Called {
    /// From sending the request to having all of it.
    pub took: Duration,
    /// What it was.
    pub body: String,
}

/// The name of a room.
pub fn room(number: u32) -> String {
    format!("room{number}")
}
