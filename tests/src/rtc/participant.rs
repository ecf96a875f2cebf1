//! A client together with its session at a forwarder: what an application does with its signalling, here over the control API.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use str0m::IceCreds;
use str0m::media::Mid;

use super::agent::{AgentOptions, Remote};
use super::api::{
    ApiCodec, ApiExtension, Credentials, Encoding, NewSession, NewSessionPublication,
    NewSessionSubscription, Session, SessionPublication, SessionSubscription,
};
use super::clip::{Clip, Codec};
use super::crowd::{Crowd, Member};
use super::inbound::Expected;
use super::numbering::Numbering;
use super::outbound::Track;
use super::reports::Report;
use crate::client::Client;

/// How long ICE and DTLS may take.
pub const CONNECT: Duration = Duration::from_secs(30);

/// A client and its session.
#[derive(Clone, Debug)]
pub struct Participant {
    /// The client.
    pub member: Member,
    /// Id of the session.
    pub id: String,
    /// What the forwarder told of itself.
    pub remote: Remote,
    numbering: Numbering,
    address: std::net::IpAddr,
    api: Client,
}

/// A track that is published at a forwarder.
#[derive(Clone, Debug)]
pub struct Published {
    /// Id of the publication.
    pub id: String,
    /// The track.
    pub track: Track,
}

/// A track that a participant is subscribed to.
#[derive(Clone, Debug)]
pub struct Subscribed {
    /// Id of the subscription.
    pub id: String,
    /// Its m-line at the subscriber.
    pub mid: Mid,
    /// Its SSRC there.
    pub ssrc: u32,
    /// CNAME that the forwarder announced.
    pub cname: String,
}

/// How a client joins.
#[derive(Clone, Copy, Debug)]
pub struct Joining<'a> {
    /// What it says of its DTLS role: `auto`, `active` or `passive`.
    pub role: &'a str,
    /// Whether it waits until ICE and DTLS are done.
    pub waits: bool,
    /// The room to be in; the node's own unless told.
    pub room: Option<&'a str>,
    /// The name that others see.
    pub name: Option<&'a str>,
}

impl Default for Joining<'_> {
    fn default() -> Self {
        Self {
            role: "auto",
            waits: true,
            room: None,
            name: None,
        }
    }
}

impl Participant {
    /// Makes a client and its session, and waits until both have found each other.
    ///
    /// # Errors
    /// When the forwarder refuses, or ICE and DTLS do not get done within [`CONNECT`].
    pub fn join(crowd: &Crowd, api: &Client, options: AgentOptions) -> Result<Self> {
        Self::join_as(crowd, api, options, Joining::default())
    }

    /// The same in a certain manner.
    ///
    /// # Errors
    /// As for [`Self::join`].
    pub fn join_as(
        crowd: &Crowd,
        api: &Client,
        options: AgentOptions,
        joining: Joining<'_>,
    ) -> Result<Self> {
        let (numbering, address) = (options.numbering, options.address);
        let member = crowd.add(options)?;
        let local = member.ask(|agent, _| agent.local())?;
        let new = NewSession {
            room: joining.room.map(str::to_owned),
            name: joining.name.map(str::to_owned),
            ..NewSession::of(&local, joining.role)
        };
        let session: Session = api.post("/v0/sessions", &new)?;
        ensure!(session.ice.lite, "the forwarder is not an ICE-lite agent");
        // The addresses of the client's own family: with others it could not do anything.
        let remote =
            session.remote(|candidate: &SocketAddr| candidate.is_ipv4() == address.is_ipv4());
        let told = remote.clone();
        member.ask(move |agent, now| agent.start(&told, now))?;
        let participant = Self {
            member,
            id: session.id,
            remote,
            numbering,
            address,
            api: api.clone(),
        };
        if joining.waits {
            participant.wait_until_connected()?;
        }
        Ok(participant)
    }

    /// Waits for ICE and DTLS.
    ///
    /// # Errors
    /// When they are not done within [`CONNECT`].
    pub fn wait_until_connected(&self) -> Result<()> {
        let end = Instant::now() + CONNECT;
        while !self.member.ask(|agent, _| agent.is_connected()) {
            if Instant::now() >= end {
                let report = self.report();
                anyhow::bail!(
                    "{} at {} did not connect within {CONNECT:?}: {:?}; on the wire {:?}",
                    report.name,
                    self.address,
                    report.error,
                    report.wire
                );
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Publishes a clip, its SSRC announced. Frames flow from [`Self::start_media`] on.
    ///
    /// # Errors
    /// When the forwarder refuses.
    pub fn publish(&self, clip: &Arc<Clip>) -> Result<Published> {
        self.publish_as(clip, true)
    }

    /// The same with or without telling the SSRC.
    ///
    /// # Errors
    /// When the forwarder refuses.
    pub fn publish_as(&self, clip: &Arc<Clip>, tells_ssrc: bool) -> Result<Published> {
        let theirs = Arc::clone(clip);
        let track = self.member.ask(move |agent, _| agent.publish(&theirs));
        self.announce(track, tells_ssrc)
    }

    /// Publishes again what was taken away: the same m-line, the same SSRC.
    ///
    /// # Errors
    /// When the forwarder refuses.
    pub fn publish_again(&self, published: &Published) -> Result<Published> {
        self.announce(published.track.clone(), true)
    }

    fn announce(&self, track: Track, tells_ssrc: bool) -> Result<Published> {
        let codec = track.clip.codec;
        let audio = codec.is_audio();
        let encodings = tells_ssrc.then_some(Encoding { ssrc: track.ssrc });
        let new = NewSessionPublication {
            kind: kind(codec).to_owned(),
            mid: track.mid.to_string(),
            codecs: vec![ApiCodec::of(codec, self.numbering)],
            encodings: encodings.into_iter().collect(),
            header_extensions: ApiExtension::all(self.numbering, audio),
        };
        let path = format!("/v0/sessions/{}/publications", self.id);
        let published: SessionPublication = self.api.post(&path, &new)?;
        Ok(Published {
            id: published.id,
            track,
        })
    }

    /// Takes a publication away.
    ///
    /// # Errors
    /// When the forwarder refuses.
    pub fn unpublish(&self, published: &Published) -> Result<()> {
        let path = format!("/v0/sessions/{}/publications/{}", self.id, published.id);
        Ok(self.api.delete(&path)?)
    }

    /// Subscribes to a published track.
    ///
    /// # Errors
    /// When the forwarder refuses.
    pub fn subscribe(&self, published: &Published) -> Result<Subscribed> {
        self.subscribe_as(published, false, false)
    }

    /// The same, paused at first or not, with frames kept for a decoder or not.
    ///
    /// # Errors
    /// When the forwarder refuses.
    pub fn subscribe_as(
        &self,
        published: &Published,
        paused: bool,
        keep: bool,
    ) -> Result<Subscribed> {
        let codec = published.track.clip.codec;
        let payload_type = self.numbering.payload_type(codec);
        let expected = Expected::of(&published.track, payload_type);
        // Before the call: the first packets may come before its answer.
        let mid = self.member.ask(move |agent, now| {
            let mid = agent.next_mid(codec.is_audio());
            agent.expect(mid, expected, keep, now);
            mid
        });
        let new = NewSessionSubscription {
            publication: published.id.clone(),
            mid: mid.to_string(),
            codecs: vec![ApiCodec::of(codec, self.numbering)],
            header_extensions: ApiExtension::all(self.numbering, codec.is_audio()),
            paused,
        };
        let path = format!("/v0/sessions/{}/subscriptions", self.id);
        let subscribed: SessionSubscription = self.api.post(&path, &new)?;
        let ssrc = subscribed.ssrc;
        self.member.ask(move |agent, _| agent.tell_ssrc(mid, ssrc));
        Ok(Subscribed {
            id: subscribed.id,
            mid,
            ssrc,
            cname: subscribed.cname,
        })
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// When the forwarder refuses.
    pub fn unsubscribe(&self, subscribed: &Subscribed) -> Result<()> {
        Ok(self.api.delete(&self.subscription(subscribed))?)
    }

    /// Pauses a subscription.
    ///
    /// # Errors
    /// When the forwarder refuses.
    pub fn pause(&self, subscribed: &Subscribed) -> Result<()> {
        let path = format!("{}/pause", self.subscription(subscribed));
        Ok(self.api.done("POST", &path)?)
    }

    /// Resumes a subscription.
    ///
    /// # Errors
    /// When the forwarder refuses.
    pub fn resume(&self, subscribed: &Subscribed) -> Result<()> {
        let path = format!("{}/resume", self.subscription(subscribed));
        Ok(self.api.done("POST", &path)?)
    }

    /// Restarts ICE, with new credentials on both sides.
    ///
    /// # Errors
    /// When the forwarder refuses.
    pub fn restart_ice(&self) -> Result<()> {
        let own = IceCreds::new();
        let new = Credentials {
            ufrag: own.ufrag.clone(),
            pwd: own.pass.clone(),
        };
        let path = format!("/v0/sessions/{}/ice", self.id);
        let theirs: Credentials = self.api.post(&path, &new)?;
        let remote = IceCreds {
            ufrag: theirs.ufrag,
            pass: theirs.pwd,
        };
        self.member
            .ask(move |agent, now| agent.restart_ice(own, remote, now))
    }

    /// Lets all published tracks flow.
    pub fn start_media(&self) {
        self.member.ask(|agent, now| agent.start_media(now));
    }

    /// Stops them.
    pub fn stop_media(&self) {
        self.member.ask(|agent, _| agent.stop_media());
    }

    /// All that the client saw.
    #[must_use]
    pub fn report(&self) -> Report {
        self.member.report()
    }

    /// Frames of a subscription that have come.
    #[must_use]
    pub fn frames(&self, subscribed: &Subscribed) -> u64 {
        let mid = subscribed.mid;
        self.member.ask(move |agent, _| agent.frames(mid))
    }

    /// The session as the forwarder shows it.
    ///
    /// # Errors
    /// When it is gone.
    pub fn view(&self) -> Result<BTreeMap<String, Value>> {
        self.api
            .read(&format!("/v0/sessions/{}", self.id))
            .context("the session's state")
    }

    /// Closes the session at the forwarder.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn leave(&self) -> Result<()> {
        Ok(self.api.delete(&format!("/v0/sessions/{}", self.id))?)
    }

    fn subscription(&self, subscribed: &Subscribed) -> String {
        format!("/v0/sessions/{}/subscriptions/{}", self.id, subscribed.id)
    }
}

fn kind(codec: Codec) -> &'static str {
    if codec.is_audio() { "audio" } else { "video" }
}
