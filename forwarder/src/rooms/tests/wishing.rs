//! Wishes and what follows from them.

use std::collections::BTreeSet;

use super::hall::{AUDIO, Hall, RECEIVE, SEND, VIDEO};
use crate::{
    core::refusal::Refusal,
    rooms::{
        views::Changes,
        wishes::{Wanted, Wishes},
    },
    sessions::{ids::PublicationId, tests::world::SECOND},
};

fn these(ids: &[PublicationId]) -> BTreeSet<PublicationId> {
    ids.iter().copied().collect()
}

fn wish(hall: &mut Hall, at: usize, wishes: &Wishes, dry_run: bool) -> Result<Changes, Refusal> {
    let id = hall.world.ids[at];
    let changes = hall
        .rooms
        .wish(&hall.world.sessions, id, wishes.clone(), dry_run);
    hall.settle();
    changes
}

#[test]
fn what_is_sent_is_what_is_wished() {
    let mut hall = Hall::new();
    let ann = hall.come(&[(AUDIO, SEND), (VIDEO, SEND)]);
    let bob = hall.come(&[(AUDIO, SEND), (VIDEO, SEND)]);
    let caro = hall.come(&[(AUDIO, SEND)]);
    hall.run(SECOND);
    let (of_ann, of_bob, own) = (
        hall.publications(ann),
        hall.publications(bob),
        hall.publications(caro),
    );
    let all: Vec<_> = of_ann.iter().chain(&of_bob).copied().collect();
    assert_eq!(hall.subscribed(caro), all);
    let cases = [
        (Wishes::none(), vec![]),
        (
            Wishes {
                video: false,
                ..Wishes::all()
            },
            vec![of_ann[0], of_bob[0]],
        ),
        (
            Wishes {
                except: these(&[of_ann[0]]),
                ..Wishes::all()
            },
            all[1..].to_vec(),
        ),
        (
            Wishes {
                publications: Wanted::Session(hall.world.ids[bob]),
                ..Wishes::all()
            },
            of_bob.clone(),
        ),
        (
            Wishes {
                publications: Wanted::These(these(&[of_ann[1], own[0]])),
                ..Wishes::all()
            },
            vec![of_ann[1], own[0]],
        ),
        (Wishes::all(), all.clone()),
    ];
    for (wishes, expected) in cases {
        let before = hall.subscribed(caro);
        let tried = wish(&mut hall, caro, &wishes, true).unwrap();
        assert_eq!(hall.subscribed(caro), before);
        let changes = wish(&mut hall, caro, &wishes, false).unwrap();
        assert_eq!(tried, changes);
        assert_eq!(hall.subscribed(caro), expected, "{wishes:?}");
        let started: Vec<_> = expected
            .iter()
            .filter(|it| !before.contains(it))
            .copied()
            .collect();
        let stopped: Vec<_> = before
            .iter()
            .filter(|it| !expected.contains(it))
            .copied()
            .collect();
        assert_eq!((changes.start, changes.stop), (started, stopped));
        // Said again, it changes nothing.
        let version = hall
            .rooms
            .wishes(&hall.world.sessions, hall.world.ids[caro])
            .unwrap()
            .version;
        hall.names();
        assert_eq!(
            wish(&mut hall, caro, &wishes, false),
            Ok(Changes::default())
        );
        let view = hall
            .rooms
            .wishes(&hall.world.sessions, hall.world.ids[caro])
            .unwrap();
        assert_eq!((view.version, hall.names()), (version, Vec::new()));
        assert_eq!(
            (view.wishes, view.waiting, view.declined),
            (wishes, vec![], vec![])
        );
    }
    hall.run(SECOND);
    hall.heard(caro);
    hall.run(SECOND);
    assert_eq!(hall.heard(caro).len(), all.len());
}

#[test]
fn what_is_paused_is_not_sent_and_goes_on_with_a_keyframe() {
    let mut hall = Hall::new();
    let ann = hall.come(&[(AUDIO, SEND), (VIDEO, SEND)]);
    let bob = hall.come_as(&[(AUDIO, RECEIVE), (VIDEO, RECEIVE)], false, |_| {});
    hall.run(SECOND);
    let video = hall.publications(ann)[1];
    let paused = Wishes {
        paused: these(&[video]),
        ..Wishes::all()
    };
    let changes = wish(&mut hall, bob, &paused, false).unwrap();
    assert_eq!((changes.pause, changes.resume), (vec![video], vec![]));
    hall.run(SECOND);
    hall.heard(bob);
    hall.run(SECOND);
    assert_eq!(
        hall.heard(bob).keys().copied().collect::<Vec<_>>(),
        hall.publications(ann)[..1]
    );
    hall.world.peers[ann].keyframes_asked.clear();
    // The same by the one call for it.
    let id = hall.world.ids[bob];
    let subscriptions = hall.world.sessions.subscriptions(id);
    let subscription = subscriptions
        .filter(|it| it.publication == video)
        .map(|it| it.id)
        .next()
        .unwrap();
    let (rooms, sessions, now) = (&mut hall.rooms, &mut hall.world.sessions, hall.world.now);
    rooms
        .pause(sessions, now, id, subscription, false, false)
        .unwrap();
    hall.run(SECOND);
    assert_eq!(hall.world.peers[ann].keyframes_asked.len(), 1);
    assert!(hall.heard(bob)[&video] > 60);
    let (rooms, sessions, now) = (&mut hall.rooms, &mut hall.world.sessions, hall.world.now);
    rooms
        .unsubscribe(sessions, now, id, subscription, false)
        .unwrap();
    hall.settle();
    assert_eq!(hall.subscribed(bob), hall.publications(ann)[..1]);
    let wishes = hall.rooms.wishes(&hall.world.sessions, id).unwrap().wishes;
    assert_eq!(
        wishes,
        Wishes {
            except: these(&[video]),
            ..Wishes::all()
        }
    );
}

#[test]
fn wishes_for_what_never_was_are_refused() {
    let mut hall = Hall::new();
    let ann = hall.come(&[(AUDIO, SEND)]);
    let bob = hall.come(&[(AUDIO, RECEIVE)]);
    let other = hall.come_as(&[(AUDIO, SEND)], true, |spec| {
        spec.room = Some(super::hall::room("other"));
    });
    let elsewhere = hall.publications(other)[0];
    let never = "999".parse().unwrap();
    let before = hall
        .rooms
        .wishes(&hall.world.sessions, hall.world.ids[bob])
        .unwrap();
    for id in [elsewhere, never] {
        let cases = [
            (
                "publications",
                Wishes {
                    publications: Wanted::These(these(&[id])),
                    ..Wishes::all()
                },
            ),
            (
                "except",
                Wishes {
                    except: these(&[id]),
                    ..Wishes::all()
                },
            ),
            (
                "paused",
                Wishes {
                    paused: these(&[id]),
                    ..Wishes::all()
                },
            ),
        ];
        for (field, wishes) in cases {
            let refusal = wish(&mut hall, bob, &wishes, false).unwrap_err();
            assert_eq!((refusal.field, refusal.value), (field, id.to_string()));
        }
    }
    let many = (1..=1025)
        .map(|id: u64| id.to_string().parse().unwrap())
        .collect();
    let many = Wishes {
        except: many,
        ..Wishes::all()
    };
    assert_eq!(
        wish(&mut hall, bob, &many, false).unwrap_err().field,
        "except"
    );
    assert_eq!(
        hall.rooms
            .wishes(&hall.world.sessions, hall.world.ids[bob])
            .unwrap(),
        before
    );
    // What has ended may be named: whoever says so could not know.
    let (id, now) = (hall.world.ids[ann], hall.world.now);
    let gone = hall.publications(ann)[0];
    hall.rooms
        .leave(&mut hall.world.sessions, now, id, false)
        .unwrap();
    hall.settle();
    let wishes = Wishes {
        except: these(&[gone]),
        ..Wishes::all()
    };
    assert_eq!(wish(&mut hall, bob, &wishes, false), Ok(Changes::default()));
}
