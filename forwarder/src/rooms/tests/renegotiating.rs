//! Offers on live sessions, from both sides and at the same time.

use super::{
    hall::{AUDIO, Hall, RECEIVE, SEND, VIDEO, accept, offer, propose, spec},
    paper::Paper,
};
use crate::{
    core::refusal::RefusalKind,
    media::Kind,
    rooms::{
        offering::{ANSWERED_WITHIN, MOST_UNANSWERED},
        specs::Entry,
        views::PendingOffer,
        wishes::Wishes,
    },
    sessions::tests::world::{MILLISECOND, SECOND},
};

fn pending(hall: &Hall, at: usize) -> Option<PendingOffer> {
    hall.rooms.pending_offer(hall.world.ids[at]).unwrap()
}

fn connected() -> (Hall, usize, usize) {
    let mut hall = Hall::new();
    let ann = hall.come(&[(AUDIO, SEND)]);
    let bob = hall.come(&[(AUDIO, SEND)]);
    hall.run(SECOND);
    (hall, ann, bob)
}

#[test]
fn the_peer_adds_and_ends_what_it_sends() {
    let (mut hall, ann, bob) = connected();
    let mids = hall.add(bob, &[(VIDEO, SEND)]);
    hall.run(SECOND);
    let published = hall.publications(bob);
    assert_eq!(
        (published.len(), hall.subscribed(ann)),
        (2, published.clone())
    );
    assert!(hall.heard(ann)[&published[1]] > 60);
    // And stops.
    let mut api = hall.world.peers[bob].rtc.sdp_api();
    api.set_direction(mids[0], str0m::media::Direction::Inactive);
    let (offer, answer) = api.apply().unwrap();
    hall.renegotiate(bob, &offer.to_sdp_string(), answer);
    hall.run(SECOND);
    assert_eq!(hall.publications(bob), published[..1]);
    assert_eq!(hall.subscribed(ann), published[..1]);
    assert!(hall.heard(ann)[&published[0]] > 60, "audio goes on");
}

#[test]
fn one_offer_at_a_time_and_what_changed_meanwhile_in_the_next() {
    let (mut hall, ann, bob) = connected();
    hall.obliging = false;
    hall.names();
    hall.come_as(&[(VIDEO, SEND)], true, |spec| spec.wishes = Wishes::none());
    let first = pending(&hall, ann).unwrap();
    hall.come_as(&[(VIDEO, SEND)], true, |spec| spec.wishes = Wishes::none());
    hall.come_as(&[(AUDIO, SEND)], true, |spec| spec.wishes = Wishes::none());
    assert_eq!(pending(&hall, ann), Some(first.clone()));
    let offers = hall.names().iter().filter(|name| **name == "offer").count();
    assert_eq!(offers, 2, "one for each of the two");
    assert_eq!(hall.subscribed(ann), hall.publications(bob));
    let id = hall.world.ids[ann];
    hall.oblige(id, &first.sdp, first.version);
    assert_eq!(hall.subscribed(ann).len(), 2);
    hall.settle();
    let second = pending(&hall, ann).unwrap();
    assert!(second.version > first.version);
    hall.oblige(id, &second.sdp, second.version);
    hall.settle();
    assert_eq!(pending(&hall, ann), None);
    assert_eq!(hall.subscribed(ann).len(), 4);
}

#[test]
fn where_both_offer_at_once_ours_gives_way_and_comes_again() {
    let (mut hall, ann, _) = connected();
    hall.obliging = false;
    let caro = hall.come_as(&[(VIDEO, SEND)], true, |spec| spec.wishes = Wishes::none());
    let ours = pending(&hall, ann).unwrap();
    hall.add(ann, &[(VIDEO, SEND)]);
    assert_eq!(hall.publications(ann).len(), 2);
    let again = pending(&hall, ann).unwrap();
    assert!(again.version > ours.version);
    let (id, now) = (hall.world.ids[ann], hall.world.now);
    let late = hall
        .rooms
        .answer(&mut hall.world.sessions, now, id, ours.version, "", false);
    assert_eq!(late.unwrap_err().kind, RefusalKind::Stale);
    hall.oblige(id, &again.sdp, again.version);
    hall.run(SECOND);
    let of_caro = hall.publications(caro)[0];
    assert!(hall.subscribed(ann).contains(&of_caro));
    assert!(hall.heard(ann)[&of_caro] > 60);
}

#[test]
fn an_offer_that_nobody_answers_is_made_again_a_few_times() {
    let (mut hall, ann, bob) = connected();
    hall.obliging = false;
    hall.names();
    let caro = hall.come_as(&[(AUDIO, SEND)], true, |spec| spec.wishes = Wishes::none());
    let before = hall.subscribed(ann);
    hall.run(ANSWERED_WITHIN * u64::from(MOST_UNANSWERED) + SECOND);
    assert_eq!(pending(&hall, ann), None);
    let of = |hall: &mut Hall, session| {
        let told = std::mem::take(&mut hall.told);
        let offers = told.iter().filter(|it| it.what.name() == "offer");
        offers.filter(|it| it.session == Some(session)).count()
    };
    let id = hall.world.ids[ann];
    assert_eq!(of(&mut hall, id), MOST_UNANSWERED as usize);
    hall.run(10 * ANSWERED_WITHIN);
    assert_eq!(of(&mut hall, id), 0);
    assert_eq!(hall.subscribed(ann), before);
    // What it has goes on, and what it is no longer to be sent ends without its answer.
    assert!(hall.heard(ann)[&hall.publications(bob)[0]] > 60);
    // Who wishes something is there.
    hall.obliging = true;
    let wishes = Wishes {
        video: false,
        ..Wishes::all()
    };
    hall.rooms
        .wish(&hall.world.sessions, id, wishes, false)
        .unwrap();
    hall.settle();
    assert!(hall.subscribed(ann).contains(&hall.publications(caro)[0]));
}

#[test]
fn what_an_answer_declines_is_not_offered_again_until_it_is_wished_again() {
    let mut hall = Hall::new();
    hall.obliging = false;
    let ann = hall.come(&[(AUDIO, SEND), (VIDEO, SEND)]);
    let mut paper = Paper::new();
    paper.add("audio", "sendonly");
    let id = hall.join(spec(offer(paper.offer(), true))).unwrap().id;
    let published = hall.publications(ann);
    let offers = |hall: &Hall| hall.rooms.pending_offer(id).unwrap();
    let answer = |hall: &mut Hall, paper: &mut Paper, declines: fn(usize) -> bool| {
        let offer = offers(hall).unwrap();
        let sdp = paper.mirror(&offer.sdp, declines);
        let (now, version) = (hall.world.now, offer.version);
        let sessions = &mut hall.world.sessions;
        let tried = hall.rooms.answer(sessions, now, id, version, &sdp, true);
        assert_eq!(tried, Ok(()));
        assert_eq!(sessions.subscriptions(id).count(), 0);
        hall.rooms
            .answer(sessions, now, id, version, &sdp, false)
            .unwrap();
        hall.settle();
        let subscriptions = hall.world.sessions.subscriptions(id);
        subscriptions.map(|it| it.publication).collect::<Vec<_>>()
    };
    // The line of the audio comes first after its own.
    assert_eq!(
        answer(&mut hall, &mut paper, |line| line != 1),
        published[..1]
    );
    assert_eq!(offers(&hall), None);
    let view = hall.rooms.wishes(&hall.world.sessions, id).unwrap();
    assert_eq!(
        (view.waiting, view.declined),
        (vec![], published[1..].to_vec())
    );
    hall.rooms
        .wish(&hall.world.sessions, id, Wishes::none(), false)
        .unwrap();
    hall.settle();
    assert_eq!(answer(&mut hall, &mut paper, |_| false), []);
    hall.rooms
        .wish(&hall.world.sessions, id, Wishes::all(), false)
        .unwrap();
    hall.settle();
    assert_eq!(answer(&mut hall, &mut paper, |_| false), published);
    assert_eq!(offers(&hall), None);
}

#[test]
fn the_peer_rolls_our_offer_back() {
    let (mut hall, ann, _) = connected();
    hall.obliging = false;
    hall.come_as(&[(AUDIO, SEND)], true, |spec| spec.wishes = Wishes::none());
    let (id, now) = (hall.world.ids[ann], hall.world.now);
    let first = pending(&hall, ann).unwrap();
    for _ in 0..MOST_UNANSWERED {
        let version = pending(&hall, ann).unwrap().version;
        let sessions = &mut hall.world.sessions;
        hall.rooms.rollback(sessions, now, id, true).unwrap();
        assert_eq!(
            hall.rooms.pending_offer(id).unwrap().unwrap().version,
            version
        );
        hall.rooms.rollback(sessions, now, id, false).unwrap();
        hall.settle();
    }
    assert_eq!(pending(&hall, ann), None);
    let refusal = hall
        .rooms
        .rollback(&mut hall.world.sessions, now, id, false)
        .unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Stale);
    let answer = hall
        .rooms
        .answer(&mut hall.world.sessions, now, id, first.version, "", false);
    assert_eq!(answer.unwrap_err().kind, RefusalKind::Stale);
}

#[test]
fn who_is_offered_to_join_may_offer_instead() {
    let mut hall = Hall::new();
    let receive = vec![Kind::Audio];
    let id = hall.join(spec(Entry::Offered { receive })).unwrap().id;
    let view = hall.rooms.member(id).unwrap();
    assert_eq!(view.negotiation.unwrap().state, "have-local-offer");
    assert!(!view.begun && hall.world.sessions.session(id).is_err());
    let mut paper = Paper::new();
    paper.add("video", "sendonly");
    let now = hall.world.now;
    let answer = hall
        .rooms
        .offer(&mut hall.world.sessions, now, id, &paper.offer(), false);
    assert!(answer.unwrap().unwrap().contains("m=video "));
    hall.settle();
    let view = hall.rooms.member(id).unwrap();
    assert_eq!(view.negotiation.unwrap().state, "stable");
    assert!(view.begun);
    assert_eq!(hall.rooms.pending_offer(id), Ok(None));
    assert_eq!(hall.world.sessions.publications(id).count(), 1);
}

#[test]
fn ice_restarts_by_an_offer_and_media_goes_on() {
    let (mut hall, ann, bob) = connected();
    let before = hall
        .world
        .sessions
        .session(hall.world.ids[ann])
        .unwrap()
        .ice
        .clone();
    let mut api = hall.world.peers[ann].rtc.sdp_api();
    api.ice_restart(true);
    let (offer, answer) = api.apply().unwrap();
    hall.renegotiate(ann, &offer.to_sdp_string(), answer);
    let after = hall
        .world
        .sessions
        .session(hall.world.ids[ann])
        .unwrap()
        .ice
        .clone();
    assert_ne!(before, after);
    hall.run(SECOND);
    hall.heard(ann);
    hall.heard(bob);
    hall.run(40 * SECOND);
    let (of_ann, of_bob) = (hall.publications(ann)[0], hall.publications(bob)[0]);
    assert!(hall.heard(ann)[&of_bob] > 3900);
    assert!(hall.heard(bob)[&of_ann] > 3900);
}

#[test]
fn an_offer_that_cannot_be_read_changes_nothing() {
    let (mut hall, ann, bob) = connected();
    let (id, now) = (hall.world.ids[ann], hall.world.now);
    let version = hall.rooms.member(id).unwrap().version;
    for dry_run in [true, false] {
        let outcome = hall
            .rooms
            .offer(&mut hall.world.sessions, now, id, "v=0", dry_run);
        assert!(outcome.unwrap_err().field.starts_with("sdp"));
    }
    // Nor does one that is only tried.
    let (sdp, pending, _) = propose(
        &mut hall.world.peers[ann],
        &[(VIDEO, SEND), (AUDIO, RECEIVE)],
    );
    let tried = hall
        .rooms
        .offer(&mut hall.world.sessions, now, id, &sdp, true);
    assert_eq!(tried, Ok(None));
    hall.settle();
    assert_eq!(hall.rooms.member(id).unwrap().version, version);
    let answer = hall
        .rooms
        .offer(&mut hall.world.sessions, now, id, &sdp, false);
    accept(
        &mut hall.world.peers[ann],
        pending,
        &answer.unwrap().unwrap(),
    );
    hall.settle();
    hall.run(100 * MILLISECOND);
    assert_ne!(hall.rooms.member(id).unwrap().version, version);
    assert_eq!(hall.publications(ann).len(), 2);
    assert_eq!(hall.subscribed(bob), hall.publications(ann));
}
