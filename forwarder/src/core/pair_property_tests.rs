//! Random commands on pairs against the plainest model of who reads and who sends, with the ordering law checked after every
//! operation, and with operations that fail.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use forwarder_common::tables::{DEVICE_SOCKET, MAX_PAIRS_PER_SESSION, Steer};
use proptest::prelude::*;

use super::{
    checked_tables::CheckedTables,
    ids::PairId,
    test_node::{placement, settings},
    *,
};

#[derive(Clone, Debug)]
enum Step {
    Open {
        session: u32,
        port: u16,
        device: u32,
        mac: u8,
        until: u64,
    },
    Place(usize, u32, u8),
    Steer(usize, u8),
    Renew(usize, u64),
    Close(usize),
    Admit(u64),
    Forget(u64),
    Port(u16, u8),
    Unport(u16),
    Wait(u64),
}

fn device() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1), Just(DEVICE_SOCKET)]
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0..64_usize;
    prop_oneof![
        8 => (1..12_u32, 6000..6016_u16, device(), 0..3_u8, 1..9_u64).prop_map(
            |(session, port, device, mac, until)| Step::Open { session, port, device, mac, until }
        ),
        5 => (at(), device(), 0..3_u8).prop_map(|(at, device, mac)| Step::Place(at, device, mac)),
        2 => (at(), 0..128_u8).prop_map(|(at, audio)| Step::Steer(at, audio)),
        3 => (at(), 1..20_u64).prop_map(|(at, until)| Step::Renew(at, until)),
        4 => at().prop_map(Step::Close),
        2 => (0..20_u64).prop_map(Step::Admit),
        1 => (0..20_u64).prop_map(Step::Forget),
        1 => (1..4_u16, 0..3_u8).prop_map(|(port, mac)| Step::Port(port, mac)),
        1 => (1..4_u16).prop_map(Step::Unport),
        3 => (0..2 * GRACE).prop_map(Step::Wait),
    ]
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

/// One pair as the model knows it.
#[derive(Clone, Copy, Debug)]
struct Pair {
    spec: PairSpec,
    device: u32,
    mac: u8,
}

/// Who is there. Knows no tables.
#[derive(Clone, Default)]
struct Model {
    pairs: BTreeMap<PairId, Pair>,
    /// Consent by session.
    until: BTreeMap<u32, u64>,
    ufrags: BTreeSet<u64>,
    ports: BTreeMap<u16, u8>,
}

impl Model {
    fn pick(&self, at: usize) -> Option<(PairId, Pair)> {
        let at = at.checked_rem(self.pairs.len())?;
        self.pairs.iter().nth(at).map(|(id, pair)| (*id, *pair))
    }

    fn input(&self, step: &Step) -> Option<Input> {
        Some(match *step {
            Step::Open {
                session,
                port,
                device,
                mac,
                until,
            } => {
                let remote = SocketAddr::from(([10, 0, 0, 2], port));
                let steer = Steer {
                    worker: session % 2,
                    session,
                    ..Steer::default()
                };
                let spec = PairSpec::new(local(7700), remote, steer, until).unwrap();
                Input::OpenPair(spec, placement(device, mac))
            }
            Step::Place(at, device, mac) => {
                Input::PlacePair(self.pick(at)?.0, placement(device, mac))
            }
            Step::Steer(at, audio) => {
                let (id, pair) = self.pick(at)?;
                Input::SteerPair(id, pair.spec.steer().with_audio(audio))
            }
            Step::Renew(at, until) => Input::RenewPair(self.pick(at)?.0, until),
            Step::Close(at) => Input::ClosePair(self.pick(at)?.0),
            Step::Admit(ufrag) => Input::AdmitUfrag(ufrag),
            Step::Forget(ufrag) => Input::ForgetUfrag(ufrag),
            Step::Port(port, mac) => Input::OpenPort(local(port), [mac; 6]),
            Step::Unport(port) => Input::ClosePort(local(port)),
            Step::Wait(_) => return None,
        })
    }

    fn of(&self, session: u32) -> impl Iterator<Item = &Pair> {
        self.pairs
            .values()
            .filter(move |pair| pair.spec.session() == session)
    }

    /// The last pair with a 5-tuple.
    fn owner(&self, spec: &PairSpec) -> Option<PairId> {
        let same = |pair: &Pair| pair.spec.key() == spec.key();
        self.pairs
            .iter()
            .rev()
            .find(|(_, pair)| same(pair))
            .map(|(id, _)| *id)
    }

    fn follow(&mut self, input: &Input, output: Output) {
        match (input, output) {
            (Input::OpenPair(spec, placement), Output::Pair(id)) => {
                let held = self.owner(spec).map(|id| self.pairs[&id].spec.session());
                assert_ne!(held, Some(spec.session()), "opened twice");
                assert!(self.of(spec.session()).count() < MAX_PAIRS_PER_SESSION as usize);
                let until = self.until.entry(spec.session()).or_default();
                *until = spec.until().max(*until);
                let pair = Pair {
                    spec: *spec,
                    device: placement.device,
                    mac: placement.destination_mac.unwrap()[5],
                };
                self.pairs.insert(id, pair);
            }
            (Input::PlacePair(id, placement), _) => {
                let pair = self.pairs.get_mut(id).unwrap();
                pair.device = placement.device;
                pair.mac = placement.destination_mac.unwrap()[5];
            }
            (Input::SteerPair(id, steer), _) => {
                let pair = self.pairs.get_mut(id).unwrap();
                pair.spec = pair.spec.steered(*steer);
            }
            (Input::RenewPair(id, until), _) => {
                let held = self.until.get_mut(&self.pairs[id].spec.session()).unwrap();
                *held = (*held).max(*until);
            }
            (Input::ClosePair(id), _) => {
                let session = self.pairs.remove(id).unwrap().spec.session();
                if self.of(session).next().is_none() {
                    self.until.remove(&session);
                }
            }
            (Input::AdmitUfrag(ufrag), _) => {
                self.ufrags.insert(*ufrag);
            }
            (Input::ForgetUfrag(ufrag), _) => {
                self.ufrags.remove(ufrag);
            }
            (Input::OpenPort(local, mac), _) => {
                self.ports.insert(local.port(), mac[0]);
            }
            (Input::ClosePort(local), _) => {
                self.ports.remove(&local.port());
            }
            other => panic!("{other:?}"),
        }
    }

    /// Whether only room can be what a command lacks.
    fn allows(&self, input: &Input) -> bool {
        match input {
            Input::OpenPair(spec, _) => {
                let held = self.owner(spec).map(|id| self.pairs[&id].spec.session());
                held != Some(spec.session())
            }
            _ => true,
        }
    }

    fn compare(&self, core: &Core, tables: &CheckedTables) {
        assert_eq!(core.pairs().count(), self.pairs.len());
        let mut owned = 0;
        for (id, pair) in &self.pairs {
            let state = core.pair(*id).unwrap();
            assert_eq!(
                tables.leases[&state.lease],
                self.until[&pair.spec.session()]
            );
            assert_eq!(state.member.is_none(), pair.device == DEVICE_SOCKET);
            if let Some(member) = state.member {
                let hop = tables.hop(member.hop);
                assert_eq!(
                    (hop.generation, hop.lease),
                    (member.generation, state.lease)
                );
                assert_eq!(hop.template[..6], [2, 0, 0, 0, 1, pair.mac]);
                assert_eq!(
                    hop.template[36..38],
                    pair.spec.remote().port().to_be_bytes()
                );
            }
            if self.owner(&pair.spec) == Some(*id) {
                owned += 1;
                assert_eq!(tables.steers[&pair.spec.key()], pair.spec.steer());
            }
        }
        assert_eq!(tables.steers.len(), owned);
        let living = tables.leases.values().filter(|deadline| **deadline != 0);
        assert_eq!(living.count(), self.until.len());
        assert_eq!(tables.ufrags, self.ufrags);
        assert_eq!(tables.endpoints.len(), self.ports.len());
        for (port, mac) in &self.ports {
            let key = endpoint::key(local(*port));
            assert_eq!(tables.endpoints[&key], Endpoint::sealed([*mac; 6]));
        }
    }
}

fn run(steps: &[(Step, Option<u32>)]) {
    let mut model = Model::default();
    let mut core = Core::new(settings(1, 1));
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
        core.handle_timeout(tables.now, &mut tables);
        let before = tables.visible();
        tables.fail_after = *fail_after;
        let outcome = core.handle(tables.now, input.clone(), &mut tables);
        let failed = std::mem::take(&mut tables.failed);
        tables.fail_after = None;
        match outcome {
            Ok(output) => {
                assert!(!failed, "a failure went unnoticed");
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
        let members = core.pairs().filter_map(|(_, pair)| pair.member);
        tables.send_to(members.map(|member| member.hop).collect());
        model.compare(&core, &tables);
    }
    let pairs: Vec<_> = model.pairs.keys().copied().collect();
    for id in pairs {
        core.handle(tables.now, Input::ClosePair(id), &mut tables)
            .unwrap();
    }
    assert_eq!((tables.valid_hops(), tables.steers.len()), (0, 0));
    tables.now += GRACE;
    core.handle_timeout(tables.now, &mut tables);
    let sizes = core.settings.sizes;
    assert_eq!(core.store.hops.available(), sizes.hops as usize - 1);
    assert_eq!(
        core.store.leases.available(),
        core.store.leases.capacity() as usize
    );
}

fn steps(failing: bool) -> impl Strategy<Value = Vec<(Step, Option<u32>)>> {
    let fail = if failing {
        prop::option::weighted(0.3, 0..6_u32).boxed()
    } else {
        Just(None).boxed()
    };
    prop::collection::vec((step(), fail), 1..150)
}

proptest! {
    #[test]
    fn pairs_are_as_the_model_says(steps in steps(false)) {
        run(&steps);
    }

    #[test]
    fn failures_leave_nothing_of_a_pair(steps in steps(true)) {
        run(&steps);
    }
}
