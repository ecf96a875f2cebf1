//! Peers that move: roaming, ICE restart, consent, another session from the same address.

use is::{
    DefaultSha1HmacProvider, Sha1HmacProvider as _,
    stun::{StunMessage, TransId},
};

use super::{
    parameters::settings,
    peer::Peer,
    world::{MILLISECOND, SECOND, SERVER, World},
};
use crate::{
    media::Kind,
    sessions::{
        datagrams::HOLD,
        output::{CloseReason, Event},
        pairs::{LINGER, TRIAL},
        specs::{PeerRole, credentials},
        views::State,
    },
    transport::Pair,
    worker::note::Note,
};

fn call() -> (World, usize, usize) {
    let mut world = World::new(settings());
    let (publisher, subscriber) = (world.join(PeerRole::Auto), world.join(PeerRole::Auto));
    world.run(SECOND);
    let video = world.publish(publisher, "v", Kind::Video, 42);
    world.subscribe(subscriber, video, Kind::Video, "0");
    world.run(SECOND);
    (world, publisher, subscriber)
}

/// The longest pause in what a peer heard, in nanoseconds.
fn longest_pause(world: &World, peer: usize, since: u64) -> u64 {
    let times = world.peers[peer].heard.iter().map(|packet| packet.at);
    let times: Vec<u64> = times.filter(|at| *at >= since).chain([world.now]).collect();
    times.windows(2).map(|two| two[1] - two[0]).max().unwrap()
}

#[test]
fn a_roaming_peer_is_followed_make_before_break() {
    let (mut world, _, subscriber) = call();
    world.opening_takes = 300 * MILLISECOND;
    let (old, new) = (
        World::address(subscriber),
        ([198, 51, 100, 77], 6000).into(),
    );
    world.pair_log.clear();
    let start = world.now;
    world.peers[subscriber].add_address(new);
    world.run(200 * MILLISECOND);
    // Both addresses work for a while, as when Wi-Fi fades; then the old one is left.
    world.peers[subscriber]
        .rtc
        .direct_api()
        .invalidate_candidate(&str0m::Candidate::host(old, "udp").unwrap());
    world.peers[subscriber].due = world.now;
    world.run(8 * SECOND);
    let view = world.sessions.session(world.ids[subscriber]).unwrap();
    assert_eq!(view.pair.map(|pair| pair.remote), Some(new));
    assert_eq!(view.state, State::Connected);
    assert_eq!(
        world.pair_log,
        [format!("open {new}"), format!("close {old}")]
    );
    // Media went to the old pair until the new one was open: nothing was lost.
    assert!(longest_pause(&world, subscriber, start) < 50 * MILLISECOND);
    let heard = &world.peers[subscriber].heard;
    assert!(
        heard
            .windows(2)
            .all(|two| two[1].sequence == two[0].sequence + 1)
    );
}

/// A check of a session's peer that does not nominate, from anywhere.
fn check(world: &mut World, peer: usize) -> Vec<u8> {
    let theirs = world.peers[peer].credentials().0;
    let view = world.sessions.session(world.ids[peer]).unwrap();
    let username = format!("{}:{theirs}", view.ice.ufrag());
    let message = StunMessage::binding_request(&username, TransId::new(), true, 7, 100, false);
    let mut buffer = [0; 512];
    let hmac = |key: &[u8], parts: &[&[u8]]| DefaultSha1HmacProvider.sha1_hmac(key, parts);
    let pwd = view.ice.pwd().as_bytes().to_vec();
    let len = message.to_bytes(Some(&pwd), &mut buffer, hmac).unwrap();
    buffer[..len].to_vec()
}

#[test]
fn every_valid_pair_is_open_for_a_while() {
    let (mut world, _, subscriber) = call();
    let id = world.ids[subscriber];
    let current = world.sessions.session(id).unwrap().pair;
    let from = |port| ([198, 51, 100, 88], port).into();
    world.pair_log.clear();
    let start = world.now;
    // Ten addresses, as those behind a network address translator may be.
    for port in 1..=10 {
        let bytes = check(&mut world, subscriber);
        world.inject(from(port), SERVER, bytes);
        world.run(50 * MILLISECOND);
    }
    let open = |port: u16| format!("open {}", from(port));
    assert_eq!(world.pair_log, [open(1), open(2), open(3)]);
    for port in 1..=3 {
        assert!(world.open.contains_key(&Pair::udp(SERVER, from(port))));
    }
    world.run(TRIAL + SECOND);
    assert_eq!(world.pair_log.len(), 6, "{:?}", world.pair_log);
    assert!(!world.open.contains_key(&Pair::udp(SERVER, from(1))));
    assert_eq!(world.sessions.session(id).unwrap().pair, current);
    assert!(longest_pause(&world, subscriber, start) < 50 * MILLISECOND);
}

#[test]
fn before_dtls_is_through_checks_keep_pairs_open() {
    let mut world = World::new(settings());
    // Nothing but checks, by hand.
    world.loses = |_| true;
    let peer = world.join(PeerRole::Auto);
    world.loses = |_| false;
    world.peers[peer].dead = true;
    let from = |port| ([198, 51, 100, 88], port).into();
    for _ in 0..20 {
        for port in [1, 2] {
            let bytes = check(&mut world, peer);
            world.inject(from(port), SERVER, bytes);
        }
        world.run(SECOND);
    }
    assert_eq!(world.open.len(), 2);
    assert_eq!(
        world.pair_log,
        [format!("open {}", from(1)), format!("open {}", from(2))]
    );
}

#[test]
fn an_ice_restart_keeps_the_media_going() {
    let (mut world, _, subscriber) = call();
    let id = world.ids[subscriber];
    let before = world.sessions.session(id).unwrap().ice.clone();
    let fresh = ("restarted", "0123456789012345678901234567");
    let remote = credentials(fresh.0, fresh.1).unwrap();
    let start = world.now;
    let ours = world.sessions.restart_ice(id, remote).unwrap();
    world.carry_out();
    assert_ne!(ours, before);
    // Until the peer nominates under the new credentials both are answered.
    assert_eq!(world.ufrags.len(), 3);
    let mut api = world.peers[subscriber].rtc.direct_api();
    api.set_local_ice_credentials(str0m::IceCreds {
        ufrag: fresh.0.to_owned(),
        pass: fresh.1.to_owned(),
    });
    api.set_remote_ice_credentials(str0m::IceCreds {
        ufrag: ours.ufrag().to_owned(),
        pass: ours.pwd().to_owned(),
    });
    world.run(40 * SECOND);
    assert_eq!(world.ufrags.len(), 2);
    assert!(!world.ufrags.contains(&before.ufrag_key().unwrap()));
    let view = world.sessions.session(id).unwrap();
    assert_eq!(view.state, State::Connected);
    assert!(longest_pause(&world, subscriber, start) < 50 * MILLISECOND);
}

#[test]
fn consent_that_is_not_renewed_ends_the_session() {
    let (mut world, publisher, subscriber) = call();
    let pair = Pair::udp(SERVER, World::address(subscriber));
    world.run(10 * SECOND);
    let lease = world.leases[&pair];
    assert!(lease > world.now + 20 * SECOND && lease <= world.now + 30 * SECOND);
    world.peers[subscriber].dead = true;
    world.run(31 * SECOND);
    let closed = Event::Closed {
        session: world.ids[subscriber],
        reason: CloseReason::ConsentLost,
    };
    assert!(world.events.contains(&closed));
    assert!(!world.open.contains_key(&pair));
    // The other side of the call is as it was.
    let view = world.sessions.session(world.ids[publisher]).unwrap();
    assert_eq!(
        (view.state, view.publications[0].subscribers),
        (State::Connected, 0)
    );
}

#[test]
fn a_peer_that_begins_anew_from_the_same_address_takes_it_over() {
    let (mut world, _, subscriber) = call();
    let address = World::address(subscriber);
    world.peers[subscriber].dead = true;
    world.peers[subscriber].addresses.clear();
    let again = world.join_from(PeerRole::Auto, address);
    let asked = world.now;
    while world.sessions.session(world.ids[again]).unwrap().state != State::Connected {
        world.run(100 * MILLISECOND);
        assert!(world.now < asked + HOLD + 3 * SECOND);
    }
    // Its checks were not answered as long as the former session might have been there.
    assert!(world.now > asked + SECOND);
    let view = world.sessions.session(world.ids[again]).unwrap();
    assert_eq!(view.pair.map(|pair| pair.remote), Some(address));
    let number = view.number;
    assert_eq!(world.open.get(&Pair::udp(SERVER, address)), Some(&number));
    let former = world.sessions.session(world.ids[subscriber]).unwrap();
    assert_eq!(former.pair, None);
    // Media flows under the new keys.
    let video = world.sessions.session(world.ids[0]).unwrap().publications[0].id;
    world.subscribe(again, video, Kind::Video, "0");
    world.run(SECOND);
    assert!(world.peers[again].heard.len() > 90);
    world.run(2 * LINGER);
    assert_eq!(world.open.len(), 2);
    // The former session cannot be found any more, and ends.
    world.run(30 * SECOND);
    let closed = Event::Closed {
        session: world.ids[subscriber],
        reason: CloseReason::ConsentLost,
    };
    assert!(world.events.contains(&closed));
    assert_eq!(world.open.get(&Pair::udp(SERVER, address)), Some(&number));
}

#[test]
fn after_a_goodbye_the_next_session_need_not_wait() {
    let (mut world, _, subscriber) = call();
    world
        .sessions
        .close(world.now, world.ids[subscriber])
        .unwrap();
    world.carry_out();
    world.peers[subscriber].dead = true;
    let again = world.join_from(PeerRole::Auto, World::address(subscriber));
    world.run(SECOND);
    let view = world.sessions.session(world.ids[again]).unwrap();
    assert_eq!(view.state, State::Connected);
}

/// Whoever has a session can forge where its checks come from. As long as a peer is heard, its address is its own.
#[test]
fn forged_checks_do_not_take_an_address_over() {
    let (mut world, _, subscriber) = call();
    let address = World::address(subscriber);
    let owner = world.open[&Pair::udp(SERVER, address)];
    let mut forger = Peer::new(world.base(), world.now, ([203, 0, 113, 9], 9).into());
    let fingerprint = forger.fingerprint();
    let id = world.create(&mut forger, PeerRole::Auto, &fingerprint);
    let start = world.now;
    for _ in 0..200 {
        forger.handle_timeout(world.now);
        for (_, _, bytes) in std::mem::take(&mut forger.out) {
            world.inject(address, SERVER, bytes);
        }
        world.run(50 * MILLISECOND);
        assert_eq!(world.open.get(&Pair::udp(SERVER, address)), Some(&owner));
    }
    let view = world.sessions.session(id).unwrap();
    assert_eq!((view.pair, view.control.checks), (None, 0));
    assert!(view.control.refused_checks > 4, "{:?}", view.control);
    assert!(longest_pause(&world, subscriber, start) < 50 * MILLISECOND);
    let view = world.sessions.session(world.ids[subscriber]).unwrap();
    assert_eq!(view.state, State::Connected);
    assert_eq!(view.pair.map(|pair| pair.remote), Some(address));
}

#[test]
fn a_broken_tcp_connection_is_a_lost_pair_and_another_one_a_new_pair() {
    let mut world = World::new(settings());
    world.connections.insert(World::address(1), 7);
    let (publisher, subscriber) = (world.join(PeerRole::Auto), world.join(PeerRole::Auto));
    world.run(SECOND);
    let video = world.publish(publisher, "v", Kind::Video, 42);
    world.subscribe(subscriber, video, Kind::Video, "0");
    world.run(SECOND);
    let view = |world: &World| {
        let view = world.sessions.session(world.ids[subscriber]).unwrap();
        view.pair
    };
    let pair = |connection| Pair::tcp(SERVER, World::address(subscriber), connection);
    assert_eq!(view(&world), Some(pair(7)));
    let broken = Note::TcpClosed { connection: 7 };
    world.sessions.handle_note(world.now, broken.clone());
    world.sessions.handle_note(world.now, broken);
    world.carry_out();
    assert_eq!(view(&world), None);
    assert!(!world.open.contains_key(&pair(7)));
    // The peer connects again: its checks come over a connection with another number.
    world.connections.insert(World::address(1), 8);
    let heard = world.peers[subscriber].heard.len();
    world.run(10 * SECOND);
    assert_eq!(view(&world), Some(pair(8)));
    assert!(world.peers[subscriber].heard.len() > heard + 100);
}

#[test]
fn a_hundred_peers_join_at_once() {
    let mut world = World::new(settings());
    let publisher = world.join(PeerRole::Auto);
    world.run(SECOND);
    let video = world.publish(publisher, "v", Kind::Video, 42);
    let peers: Vec<_> = (0..100).map(|_| world.join(PeerRole::Auto)).collect();
    for peer in &peers {
        world.subscribe(*peer, video, Kind::Video, "0");
    }
    world.run(2 * SECOND);
    for peer in &peers {
        assert!(world.peers[*peer].heard.len() > 90, "{peer}");
    }
    // The least loaded worker gets the next session.
    let load = world.sessions.load();
    assert_eq!((load[0] - load[1], load[0] + load[1]), (1, 101));
    assert!(world.peers[publisher].keyframes_asked.len() < 12);
}
