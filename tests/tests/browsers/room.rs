//! A node with browsers in one room, whichever way they join it.

use std::cell::Cell;

use forwarder_tests::Client;
use forwarder_tests::browsers::{self, Browser, Candidates, Media, Peer, Posted};
use serde_json::Value;

use crate::control::Quality;
use crate::ortc::{self, Session};
use crate::stage::{LONG, SOME, Stage};

/// How a browser joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A signalling service makes sessions of ORTC's parameters.
    Ortc,
    /// The page itself posts offers to the endpoints of WHIP and WHEP.
    Whip,
}

/// A node, and how browsers join.
pub struct Room {
    pub api: Client,
    /// The endpoint of WHIP.
    pub whip: String,
    whep: String,
    /// A token that grants publishing and playing.
    pub token: Option<String>,
    way: Way,
    path: &'static str,
    candidates: Candidates,
    peers: Cell<u32>,
}

/// A browser that is in the room.
pub struct Member {
    pub peer: Peer,
    /// Id of its session.
    pub id: String,
    /// What else is known of it, if it joined by ORTC's parameters.
    pub ortc: Option<Session>,
}

impl Room {
    /// Starts a node of this path.
    pub fn open(stage: &mut Stage, way: Way, path: &'static str, candidates: Candidates) -> Self {
        let (api, token) = match way {
            Way::Ortc => (stage.start(path), None),
            Way::Whip => stage.start_reachable(path),
        };
        Self {
            api,
            whip: browsers::whip(&stage.lab),
            whep: browsers::whep(&stage.lab, ""),
            token,
            way,
            path,
            candidates,
            peers: Cell::new(0),
        }
    }

    /// The endpoint of WHEP for what a session publishes.
    pub fn whep(&self, of: &str) -> String {
        format!("{}{of}", self.whep)
    }

    /// A browser publishes.
    pub fn publish(&self, browser: &Browser, media: &Media) -> Member {
        self.publish_by(self.peer(browser), media)
    }

    /// The same by a peer that may have more to offer.
    pub fn publish_by(&self, peer: Peer, media: &Media) -> Member {
        peer.publish(media).unwrap();
        match self.way {
            Way::Ortc => {
                let session = ortc::publish(&self.api, &peer, self.candidates);
                Member::by_ortc(peer, session)
            }
            Way::Whip => {
                let token = self.token.as_deref();
                let posted = peer.whip(&self.whip, token, self.candidates).unwrap();
                Member::by_whip(peer, &posted)
            }
        }
    }

    /// A browser watches what another publishes, by this codec if one is named.
    pub fn watch(&self, browser: &Browser, of: &Member, codec: Option<&str>) -> Member {
        let peer = self.peer(browser);
        match self.way {
            Way::Ortc => {
                let published = of.ortc.as_ref().unwrap();
                peer.subscribe(&["audio", "video"], codec).unwrap();
                let session = ortc::subscribe(&self.api, &peer, published, self.candidates);
                Member::by_ortc(peer, session)
            }
            Way::Whip => self.watch_id(peer, &of.id, codec),
        }
    }

    /// A browser watches what the session of this id publishes, by WHEP.
    pub fn watch_session(&self, browser: &Browser, id: &str) -> Member {
        self.watch_id(self.peer(browser), id, None)
    }

    /// The same by a peer that may have more to offer, by this codec if one is named.
    pub fn watch_id(&self, peer: Peer, id: &str, codec: Option<&str>) -> Member {
        let (url, token) = (self.whep(id), self.token.as_deref());
        let posted = peer.whep(&url, token, self.candidates, codec).unwrap();
        Member::by_whip(peer, &posted)
    }

    /// A peer that is in no room yet. A browser may be in the room several times.
    pub fn peer(&self, browser: &Browser) -> Peer {
        self.peers.set(self.peers.get() + 1);
        browser.peer(&format!("peer {}", self.peers.get())).unwrap()
    }

    /// Restarts ICE of who has joined by WHIP or WHEP.
    pub fn restart(&self, member: &Member) {
        let before = self.view(member)["ufrag"].clone();
        let restarted = member.peer.restart(self.token.as_deref(), self.candidates);
        let tag = restarted.unwrap();
        let after = self.view(member)["ufrag"].clone();
        assert_ne!(before, after);
        assert_eq!(tag, after.as_str().map(|ufrag| format!("\"{ufrag}\"")));
    }

    /// The stream comes whole to all of these, by the path of the room and under a GCM.
    pub fn assert_flows(&self, stream: u8, members: &[&Member]) -> Vec<Quality> {
        let all = members.iter();
        all.map(|member| {
            member.peer.wait_for_stream(stream, SOME, LONG).unwrap();
            self.assert_path(member, self.served());
            let quality = Quality::of(&member.peer, stream);
            println!("{quality}");
            quality
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
    pub fn served(&self) -> &'static str {
        match (self.candidates, self.path) {
            (Candidates::Tcp, _) => "tcp",
            (_, "kernel") => "sealed",
            (_, path) => path,
        }
    }

    /// A session as the node shows it.
    pub fn view(&self, member: &Member) -> Value {
        self.api
            .read(&format!("/v0/sessions/{}", member.id))
            .unwrap()
    }

    /// Ids of all sessions.
    pub fn sessions(&self) -> Vec<String> {
        let all: Value = self.api.read("/v0/sessions").unwrap();
        let list = all.as_array().or_else(|| all["sessions"].as_array());
        let ids = list.into_iter().flatten();
        ids.filter_map(|session| session["id"].as_str().map(str::to_owned))
            .collect()
    }
}

impl Member {
    fn by_ortc(peer: Peer, session: Session) -> Self {
        Self {
            peer,
            id: session.id.clone(),
            ortc: Some(session),
        }
    }

    fn by_whip(peer: Peer, posted: &Posted) -> Self {
        let id = posted.session();
        let id = id.unwrap_or_else(|| panic!("{posted:#?}")).to_owned();
        Self {
            peer,
            id,
            ortc: None,
        }
    }
}
