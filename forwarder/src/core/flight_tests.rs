//! Packets under way while membership changes: who stays gets each packet exactly once, whoever else joins, leaves,
//! moves or changes, and whenever the chain is built anew.

use std::collections::{BTreeMap, BTreeSet};

use forwarder_common::tables::{DEVICE_SOCKET, NONE};
use proptest::prelude::*;

use super::{
    checked_tables::CheckedTables,
    endpoint::Mode,
    flights::Flights,
    test_node::{endpoint, placement, settings},
    *,
};

/// Subscribers that never leave, those that change device, those that come and go. Far apart, so that chains thin out.
const STAYERS: usize = 20;
const MOVERS: usize = 20;
const ALL: usize = 240;

#[derive(Clone, Debug)]
enum Step {
    Toggle(usize),
    ToggleMany(usize, usize),
    Pause(usize),
    Resume(usize),
    Move(usize, u32),
    NewMac(usize, u8),
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let device = prop_oneof![Just(0), Just(1), Just(2), Just(DEVICE_SOCKET)];
    prop_oneof![
        4 => (0..ALL).prop_map(Step::Toggle),
        3 => (0..ALL, 1..ALL).prop_map(|(from, count)| Step::ToggleMany(from, count)),
        2 => (0..ALL).prop_map(Step::Pause),
        2 => (0..ALL).prop_map(Step::Resume),
        20 => (0..MOVERS, device).prop_map(|(at, device)| Step::Move(at, device)),
        3 => (0..STAYERS, any::<u8>()).prop_map(|(at, mac)| Step::NewMac(at, mac)),
        1 => Just(Step::Wait),
    ]
}

const FIRST_PORT: u16 = 10_000;

struct Room {
    core: Core,
    tables: CheckedTables,
    stream: PublicationId,
    endpoints: Vec<EndpointId>,
    subscribed: BTreeMap<usize, SubscriptionId>,
}

impl Room {
    fn new(seed: u64) -> Self {
        let mut core = Core::new(settings(1000, 4000));
        let mut tables = CheckedTables::default();
        tables.unchecked = true;
        let mut create = |port: u16, tables: &mut CheckedTables| {
            let input = Input::CreateEndpoint(endpoint(port, Mode::Clear), placement(0, 1));
            match core.handle(0, input, tables) {
                Ok(Output::Endpoint(id)) => id,
                other => panic!("{other:?}"),
            }
        };
        let publisher = create(6000, &mut tables);
        let endpoints = (0..ALL)
            .map(|at| create(FIRST_PORT + at as u16, &mut tables))
            .collect();
        let spec = PublicationSpec::new(publisher, vec![7], 96, 90_000).unwrap();
        let Ok(Output::Publication(stream)) =
            core.handle(0, Input::CreatePublication(spec), &mut tables)
        else {
            panic!()
        };
        let mut room = Self {
            core,
            tables,
            stream,
            endpoints,
            subscribed: BTreeMap::new(),
        };
        (0..ALL).for_each(|at| room.toggle(at));
        let random = seed | 1;
        let stream = endpoint(6000, Mode::Clear).route_key(7);
        room.tables.flights = Some(Flights {
            stream,
            random,
            under_way: Vec::new(),
            landed: Vec::new(),
        });
        room
    }

    fn handle(&mut self, input: Input) -> Output {
        self.core
            .handle(self.tables.now, input, &mut self.tables)
            .unwrap()
    }

    fn toggle(&mut self, at: usize) {
        if let Some(id) = self.subscribed.remove(&at) {
            self.handle(Input::DeleteSubscription(id));
            return;
        }
        let spec = SubscriptionSpec {
            publication: self.stream,
            endpoint: self.endpoints[at],
            ssrcs: None,
            payload_type: None,
            sequence_offset: None,
            timestamp_offset: None,
            paused: false,
        };
        if let Output::Subscription(id) = self.handle(Input::CreateSubscription(spec)) {
            self.subscribed.insert(at, id);
        }
    }

    fn step(&mut self, step: &Step) {
        // Who stays or moves stands far apart, so that chunks with one member are left over.
        let comes_and_goes = |at: usize| !at.is_multiple_of(ALL / (STAYERS + MOVERS));
        let stayer = |at: usize| 2 * at * (ALL / (STAYERS + MOVERS));
        let mover = |at: usize| (2 * at + 1) * (ALL / (STAYERS + MOVERS));
        match *step {
            Step::Toggle(at) if comes_and_goes(at) => self.toggle(at),
            Step::ToggleMany(from, count) => {
                (from..ALL.min(from + count))
                    .filter(|at| comes_and_goes(*at))
                    .for_each(|at| self.toggle(at));
            }
            Step::Pause(at) | Step::Resume(at) if comes_and_goes(at) => {
                if let Some(id) = self.subscribed.get(&at) {
                    let pause = matches!(step, Step::Pause(_));
                    self.handle(if pause {
                        Input::Pause(*id)
                    } else {
                        Input::Resume(*id)
                    });
                }
            }
            Step::Move(at, device) => {
                self.handle(Input::Placed(
                    self.endpoints[mover(at)],
                    placement(device, 1),
                ));
            }
            Step::NewMac(at, mac) => {
                self.handle(Input::Placed(self.endpoints[stayer(at)], placement(0, mac)));
            }
            Step::Wait => {
                // Nothing is under way for as long as the grace period.
                self.tables.land();
                self.tables.now += GRACE;
                self.core.handle_timeout(self.tables.now, &mut self.tables);
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn who_stays_gets_every_packet_once_and_nobody_any_twice(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut room = Room::new(seed);
        for step in &steps {
            room.step(step);
        }
        let apart = ALL / (STAYERS + MOVERS);
        room.tables.land();
        for flight in room.tables.flights.unwrap().landed {
            let mut times = [0; ALL];
            let mut members = BTreeSet::new();
            for (port, hop, generation) in &flight.heard {
                times[usize::from(port - FIRST_PORT)] += 1;
                prop_assert_ne!(*hop, NONE);
                prop_assert!(members.insert((*hop, *generation)), "a member got a packet twice");
            }
            for (at, times) in times.into_iter().enumerate() {
                match at {
                    at if at % (2 * apart) == 0 => prop_assert_eq!(times, 1, "stayer {}", at),
                    at if at % apart == 0 => prop_assert!(times <= 1, "mover {} heard it {} times", at, times),
                    _ => {}
                }
            }
        }
    }
}
