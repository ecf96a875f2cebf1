//! Two negotiations talk to each other, offer at the same time, roll back and give up; after each exchange both agree.

use proptest::prelude::*;

use super::{samples::*, *};
use crate::media::Kind;

/// What one side does.
#[derive(Clone, Debug)]
enum Step {
    Offer(Vec<(u8, u8)>),
    RollBack,
    /// The offer of the other side reaches this one, which gives it up if it is told so.
    Take(bool),
    /// The answer of the other side reaches this one.
    Finish,
}

struct World {
    sides: [Negotiation; 2],
    /// What each side said last, for the other: an offer, and the answer to one.
    offers: [Option<String>; 2],
    answers: [Option<String>; 2],
}

impl World {
    fn step(&mut self, at: usize, step: &Step) {
        let other = 1 - at;
        let side = Side::new(at as u8 + 1);
        match step {
            Step::Offer(lines) => {
                let wanted = self.wanted(at, lines);
                let offered = self.sides[at].offer(&side.local(), &wanted);
                if let Ok(offered) = offered {
                    self.offers[at] = Some(offered.sdp);
                }
            }
            Step::RollBack => {
                if self.answers[other].is_none() && self.sides[at].rollback().is_ok() {
                    self.offers[at] = None;
                }
            }
            Step::Take(gives_up) => {
                // What was said first arrives first.
                self.step(at, &Step::Finish);
                // The first side is the impolite one: it does not take an offer while its own is outstanding.
                if at == 0 && self.sides[0].state() == State::HaveLocalOffer {
                    return;
                }
                let Some(offer) = self.offers[other].take() else {
                    return;
                };
                let own = self.sides[at].state() == State::HaveLocalOffer;
                let incoming = self.sides[at].handle_offer(&offer).unwrap();
                assert_eq!(incoming.rolled_back, own);
                if own {
                    self.offers[at] = None;
                }
                if *gives_up {
                    self.sides[at].abandon();
                    self.sides[other].rollback().unwrap();
                    return;
                }
                let outcomes: Vec<_> = incoming
                    .changes
                    .iter()
                    .map(|change| (change.line, outcome(change)))
                    .collect();
                self.answers[at] = Some(self.sides[at].answer(&side.local(), &outcomes).unwrap());
            }
            Step::Finish => {
                if let Some(answer) = self.answers[other].take() {
                    self.sides[at].handle_answer(&answer).unwrap();
                    self.check();
                }
            }
        }
    }

    fn wanted(&self, at: usize, lines: &[(u8, u8)]) -> Vec<OfferedLine> {
        let open: Vec<_> = self.sides[at].lines().map(|line| line.line).collect();
        let mut used = Vec::new();
        let wanted = lines.iter().map(|&(what, how)| {
            let wanted = Wanted {
                receiving: how & 1 != 0,
                sending: (how & 2 != 0).then(|| sent(&format!("t{how}"), how.into())),
                codecs: Vec::new(),
            };
            let kind = if how & 4 == 0 {
                Kind::Audio
            } else {
                Kind::Video
            };
            let line = open.get(usize::from(what) / 3 % open.len().max(1)).copied();
            match (what % 3, line.filter(|line| !used.contains(line))) {
                (1, Some(line)) => {
                    used.push(line);
                    OfferedLine::Change(line, wanted)
                }
                (2, Some(line)) => {
                    used.push(line);
                    OfferedLine::Close(line)
                }
                _ => OfferedLine::Add(kind, wanted),
            }
        });
        wanted.collect()
    }

    /// What one sends, the other takes, by the same numbers, in the same places.
    fn check(&self) {
        let [one, other] = &self.sides;
        let (lines, others): (Vec<_>, Vec<_>) = (one.lines().collect(), other.lines().collect());
        assert_eq!(lines.len(), others.len());
        for (line, other) in lines.iter().zip(&others) {
            assert_eq!(
                (line.line, line.mid, line.kind),
                (other.line, other.mid, other.kind)
            );
            for (sender, taker) in [(line, other), (other, line)] {
                if let Some(spec) = taker.sends {
                    let receiving = sender.receives.expect("the other takes");
                    assert!(sender.sending.is_some(), "{taker:?}");
                    assert!(spec.codecs.iter().all(|codec| {
                        receiving
                            .codecs
                            .iter()
                            .any(|one| one.payload_type == codec.payload_type)
                    }));
                }
            }
        }
        let mids: std::collections::HashSet<_> = lines.iter().map(|line| line.mid).collect();
        assert_eq!(mids.len(), lines.len());
    }
}

/// Takes what comes, and sends on every other line.
fn outcome(change: &LineChange) -> Outcome {
    Outcome::Accepted {
        receiving: true,
        sending: change.line.is_multiple_of(2).then(|| sent("back", 77)),
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        prop::collection::vec(any::<(u8, u8)>(), 1..4).prop_map(Step::Offer),
        Just(Step::RollBack),
        prop::bool::weighted(0.1).prop_map(Step::Take),
        Just(Step::Take(false)),
        Just(Step::Finish),
        Just(Step::Finish),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_sides_always_come_to_agree(steps in prop::collection::vec((0..2_usize, step()), 0..60)) {
        let mut world = World {
            sides: [Negotiation::new(), Negotiation::new()],
            offers: [None, None],
            answers: [None, None],
        };
        for (at, step) in &steps {
            world.step(*at, step);
        }
        // Left alone, they come to rest and agree.
        for _ in 0..2 {
            for at in [1, 0] {
                world.step(at, &Step::Take(false));
                world.step(at, &Step::Finish);
                world.step(1 - at, &Step::Finish);
            }
        }
        for at in 0..2 {
            let _ = world.sides[at].rollback();
        }
        world.offers = [None, None];
        world.answers = [None, None];
        world.step(0, &Step::Offer(vec![(0, 7)]));
        world.step(1, &Step::Take(false));
        prop_assert!(world.answers[1].is_some());
        world.step(0, &Step::Finish);
    }
}
