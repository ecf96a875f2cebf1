//! Commands on the m-lines of a live session: publish, subscribe, pause, resume, and their ends. Each is checked as a
//! whole before anything changes.

use std::sync::Arc;

use arrayvec::ArrayVec;

use super::{
    Sessions, codec,
    ids::{PublicationId, SessionId, SubscriptionId},
    output::{Event, Output},
    publication::Publication,
    session::Session,
    settings::MAX_M_LINES,
    specs::{Mid, PublicationSpec, SubscriptionSpec},
    subscription::Subscription,
};
use crate::{
    core::refusal::Refusal,
    media::{Codec, Extension, Profile},
    worker::{
        command::{Command, Leg, Track, TrackCodec},
        counters::{LegCounters, TrackCounters},
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
        let mid = spec.check()?;
        let number = self.number(id)?;
        let session = self.session_mut(number).ok_or_else(|| unknown(id))?;
        session.check_publication(spec, mid.as_ref())?;
        // What may still fail comes before the first change.
        let extensions = session.extensions.add(&spec.header_extensions)?;
        let Some(track) = self.tracks.take(now) else {
            if let Some(session) = self.session_mut(number) {
                session.extensions.remove(&extensions);
            }
            return Err(Refusal::full(
                "publication",
                "one more",
                format!(
                    "at most {} on this node; end one first",
                    self.settings.max_publications
                ),
            ));
        };
        self.last_publication += 1;
        let publication = Publication {
            id: PublicationId(self.last_publication),
            track,
            kind: spec.kind,
            mid,
            codecs: spec.codecs.as_slice().into(),
            announced: spec.encodings.first().copied(),
            extensions,
            counters: Arc::new(TrackCounters::default()),
            legs: Vec::new(),
            feedback: super::publication::Feedback::new(
                spec.encodings.first().map(|encoding| encoding.ssrc),
            ),
        };
        self.publishers.insert(publication.id, number);
        self.track_owners.insert(track, number);
        let id = publication.id;
        let command = Command::AddTrack(publication.track(number));
        if let Some(session) = self.session_mut(number) {
            let worker = session.worker;
            session.publications.push(publication);
            self.outputs.push_back(Output::Command(worker, command));
        }
        self.extensions_changed(number);
        self.audio_changed(number);
        self.reschedule(number);
        Ok(id)
    }
}
