//! What can be wrong with a command. Commands ask it before they change anything, and a dry run asks nothing else.

use super::{
    Core, Input,
    endpoint::EndpointSpec,
    publication::PublicationSpec,
    refusal::Refusal,
    subscription::{Plan, SubscriptionSpec, plan},
};

/// Refuses one more of something where there are as many as allowed.
fn check_room(what: &'static str, held: usize, limit: u32, mend: &str) -> Result<(), Refusal> {
    if held < limit as usize {
        return Ok(());
    }
    Err(Refusal::full(
        what,
        held + 1,
        format!("at most {limit}; delete one, or start the forwarder with {mend}"),
    ))
}

impl Core {
    /// Whether a command of a caller would be carried out, unless the tables then have no room for it.
    ///
    /// # Errors
    /// The [`Refusal`] that [`Core::handle`] would give.
    pub fn check(&self, input: &Input) -> Result<(), Refusal> {
        match input {
            Input::CreateEndpoint(spec, _) => self.check_endpoint(spec),
            Input::DeleteEndpoint(id) => self.endpoint(*id).map(drop),
            Input::CreatePublication(spec) => self.check_publication(spec),
            Input::DeletePublication(id) => self.publication(*id).map(drop),
            Input::CreateSubscription(spec) => self.check_subscription(spec).map(drop),
            Input::DeleteSubscription(id) | Input::Pause(id) | Input::Resume(id) => {
                self.subscription(*id).map(drop)
            }
            // Of these the node asks, not a caller.
            Input::Placed(..)
            | Input::OpenPair(..)
            | Input::PlacePair(..)
            | Input::SteerPair(..)
            | Input::RenewPair(..)
            | Input::ClosePair(_)
            | Input::OpenPort(..)
            | Input::ClosePort(_)
            | Input::AdmitUfrag(_)
            | Input::ForgetUfrag(_) => Ok(()),
        }
    }

    pub(super) fn check_endpoint(&self, spec: &EndpointSpec) -> Result<(), Refusal> {
        check_room(
            "endpoints",
            self.endpoints.len(),
            self.settings.limits.endpoints,
            "a larger --max-publications or --max-subscriptions",
        )?;
        if let Some(id) = self.pairs.get(&spec.pair()) {
            return Err(Refusal::duplicate(
                "remote",
                spec.remote(),
                format!(
                    "one endpoint per pair of local and remote address; {id} has this one, use it or delete it first"
                ),
            ));
        }
        self.refuse_media_port(spec)
    }

    pub(super) fn check_publication(&self, spec: &PublicationSpec) -> Result<(), Refusal> {
        check_room(
            "publications",
            self.publications.len(),
            self.settings.limits.publications,
            "a larger --max-publications",
        )?;
        let owner = spec.endpoint();
        let published = &self.endpoint(owner)?.published;
        match spec.ssrcs().iter().find(|ssrc| published.contains(ssrc)) {
            None => Ok(()),
            Some(taken) => Err(Refusal::duplicate(
                "ssrcs",
                taken,
                format!("SSRCs that {owner} does not publish yet"),
            )),
        }
    }

    pub(super) fn check_subscription(&self, spec: &SubscriptionSpec) -> Result<Plan, Refusal> {
        check_room(
            "subscriptions",
            self.subscriptions.len(),
            self.settings.limits.subscriptions,
            "a larger --max-subscriptions",
        )?;
        let publication = self.publication(spec.publication)?;
        let subscriber = self.endpoint(spec.endpoint)?;
        let publisher = self.endpoint(publication.spec.endpoint())?;
        plan(spec, publication, publisher, subscriber)
    }
}
