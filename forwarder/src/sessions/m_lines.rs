//! Commands on the m-lines of a live session: publish, subscribe, pause, resume, and their ends. Each is checked as a
//! whole before anything changes.

use std::sync::Arc;

use super::{
    Sessions, codec,
    ids::{PublicationId, SessionId, SubscriptionId},
    m_line_checks::full,
    output::{Event, Output},
    publication::Publication,
    reports::Sending,
    session::unknown_publication,
    specs::{PublicationSpec, SubscriptionSpec},
    subscription::Subscription,
};
use crate::{
    core::refusal::Refusal,
    feedback::Reason,
    media::Profile,
    worker::{
        command::{Command, Leg},
        counters::LegCounters,
    },
};

impl Sessions {
    /// Adds a publication to a session.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn publish(
        &mut self,
        now: u64,
        id: SessionId,
        spec: &PublicationSpec,
    ) -> Result<PublicationId, Refusal> {
        self.can_publish(now, id, spec)?;
        let mid = spec.check()?;
        let session = self.table.named_mut(id)?;
        let (number, name) = (session.number, session.id);
        let extensions = session.extensions.add(&spec.header_extensions)?;
        let Some(track) = self.tracks.take(now) else {
            session.extensions.remove(&extensions);
            return Err(full("publication", self.settings.max_publications));
        };
        self.last_publication += 1;
        let id = PublicationId(self.last_publication);
        let publication = Publication::new(id, track, spec, mid, extensions);
        let command = Command::AddTrack(publication.track(number));
        self.outputs
            .push_back(Output::Command(session.worker, command));
        session.publications.push(publication);
        self.publishers.insert(id, number);
        self.track_owners.insert(track, number);
        self.negotiated(now, number);
        self.steer(number);
        self.reschedule(number);
        self.outputs.push_back(Output::Event(Event::TrackPublished {
            session: name,
            publication: id,
            kind: spec.kind,
        }));
        Ok(id)
    }

    /// Ends a publication and all subscriptions to it.
    ///
    /// # Errors
    /// A [`Refusal`] where the session has none with this id.
    pub fn unpublish(
        &mut self,
        now: u64,
        id: SessionId,
        publication: PublicationId,
    ) -> Result<(), Refusal> {
        let session = self.table.named(id)?;
        session.publication(publication)?;
        let number = session.number;
        self.end_publication(now, number, publication);
        self.negotiated(now, number);
        self.steer(number);
        self.reschedule(number);
        Ok(())
    }

    /// Adds a subscription to a session. A video subscription asks for a keyframe at once.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was changed.
    pub fn subscribe(
        &mut self,
        now: u64,
        id: SessionId,
        spec: &SubscriptionSpec,
    ) -> Result<SubscriptionId, Refusal> {
        self.can_subscribe(now, id, spec)?;
        let mid = spec.check()?;
        let publisher = self
            .publishers
            .get(&spec.publication)
            .and_then(|number| self.table.at(*number))
            .ok_or_else(|| unknown_publication(spec.publication))?;
        let publication = publisher.publication(spec.publication)?;
        let payload_types = codec::map(&publication.codecs, &spec.codecs)?;
        let (publisher, worker, cname) = (
            publisher.number,
            publisher.worker,
            Arc::clone(&publisher.cname),
        );
        let (track, kind) = (publication.track, publication.kind);
        let (sequence, timestamp_offset) = (self.random_u32(), self.random_u32());

        let subscriber = self.table.named_mut(id)?;
        let (number, name) = (subscriber.number, subscriber.id);
        let extensions = subscriber.extensions.add(&spec.header_extensions)?;
        let Some(leg) = self.legs.take(now) else {
            subscriber.extensions.remove(&extensions);
            return Err(full("subscription", self.settings.max_subscriptions));
        };
        self.last_subscription += 1;
        let id = SubscriptionId(self.last_subscription);
        let ssrc = spec.ssrc.unwrap_or_else(|| subscriber.take_ssrc());
        subscriber.reserved.retain(|reserved| *reserved != ssrc);
        let subscription = Subscription {
            id,
            publication: spec.publication,
            publisher,
            track,
            leg,
            kind,
            ssrc,
            cname,
            payload_types,
            paused: spec.paused,
            counters: Arc::new(LegCounters {
                timestamp_offset: timestamp_offset.into(),
                ..LegCounters::default()
            }),
            sending: Sending::new(now, ssrc),
            mid,
            extensions,
        };
        let command = Command::AddLeg(Leg {
            leg,
            track,
            session: number,
            ssrc: subscription.ssrc,
            payload_types: subscription.payload_types.clone(),
            profile: Profile {
                ids: subscriber.extensions.ids_of(&subscription.extensions),
                mid: subscription.mid.clone(),
                kind,
            },
            // Below 2^15, so that a receiver that misses the first packets does not take a wrap for none (RFC 3711 §3.3.1
            // leaves it to guess the rollover counter as 0).
            first_index: u64::from(sequence & 0x7fff),
            timestamp_offset,
            paused: subscription.paused,
            counters: Arc::clone(&subscription.counters),
        });
        subscriber.subscriptions.push(subscription);
        self.outputs.push_back(Output::Command(worker, command));
        if let Some(publication) = self
            .table
            .at_mut(publisher)
            .and_then(|publisher| publisher.track_mut(track))
        {
            publication.subscribers.push((number, id));
        }
        self.negotiated(now, number);
        self.outputs
            .push_back(Output::Event(Event::SubscriptionStarted {
                session: name,
                subscription: id,
                publication: spec.publication,
                mid: spec.mid.clone(),
            }));
        self.ask_keyframe(now, number, id, Reason::NewDecoder);
        self.reschedule(number);
        Ok(id)
    }

    /// Ends a subscription. The peer is told by a BYE for its SSRC.
    ///
    /// # Errors
    /// A [`Refusal`] where the session has none with this id.
    pub fn unsubscribe(
        &mut self,
        now: u64,
        id: SessionId,
        subscription: SubscriptionId,
    ) -> Result<(), Refusal> {
        let session = self.table.named_mut(id)?;
        session.subscription_mut(subscription)?;
        let number = session.number;
        self.end_subscription(now, number, subscription, true);
        self.negotiated(now, number);
        self.reschedule(number);
        Ok(())
    }

    /// Stops sending to a subscription.
    ///
    /// # Errors
    /// A [`Refusal`] where the session has none with this id.
    pub fn pause(&mut self, id: SessionId, subscription: SubscriptionId) -> Result<(), Refusal> {
        self.set_paused(id, subscription, true).map(drop)
    }

    /// Sends to a paused subscription again. A video subscription asks for a keyframe at once.
    ///
    /// # Errors
    /// A [`Refusal`] where the session has none with this id.
    pub fn resume(
        &mut self,
        now: u64,
        id: SessionId,
        subscription: SubscriptionId,
    ) -> Result<(), Refusal> {
        if let Some(number) = self.set_paused(id, subscription, false)? {
            self.ask_keyframe(now, number, subscription, Reason::NewDecoder);
        }
        Ok(())
    }

    /// Silences a publication on behalf of a moderator, or no longer: what comes is counted and goes to nobody. Gives whether that is
    /// a change. Whoever is sent video again gets a keyframe.
    ///
    /// # Errors
    /// A [`Refusal`] where the session has none with this id.
    pub fn mute(
        &mut self,
        now: u64,
        id: SessionId,
        publication: PublicationId,
        muted: bool,
    ) -> Result<bool, Refusal> {
        if !self.can_mute(id, publication, muted)? {
            return Ok(false);
        }
        let session = self.table.named_mut(id)?;
        let (number, worker) = (session.number, session.worker);
        let publication = session.publication_mut(publication)?;
        publication.muted = muted;
        let command = Command::MuteTrack {
            track: publication.track,
            muted,
        };
        let event = Event::TrackMuted {
            session: id,
            publication: publication.id,
            muted,
        };
        let subscribers = publication.subscribers.clone();
        self.outputs.push_back(Output::Command(worker, command));
        self.outputs.push_back(Output::Event(event));
        if !muted {
            for (subscriber, subscription) in subscribers {
                self.ask_keyframe(now, subscriber, subscription, Reason::NewDecoder);
            }
        }
        self.reschedule(number);
        Ok(true)
    }

    /// Whether [`Self::mute`] would change something.
    ///
    /// # Errors
    /// A [`Refusal`] where the session has none with this id.
    pub fn can_mute(
        &self,
        id: SessionId,
        publication: PublicationId,
        muted: bool,
    ) -> Result<bool, Refusal> {
        let publication = self.table.named(id)?.publication(publication)?;
        Ok(publication.muted != muted)
    }

    /// Gives the number of the session if something has changed.
    fn set_paused(
        &mut self,
        id: SessionId,
        subscription: SubscriptionId,
        paused: bool,
    ) -> Result<Option<u32>, Refusal> {
        let session = self.table.named_mut(id)?;
        let number = session.number;
        let subscription = session.subscription_mut(subscription)?;
        if subscription.paused == paused {
            return Ok(None);
        }
        subscription.paused = paused;
        let command = Command::PauseLeg {
            track: subscription.track,
            leg: subscription.leg,
            paused,
        };
        let publisher = subscription.publisher;
        let event = Event::SubscriptionPaused {
            session: id,
            subscription: subscription.id,
            paused,
        };
        if let Some(publisher) = self.table.at(publisher) {
            self.outputs
                .push_back(Output::Command(publisher.worker, command));
        }
        self.outputs.push_back(Output::Event(event));
        Ok(Some(number))
    }

    /// Ends a publication, and the subscriptions to it.
    pub(super) fn end_publication(&mut self, now: u64, number: u32, id: PublicationId) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        let mut publications = session.publications.iter();
        let Some(at) = publications.position(|publication| publication.id == id) else {
            return;
        };
        let publication = session.publications.remove(at);
        session.extensions.remove(&publication.extensions);
        let (worker, name) = (session.worker, session.id);
        for (subscriber, subscription) in publication.subscribers {
            self.end_subscription(now, subscriber, subscription, true);
            self.negotiated(now, subscriber);
            self.reschedule(subscriber);
        }
        self.publishers.remove(&id);
        self.track_owners.remove(&publication.track);
        self.tracks.give_back(now, publication.track);
        let command = Command::RemoveTrack {
            track: publication.track,
        };
        self.outputs.push_back(Output::Command(worker, command));
        self.outputs.push_back(Output::Event(Event::TrackEnded {
            session: name,
            publication: id,
        }));
    }

    /// Ends a subscription; with BYE, unless the peer may not be sent to any more.
    pub(super) fn end_subscription(
        &mut self,
        now: u64,
        number: u32,
        id: SubscriptionId,
        bye: bool,
    ) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        let mut subscriptions = session.subscriptions.iter();
        let Some(at) = subscriptions.position(|subscription| subscription.id == id) else {
            return;
        };
        let subscription = session.subscriptions.remove(at);
        session.extensions.remove(&subscription.extensions);
        if bye {
            session.send_bye(&[subscription.ssrc], &subscription.cname, &mut self.outputs);
        }
        self.legs.give_back(now, subscription.leg);
        self.outputs
            .push_back(Output::Event(Event::SubscriptionEnded {
                session: session.id,
                subscription: id,
                publication: subscription.publication,
            }));
        let Some(publisher) = self.table.at_mut(subscription.publisher) else {
            return;
        };
        let command = Command::RemoveLeg {
            track: subscription.track,
            leg: subscription.leg,
        };
        self.outputs
            .push_back(Output::Command(publisher.worker, command));
        if let Some(publication) = publisher.track_mut(subscription.track) {
            publication.subscribers.retain(|(_, held)| *held != id);
            publication.keyframes.forget(subscription.leg);
        }
    }

    /// Tells the session's worker what header extensions there are, where that has changed.
    fn negotiated(&mut self, now: u64, number: u32) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        let (ids, transport_cc) = session.negotiated();
        if session.told.is_none() {
            return;
        }
        let told = Some((ids.clone(), transport_cc));
        if session.told == told {
            return;
        }
        session.told = told;
        let command = Command::PutExtensions {
            session: number,
            ids,
            transport_cc,
        };
        self.outputs
            .push_back(Output::Command(session.worker, command));
        self.listen(now, number, transport_cc);
    }

    /// Tells the steering which payload types carry audio, where that has changed.
    fn steer(&mut self, number: u32) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        let audio = session.audio();
        if std::mem::replace(&mut session.steered, audio) == audio {
            return;
        }
        for pair in session.pairs.iter() {
            self.outputs.push_back(Output::SteerPair {
                session: number,
                pair,
                worker: session.worker,
                audio,
            });
        }
    }
}
