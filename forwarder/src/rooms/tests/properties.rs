//! Random commands against a naive model: what a session is sent is what it wishes of what is there, as far as it has m-lines for it;
//! and settling once more changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    hall::{offer, room, spec},
    paper::Paper,
};
use crate::{
    media::Kind,
    rooms::{
        Rooms, Settings, What,
        specs::Grants,
        views::Description,
        wishes::{Wanted, Wishes},
    },
    sessions::{
        ids::{PublicationId, SessionId},
        settings::Settings as Limits,
        tests::{parameters::settings, world::World},
    },
};

const KINDS: [&str; 2] = ["audio", "video"];
const ROOMS: [&str; 2] = ["a", "b"];

#[derive(Clone, Debug)]
enum Step {
    /// Joins with m-lines to send on and to receive on.
    Join {
        room: usize,
        sends: Vec<usize>,
        receives: Vec<usize>,
        takes_offers: bool,
        subscribe: bool,
    },
    Leave(usize),
    Close(usize),
    Wish(usize, Wish),
    /// A player's peer offers with m-lines more, or with one that it turns.
    Add(usize, usize, bool),
    Turn(usize, usize, bool),
    Mute(usize, bool),
    Unpublish(usize),
}

#[derive(Clone, Debug)]
enum Wish {
    All,
    None,
    These(BTreeSet<usize>),
    Except(BTreeSet<usize>),
    Kind(bool),
    Pause(BTreeSet<usize>),
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0..32_usize;
    let kinds = |most| prop::collection::vec(0..2_usize, 0..most);
    let some = || prop::collection::btree_set(0..16_usize, 0..4);
    let wish = prop_oneof![
        2 => Just(Wish::All),
        1 => Just(Wish::None),
        2 => some().prop_map(Wish::These),
        1 => some().prop_map(Wish::Except),
        1 => any::<bool>().prop_map(Wish::Kind),
        1 => some().prop_map(Wish::Pause),
    ];
    prop_oneof![
        5 => (0..2_usize, kinds(3), kinds(4), any::<bool>(), prop::bool::weighted(0.9)).prop_map(
            |(room, sends, receives, takes_offers, subscribe)| Step::Join {
                room, sends, receives, takes_offers, subscribe,
            }
        ),
        2 => at().prop_map(Step::Leave),
        1 => (0..2_usize).prop_map(Step::Close),
        5 => (at(), wish).prop_map(|(at, wish)| Step::Wish(at, wish)),
        3 => (at(), 0..2_usize, any::<bool>()).prop_map(|(at, kind, sends)| Step::Add(at, kind, sends)),
        2 => (at(), at(), any::<bool>()).prop_map(|(at, line, on)| Step::Turn(at, line, on)),
        1 => (at(), any::<bool>()).prop_map(|(at, muted)| Step::Mute(at, muted)),
        1 => at().prop_map(Step::Unpublish),
    ]
}

struct Person {
    id: SessionId,
    room: usize,
    paper: Paper,
    wishes: Wishes,
    takes_offers: bool,
    subscribe: bool,
}

struct Bench {
    world: World,
    rooms: Rooms,
    fed: usize,
    people: Vec<Person>,
}

impl Bench {
    fn new() -> Self {
        Self {
            world: World::new(Limits {
                max_sessions: 12,
                ..settings()
            }),
            rooms: Rooms::new(Settings::default()).unwrap(),
            fed: 0,
            people: Vec::new(),
        }
    }

    /// Until nothing follows any more. Gives how much did.
    fn settle(&mut self) -> usize {
        let mut happened = 0;
        loop {
            self.world.carry_out();
            for event in self.world.events.get(self.fed..).unwrap_or_default() {
                self.rooms.handle_event(event);
            }
            self.fed = self.world.events.len();
            let now = self.world.now;
            let more = self.rooms.settle(&mut self.world.sessions, now);
            let mut answers = Vec::new();
            while let Some(event) = self.rooms.poll_event() {
                happened += 1;
                if let (What::Offer { sdp, version }, Some(id)) = (event.what, event.session) {
                    answers.push((id, sdp, version));
                }
            }
            if !more && answers.is_empty() {
                return happened;
            }
            for (id, sdp, version) in answers {
                let mut people = self.people.iter_mut();
                let Some(person) = people.find(|it| it.id == id) else {
                    continue;
                };
                let answer = person.paper.mirror(&sdp, |_| false);
                let sessions = &mut self.world.sessions;
                self.rooms
                    .answer(sessions, now, id, version, &answer, false)
                    .unwrap();
            }
        }
    }

    /// All that is published, oldest first, with its session.
    fn published(&self) -> BTreeMap<PublicationId, (SessionId, Kind)> {
        let sessions = &self.world.sessions;
        let of = |person: &Person| {
            let id = person.id;
            sessions
                .publications(id)
                .map(move |it| (it.id, (id, it.kind)))
        };
        self.people.iter().flat_map(of).collect()
    }

    fn carry_out(&mut self, step: &Step) -> Option<()> {
        let now = self.world.now;
        let len = self.people.len();
        let person = |at: usize| at.checked_rem(len);
        match step {
            Step::Join {
                room: at,
                sends,
                receives,
                takes_offers,
                subscribe,
            } => {
                let mut paper = Paper::new();
                for kind in sends {
                    paper.add(KINDS[*kind], "sendonly");
                }
                for kind in receives {
                    paper.add(KINDS[*kind], "recvonly");
                }
                let mut spec = spec(offer(paper.offer(), *takes_offers));
                spec.room = Some(room(ROOMS[*at]));
                spec.grants = Grants {
                    subscribe: *subscribe,
                    ..Grants::default()
                };
                let joined = self.rooms.join(&mut self.world.sessions, now, spec, false);
                let joined = joined.ok()??;
                assert!(matches!(joined.description, Description::Answer(_)));
                self.people.push(Person {
                    id: joined.id,
                    room: *at,
                    paper,
                    wishes: Wishes::all(),
                    takes_offers: *takes_offers,
                    subscribe: *subscribe,
                });
            }
            Step::Leave(at) => {
                let person = self.people.remove(person(*at)?);
                self.rooms
                    .leave(&mut self.world.sessions, now, person.id, false)
                    .unwrap();
            }
            Step::Close(at) => {
                let sessions = &mut self.world.sessions;
                self.rooms
                    .close(sessions, now, &room(ROOMS[*at]), false)
                    .ok()?;
                self.people.retain(|person| person.room != *at);
            }
            Step::Wish(at, wish) => {
                let published: Vec<_> = self.published().into_keys().collect();
                let ids = |which: &BTreeSet<usize>| {
                    let ids = which.iter().filter_map(|at| published.get(*at));
                    ids.copied().collect::<BTreeSet<_>>()
                };
                let person = self.people.get_mut(person(*at)?)?;
                let mut wishes = person.wishes.clone();
                match wish {
                    Wish::All => wishes.publications = Wanted::All,
                    Wish::None => wishes.publications = Wanted::None,
                    Wish::These(which) => wishes.publications = Wanted::These(ids(which)),
                    Wish::Except(which) => wishes.except = ids(which),
                    Wish::Kind(audio) => (wishes.audio, wishes.video) = (*audio, !*audio),
                    Wish::Pause(which) => wishes.paused = ids(which),
                }
                // What is in another room is refused, and changes nothing.
                self.rooms
                    .wish(&self.world.sessions, person.id, wishes.clone(), false)
                    .ok()?;
                person.wishes = wishes;
            }
            Step::Add(at, kind, sends) => {
                let person = self
                    .people
                    .get_mut(person(*at)?)
                    .filter(|it| !it.takes_offers)?;
                let direction = if *sends { "sendonly" } else { "recvonly" };
                person.paper.add(KINDS[*kind], direction);
                let sdp = person.paper.offer();
                self.rooms
                    .offer(&mut self.world.sessions, now, person.id, &sdp, false)
                    .unwrap();
            }
            Step::Turn(at, line, on) => {
                let person = self
                    .people
                    .get_mut(person(*at)?)
                    .filter(|it| !it.takes_offers)?;
                person
                    .paper
                    .turn(*line, if *on { "recvonly" } else { "inactive" });
                let sdp = person.paper.offer();
                // One without m-lines is no offer.
                self.rooms
                    .offer(&mut self.world.sessions, now, person.id, &sdp, false)
                    .ok()?;
            }
            Step::Mute(at, muted) => {
                let published = self.published();
                let (id, (of, _)) = published.iter().nth(at.checked_rem(published.len())?)?;
                self.world.sessions.mute(now, *of, *id, *muted).unwrap();
            }
            Step::Unpublish(at) => {
                let published = self.published();
                let (id, (of, _)) = published.iter().nth(at.checked_rem(published.len())?)?;
                self.rooms
                    .unpublish(&mut self.world.sessions, now, *of, *id, false)
                    .unwrap();
            }
        }
        Some(())
    }

    fn compare(&self) {
        let published = self.published();
        let sessions = &self.world.sessions;
        for person in &self.people {
            let in_room = |of: &SessionId| {
                self.people
                    .iter()
                    .any(|it| it.id == *of && it.room == person.room)
            };
            let wished: BTreeSet<_> = published
                .iter()
                .filter(|(_, (of, _))| person.subscribe && in_room(of))
                .filter(|(id, (of, kind))| person.wishes.want(person.id, *of, **id, *kind))
                .map(|(id, (_, kind))| (*id, *kind))
                .collect();
            let mut sent = BTreeSet::new();
            for subscription in sessions.subscriptions(person.id) {
                let kind = published[&subscription.publication].1;
                assert!(sent.insert((subscription.publication, kind)), "sent twice");
                let paused = person.wishes.paused.contains(&subscription.publication);
                assert_eq!(subscription.paused, paused);
            }
            if person.takes_offers {
                assert_eq!(sent, wished);
                continue;
            }
            // As much of what is wished as there are m-lines for, of each kind.
            assert!(sent.is_subset(&wished), "{sent:?} of {wished:?}");
            for kind in [Kind::Audio, Kind::Video] {
                let of = |set: &BTreeSet<(PublicationId, Kind)>| {
                    set.iter().filter(|it| it.1 == kind).count()
                };
                let lines = person.paper.receiving(kind);
                assert_eq!(of(&sent), of(&wished).min(lines), "{kind:?}");
            }
        }
        let here: BTreeSet<_> = self.people.iter().map(|person| person.id).collect();
        assert_eq!(here, self.rooms.members().collect());
        assert_eq!(here, sessions.ids().collect());
        let rooms: BTreeSet<_> = self.people.iter().map(|it| room(ROOMS[it.room])).collect();
        assert_eq!(rooms, self.rooms.ids().cloned().collect());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_sent_is_what_is_wished_after_any_sequence(steps in prop::collection::vec(step(), 1..60)) {
        let mut bench = Bench::new();
        for step in &steps {
            let _ = bench.carry_out(step);
            bench.settle();
            bench.compare();
            // Once more: whoever is there is looked at anew, and nothing changes.
            let everyone: Vec<_> = bench.rooms.members().collect();
            bench.rooms.unsettled.extend(everyone);
            prop_assert_eq!(bench.settle(), 0);
            bench.compare();
        }
        for name in ROOMS {
            let now = bench.world.now;
            let _ = bench.rooms.close(&mut bench.world.sessions, now, &room(name), false);
        }
        bench.settle();
        prop_assert_eq!(bench.rooms.members().count(), 0);
        prop_assert_eq!(bench.rooms.poll_timeout(), u64::MAX);
        prop_assert!(bench.rooms.speakers.is_empty());
        for worker in &bench.world.workers {
            prop_assert_eq!(worker.holds(), (0, 0, 0, 0));
        }
    }
}
