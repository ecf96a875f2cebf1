//! Joining, being there first, and leaving; each with media that arrives.

use super::hall::{AUDIO, Hall, RECEIVE, SEND, VIDEO, offer, room, spec};
use crate::{
    media::Kind,
    rooms::{
        What,
        specs::{Entry, JoinSpec},
        views::Description,
    },
    sessions::{
        specs::{PeerRole, SessionSpec},
        tests::{
            parameters::{publication, subscription},
            world::SECOND,
        },
    },
};

/// At least so many packets of each publication in a second: a peer sends 100, and joins at a keyframe.
const FLOWS: usize = 60;

fn flows(hall: &mut Hall, to: usize, from: usize) {
    hall.heard(to);
    hall.run(SECOND);
    let published = hall.publications(from);
    let heard = hall.heard(to);
    assert!(!published.is_empty());
    for publication in published {
        let count = heard.get(&publication).copied().unwrap_or(0);
        assert!(count >= FLOWS, "{publication}: {count} of {heard:?}");
    }
}

#[test]
fn whoever_joins_gets_in_the_answer_what_is_there() {
    let mut hall = Hall::new();
    let ann = hall.come(&[(AUDIO, SEND), (VIDEO, SEND)]);
    hall.run(SECOND);
    let bob = hall.come_as(&[(VIDEO, RECEIVE), (AUDIO, RECEIVE)], false, |spec| {
        spec.name = Some("Bob".to_owned());
    });
    assert_eq!(hall.subscribed(bob), hall.publications(ann));
    hall.run(SECOND);
    flows(&mut hall, bob, ann);
    let view = hall.view();
    let names: Vec<_> = view.sessions.iter().map(|it| it.name.as_deref()).collect();
    assert_eq!(names, [None, Some("Bob")]);
    assert!(view.sessions.iter().all(|it| it.connected));
    assert!(!view.declared);
    let names = hall.names();
    for name in [
        "room.created",
        "session.joined",
        "session.connected",
        "session.path",
        "track.published",
        "subscription.started",
        "track.keyframe",
    ] {
        assert!(names.contains(&name), "{name} of {names:?}");
    }
    assert!(!names.contains(&"offer"));
}

#[test]
fn a_player_that_was_there_first_is_sent_what_comes_without_another_word() {
    let mut hall = Hall::new();
    let player = hall.come_as(&[(AUDIO, RECEIVE), (VIDEO, RECEIVE)], false, |_| {});
    hall.run(SECOND);
    let ann = hall.come(&[(VIDEO, SEND), (AUDIO, SEND)]);
    hall.run(SECOND);
    flows(&mut hall, player, ann);
    // And what comes after it, on the same m-lines.
    let id = hall.world.ids[ann];
    let now = hall.world.now;
    hall.rooms
        .leave(&mut hall.world.sessions, now, id, false)
        .unwrap();
    hall.settle();
    assert_eq!(hall.subscribed(player), []);
    let bob = hall.come(&[(VIDEO, SEND), (AUDIO, SEND)]);
    hall.run(SECOND);
    flows(&mut hall, player, bob);
    // A third finds no m-line free.
    hall.come(&[(VIDEO, SEND)]);
    hall.run(SECOND);
    assert_eq!(hall.subscribed(player), hall.publications(bob));
    let id = hall.world.ids[player];
    let mut told = hall.told.iter().filter(|it| it.session == Some(id));
    assert!(told.all(|it| it.what.name() != "offer"));
}

#[test]
fn who_takes_offers_is_offered_what_comes() {
    let mut hall = Hall::new();
    let ann = hall.come(&[(AUDIO, SEND)]);
    let bob = hall.come(&[(AUDIO, SEND), (VIDEO, SEND)]);
    hall.run(SECOND);
    flows(&mut hall, ann, bob);
    flows(&mut hall, bob, ann);
    let caro = hall.come(&[(AUDIO, SEND), (VIDEO, SEND), (AUDIO, RECEIVE)]);
    hall.run(SECOND);
    for (to, from) in [(ann, caro), (bob, caro), (caro, ann), (caro, bob)] {
        flows(&mut hall, to, from);
    }
    // Who leaves is no longer sent, and the m-lines are for the next.
    let lines = |hall: &Hall| {
        let signalling = hall.rooms.members[&hall.world.ids[ann]].signalling.as_ref();
        signalling.unwrap().lines.len()
    };
    let before = lines(&hall);
    let (id, now) = (hall.world.ids[bob], hall.world.now);
    hall.rooms
        .leave(&mut hall.world.sessions, now, id, false)
        .unwrap();
    hall.run(SECOND);
    assert_eq!(hall.subscribed(ann), hall.publications(caro));
    let dora = hall.come(&[(AUDIO, SEND), (VIDEO, SEND)]);
    hall.run(SECOND);
    flows(&mut hall, ann, dora);
    assert_eq!(lines(&hall), before);
}

#[test]
fn we_offer_and_the_peer_answers() {
    let mut hall = Hall::new();
    let ann = hall.come(&[(AUDIO, SEND), (VIDEO, SEND)]);
    hall.run(SECOND);
    let receive = vec![Kind::Audio, Kind::Video];
    let bob = hall.be_offered(spec(Entry::Offered { receive }));
    hall.run(SECOND);
    flows(&mut hall, bob, ann);
    // It may send on two lines, and does.
    let now = hall.world.now;
    let published = hall.publications(bob);
    assert_eq!(published.len(), 2);
    let mids: Vec<_> = hall
        .world
        .sessions
        .publications(hall.world.ids[bob])
        .map(|it| (it.mid.unwrap().to_owned(), it.kind))
        .collect();
    for (mid, kind) in mids {
        let kind = if kind == Kind::Audio { AUDIO } else { VIDEO };
        hall.world.peers[bob].begin(now, mid.as_str().into(), kind);
    }
    hall.run(SECOND);
    flows(&mut hall, ann, bob);
}

#[test]
fn an_offer_of_ours_that_is_never_answered_leaves_nothing() {
    let mut hall = Hall::new();
    let receive = vec![Kind::Audio];
    let joined = hall.join(spec(Entry::Offered { receive })).unwrap();
    assert!(matches!(joined.description, Description::Offer(_)));
    assert!(!hall.rooms.member(joined.id).unwrap().begun);
    assert_eq!(hall.view().sessions.len(), 1);
    hall.run(31 * SECOND);
    assert!(hall.rooms.member(joined.id).is_err());
    assert_eq!(hall.rooms(), []);
    let closed = What::SessionClosed {
        reason: "set_up_timed_out",
    };
    assert!(hall.told.iter().any(|event| event.what == closed));
    assert_eq!(hall.rooms.poll_timeout(), u64::MAX);
}

#[test]
fn sessions_by_parameters_are_in_rooms_and_are_sent_what_they_are_subscribed_to() {
    let mut hall = Hall::new();
    let value = ["AB"; 32].join(":");
    let ice = ("abcd", "0123456789012345678901");
    let parameters =
        || SessionSpec::new(ice, PeerRole::Auto, [("sha-256", value.as_str())]).unwrap();
    let ann = hall.come(&[(AUDIO, SEND)]);
    let joined = hall
        .join(spec(Entry::Parameters(Box::new(parameters()))))
        .unwrap();
    assert_eq!(joined.description, Description::None);
    let id = joined.id;
    let (rooms, sessions, now) = (&mut hall.rooms, &mut hall.world.sessions, hall.world.now);
    let wanted = sessions
        .publications(hall.world.ids[ann])
        .next()
        .unwrap()
        .id;
    let of = subscription(wanted, Kind::Audio, "5");
    rooms
        .subscribe(sessions, now, id, &of, false, false)
        .unwrap();
    let sent = publication(Kind::Video, "6", Some(77));
    let published = rooms
        .publish(sessions, now, id, &sent, false)
        .unwrap()
        .unwrap();
    hall.run(SECOND);
    assert_eq!(hall.subscribed(ann), [published]);
    assert_eq!(hall.world.sessions.subscriptions(id).count(), 1);
    // Descriptions are not its business, nor parameters that of others.
    let (rooms, sessions, now) = (&mut hall.rooms, &mut hall.world.sessions, hall.world.now);
    assert_eq!(
        rooms
            .offer(sessions, now, id, "v=0", false)
            .unwrap_err()
            .field,
        "session"
    );
    let ann = hall.world.ids[ann];
    assert_eq!(
        rooms
            .publish(sessions, now, ann, &sent, false)
            .unwrap_err()
            .field,
        "session"
    );
    assert_eq!(
        rooms
            .subscribe(sessions, now, ann, &of, true, false)
            .unwrap_err()
            .field,
        "session"
    );
    // Another room's publications are nobody's business.
    let elsewhere = JoinSpec {
        room: Some(room("other")),
        ..spec(Entry::Parameters(Box::new(parameters())))
    };
    let other = hall.join(elsewhere).unwrap().id;
    let (rooms, sessions, now) = (&mut hall.rooms, &mut hall.world.sessions, hall.world.now);
    assert_eq!(
        rooms
            .subscribe(sessions, now, other, &of, false, false)
            .unwrap_err()
            .field,
        "publication"
    );
    // But for who operates the node.
    rooms
        .subscribe(sessions, now, other, &of, true, false)
        .unwrap();
    // Who was silenced is so too after publishing anew.
    let muted = rooms.mute(sessions, now, id, published, true, false);
    assert_eq!(muted, Ok(true));
    rooms
        .unpublish(sessions, now, id, published, false)
        .unwrap();
    let again = rooms
        .publish(sessions, now, id, &sent, false)
        .unwrap()
        .unwrap();
    assert_eq!(sessions.can_mute(id, again, true), Ok(false));
}

#[test]
fn what_is_no_description_changes_nothing() {
    let mut hall = Hall::new();
    for sdp in [
        "",
        "v=0",
        "x",
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
    ] {
        let refusal = hall.join(spec(offer(sdp, true))).unwrap_err();
        assert!(refusal.field.starts_with("sdp"), "{refusal}");
    }
    assert_eq!(hall.world.sessions.ids().count(), 0);
    assert_eq!(hall.rooms(), []);
    assert_eq!(hall.names(), [""; 0]);
    // Nor does a dry run.
    let spec = spec(Entry::Offered {
        receive: vec![Kind::Audio],
    });
    let now = hall.world.now;
    let joined = hall.rooms.join(&mut hall.world.sessions, now, spec, true);
    assert_eq!(joined, Ok(None));
    hall.settle();
    assert_eq!(hall.names(), [""; 0]);
}
