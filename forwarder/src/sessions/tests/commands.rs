//! Commands that are refused: each names field, value and what is allowed, and leaves nothing behind.

use std::sync::Arc;

use super::{
    parameters::{codec, publication, settings, subscription},
    world::{SECOND, World, entropy},
};
use crate::{
    core::{
        GRACE,
        refusal::{Refusal, RefusalKind},
    },
    media::Kind,
    sessions::{
        extensions::ExtensionSpec,
        ids::{PublicationId, SessionId, SubscriptionId},
        settings::Settings,
        specs::{EncodingSpec, PeerRole, PublicationSpec, SessionSpec, SubscriptionSpec},
    },
    worker::send_state::SendState,
};

/// How it is refused, the field at fault, and what is wrong.
type Case<Spec> = (RefusalKind, &'static str, fn(&mut Spec));

fn session(world: &mut World) -> SessionId {
    let value = ["AB"; 32].join(":");
    let ice = ("abcd", "0123456789012345678901");
    let spec = SessionSpec::new(ice, PeerRole::Auto, [("sha-256", value.as_str())]).unwrap();
    let id = world.sessions.create(world.now, spec).unwrap();
    world.carry_out();
    id
}

fn is(refusal: &Refusal, kind: RefusalKind, field: &str) {
    assert_eq!((refusal.kind, refusal.field), (kind, field), "{refusal}");
    assert!(!refusal.allowed.is_empty());
}

#[test]
fn publications_that_cannot_be() {
    let mut world = World::new(settings());
    let id = session(&mut world);
    let good = || publication(Kind::Video, "0", Some(1));
    world.sessions.publish(0, id, &good()).unwrap();
    world.carry_out();
    let cases: [Case<PublicationSpec>; 9] = [
        (RefusalKind::Duplicate, "encodings.ssrc", |it| {
            it.encodings[0].ssrc = 1;
        }),
        (RefusalKind::Duplicate, "encodings.rtx_ssrc", |it| {
            it.encodings[0].rtx_ssrc = Some(1);
        }),
        (RefusalKind::Duplicate, "mid", |it| {
            it.mid = Some("0".to_owned())
        }),
        (RefusalKind::Invalid, "mid", |it| {
            it.mid = Some("a b".to_owned())
        }),
        (RefusalKind::Invalid, "codecs", |it| it.codecs.clear()),
        (RefusalKind::Invalid, "encodings", |it| {
            it.encodings.push(EncodingSpec {
                ssrc: 9,
                rtx_ssrc: None,
            });
        }),
        (RefusalKind::Conflict, "encodings", |it| {
            it.encodings.clear();
            it.mid = None;
        }),
        (RefusalKind::Conflict, "encodings", |it| {
            it.encodings.clear();
            it.header_extensions.clear();
        }),
        (RefusalKind::Conflict, "header_extensions.id", |it| {
            it.header_extensions.push(ExtensionSpec {
                uri: "urn:x".to_owned(),
                id: 4,
            });
            it.header_extensions.remove(2);
        }),
    ];
    for (kind, field, change) in cases {
        let mut spec = publication(Kind::Video, "1", Some(2));
        change(&mut spec);
        let refusal = world.sessions.publish(0, id, &spec).unwrap_err();
        is(&refusal, kind, field);
        assert!(world.sessions.poll_output().is_none(), "{refusal}");
    }
    let unknown = world
        .sessions
        .publish(0, SessionId(99), &good())
        .unwrap_err();
    is(&unknown, RefusalKind::Unknown, "session");
    let unknown = world
        .sessions
        .unpublish(0, id, PublicationId(99))
        .unwrap_err();
    is(&unknown, RefusalKind::Unknown, "publication");
    let view = world.sessions.session(id).unwrap();
    assert_eq!(view.publications.len(), 1);
}

#[test]
fn subscriptions_that_cannot_be() {
    let mut world = World::new(settings());
    let (publisher, subscriber) = (session(&mut world), session(&mut world));
    let spec = publication(Kind::Video, "0", Some(1));
    let video = world.sessions.publish(0, publisher, &spec).unwrap();
    let good = subscription(video, Kind::Video, "0");
    world.sessions.subscribe(0, subscriber, &good).unwrap();
    world.carry_out();
    let cases: [Case<SubscriptionSpec>; 5] = [
        (RefusalKind::Unknown, "publication", |it| {
            it.publication = PublicationId(99);
        }),
        (RefusalKind::Duplicate, "mid", |it| {
            it.mid = Some("0".to_owned())
        }),
        (RefusalKind::Conflict, "codecs", |it| {
            it.codecs = vec![codec(Kind::Audio)];
        }),
        (RefusalKind::Invalid, "codecs.payload_type", |it| {
            it.codecs[0].payload_type = 80;
        }),
        (RefusalKind::Conflict, "header_extensions.id", |it| {
            it.header_extensions[0].id = 9;
        }),
    ];
    for (kind, field, change) in cases {
        let mut spec = subscription(video, Kind::Video, "1");
        change(&mut spec);
        let refusal = world.sessions.subscribe(0, subscriber, &spec).unwrap_err();
        is(&refusal, kind, field);
        assert!(world.sessions.poll_output().is_none(), "{refusal}");
    }
    let id = SubscriptionId(99);
    for refusal in [
        world.sessions.unsubscribe(0, subscriber, id).unwrap_err(),
        world.sessions.pause(subscriber, id).unwrap_err(),
        world.sessions.resume(0, subscriber, id).unwrap_err(),
    ] {
        is(&refusal, RefusalKind::Unknown, "subscription");
    }
    // A subscription of another session is not this one's.
    let view = world.sessions.session(subscriber).unwrap();
    let held = view.subscriptions[0].id;
    let refusal = world.sessions.unsubscribe(0, publisher, held).unwrap_err();
    is(&refusal, RefusalKind::Unknown, "subscription");
}

#[test]
fn a_node_has_room_for_so_many_and_says_so() {
    let mut world = World::new(Settings {
        max_sessions: 2,
        max_publications: 1,
        max_subscriptions: 1,
        ..settings()
    });
    let (first, second) = (session(&mut world), session(&mut world));
    let value = ["AB"; 32].join(":");
    let ice = ("abcd", "0123456789012345678901");
    let third = || SessionSpec::new(ice, PeerRole::Auto, [("sha-256", value.as_str())]).unwrap();
    let now = world.now;
    let full = world.sessions.create(now, third()).unwrap_err();
    is(&full, RefusalKind::Full, "session");
    assert!(full.allowed.contains("at most 2"), "{full}");

    let spec = publication(Kind::Video, "0", Some(1));
    let video = world.sessions.publish(now, first, &spec).unwrap();
    let other = publication(Kind::Video, "1", Some(2));
    let full = world.sessions.publish(now, first, &other).unwrap_err();
    is(&full, RefusalKind::Full, "publication");
    let spec = subscription(video, Kind::Video, "0");
    world.sessions.subscribe(now, second, &spec).unwrap();
    let other = subscription(video, Kind::Video, "1");
    let full = world.sessions.subscribe(now, second, &other).unwrap_err();
    is(&full, RefusalKind::Full, "subscription");
    world.carry_out();

    // Numbers rest before they are given out again.
    world.sessions.close(now, first).unwrap();
    world.carry_out();
    assert!(world.sessions.create(now, third()).is_err());
    assert!(world.sessions.create(now + GRACE, third()).is_ok());
}

#[test]
fn settings_that_cannot_be() {
    let base = World::new(settings());
    let certificate = crate::transport::Certificate::self_signed().unwrap();
    let (now, instant) = base.base();
    let timebase = crate::transport::Timebase::new(now, instant);
    let dtls = crate::transport::DtlsContext::new(certificate, timebase).unwrap();
    let wrong = Settings {
        max_sessions: 5000,
        ..settings()
    };
    let send_state = Arc::new(SendState::heap(0, 5001).unwrap());
    let refusal = crate::sessions::Sessions::new(wrong, dtls, entropy(1), send_state)
        .err()
        .unwrap();
    is(&refusal, RefusalKind::Invalid, "max_sessions");
    assert_eq!(refusal.value, "5000");
    let certificate = crate::transport::Certificate::self_signed().unwrap();
    let dtls = crate::transport::DtlsContext::new(certificate, timebase).unwrap();
    let less = Arc::new(SendState::heap(0, settings().max_sessions).unwrap());
    let refusal = crate::sessions::Sessions::new(settings(), dtls, entropy(1), less)
        .err()
        .unwrap();
    is(&refusal, RefusalKind::Invalid, "max_sessions");
    assert!(base.now >= SECOND);
}
