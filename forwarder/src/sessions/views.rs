//! What callers may look at: sessions, publications and subscriptions with what they carried.

use super::{
    Sessions,
    codec::{CodecSpec, PayloadTypes},
    ids::{PublicationId, SessionId, SubscriptionId},
    publication::Publication,
    session::{ControlCounters, Session},
    settings::Settings,
    subscription::Subscription,
};
use crate::{
    core::refusal::Refusal,
    media::Kind,
    srtp::Suite,
    transport::{Certificate, Credentials, Pair, Role, Version},
    worker::{
        command::Reach,
        counters::{LegCounters, SessionCounters, TrackCounters},
    },
};

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No authentic check has nominated a pair yet.
    New,
    /// A pair is selected; DTLS is under way.
    Checked,
    /// Media can flow.
    Connected,
}

impl State {
    /// One word for it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Checked => "checked",
            Self::Connected => "connected",
        }
    }
}

/// A session as it is now.
#[derive(Debug)]
pub struct SessionView<'a> {
    /// Its id.
    pub id: SessionId,
    /// Its number in outputs and commands.
    pub number: u32,
    /// Its worker.
    pub worker: u32,
    /// When it was created.
    pub created: u64,
    /// How far it is.
    pub state: State,
    /// Our ICE credentials.
    pub ice: &'a Credentials,
    /// Our part in the DTLS handshake.
    pub role: Role,
    /// Once it is connected: what packets are sealed with, and the version of DTLS.
    pub keys: Option<(Suite, Version)>,
    /// Where its peer is.
    pub pair: Option<Pair>,
    /// How packets get there.
    pub reach: Option<&'a Reach>,
    /// Until when the peer consents to media.
    pub consent_until: Option<u64>,
    /// What control has counted.
    pub control: ControlCounters,
    /// What the worker counts.
    pub counters: &'a SessionCounters,
    /// What it publishes.
    pub publications: Vec<PublicationView<'a>>,
    /// What it is subscribed to.
    pub subscriptions: Vec<SubscriptionView<'a>>,
}

/// A publication as it is now.
#[derive(Debug)]
pub struct PublicationView<'a> {
    /// Its id.
    pub id: PublicationId,
    /// Its number in commands.
    pub track: u32,
    /// Audio or video.
    pub kind: Kind,
    /// Identification of the m-line.
    pub mid: Option<&'a str>,
    /// Its codecs, as the publisher numbers them.
    pub codecs: &'a [CodecSpec],
    /// Its SSRC: announced, learnt, or not known yet.
    pub ssrc: Option<u32>,
    /// How many subscriptions there are to it.
    pub subscribers: usize,
    /// Whether a moderator has silenced it.
    pub muted: bool,
    /// Requests for keyframes that were sent to the publisher.
    pub keyframe_requests: u64,
    /// What the worker counts.
    pub counters: &'a TrackCounters,
}

/// A subscription as it is now.
#[derive(Debug)]
pub struct SubscriptionView<'a> {
    /// Its id.
    pub id: SubscriptionId,
    /// What is sent on.
    pub publication: PublicationId,
    /// Its number in commands.
    pub leg: u32,
    /// Identification of the m-line.
    pub mid: Option<&'a str>,
    /// SSRC towards the subscriber.
    pub ssrc: u32,
    /// Canonical name that its reports carry.
    pub cname: &'a str,
    /// Payload types as published and as sent.
    pub payload_types: &'a PayloadTypes,
    /// Whether nothing is sent for now.
    pub paused: bool,
    /// Round trip to the subscriber in nanoseconds, once a report told.
    pub rtt: Option<u64>,
    /// Packets that the subscriber has lost, as it last said.
    pub lost: Option<i32>,
    /// What the worker counts.
    pub counters: &'a LegCounters,
}

impl Sessions {
    /// What it was told at start.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The node's certificate.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        self.dtls.certificate()
    }

    /// The ids of all sessions, the oldest first.
    pub fn ids(&self) -> impl Iterator<Item = SessionId> {
        self.table.iter().map(|session| session.id)
    }

    /// A session.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none with this id.
    pub fn session(&self, id: SessionId) -> Result<SessionView<'_>, Refusal> {
        Ok(self.table.named(id)?.view())
    }

    /// What a session publishes, the oldest first; nothing if there is no such session.
    pub fn publications(&self, id: SessionId) -> impl Iterator<Item = PublicationView<'_>> {
        let session = self.table.named(id).ok();
        let publications = session.into_iter().flat_map(|it| &it.publications);
        publications.map(Publication::view)
    }

    /// What a session is subscribed to, the oldest first; nothing if there is no such session.
    pub fn subscriptions(&self, id: SessionId) -> impl Iterator<Item = SubscriptionView<'_>> {
        let session = self.table.named(id).ok();
        let subscriptions = session.into_iter().flat_map(|it| &it.subscriptions);
        subscriptions.map(Subscription::view)
    }

    /// Canonical name of what a session publishes (RFC 7022).
    #[must_use]
    pub fn cname(&self, id: SessionId) -> Option<&str> {
        Some(&self.table.named(id).ok()?.cname)
    }

    /// Whether media can flow between a session and us.
    #[must_use]
    pub fn is_connected(&self, id: SessionId) -> bool {
        self.table
            .named(id)
            .is_ok_and(|session| session.keys.is_some())
    }

    /// The codecs of a publication, as its publisher numbers them; none if there is no such publication.
    #[must_use]
    pub fn codecs(&self, id: PublicationId) -> &[CodecSpec] {
        let publisher = self.publishers.get(&id).and_then(|it| self.table.at(*it));
        let publication = publisher.and_then(|it| it.publication(id).ok());
        publication.map_or(&[], |it| &it.codecs)
    }

    /// Whose a publication is.
    #[must_use]
    pub fn publisher(&self, id: PublicationId) -> Option<SessionId> {
        let number = self.publishers.get(&id)?;
        Some(self.table.at(*number)?.id)
    }

    /// Whether there is or was a publication with this id.
    #[must_use]
    pub const fn has_published(&self, id: PublicationId) -> bool {
        id.0 > 0 && id.0 <= self.last_publication
    }

    /// Sessions per worker.
    #[must_use]
    pub fn load(&self) -> &[u32] {
        &self.load
    }

    /// Datagrams that belonged to no session and were dropped.
    #[must_use]
    pub const fn strangers(&self) -> u64 {
        self.strangers
    }
}

impl Session {
    fn view(&self) -> SessionView<'_> {
        SessionView {
            id: self.id,
            number: self.number,
            worker: self.worker,
            created: self.created,
            state: match (&self.keys, self.ice.selected()) {
                (Some(_), _) => State::Connected,
                (None, Some(_)) => State::Checked,
                (None, None) => State::New,
            },
            ice: self.ice.local(),
            role: self.dtls.role(),
            keys: self.keys.as_ref().map(|keys| (keys.suite, keys.version)),
            pair: self.pairs.current().or_else(|| self.ice.selected()),
            reach: self.pairs.reach(),
            consent_until: self.ice.consent_until(),
            control: self.control,
            counters: &self.counters,
            publications: self.publications.iter().map(Publication::view).collect(),
            subscriptions: self.subscriptions.iter().map(Subscription::view).collect(),
        }
    }
}

impl Publication {
    fn view(&self) -> PublicationView<'_> {
        PublicationView {
            id: self.id,
            track: self.track,
            kind: self.kind,
            mid: self.mid.as_deref().and_then(|mid| str::from_utf8(mid).ok()),
            codecs: &self.codecs,
            ssrc: self.ssrc,
            subscribers: self.subscribers.len(),
            muted: self.muted,
            keyframe_requests: self.keyframe_requests,
            counters: &self.counters,
        }
    }
}

impl Subscription {
    fn view(&self) -> SubscriptionView<'_> {
        SubscriptionView {
            id: self.id,
            publication: self.publication,
            leg: self.leg,
            mid: self.mid.as_deref().and_then(|mid| str::from_utf8(mid).ok()),
            ssrc: self.ssrc,
            cname: &self.cname,
            payload_types: &self.payload_types,
            paused: self.paused,
            rtt: self.sending.rtt(),
            lost: self.sending.lost(),
            counters: &self.counters,
        }
    }
}
