//! The commands: first everything that can be wrong is checked, then the tables change as a whole, then the state.

use std::collections::{BTreeMap, BTreeSet};

use forwarder_common::tables::{Endpoint, Route, Traffic};

use super::{
    Core, Output,
    endpoint::{EndpointSpec, EndpointState, Local},
    ids::{EndpointId, PublicationId, SubscriptionId},
    ops::{TableOp, Tables},
    placement::Placement,
    publication::{PublicationSpec, PublicationState, Stream},
    refusal::Refusal,
    store::{Item, Work},
    subscription::{Destination, Leg, SubscriptionSpec, SubscriptionState},
};

/// What an id that is not there is answered with.
pub(super) fn unknown_endpoint(id: EndpointId) -> Refusal {
    Refusal::unknown("endpoint", id, "an id that GET /v0/endpoints lists")
}

pub(super) fn unknown_publication(id: PublicationId) -> Refusal {
    Refusal::unknown("publication", id, "an id that GET /v0/publications lists")
}

pub(super) fn unknown_subscription(id: SubscriptionId) -> Refusal {
    Refusal::unknown("subscription", id, "an id that GET /v0/subscriptions lists")
}

impl Core {
    pub(super) fn create_endpoint(
        &mut self,
        now: u64,
        spec: EndpointSpec,
        placement: Placement,
        tables: &mut dyn Tables,
    ) -> Result<EndpointId, Refusal> {
        self.check_endpoint(&spec)?;
        let key = spec.local_key();
        let held = self.locals.get(&key).copied();
        let mac = placement.local_mac;
        let socket = self.store.transact(now, tables, |work| {
            let socket = match held {
                Some(local) => local.socket,
                None => work.take_socket()?,
            };
            if held.is_none_or(|local| local.mac != mac) {
                let endpoint = Endpoint::new(mac);
                work.emit(TableOp::PutEndpoint { key, endpoint })?;
            }
            Ok(socket)
        })?;
        let users = held.map_or(1, |local| local.users + 1);
        self.locals.insert(key, Local { socket, users, mac });
        self.last_endpoint += 1;
        let id = EndpointId(self.last_endpoint);
        self.pairs.insert(spec.pair(), id);
        self.endpoints.insert(
            id,
            EndpointState {
                spec,
                placement,
                socket,
                publications: BTreeSet::new(),
                published: BTreeSet::new(),
                subscriptions: BTreeSet::new(),
                outgoing: BTreeMap::new(),
            },
        );
        Ok(id)
    }

    pub(super) fn create_publication(
        &mut self,
        now: u64,
        spec: PublicationSpec,
        tables: &mut dyn Tables,
    ) -> Result<PublicationId, Refusal> {
        self.check_publication(&spec)?;
        let owner = spec.endpoint();
        let endpoint = self
            .endpoints
            .get_mut(&owner)
            .ok_or_else(|| unknown_endpoint(owner))?;
        let streams = self.store.transact(now, tables, |work| {
            let publish = |&ssrc: &u32| {
                let route = work.take_route()?;
                work.tables.reset_route(route);
                work.emit(TableOp::SetRoute {
                    route,
                    value: Route::default(),
                })?;
                let key = endpoint.spec.route_key(ssrc);
                work.emit(TableOp::PutRoute { key, route })?;
                Ok(Stream { ssrc, route })
            };
            spec.ssrcs()
                .iter()
                .map(publish)
                .collect::<Result<Vec<_>, Refusal>>()
        })?;
        self.last_publication += 1;
        let id = PublicationId(self.last_publication);
        endpoint.publications.insert(id);
        endpoint.published.extend(spec.ssrcs());
        self.publications.insert(
            id,
            PublicationState {
                spec,
                streams,
                subscribers: BTreeMap::new(),
            },
        );
        Ok(id)
    }

    pub(super) fn create_subscription(
        &mut self,
        now: u64,
        spec: &SubscriptionSpec,
        tables: &mut dyn Tables,
    ) -> Result<SubscriptionId, Refusal> {
        let plan = self.check_subscription(spec)?;
        let publication = self
            .publications
            .get_mut(&spec.publication)
            .ok_or_else(|| unknown_publication(spec.publication))?;
        let subscriber = self
            .endpoints
            .get(&spec.endpoint)
            .ok_or_else(|| unknown_endpoint(spec.endpoint))?;
        let destination = Destination::of(subscriber);
        let settings = &self.settings;
        let legs = self.store.transact(now, tables, |work| {
            let join = |(stream, &to): (&Stream, &u32)| {
                let payload_type = publication.spec.payload_type();
                let hop = destination.hop(settings, payload_type, plan.mapping, to);
                let device = destination.placement.device;
                Ok(Leg {
                    from: stream.ssrc,
                    to,
                    hop: work.join(stream.route, device, hop, spec.paused)?,
                    replaced: Vec::new(),
                    carried: Traffic::default(),
                })
            };
            let streams = publication.streams.iter().zip(&plan.ssrcs);
            streams.map(join).collect::<Result<Vec<_>, Refusal>>()
        })?;
        self.last_subscription += 1;
        let id = SubscriptionId(self.last_subscription);
        publication.subscribers.insert(spec.endpoint, id);
        if let Some(subscriber) = self.endpoints.get_mut(&spec.endpoint) {
            subscriber.subscriptions.insert(id);
            subscriber
                .outgoing
                .extend(plan.ssrcs.iter().map(|ssrc| (*ssrc, id)));
        }
        self.subscriptions.insert(
            id,
            SubscriptionState {
                publication: spec.publication,
                endpoint: spec.endpoint,
                mapping: plan.mapping,
                paused: spec.paused,
                legs,
            },
        );
        Ok(id)
    }

    pub(super) fn set_paused(
        &mut self,
        now: u64,
        id: SubscriptionId,
        paused: bool,
        tables: &mut dyn Tables,
    ) -> Result<Output, Refusal> {
        let subscription = self
            .subscriptions
            .get_mut(&id)
            .ok_or_else(|| unknown_subscription(id))?;
        self.store.transact(now, tables, |work| {
            let mut hops = subscription.legs.iter().map(|leg| leg.hop);
            hops.try_for_each(|hop| work.set_paused(hop, paused))
        })?;
        subscription.paused = paused;
        Ok(Output::Done)
    }

    pub(super) fn delete_subscription(
        &mut self,
        now: u64,
        id: SubscriptionId,
        tables: &mut dyn Tables,
    ) -> Result<Output, Refusal> {
        self.subscription(id)?;
        let (publications, subscriptions) = (&self.publications, &self.subscriptions);
        self.store.transact(now, tables, |work| {
            leave(work, publications, subscriptions, id)
        })?;
        self.forget_subscription(id);
        Ok(Output::Done)
    }

    pub(super) fn delete_publication(
        &mut self,
        now: u64,
        id: PublicationId,
        tables: &mut dyn Tables,
    ) -> Result<Output, Refusal> {
        let publication = self
            .publications
            .get(&id)
            .ok_or_else(|| unknown_publication(id))?;
        let owner = publication.spec.endpoint();
        let endpoint = self
            .endpoints
            .get(&owner)
            .ok_or_else(|| unknown_endpoint(owner))?;
        let subscriptions = &self.subscriptions;
        self.store.transact(now, tables, |work| {
            withdraw(work, &endpoint.spec, publication, subscriptions)
        })?;
        self.forget_publication(id);
        Ok(Output::Done)
    }

    pub(super) fn delete_endpoint(
        &mut self,
        now: u64,
        id: EndpointId,
        tables: &mut dyn Tables,
    ) -> Result<Output, Refusal> {
        let endpoint = self
            .endpoints
            .get(&id)
            .ok_or_else(|| unknown_endpoint(id))?;
        let (publications, subscriptions) = (&self.publications, &self.subscriptions);
        let key = endpoint.spec.local_key();
        let last = self.locals.get(&key).is_none_or(|local| local.users <= 1);
        self.store.transact(now, tables, |work| {
            if last {
                work.emit(TableOp::DropEndpoint { key })?;
                work.give_back(Item::Socket(endpoint.socket));
            }
            for publication in &endpoint.publications {
                if let Some(publication) = publications.get(publication) {
                    withdraw(work, &endpoint.spec, publication, subscriptions)?;
                }
            }
            // Subscriptions to its own publications are refused, so none of these is gone already.
            for subscription in &endpoint.subscriptions {
                leave(work, publications, subscriptions, *subscription)?;
            }
            Ok(())
        })?;
        let (publications, subscriptions) = (
            endpoint.publications.clone(),
            endpoint.subscriptions.clone(),
        );
        for publication in publications {
            self.forget_publication(publication);
        }
        for subscription in subscriptions {
            self.forget_subscription(subscription);
        }
        if let Some(endpoint) = self.endpoints.remove(&id) {
            self.pairs.remove(&endpoint.spec.pair());
            if last {
                self.locals.remove(&key);
                self.closed.push_back(endpoint.socket);
            } else if let Some(local) = self.locals.get_mut(&key) {
                local.users -= 1;
            }
        }
        Ok(Output::Done)
    }

    fn forget_subscription(&mut self, id: SubscriptionId) {
        let Some(subscription) = self.subscriptions.remove(&id) else {
            return;
        };
        if let Some(publication) = self.publications.get_mut(&subscription.publication) {
            publication.subscribers.remove(&subscription.endpoint);
        }
        if let Some(endpoint) = self.endpoints.get_mut(&subscription.endpoint) {
            endpoint.subscriptions.remove(&id);
            for leg in &subscription.legs {
                endpoint.outgoing.remove(&leg.to);
            }
        }
    }

    fn forget_publication(&mut self, id: PublicationId) {
        let Some(publication) = self.publications.remove(&id) else {
            return;
        };
        for subscription in publication.subscribers.values() {
            self.forget_subscription(*subscription);
        }
        if let Some(endpoint) = self.endpoints.get_mut(&publication.spec.endpoint()) {
            endpoint.publications.remove(&id);
            for ssrc in publication.spec.ssrcs() {
                endpoint.published.remove(ssrc);
            }
        }
    }
}

/// Ends all legs of a subscription.
fn leave(
    work: &mut Work<'_>,
    publications: &BTreeMap<PublicationId, PublicationState>,
    subscriptions: &BTreeMap<SubscriptionId, SubscriptionState>,
    id: SubscriptionId,
) -> Result<(), Refusal> {
    let subscription = subscriptions
        .get(&id)
        .ok_or_else(|| unknown_subscription(id))?;
    let publication = publications
        .get(&subscription.publication)
        .ok_or_else(|| unknown_publication(subscription.publication))?;
    for (stream, leg) in publication.streams.iter().zip(&subscription.legs) {
        work.leave(stream.route, leg.hop, &leg.replaced, None)?;
    }
    Ok(())
}

/// Ends a publication: its streams are not found any more, then nobody is a member.
fn withdraw(
    work: &mut Work<'_>,
    publisher: &EndpointSpec,
    publication: &PublicationState,
    subscriptions: &BTreeMap<SubscriptionId, SubscriptionState>,
) -> Result<(), Refusal> {
    for (at, stream) in publication.streams.iter().enumerate() {
        work.emit(TableOp::DropRoute {
            key: publisher.route_key(stream.ssrc),
        })?;
        let legs = publication
            .subscribers
            .values()
            .filter_map(|id| subscriptions.get(id)?.legs.get(at));
        work.dissolve(
            stream.route,
            legs.map(|leg| (leg.hop, leg.replaced.as_slice())),
        )?;
        work.give_back(Item::Route(stream.route));
    }
    Ok(())
}
