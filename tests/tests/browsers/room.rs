//! A node with browsers in one room, whichever way they join it.

use std::cell::Cell;

use forwarder_tests::Client;
use forwarder_tests::browsers::{Browser, Candidates, Media, Peer};
use serde_json::Value;

use crate::control::Quality;
use crate::ortc::{self, Session};
use crate::stage::{LONG, SOME, Stage};

/// A node, and how browsers join.
pub struct Room {
    pub api: Client,
    path: &'static str,
    candidates: Candidates,
    peers: Cell<u32>,
}

/// A browser that is in the room.
pub struct Member {
    pub peer: Peer,
    pub session: Session,
}

impl Room {
    /// Starts a node of this path.
    pub fn open(stage: &mut Stage, path: &'static str, candidates: Candidates) -> Self {
        let api = stage.start(path);
        Self {
            api,
            path,
            candidates,
            peers: Cell::new(0),
        }
    }

    /// A browser publishes.
    pub fn publish(&self, browser: &Browser, media: &Media) -> Member {
        let peer = browser.peer(&self.name()).unwrap();
        peer.publish(media).unwrap();
        let session = ortc::publish(&self.api, &peer, self.candidates);
        Member { peer, session }
    }

    /// A browser watches what another publishes, by this codec if one is named.
    pub fn watch(&self, browser: &Browser, of: &Member, codec: Option<&str>) -> Member {
        let peer = browser.peer(&self.name()).unwrap();
        peer.subscribe(&["audio", "video"], codec).unwrap();
        let session = ortc::subscribe(&self.api, &peer, &of.session, self.candidates);
        Member { peer, session }
    }

    /// A browser may be in the room several times.
    fn name(&self) -> String {
        self.peers.set(self.peers.get() + 1);
        format!("peer {}", self.peers.get())
    }

    /// The stream comes whole to all of these, by the path of the room and under a GCM.
    pub fn assert_flows(&self, stream: u8, members: &[&Member]) -> Vec<Quality> {
        let all = members.iter();
        all.map(|member| {
            member.peer.wait_for_stream(stream, SOME, LONG).unwrap();
            self.assert_path(member, self.served());
            Quality::of(&member.peer, stream)
        })
        .collect()
    }

    /// A member's session is connected under a GCM, and served by this path.
    pub fn assert_path(&self, member: &Member, path: &str) {
        let view = self.view(member);
        let suite = view["suite"].as_str().unwrap_or_default();
        assert!(suite.contains("GCM"), "{view:#}");
        assert_eq!(view["path"], path, "{view:#}");
    }

    /// As the node calls the path of who is far.
    fn served(&self) -> &'static str {
        match (self.candidates, self.path) {
            (Candidates::Tcp, _) => "tcp",
            (_, "kernel") => "sealed",
            (_, path) => path,
        }
    }

    /// A session as the node shows it.
    pub fn view(&self, member: &Member) -> Value {
        member.session.view(&self.api)
    }
}
