//! What is refused for want of room or of rights, and leaves no trace.

use super::{
    hall::{AUDIO, Hall, RECEIVE, SEND, VIDEO, offer, room, spec},
    paper::Paper,
};
use crate::{
    core::refusal::RefusalKind,
    rooms::{
        Settings,
        specs::{Grants, JoinSpec, RoomSpec},
        views::Description,
    },
    sessions::tests::world::SECOND,
};

fn entry() -> JoinSpec {
    let mut paper = Paper::new();
    paper.add("audio", "recvonly");
    spec(offer(paper.offer(), true))
}

fn refused(hall: &mut Hall, change: impl FnOnce(&mut JoinSpec)) -> (RefusalKind, &'static str) {
    let before = (hall.rooms(), hall.world.sessions.ids().count());
    let mut spec = entry();
    change(&mut spec);
    let refusal = hall.join(spec).unwrap_err();
    assert!(!refusal.allowed.is_empty());
    assert_eq!(before, (hall.rooms(), hall.world.sessions.ids().count()));
    (refusal.kind, refusal.field)
}

#[test]
fn entries_that_are_refused() {
    let mut hall = Hall::with(Settings {
        max_rooms: 2,
        max_sessions: 2,
        ..Settings::default()
    });
    hall.join(entry()).unwrap();
    let held = |spec: &mut JoinSpec| {
        spec.grants.holder = Some("ann".to_owned());
        spec.grants.max_sessions = Some(1);
    };
    let mut first = entry();
    held(&mut first);
    hall.join(first).unwrap();
    assert_eq!(
        refused(&mut hall, |_| {}),
        (RefusalKind::Limited, "room.max_sessions")
    );
    let other = |spec: &mut JoinSpec| spec.room = Some(room("other"));
    let same_holder = |spec: &mut JoinSpec| {
        other(spec);
        held(spec);
    };
    assert_eq!(
        refused(&mut hall, same_holder),
        (RefusalKind::Limited, "token.max_sessions")
    );
    let mut second = entry();
    other(&mut second);
    hall.join(second).unwrap();
    let third = |spec: &mut JoinSpec| spec.room = Some(room("third"));
    assert_eq!(refused(&mut hall, third), (RefusalKind::Full, "room"));
    let long = |spec: &mut JoinSpec| spec.name = Some("x".repeat(200));
    assert_eq!(refused(&mut hall, long), (RefusalKind::Invalid, "name"));
    let wide = RoomSpec {
        max_sessions: Some(3),
        ..RoomSpec::default()
    };
    hall.rooms
        .put(&hall.world.sessions, &room("r"), wide, false)
        .unwrap();
    hall.join(entry()).unwrap();
    assert_eq!(refused(&mut hall, |_| {}).1, "room.max_sessions");
}

#[test]
fn rooms_that_are_declared_only() {
    let mut hall = Hall::with(Settings {
        made_by_joining: false,
        ..Settings::default()
    });
    assert_eq!(refused(&mut hall, |_| {}), (RefusalKind::Unknown, "room"));
    hall.rooms
        .put(&hall.world.sessions, &room("r"), RoomSpec::default(), false)
        .unwrap();
    hall.join(entry()).unwrap();
    for (field, spec) in [
        (
            "max_sessions",
            RoomSpec {
                max_sessions: Some(0),
                ..RoomSpec::default()
            },
        ),
        (
            "max_bitrate",
            RoomSpec {
                max_bitrate: Some(0),
                ..RoomSpec::default()
            },
        ),
        (
            "metadata",
            RoomSpec {
                metadata: Some("x".repeat(2000).into()),
                ..RoomSpec::default()
            },
        ),
    ] {
        let version = hall.view().version;
        let refusal = hall
            .rooms
            .put(&hall.world.sessions, &room("r"), spec, false)
            .unwrap_err();
        assert_eq!((refusal.field, hall.view().version), (field, version));
    }
}

#[test]
fn tracks_beyond_a_limit_are_answered_by_closed_lines() {
    let mut hall = Hall::new();
    let limited = RoomSpec {
        max_tracks: Some(3),
        ..RoomSpec::default()
    };
    hall.rooms
        .put(&hall.world.sessions, &room("r"), limited, false)
        .unwrap();
    let ann = hall.come(&[(AUDIO, SEND), (VIDEO, SEND)]);
    // str0m does not read the answer to the second line, since it lacks what says what its number was.
    let mut bob = Paper::new();
    bob.add("audio", "sendonly");
    bob.add("video", "sendonly");
    let joined = hall.join(spec(offer(bob.offer(), false))).unwrap();
    let Description::Answer(answer) = joined.description else {
        panic!("it offered");
    };
    let lines: Vec<_> = answer
        .lines()
        .filter(|line| line.starts_with("m="))
        .collect();
    assert!(lines[0].starts_with("m=audio ") && !lines[0].starts_with("m=audio 0 "));
    assert!(lines[1].starts_with("m=video 0 "));
    assert_eq!(hall.world.sessions.publications(joined.id).count(), 1);
    assert_eq!(hall.publications(ann).len(), 2);
    let mut caro = Paper::new();
    caro.add("audio", "sendonly");
    caro.add("audio", "recvonly");
    let mut quiet = spec(offer(caro.offer(), false));
    quiet.grants.publish = false;
    let caro = hall.join(quiet).unwrap().id;
    assert_eq!(hall.world.sessions.publications(caro).count(), 0);
    assert_eq!(hall.world.sessions.subscriptions(caro).count(), 1);
    let deaf = hall.come_as(&[(AUDIO, RECEIVE)], false, |spec| {
        spec.grants = Grants {
            subscribe: false,
            ..Grants::default()
        };
    });
    hall.run(SECOND);
    assert_eq!(hall.subscribed(deaf), []);
}

#[test]
fn no_more_tracks_where_those_there_are_bring_too_much() {
    let mut hall = Hall::new();
    // A peer's video is 100 packets of about 1,000 bytes in a second.
    let limited = RoomSpec {
        max_bitrate: Some(500_000),
        ..RoomSpec::default()
    };
    hall.rooms
        .put(&hall.world.sessions, &room("r"), limited, false)
        .unwrap();
    let ann = hall.come(&[(VIDEO, SEND)]);
    hall.run(SECOND);
    for counters in hall
        .world
        .sessions
        .publications(hall.world.ids[ann])
        .map(|it| it.counters)
    {
        // The stand-in for the worker counts packets only.
        counters
            .bytes
            .fetch_add(1_000_000, std::sync::atomic::Ordering::Relaxed);
    }
    hall.run(SECOND / 2);
    assert!(hall.view().bitrate > 500_000);
    let mut bob = Paper::new();
    bob.add("video", "sendonly");
    bob.add("video", "recvonly");
    let alone = spec(offer(bob.alone(0), false));
    let refusal = hall.join(alone).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.field),
        (RefusalKind::Limited, "room.max_bitrate")
    );
    let id = hall.join(spec(offer(bob.offer(), false))).unwrap().id;
    assert_eq!(hall.world.sessions.publications(id).count(), 0);
    hall.run(3 * SECOND);
    assert_eq!(hall.view().bitrate, 0);
    // The same line again, which is free for another by now.
    let (sdp, now) = (bob.offer(), hall.world.now);
    hall.rooms
        .offer(&mut hall.world.sessions, now, id, &sdp, false)
        .unwrap();
    hall.settle();
    assert_eq!(hall.world.sessions.publications(id).count(), 1);
}

#[test]
fn a_token_counts_the_tracks_and_the_bits_of_all_who_hold_it() {
    let mut hall = Hall::new();
    let ann = hall.come_as(&[(VIDEO, SEND)], false, |spec| {
        spec.grants.holder = Some("ann".to_owned());
    });
    hall.run(SECOND);
    let publications = hall.world.sessions.publications(hall.world.ids[ann]);
    for counters in publications.map(|it| it.counters) {
        // The stand-in for the worker counts packets only.
        counters
            .bytes
            .fetch_add(1_000_000, std::sync::atomic::Ordering::Relaxed);
    }
    hall.run(SECOND / 2);
    let mut join = |holder: &str, change: fn(&mut Grants)| {
        let mut paper = Paper::new();
        paper.add("video", "sendonly");
        let mut spec = spec(offer(paper.offer(), false));
        spec.grants.holder = Some(holder.to_owned());
        change(&mut spec.grants);
        let refusal = hall.join(spec).err();
        refusal.map(|refusal| (refusal.kind, refusal.field))
    };
    let one_track = |grants: &mut Grants| grants.max_tracks = Some(1);
    let few_bits = |grants: &mut Grants| grants.max_bitrate = Some(500_000);
    let tracks = (RefusalKind::Limited, "token.max_tracks");
    assert_eq!(join("ann", one_track), Some(tracks));
    let bits = (RefusalKind::Limited, "token.max_bitrate");
    assert_eq!(join("ann", few_bits), Some(bits));
    assert_eq!(join("bob", one_track), None);
    assert_eq!(join("bob", |_| {}), None);
}
