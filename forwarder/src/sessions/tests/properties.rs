//! Random commands and random datagrams. After each, what workers hold is what the commands left, no number or SSRC is
//! given twice, and at the end everything can be taken back.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use super::{
    parameters::{publication, settings, subscription},
    world::{SECOND, SERVER, World},
};
use crate::{
    media::Kind,
    sessions::{
        ids::{PublicationId, SessionId, SubscriptionId},
        settings::Settings,
        specs::{PeerRole, SessionSpec},
    },
};

#[derive(Clone, Debug)]
enum Step {
    Create,
    Close(usize),
    Publish {
        session: usize,
        mid: u8,
        ssrc: Option<u32>,
        audio: bool,
    },
    Unpublish(usize),
    Subscribe {
        session: usize,
        publication: usize,
        mid: u8,
    },
    Unsubscribe(usize),
    Pause(usize),
    Resume(usize),
    Restart(usize),
    Datagram(u16, Vec<u8>),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0..32_usize;
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        // The beginnings of STUN, DTLS and SRTCP.
        prop::collection::vec(any::<u8>(), 20..120).prop_map(|mut bytes| {
            let first = bytes[0];
            bytes[0] = [0, 22, 0x80][usize::from(first % 3)];
            bytes[1] = [1, 254, 200][usize::from(first % 3)];
            bytes
        }),
    ];
    prop_oneof![
        4 => Just(Step::Create),
        1 => at().prop_map(Step::Close),
        4 => (at(), 0..6_u8, prop::option::of(1..20_u32), any::<bool>())
            .prop_map(|(session, mid, ssrc, audio)| Step::Publish { session, mid, ssrc, audio }),
        1 => at().prop_map(Step::Unpublish),
        10 => (at(), at(), 0..6_u8)
            .prop_map(|(session, publication, mid)| Step::Subscribe { session, publication, mid }),
        3 => at().prop_map(Step::Unsubscribe),
        2 => at().prop_map(Step::Pause),
        2 => at().prop_map(Step::Resume),
        1 => at().prop_map(Step::Restart),
        2 => (5000..5004_u16, bytes).prop_map(|(port, bytes)| Step::Datagram(port, bytes)),
        2 => (0..10_000_000_000_u64).prop_map(Step::Wait),
    ]
}

/// Who is there, by the plainest bookkeeping.
#[derive(Default)]
struct Model {
    sessions: Vec<SessionId>,
    publications: BTreeMap<PublicationId, SessionId>,
    subscriptions: BTreeMap<SubscriptionId, (SessionId, PublicationId)>,
}

impl Model {
    fn session(&self, at: usize) -> Option<SessionId> {
        self.sessions
            .get(at.checked_rem(self.sessions.len())?)
            .copied()
    }

    fn publication(&self, at: usize) -> Option<PublicationId> {
        let at = at.checked_rem(self.publications.len())?;
        self.publications.keys().nth(at).copied()
    }

    fn subscription(&self, at: usize) -> Option<(SessionId, SubscriptionId)> {
        let at = at.checked_rem(self.subscriptions.len())?;
        let (id, (session, _)) = self.subscriptions.iter().nth(at)?;
        Some((*session, *id))
    }

    fn end(&mut self, session: SessionId) {
        self.sessions.retain(|held| *held != session);
        self.publications.retain(|_, owner| *owner != session);
        let publications = &self.publications;
        self.subscriptions
            .retain(|_, (held, of)| *held != session && publications.contains_key(of));
    }

    /// Carries a step out in both. Whatever is refused changes nothing.
    fn follow(&mut self, world: &mut World, step: &Step) -> Option<()> {
        let now = world.now;
        match step {
            Step::Create => {
                let value = ["AB"; 32].join(":");
                let ice = ("abcd", "0123456789012345678901");
                let spec =
                    SessionSpec::new(ice, PeerRole::Auto, [("sha-256", value.as_str())]).unwrap();
                self.sessions.push(world.sessions.create(now, spec).ok()?);
            }
            Step::Close(at) => {
                let id = self.session(*at)?;
                world.sessions.close(now, id).unwrap();
                self.end(id);
            }
            Step::Publish {
                session,
                mid,
                ssrc,
                audio,
            } => {
                let kind = if *audio { Kind::Audio } else { Kind::Video };
                let spec = publication(kind, &mid.to_string(), *ssrc);
                let session = self.session(*session)?;
                let id = world.sessions.publish(now, session, &spec).ok()?;
                self.publications.insert(id, session);
            }
            Step::Unpublish(at) => {
                let id = self.publication(*at)?;
                let session = self.publications.remove(&id)?;
                world.sessions.unpublish(now, session, id).unwrap();
                self.subscriptions.retain(|_, (_, of)| *of != id);
            }
            Step::Subscribe {
                session,
                publication,
                mid,
            } => {
                let session = self.session(*session)?;
                let of = self.publication(*publication)?;
                let owner = world.sessions.session(self.publications[&of]).unwrap();
                let mut publications = owner.publications.iter();
                let kind = publications.find(|it| it.id == of)?.kind;
                let spec = subscription(of, kind, &mid.to_string());
                let id = world.sessions.subscribe(now, session, &spec).ok()?;
                self.subscriptions.insert(id, (session, of));
            }
            Step::Unsubscribe(at) => {
                let (session, id) = self.subscription(*at)?;
                world.sessions.unsubscribe(now, session, id).unwrap();
                self.subscriptions.remove(&id);
            }
            Step::Pause(at) => {
                let (session, id) = self.subscription(*at)?;
                world.sessions.pause(session, id).unwrap();
            }
            Step::Resume(at) => {
                let (session, id) = self.subscription(*at)?;
                world.sessions.resume(now, session, id).unwrap();
            }
            Step::Restart(at) => {
                let id = self.session(*at)?;
                let pwd = "0123456789012345678901";
                let remote = crate::sessions::specs::credentials("efgh", pwd).unwrap();
                world.sessions.restart_ice(id, remote).unwrap();
            }
            Step::Datagram(port, bytes) => {
                world.inject(([198, 51, 100, 1], *port).into(), SERVER, bytes.clone());
            }
            Step::Wait(nanoseconds) => {
                world.run(*nanoseconds);
                // Whoever does not come within 30 s is gone.
                let live: HashSet<_> = world.sessions.ids().collect();
                let over: Vec<_> = self.sessions.clone();
                for id in over.into_iter().filter(|id| !live.contains(id)) {
                    self.end(id);
                }
            }
        }
        Some(())
    }

    fn compare(&self, world: &World, given: &mut HashSet<(SessionId, u32)>) {
        assert_eq!(world.sessions.ids().collect::<Vec<_>>(), self.sessions);
        // Two while an ICE restart waits for its nomination.
        let fragments = self.sessions.len()..=2 * self.sessions.len();
        assert!(fragments.contains(&world.ufrags.len()));
        let sum = |which: fn((usize, usize, usize, usize)) -> usize| -> usize {
            world
                .workers
                .iter()
                .map(|worker| which(worker.holds()))
                .sum()
        };
        assert_eq!(sum(|(_, _, tracks, _)| tracks), self.publications.len());
        assert_eq!(sum(|(_, _, _, legs)| legs), self.subscriptions.len());
        let (mut tracks, mut legs) = (HashSet::new(), HashSet::new());
        let (mut publications, mut subscriptions) = (0, 0);
        for id in &self.sessions {
            let view = world.sessions.session(*id).unwrap();
            for publication in &view.publications {
                publications += 1;
                assert_eq!(self.publications.get(&publication.id), Some(id));
                assert!(tracks.insert(publication.track));
                let count = |of: &&(SessionId, PublicationId)| of.1 == publication.id;
                let subscribers = self.subscriptions.values().filter(count).count();
                assert_eq!(publication.subscribers, subscribers);
            }
            let mut ssrcs = HashSet::new();
            for subscription in &view.subscriptions {
                subscriptions += 1;
                let held = self.subscriptions.get(&subscription.id);
                assert_eq!(held, Some(&(*id, subscription.publication)));
                assert!(legs.insert(subscription.leg));
                assert!(ssrcs.insert(subscription.ssrc));
                given.insert((*id, subscription.ssrc));
            }
        }
        assert_eq!(publications, self.publications.len());
        assert_eq!(subscriptions, self.subscriptions.len());
        let load: u32 = world.sessions.load().iter().sum();
        assert_eq!(load as usize, self.sessions.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_commands_leave_what_they_say(
        connected in 0..3_usize,
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(Settings {
            max_sessions: 8,
            max_publications: 12,
            max_subscriptions: 24,
            ..settings()
        });
        let mut model = Model::default();
        for _ in 0..connected {
            world.join(PeerRole::Auto);
        }
        world.run(SECOND);
        model.sessions.clone_from(&world.ids);
        let mut given = HashSet::new();
        let mut subscribed = 0;
        for step in &steps {
            let before = model.subscriptions.keys().next_back().copied();
            // A refused step is `None`, and compares all the same.
            let _ = model.follow(&mut world, step);
            if model.subscriptions.keys().next_back().copied() > before {
                subscribed += 1;
            }
            world.carry_out();
            model.compare(&world, &mut given);
        }
        // Each subscription had an SSRC of its own, those that ended included.
        prop_assert_eq!(given.len(), subscribed);
        for id in model.sessions.clone() {
            world.sessions.close(world.now, id).unwrap();
        }
        world.carry_out();
        prop_assert_eq!(world.sessions.poll_timeout(), u64::MAX);
        prop_assert!(world.ufrags.is_empty());
        for worker in &world.workers {
            prop_assert_eq!(worker.holds(), (0, 0, 0, 0));
        }
    }
}
