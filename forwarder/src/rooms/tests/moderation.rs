//! Muting, removing, locking, closing, and who speaks.

use std::sync::atomic::Ordering::Relaxed;

use super::hall::{AUDIO, Hall, RECEIVE, SEND, VIDEO, offer, propose, room, spec};
use crate::{
    core::refusal::RefusalKind,
    rooms::{What, specs::RoomSpec},
    sessions::tests::world::SECOND,
};

fn call() -> (Hall, usize, usize) {
    let mut hall = Hall::new();
    let ann = hall.come(&[(AUDIO, SEND), (VIDEO, SEND)]);
    let bob = hall.come(&[(AUDIO, RECEIVE), (VIDEO, RECEIVE)]);
    hall.run(2 * SECOND);
    (hall, ann, bob)
}

#[test]
fn who_is_muted_is_not_heard_until_no_longer() {
    let (mut hall, ann, bob) = call();
    let id = hall.world.ids[ann];
    let video = hall.publications(ann)[1];
    assert!(hall.heard(bob)[&video] > 60);
    let now = hall.world.now;
    assert_eq!(hall.world.sessions.mute(now, id, video, true), Ok(true));
    assert_eq!(hall.world.sessions.mute(now, id, video, true), Ok(false));
    hall.settle();
    hall.names();
    assert!(hall.view().sessions[0].publications[1].muted);
    hall.run(SECOND);
    hall.heard(bob);
    hall.world.peers[ann].keyframes_asked.clear();
    hall.run(5 * SECOND);
    let heard = hall.heard(bob);
    assert_eq!(heard.get(&video), None);
    assert!(
        heard[&hall.publications(ann)[0]] > 400,
        "the other track goes on"
    );
    assert_eq!(hall.world.peers[ann].keyframes_asked, [0; 0]);
    let (rooms, sessions, now) = (&mut hall.rooms, &mut hall.world.sessions, hall.world.now);
    assert_eq!(sessions.can_mute(id, video, false), Ok(true));
    assert_eq!(sessions.mute(now, id, video, false), Ok(true));
    assert!(rooms.member(id).is_ok());
    hall.settle();
    let muted = What::TrackMuted {
        publication: video,
        muted: false,
    };
    assert!(hall.told.iter().any(|event| event.what == muted));
    hall.run(SECOND);
    assert_eq!(hall.world.peers[ann].keyframes_asked.len(), 1);
    assert!(hall.heard(bob)[&video] > 60);
    let unknown = hall
        .world
        .sessions
        .mute(0, hall.world.ids[bob], video, true);
    assert_eq!(unknown.unwrap_err().kind, RefusalKind::Unknown);
}

#[test]
fn a_locked_room_lets_nobody_in_but_moderators() {
    let (mut hall, ..) = call();
    let locked = RoomSpec {
        locked: true,
        ..RoomSpec::default()
    };
    let put = hall
        .rooms
        .put(&hall.world.sessions, &room("r"), locked.clone(), true)
        .unwrap();
    assert!(!put.created && put.room.locked && put.room.sessions.len() == 2);
    assert!(!hall.view().locked);
    hall.rooms
        .put(&hall.world.sessions, &room("r"), locked, false)
        .unwrap();
    assert!(hall.view().locked && hall.view().declared);
    let mut peer = crate::sessions::tests::peer::Peer::new(
        hall.world.base(),
        hall.world.now,
        ([198, 51, 100, 99], 5000).into(),
    );
    let (sdp, ..) = propose(&mut peer, &[(AUDIO, RECEIVE)]);
    let refusal = hall.join(spec(offer(&sdp, true))).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.field),
        (RefusalKind::Forbidden, "room")
    );
    hall.come_as(&[(AUDIO, RECEIVE)], true, |spec| spec.grants.admin = true);
    assert_eq!(hall.view().sessions.len(), 3);
    let version = hall.view().version;
    hall.rooms
        .put(&hall.world.sessions, &room("r"), RoomSpec::default(), false)
        .unwrap();
    assert!(hall.view().version > version);
    // To say it again changes nothing.
    let version = hall.view().version;
    hall.rooms
        .put(&hall.world.sessions, &room("r"), RoomSpec::default(), false)
        .unwrap();
    assert_eq!(hall.view().version, version);
}

#[test]
fn rooms_go_with_the_last_unless_declared_and_close_with_everyone() {
    let mut hall = Hall::new();
    let ann = hall.come(&[(AUDIO, SEND)]);
    let (id, now) = (hall.world.ids[ann], hall.world.now);
    hall.rooms
        .leave(&mut hall.world.sessions, now, id, true)
        .unwrap();
    hall.settle();
    assert!(hall.rooms.member(id).is_ok());
    hall.rooms
        .leave(&mut hall.world.sessions, now, id, false)
        .unwrap();
    hall.settle();
    assert_eq!(hall.rooms(), []);
    let names = hall.names();
    assert_eq!(
        names[names.len() - 3..],
        ["track.ended", "session.closed", "room.closed"]
    );

    let put = hall
        .rooms
        .put(&hall.world.sessions, &room("r"), RoomSpec::default(), false);
    assert!(put.unwrap().created);
    let ann = hall.come(&[(AUDIO, SEND)]);
    let bob = hall.come(&[(AUDIO, SEND)]);
    hall.run(SECOND);
    let ids = [hall.world.ids[ann], hall.world.ids[bob]];
    let now = hall.world.now;
    let (rooms, sessions) = (&mut hall.rooms, &mut hall.world.sessions);
    assert_eq!(
        rooms.close(sessions, now, &room("r"), true),
        Ok(ids.to_vec())
    );
    assert_eq!(
        rooms
            .close(sessions, now, &room("other"), false)
            .unwrap_err()
            .field,
        "room"
    );
    assert_eq!(
        rooms.close(sessions, now, &room("r"), false),
        Ok(ids.to_vec())
    );
    hall.settle();
    assert_eq!(hall.rooms(), []);
    assert_eq!(hall.rooms.members().count(), 0);
    assert_eq!(hall.world.sessions.ids().count(), 0);
    assert_eq!(hall.names().last(), Some(&"room.closed"));
    assert_eq!(hall.rooms.poll_timeout(), u64::MAX);
}

#[test]
fn who_speaks_is_told_and_seen() {
    let (mut hall, ann, _) = call();
    let (id, audio) = (hall.world.ids[ann], hall.publications(ann)[0]);
    let speak = |hall: &mut Hall, level: u64| {
        for _ in 0..20 {
            let published = hall.world.sessions.publications(id).next();
            let counters = published.unwrap().counters;
            counters.levels.fetch_add(5, Relaxed);
            counters.loudness.fetch_add(5 * (127 - level), Relaxed);
            hall.run(SECOND / 10);
        }
    };
    hall.names();
    let version = hall.view().version;
    speak(&mut hall, 20);
    assert!(hall.view().sessions[0].publications[0].speaking);
    speak(&mut hall, 90);
    assert!(!hall.view().sessions[0].publications[0].speaking);
    let told: Vec<_> = hall.told.iter().map(|event| event.what.clone()).collect();
    let expected = [true, false].map(|speaking| What::Speaking {
        publication: audio,
        speaking,
    });
    assert_eq!(told, expected);
    assert_eq!(hall.view().version, version);
}

#[test]
fn consent_that_is_lost_is_told() {
    let (mut hall, ann, _) = call();
    hall.world.peers[ann].dead = true;
    hall.names();
    hall.run(40 * SECOND);
    let names = hall.names();
    let lost = names
        .iter()
        .position(|name| *name == "session.consent_lost")
        .unwrap();
    assert!(names[lost..].contains(&"session.closed"));
    assert_eq!(hall.view().sessions.len(), 1);
}
