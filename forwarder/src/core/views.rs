//! What the shell may look at.

use forwarder_common::tables::Traffic;

use super::{
    Core,
    commands::{unknown_endpoint, unknown_publication, unknown_subscription},
    endpoint::EndpointState,
    ids::{EndpointId, PublicationId, SubscriptionId},
    ops::Tables,
    publication::PublicationState,
    refusal::Refusal,
    settings::Settings,
    subscription::{Leg, SubscriptionState, add},
};

impl Core {
    /// What it was told at start.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// All endpoints, the oldest first.
    pub fn endpoints(&self) -> impl Iterator<Item = (EndpointId, &EndpointState)> {
        self.endpoints.iter().map(|(id, state)| (*id, state))
    }

    /// All publications, the oldest first.
    pub fn publications(&self) -> impl Iterator<Item = (PublicationId, &PublicationState)> {
        self.publications.iter().map(|(id, state)| (*id, state))
    }

    /// All subscriptions, the oldest first.
    pub fn subscriptions(&self) -> impl Iterator<Item = (SubscriptionId, &SubscriptionState)> {
        self.subscriptions.iter().map(|(id, state)| (*id, state))
    }

    /// One endpoint.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none with this id.
    pub fn endpoint(&self, id: EndpointId) -> Result<&EndpointState, Refusal> {
        self.endpoints.get(&id).ok_or_else(|| unknown_endpoint(id))
    }

    /// One publication.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none with this id.
    pub fn publication(&self, id: PublicationId) -> Result<&PublicationState, Refusal> {
        self.publications
            .get(&id)
            .ok_or_else(|| unknown_publication(id))
    }

    /// One subscription.
    ///
    /// # Errors
    /// A [`Refusal`] where there is none with this id.
    pub fn subscription(&self, id: SubscriptionId) -> Result<&SubscriptionState, Refusal> {
        self.subscriptions
            .get(&id)
            .ok_or_else(|| unknown_subscription(id))
    }
}

impl Leg {
    /// What a leg has carried, whichever hops it had.
    #[must_use]
    pub fn traffic(&self, tables: &dyn Tables) -> Traffic {
        let mut total = self.carried;
        for hop in self.replaced.iter().chain([&self.hop]) {
            add(&mut total, tables.hop_traffic(*hop));
        }
        total
    }
}
