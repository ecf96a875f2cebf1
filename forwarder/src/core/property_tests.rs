//! Random commands against the plainest model of who should hear whom, with the ordering law checked after every
//! operation, and with operations that fail.

use std::collections::BTreeMap;

use forwarder_common::tables::DEVICE_SOCKET;
use proptest::prelude::*;

use super::{
    checked_tables::{CheckedTables, Heard},
    endpoint::Mode,
    test_node::{endpoint, placement, settings},
    *,
};

#[derive(Clone, Debug)]
enum Step {
    CreateEndpoint {
        port: u16,
        device: u32,
        mac: u8,
    },
    DeleteEndpoint(usize),
    Place {
        endpoint: usize,
        device: u32,
        mac: u8,
    },
    Publish {
        endpoint: usize,
        ssrcs: Vec<u32>,
    },
    Withdraw(usize),
    Subscribe {
        publication: usize,
        endpoint: usize,
        to: Option<u32>,
        paused: bool,
    },
    Unsubscribe(usize),
    Pause(usize),
    Resume(usize),
    Wait(u64),
}

fn device() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1), Just(DEVICE_SOCKET)]
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0..64_usize;
    prop_oneof![
        4 => (6000..6024_u16, device(), 0..4_u8)
            .prop_map(|(port, device, mac)| Step::CreateEndpoint { port, device, mac }),
        1 => at().prop_map(Step::DeleteEndpoint),
        3 => (at(), device(), 0..4_u8).prop_map(|(endpoint, device, mac)| Step::Place { endpoint, device, mac }),
        2 => (at(), prop::collection::vec(1..6_u32, 1..3))
            .prop_map(|(endpoint, ssrcs)| Step::Publish { endpoint, ssrcs }),
        1 => at().prop_map(Step::Withdraw),
        12 => (at(), at(), prop::option::of(1..200_u32), any::<bool>())
            .prop_map(|(publication, endpoint, to, paused)| Step::Subscribe { publication, endpoint, to, paused }),
        5 => at().prop_map(Step::Unsubscribe),
        2 => at().prop_map(Step::Pause),
        2 => at().prop_map(Step::Resume),
        2 => (0..2 * GRACE).prop_map(Step::Wait),
    ]
}

/// The model: who is there, and who should hear whom. Knows no tables.
#[derive(Clone, Default)]
struct Model {
    endpoints: BTreeMap<EndpointId, (u16, u32, u8)>,
    publications: BTreeMap<PublicationId, (EndpointId, Vec<u32>)>,
    subscriptions: BTreeMap<SubscriptionId, (PublicationId, EndpointId, Vec<u32>, bool)>,
}

fn pick<K: Copy, V>(of: &BTreeMap<K, V>, at: usize) -> Option<K> {
    of.keys().nth(at.checked_rem(of.len())?).copied()
}

impl Model {
    fn input(&self, step: &Step) -> Option<Input> {
        Some(match step {
            Step::CreateEndpoint { port, device, mac } => {
                Input::CreateEndpoint(endpoint(*port, Mode::Clear), placement(*device, *mac))
            }
            Step::DeleteEndpoint(at) => Input::DeleteEndpoint(pick(&self.endpoints, *at)?),
            Step::Place {
                endpoint,
                device,
                mac,
            } => Input::Placed(pick(&self.endpoints, *endpoint)?, placement(*device, *mac)),
            Step::Publish { endpoint, ssrcs } => {
                let endpoint = pick(&self.endpoints, *endpoint)?;
                Input::CreatePublication(
                    PublicationSpec::new(endpoint, ssrcs.clone(), 96, 90_000).ok()?,
                )
            }
            Step::Withdraw(at) => Input::DeletePublication(pick(&self.publications, *at)?),
            Step::Subscribe {
                publication,
                endpoint,
                to,
                paused,
            } => {
                let publication = pick(&self.publications, *publication)?;
                let (_, published) = &self.publications[&publication];
                Input::CreateSubscription(SubscriptionSpec {
                    publication,
                    endpoint: pick(&self.endpoints, *endpoint)?,
                    ssrcs: to.map(|to| (0..published.len() as u32).map(|at| to + at).collect()),
                    payload_type: None,
                    sequence_offset: None,
                    timestamp_offset: None,
                    paused: *paused,
                })
            }
            Step::Unsubscribe(at) => Input::DeleteSubscription(pick(&self.subscriptions, *at)?),
            Step::Pause(at) => Input::Pause(pick(&self.subscriptions, *at)?),
            Step::Resume(at) => Input::Resume(pick(&self.subscriptions, *at)?),
            Step::Wait(_) => return None,
        })
    }

    /// Whether the model would take this command.
    fn allows(&self, input: &Input) -> bool {
        match input {
            Input::CreateEndpoint(spec, _) => self
                .endpoints
                .values()
                .all(|(port, ..)| *port != spec.remote().port()),
            Input::CreatePublication(spec) => self
                .publications
                .values()
                .filter(|(owner, _)| *owner == spec.endpoint())
                .all(|(_, held)| held.iter().all(|ssrc| !spec.ssrcs().contains(ssrc))),
            Input::CreateSubscription(spec) => {
                let (owner, published) = &self.publications[&spec.publication];
                let ssrcs = spec.ssrcs.as_ref().unwrap_or(published);
                *owner != spec.endpoint
                    && self
                        .subscriptions
                        .values()
                        .filter(|held| held.1 == spec.endpoint)
                        .all(|held| {
                            held.0 != spec.publication
                                && held.2.iter().all(|ssrc| !ssrcs.contains(ssrc))
                        })
            }
            _ => true,
        }
    }

    fn follow(&mut self, input: &Input, output: Output) {
        match (input, output) {
            (Input::CreateEndpoint(spec, placement), Output::Endpoint(id)) => {
                self.endpoints
                    .insert(id, (spec.remote().port(), placement.device, mac(placement)));
            }
            (Input::Placed(id, placement), _) => {
                let held = self.endpoints.get_mut(id).unwrap();
                (held.1, held.2) = (placement.device, mac(placement));
            }
            (Input::DeleteEndpoint(id), _) => {
                self.endpoints.remove(id);
                self.publications.retain(|_, (owner, _)| owner != id);
                let publications = &self.publications;
                self.subscriptions
                    .retain(|_, held| held.1 != *id && publications.contains_key(&held.0));
            }
            (Input::CreatePublication(spec), Output::Publication(id)) => {
                self.publications
                    .insert(id, (spec.endpoint(), spec.ssrcs().to_vec()));
            }
            (Input::DeletePublication(id), _) => {
                self.publications.remove(id);
                self.subscriptions.retain(|_, held| held.0 != *id);
            }
            (Input::CreateSubscription(spec), Output::Subscription(id)) => {
                let ssrcs = spec
                    .ssrcs
                    .clone()
                    .unwrap_or_else(|| self.publications[&spec.publication].1.clone());
                self.subscriptions
                    .insert(id, (spec.publication, spec.endpoint, ssrcs, spec.paused));
            }
            (Input::DeleteSubscription(id), _) => {
                self.subscriptions.remove(id);
            }
            (Input::Pause(id), _) => self.subscriptions.get_mut(id).unwrap().3 = true,
            (Input::Resume(id), _) => self.subscriptions.get_mut(id).unwrap().3 = false,
            other => panic!("{other:?}"),
        }
    }

    /// Who should hear the stream with this place among the SSRCs of a publication.
    fn hear(&self, id: PublicationId, at: usize) -> Vec<Heard> {
        let mut heard: Vec<_> = self
            .subscriptions
            .values()
            .filter(|held| held.0 == id && !held.3)
            .map(|(_, endpoint, ssrcs, _)| {
                let (port, device, mac) = self.endpoints[endpoint];
                Heard {
                    device,
                    destination_mac: [2, 0, 0, 0, 1, mac],
                    destination_port: port,
                    ssrc: ssrcs[at],
                    payload_type: 96,
                }
            })
            .collect();
        heard.sort();
        heard
    }

    fn compare(&self, tables: &CheckedTables) {
        let mut streams = 0;
        for (id, (owner, ssrcs)) in &self.publications {
            let publisher = endpoint(self.endpoints[owner].0, Mode::Clear);
            for (at, ssrc) in ssrcs.iter().enumerate() {
                streams += 1;
                assert_eq!(tables.hear(&publisher.route_key(*ssrc)), self.hear(*id, at));
            }
        }
        assert_eq!(tables.streams.len(), streams);
        assert_eq!(
            tables.endpoints.len(),
            usize::from(!self.endpoints.is_empty())
        );
    }
}

fn mac(placement: &Placement) -> u8 {
    placement.destination_mac.unwrap()[5]
}

fn run(steps: &[(Step, Option<u32>)], settings: Settings) {
    let mut model = Model::default();
    let mut core = Core::new(settings);
    let mut tables = CheckedTables::default();
    core.handle_timeout(0, &mut tables);
    for (step, fail_after) in steps {
        if let Step::Wait(nanoseconds) = step {
            tables.now += nanoseconds;
            core.handle_timeout(tables.now, &mut tables);
        }
        let Some(input) = model.input(step) else {
            continue;
        };
        // What is due anyway must not be what fails.
        core.handle_timeout(tables.now, &mut tables);
        let before = tables.visible();
        tables.fail_after = *fail_after;
        let outcome = core.handle(tables.now, input.clone(), &mut tables);
        let failed = std::mem::take(&mut tables.failed);
        tables.fail_after = None;
        match outcome {
            Ok(output) => {
                assert!(!failed, "a failure went unnoticed");
                assert!(model.allows(&input), "{input:?} should have been refused");
                model.follow(&input, output);
            }
            Err(refusal) => {
                let full = refusal.kind == refusal::RefusalKind::Full;
                assert!(failed || full || !model.allows(&input), "{refusal}");
                assert_eq!(
                    tables.visible(),
                    before,
                    "something of a refused command remained"
                );
            }
        }
        model.compare(&tables);
    }
    // Everything can be taken down, and comes to rest.
    let endpoints: Vec<_> = model.endpoints.keys().copied().collect();
    for id in endpoints {
        core.handle(tables.now, Input::DeleteEndpoint(id), &mut tables)
            .unwrap();
    }
    tables.now += GRACE;
    core.handle_timeout(tables.now, &mut tables);
    assert_eq!(
        (
            tables.valid_hops(),
            tables.reachable(),
            tables.streams.len()
        ),
        (0, (0, 0), 0)
    );
    let sizes = core.settings.sizes;
    assert_eq!(core.store.hops.available(), sizes.hops as usize - 1);
    assert_eq!(core.store.chunks.available(), sizes.chunks as usize - 1);
    assert_eq!(core.store.routes.available(), sizes.routes as usize - 1);
    assert_eq!(core.store.sockets.available(), sizes.sockets as usize - 1);
}

fn steps(failing: bool) -> impl Strategy<Value = Vec<(Step, Option<u32>)>> {
    let fail = if failing {
        prop::option::weighted(0.3, 0..12_u32).boxed()
    } else {
        Just(None).boxed()
    };
    prop::collection::vec((step(), fail), 1..150)
}

proptest! {
    #[test]
    fn who_should_hear_does(steps in steps(false)) {
        run(&steps, settings(50, 200));
    }

    #[test]
    fn failures_leave_nothing(steps in steps(true)) {
        run(&steps, settings(50, 200));
    }

    #[test]
    fn small_tables_refuse_and_stay_whole(steps in steps(true)) {
        run(&steps, settings(3, 6));
    }
}
