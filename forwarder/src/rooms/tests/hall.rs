//! The world of the session core with rooms in it, and peers that negotiate by SDP.

use std::collections::HashMap;

use str0m::{
    change::{SdpAnswer, SdpOffer, SdpPendingOffer},
    media::{Direction, MediaKind, Mid},
};

use crate::{
    core::refusal::Refusal,
    rooms::{
        Event, Rooms, Settings, What,
        ids::RoomId,
        specs::{Entry, Grants, JoinSpec},
        views::{Description, Joined, RoomView},
        wishes::Wishes,
    },
    sessions::{
        ids::{PublicationId, SessionId},
        tests::{
            parameters::settings,
            peer::Peer,
            world::{MILLISECOND, World},
        },
    },
};

pub const AUDIO: MediaKind = MediaKind::Audio;
pub const VIDEO: MediaKind = MediaKind::Video;
pub const SEND: Direction = Direction::SendOnly;
pub const RECEIVE: Direction = Direction::RecvOnly;

pub struct Hall {
    pub world: World,
    pub rooms: Rooms,
    /// Events of the session core that rooms were told of.
    fed: usize,
    pub told: Vec<Event>,
    /// Whether peers answer offers of ours as soon as they come.
    pub obliging: bool,
}

pub fn room(name: &str) -> RoomId {
    RoomId::new(name).unwrap()
}

/// Whoever joins room `r` so.
pub fn spec(entry: Entry) -> JoinSpec {
    JoinSpec {
        room: Some(room("r")),
        name: None,
        metadata: None,
        grants: Grants::default(),
        wishes: Wishes::all(),
        entry,
    }
}

pub fn offer(sdp: impl ToString, takes_offers: bool) -> Entry {
    let sdp = sdp.to_string();
    Entry::Offer { sdp, takes_offers }
}

impl Hall {
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    pub fn with(rooms: Settings) -> Self {
        Self {
            world: World::new(settings()),
            rooms: Rooms::new(rooms).unwrap(),
            fed: 0,
            told: Vec::new(),
            obliging: true,
        }
    }

    /// Carries out what follows, as the node does.
    pub fn settle(&mut self) {
        loop {
            self.world.carry_out();
            for event in self.world.events.get(self.fed..).unwrap_or_default() {
                self.rooms.handle_event(event);
            }
            self.fed = self.world.events.len();
            let now = self.world.now;
            let more = self.rooms.settle(&mut self.world.sessions, now);
            let mut offers = Vec::new();
            while let Some(event) = self.rooms.poll_event() {
                if let (What::Offer { sdp, version }, Some(session)) = (&event.what, event.session)
                {
                    offers.push((session, sdp.clone(), *version));
                }
                self.told.push(event);
            }
            if !more && offers.is_empty() {
                return;
            }
            offers.retain(|_| self.obliging);
            for (session, sdp, version) in offers {
                self.oblige(session, &sdp, version);
            }
        }
    }

    /// Lets the peer of a session answer an offer of ours.
    pub fn oblige(&mut self, session: SessionId, sdp: &str, version: u64) {
        let Some(at) = self.world.ids.iter().position(|id| *id == session) else {
            return;
        };
        let offer = SdpOffer::from_sdp_string(sdp).unwrap();
        let api = self.world.peers[at].rtc.sdp_api();
        let answer = api.accept_offer(offer).unwrap().to_sdp_string();
        let now = self.world.now;
        self.rooms
            .answer(
                &mut self.world.sessions,
                now,
                session,
                version,
                &answer,
                false,
            )
            .unwrap();
    }

    pub fn run(&mut self, nanoseconds: u64) {
        let until = self.world.now + nanoseconds;
        while self.world.now < until {
            let step = MILLISECOND.min(until - self.world.now);
            self.world.run(step);
            let now = self.world.now;
            if self.rooms.poll_timeout() <= now {
                self.rooms.handle_timeout(&mut self.world.sessions, now);
                assert!(self.rooms.poll_timeout() > now, "spins");
            }
            self.settle();
        }
    }

    pub fn join(&mut self, spec: JoinSpec) -> Result<Joined, Refusal> {
        let now = self.world.now;
        let joined = self.rooms.join(&mut self.world.sessions, now, spec, false);
        let joined = joined.map(|joined| joined.expect("no dry run"));
        self.settle();
        joined
    }

    fn peer(&self) -> Peer {
        let address = World::address(self.world.peers.len());
        Peer::new(self.world.base(), self.world.now, address)
    }

    /// A peer joins room `r` by an offer, and sends on what it offered to. Gives its number.
    pub fn come(&mut self, media: &[(MediaKind, Direction)]) -> usize {
        self.come_as(media, true, |_| {})
    }

    pub fn come_as(
        &mut self,
        media: &[(MediaKind, Direction)],
        takes_offers: bool,
        change: impl FnOnce(&mut JoinSpec),
    ) -> usize {
        let mut peer = self.peer();
        let (sdp, pending, mids) = propose(&mut peer, media);
        let mut spec = spec(offer(sdp, takes_offers));
        change(&mut spec);
        let now = self.world.now;
        let joined = self
            .rooms
            .join(&mut self.world.sessions, now, spec, false)
            .unwrap()
            .unwrap();
        let Description::Answer(sdp) = &joined.description else {
            panic!("{joined:?}");
        };
        accept(&mut peer, pending, sdp);
        for (mid, (kind, _)) in mids.into_iter().zip(media).filter(|(_, it)| it.1 == SEND) {
            peer.begin(now, mid, *kind);
        }
        self.world.peers.push(peer);
        self.world.ids.push(joined.id);
        self.settle();
        self.world.peers.len() - 1
    }

    /// A peer joins by an offer of ours.
    pub fn be_offered(&mut self, spec: JoinSpec) -> usize {
        let mut peer = self.peer();
        let now = self.world.now;
        let joined = self
            .rooms
            .join(&mut self.world.sessions, now, spec, false)
            .unwrap()
            .unwrap();
        let Description::Offer(offer) = joined.description else {
            panic!("{joined:?}");
        };
        peer.rtc.sdp_api();
        self.world.peers.push(peer);
        self.world.ids.push(joined.id);
        self.oblige(joined.id, &offer.sdp, offer.version);
        self.settle();
        self.world.peers.len() - 1
    }

    /// The peer adds m-lines to its live session; gives their mids.
    pub fn add(&mut self, at: usize, media: &[(MediaKind, Direction)]) -> Vec<Mid> {
        let (sdp, pending, mids) = propose(&mut self.world.peers[at], media);
        self.renegotiate(at, &sdp, pending);
        let now = self.world.now;
        for (mid, (kind, _)) in mids.iter().zip(media).filter(|(_, it)| it.1 == SEND) {
            self.world.peers[at].begin(now, *mid, *kind);
        }
        mids
    }

    pub fn renegotiate(&mut self, at: usize, sdp: &str, pending: SdpPendingOffer) {
        let (id, now) = (self.world.ids[at], self.world.now);
        let answer = self
            .rooms
            .offer(&mut self.world.sessions, now, id, sdp, false);
        accept(
            &mut self.world.peers[at],
            pending,
            &answer.unwrap().unwrap(),
        );
        self.settle();
    }

    /// What a session publishes.
    pub fn publications(&self, at: usize) -> Vec<PublicationId> {
        let publications = self.world.sessions.publications(self.world.ids[at]);
        publications.map(|it| it.id).collect()
    }

    /// What a session is sent.
    pub fn subscribed(&self, at: usize) -> Vec<PublicationId> {
        let subscriptions = self.world.sessions.subscriptions(self.world.ids[at]);
        let mut of: Vec<_> = subscriptions.map(|it| it.publication).collect();
        of.sort();
        of
    }

    /// Packets that a peer heard since it was asked last, by the publication that they are of.
    pub fn heard(&mut self, at: usize) -> HashMap<PublicationId, usize> {
        let heard = std::mem::take(&mut self.world.peers[at].heard);
        let id = self.world.ids[at];
        let by_ssrc: HashMap<u32, PublicationId> = self
            .world
            .sessions
            .subscriptions(id)
            .map(|it| (it.ssrc, it.publication))
            .collect();
        let mut counts = HashMap::new();
        for packet in heard {
            if let Some(publication) = by_ssrc.get(&packet.ssrc) {
                *counts.entry(*publication).or_insert(0) += 1;
            }
        }
        counts
    }

    pub fn view(&self) -> RoomView {
        self.rooms.room(&self.world.sessions, &room("r")).unwrap()
    }

    /// All rooms as they are.
    pub fn rooms(&self) -> Vec<RoomView> {
        let rooms = self.rooms.ids();
        rooms
            .map(|id| self.rooms.room(&self.world.sessions, id).unwrap())
            .collect()
    }

    /// The names of what was told since this was asked last.
    pub fn names(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.told)
            .iter()
            .map(|event| event.what.name())
            .collect()
    }
}

/// An offer of a peer that adds m-lines.
pub fn propose(
    peer: &mut Peer,
    media: &[(MediaKind, Direction)],
) -> (String, SdpPendingOffer, Vec<Mid>) {
    let mut api = peer.rtc.sdp_api();
    let mids = media
        .iter()
        .map(|(kind, direction)| api.add_media(*kind, *direction, None, None, None))
        .collect();
    let (offer, pending) = api.apply().unwrap();
    (offer.to_sdp_string(), pending, mids)
}

pub fn accept(peer: &mut Peer, pending: SdpPendingOffer, sdp: &str) {
    let answer = SdpAnswer::from_sdp_string(sdp).unwrap();
    peer.rtc.sdp_api().accept_answer(pending, answer).unwrap();
}
