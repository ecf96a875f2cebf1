//! An endpoint is reached another way: a neighbour was resolved or changed, a route leads elsewhere.

use forwarder_common::tables::Endpoint;

use super::{
    Core, Output,
    commands::unknown_endpoint,
    ids::EndpointId,
    ops::{TableOp, Tables},
    placement::Placement,
    refusal::Refusal,
    subscription::{Destination, LegId},
};

impl Core {
    /// Follows a new placement: on the same device by copy-on-write of the hops that differ, else by leaving the chunks
    /// of the old device and joining those of the new one.
    pub(super) fn place(
        &mut self,
        now: u64,
        id: EndpointId,
        placement: Placement,
        tables: &mut dyn Tables,
    ) -> Result<Output, Refusal> {
        let endpoint = self
            .endpoints
            .get_mut(&id)
            .ok_or_else(|| unknown_endpoint(id))?;
        let key = endpoint.spec.local_key();
        let mac = placement.local_mac;
        let local = self.locals.get_mut(&key);
        let mac_differs = local.as_ref().is_some_and(|local| local.mac != mac);
        let before = Destination::of(endpoint);
        let after = Destination {
            placement: &placement,
            ..before
        };
        let (publications, subscriptions) = (&self.publications, &self.subscriptions);
        let settings = &self.settings;
        let moved = self.store.transact(now, tables, |work| {
            if mac_differs {
                let endpoint = Endpoint::new(mac);
                work.emit(TableOp::PutEndpoint { key, endpoint })?;
            }
            let mut moved = Vec::new();
            for id in &endpoint.subscriptions {
                let Some(subscription) = subscriptions.get(id) else {
                    continue;
                };
                let Some(publication) = publications.get(&subscription.publication) else {
                    continue;
                };
                let legs = publication.streams.iter().zip(&subscription.legs);
                for (at, (stream, leg)) in legs.enumerate() {
                    let hop = |to: Destination<'_>| {
                        let payload_type = publication.spec.payload_type();
                        to.hop(settings, payload_type, subscription.mapping, leg.to)
                    };
                    let owner = LegId {
                        subscription: *id,
                        leg: at,
                    };
                    let device = placement.device;
                    if before.placement.device != device {
                        work.leave(stream.route, leg.hop, &leg.replaced, Some(owner))?;
                        let number =
                            work.rejoin(stream.route, device, hop(after), subscription.paused)?;
                        moved.push((owner, number));
                    } else if hop(before) != hop(after) {
                        moved.push((owner, work.replace(leg.hop, hop(after), owner)?));
                    }
                }
            }
            Ok(moved)
        })?;
        for (owner, hop) in moved {
            let subscription = self.subscriptions.get_mut(&owner.subscription);
            if let Some(leg) = subscription.and_then(|held| held.legs.get_mut(owner.leg)) {
                leg.replaced.push(std::mem::replace(&mut leg.hop, hop));
            }
        }
        if let Some(local) = local {
            local.mac = mac;
        }
        endpoint.placement = placement;
        Ok(Output::Done)
    }
}
