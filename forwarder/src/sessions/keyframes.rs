//! Requests for keyframes, from subscriptions to the publishers of their video.

use super::{
    Sessions,
    ids::SubscriptionId,
    output::{Event, Output},
    session::Session,
};
use crate::{
    feedback::{KeyframeRequest, Reason, append},
    media::Kind,
};

impl Sessions {
    /// A subscription needs a keyframe. Nothing is asked for while nothing can be sent to it; once something can, it asks
    /// again.
    pub(super) fn ask_keyframe(&mut self, now: u64, number: u32, id: SubscriptionId, why: Reason) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        let can_send = session.can_send();
        let Ok(subscription) = session.subscription_mut(id) else {
            return;
        };
        if !can_send || subscription.paused || subscription.kind != Kind::Video {
            return;
        }
        let (publisher, track, leg) =
            (subscription.publisher, subscription.track, subscription.leg);
        let rtt = subscription.sending.rtt();
        let publication = self.table.at_mut(publisher);
        let Some(publication) = publication.and_then(|publisher| publisher.track_mut(track)) else {
            return;
        };
        if publication.keyframes.request(now, leg, why, rtt) {
            self.send_keyframe_requests(now, publisher);
            self.reschedule(publisher);
        }
    }

    /// Where another source has taken over, a keyframe is wanted on behalf of all who are sent it: their decoders begin anew.
    fn follow_sources(&mut self, now: u64, number: u32) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        let mut switched = Vec::new();
        for (at, publication) in session.publications.iter_mut().enumerate() {
            publication.follow();
            if publication.take_switched() && publication.kind == Kind::Video {
                switched.push(at);
            }
        }
        for at in switched {
            let subscribers_of = |session: &Session| {
                let publication = session.publications.get(at)?;
                Some(publication.subscribers.clone())
            };
            let subscribers = self.table.at(number).and_then(subscribers_of);
            let mut subscribers = subscribers.into_iter().flatten();
            if subscribers.any(|(number, id)| self.is_sent(number, id))
                && let Some(session) = self.table.at_mut(number)
                && let Some(publication) = session.publications.get_mut(at)
            {
                publication.keyframes.source_changed(now);
            }
        }
    }

    /// Whether a subscription is being sent what it subscribed to.
    pub(super) fn is_sent(&self, number: u32, id: SubscriptionId) -> bool {
        self.table.at(number).is_some_and(|session| {
            let mut subscriptions = session.subscriptions.iter();
            session.can_send() && subscriptions.any(|it| it.id == id && !it.paused)
        })
    }

    /// Sends the requests of a publisher that are due.
    pub(super) fn send_keyframe_requests(&mut self, now: u64, number: u32) {
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        // A publisher that is not there yet begins with a keyframe when it comes.
        if session.keys.is_none() {
            return;
        }
        self.follow_sources(now, number);
        let Some(session) = self.table.at_mut(number) else {
            return;
        };
        let mut packet = Vec::new();
        for publication in &mut session.publications {
            if publication.muted {
                continue;
            }
            // Nor can a stream be named whose SSRC nobody knows.
            let Some(media) = publication.ssrc else {
                continue;
            };
            let Some(request) = publication.keyframes.poll(now) else {
                continue;
            };
            publication.keyframe_requests += 1;
            self.outputs
                .push_back(Output::Event(Event::KeyframeRequested {
                    session: session.id,
                    publication: publication.id,
                }));
            match request {
                KeyframeRequest::PictureLoss => {
                    append::picture_loss(&mut packet, session.report_ssrc, media);
                }
                KeyframeRequest::FullIntra { sequence } => {
                    append::full_intra(&mut packet, session.report_ssrc, media, sequence);
                }
            }
        }
        if !packet.is_empty() {
            session.send_rtcp(&packet, &mut self.outputs);
        }
    }
}
