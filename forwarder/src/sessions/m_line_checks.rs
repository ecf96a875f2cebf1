//! What can be wrong with a publication or a subscription. Commands ask it before they change anything, and a dry run asks nothing
//! else.

use super::{
    Sessions, codec,
    ids::SessionId,
    session::unknown_publication,
    settings::MAX_M_LINES,
    specs::{PublicationSpec, SubscriptionSpec},
};
use crate::core::refusal::Refusal;

impl Sessions {
    /// Whether a publication could be added to a session.
    ///
    /// # Errors
    /// The [`Refusal`] that [`Self::publish`] would give.
    pub fn can_publish(
        &self,
        now: u64,
        id: SessionId,
        spec: &PublicationSpec,
    ) -> Result<(), Refusal> {
        let mid = spec.check()?;
        let session = self.table.named(id)?;
        check_room("publication", session.publications.len())?;
        session.check_unused(spec.ssrcs(), mid.as_ref())?;
        session.extensions.check(&spec.header_extensions)?;
        match self.tracks.is_free(now) {
            true => Ok(()),
            false => Err(full("publication", self.settings.max_publications)),
        }
    }

    /// Whether a subscription could be added to a session.
    ///
    /// # Errors
    /// The [`Refusal`] that [`Self::subscribe`] would give.
    pub fn can_subscribe(
        &self,
        now: u64,
        id: SessionId,
        spec: &SubscriptionSpec,
    ) -> Result<(), Refusal> {
        let mid = spec.check()?;
        let subscriber = self.table.named(id)?;
        check_room("subscription", subscriber.subscriptions.len())?;
        subscriber.check_free_mid(mid.as_ref())?;
        let publisher = self.publishers.get(&spec.publication);
        let publisher = publisher
            .and_then(|number| self.table.at(*number))
            .ok_or_else(|| unknown_publication(spec.publication))?;
        let publication = publisher.publication(spec.publication)?;
        codec::map(&publication.codecs, &spec.codecs)?;
        let reserved = |ssrc: u32| subscriber.reserved.contains(&ssrc);
        if let Some(ssrc) = spec.ssrc.filter(|ssrc| !reserved(*ssrc)) {
            return Err(Refusal::invalid(
                "ssrc",
                ssrc,
                "one that was reserved for this session and is not used yet",
            ));
        }
        subscriber.extensions.check(&spec.header_extensions)?;
        match self.legs.is_free(now) {
            true => Ok(()),
            false => Err(full("subscription", self.settings.max_subscriptions)),
        }
    }
}

fn check_room(field: &'static str, held: usize) -> Result<(), Refusal> {
    if held < MAX_M_LINES {
        return Ok(());
    }
    Err(Refusal::full(
        field,
        "one more",
        format!("at most {MAX_M_LINES} per session; end one first"),
    ))
}

pub(super) fn full(field: &'static str, most: u32) -> Refusal {
    Refusal::full(
        field,
        "one more",
        format!("at most {most} on this node; end one first"),
    )
}
