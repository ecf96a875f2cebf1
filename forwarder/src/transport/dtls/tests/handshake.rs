//! Handshakes that should succeed, and those that should not.

use super::rig::{
    MS, Peer, SECOND, START, THEIRS, VERSIONS, World, context, other_fingerprint, ours,
};
use crate::{
    srtp::Suite,
    transport::{Dtls, DtlsError, Fingerprint, HashFunction, Role, Version},
};

const ROLES: [Role; 2] = [Role::Active, Role::Passive];

#[test]
fn both_roles_and_versions() {
    for role in ROLES {
        for (version, new) in VERSIONS {
            for cookie in [false, true] {
                let peer = Peer::new(new, role == Role::Passive, cookie);
                let mut world = World::new(ours(role), peer);
                world.shake_hands(5 * SECOND);
                let connected = world.assert_agreed();
                let expected = match version {
                    "1.2" => Version::Dtls12,
                    _ => Version::Dtls13,
                };
                assert_eq!(connected.version, expected, "{role:?} {version}");
                assert_eq!(connected.send.suite(), Suite::AeadAes256Gcm);
            }
        }
    }
}

#[test]
fn over_a_network_that_loses_and_repeats() {
    for role in ROLES {
        for (version, new) in VERSIONS {
            for seed in 0..40_u64 {
                let peer = Peer::new(new, role == Role::Passive, false);
                let mut world = World::new(ours(role), peer);
                let mut state = seed * 2 + 1;
                world.fate = Box::new(move |_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(99);
                    [0, 1, 1, 1, 1, 1, 2, 2][(state >> 40) as usize % 8]
                });
                world.shake_hands(25 * SECOND);
                assert_eq!(world.failed, None, "{role:?} {version} seed {seed}");
                assert!(world.connected.is_some(), "{role:?} {version} seed {seed}");
                world.assert_agreed();
            }
        }
    }
}

/// The last flight of the handshake is lost, whosever it is: it is sent again when the other side asks, or by a timer.
#[test]
fn each_single_datagram_may_be_lost() {
    for role in ROLES {
        for (version, new) in VERSIONS {
            for lost in 1..=14 {
                let peer = Peer::new(new, role == Role::Passive, false);
                let mut world = World::new(ours(role), peer);
                world.fate = Box::new(move |number| usize::from(number != lost));
                world.shake_hands(10 * SECOND);
                assert_eq!(world.failed, None, "{role:?} {version} lost {lost}");
                world.assert_agreed();
            }
        }
    }
}

#[test]
fn another_certificate_gets_no_keys() {
    for role in ROLES {
        for (version, new) in VERSIONS {
            for fingerprints in [vec![other_fingerprint()], Vec::new()] {
                let dtls = Dtls::new(&context(), role, fingerprints);
                let peer = Peer::new(new, role == Role::Passive, false);
                let mut world = World::new(dtls, peer);
                world.shake_hands(5 * SECOND);
                world.run(5 * SECOND);
                let failed = world.failed.as_ref();
                assert_eq!(failed, Some(&DtlsError::Fingerprint), "{role:?} {version}");
                assert!(world.connected.is_none());
                assert!(!world.ours.is_connected());
                assert_eq!(world.ours.poll_timeout(), u64::MAX);
            }
        }
    }
}

#[test]
fn one_of_several_fingerprints_is_enough() {
    let fits = Fingerprint::of(HashFunction::Sha512, THEIRS.der());
    let fingerprints = vec![other_fingerprint(), fits];
    let dtls = Dtls::new(&context(), Role::Passive, fingerprints);
    let mut world = World::new(dtls, Peer::new(dimpl::Dtls::new_12, true, false));
    world.shake_hands(5 * SECOND);
    world.assert_agreed();
}

#[test]
fn nobody_answers() {
    for at in [1, 2, 3] {
        let mut world = World::new(
            ours(Role::Passive),
            Peer::new(dimpl::Dtls::new_12, true, false),
        );
        world.fate = Box::new(move |number| usize::from(number < at));
        world.shake_hands(45 * SECOND);
        if at == 1 {
            // Without a hello there is nothing to give up.
            assert_eq!(world.failed, None);
            assert_eq!(world.ours.poll_timeout(), u64::MAX);
        } else {
            assert_eq!(world.failed, Some(DtlsError::Timeout), "{at}");
        }
        assert!(world.connected.is_none());
    }
    let mut world = World::new(
        ours(Role::Active),
        Peer::new(dimpl::Dtls::new_12, false, false),
    );
    world.fate = Box::new(|_| 0);
    world.shake_hands(45 * SECOND);
    assert_eq!(world.failed, Some(DtlsError::Timeout));
    assert!(world.now <= START + 31 * SECOND);
}

#[test]
fn goodbye_both_ways() {
    for role in ROLES {
        for (version, new) in VERSIONS {
            let connect = || {
                let peer = Peer::new(new, role == Role::Passive, false);
                let mut world = World::new(ours(role), peer);
                world.shake_hands(5 * SECOND);
                world.run(SECOND);
                world.assert_agreed();
                world
            };
            let mut world = connect();
            world.ours.close(world.now);
            assert!(!world.ours.is_connected());
            world.run(SECOND);
            assert!(world.peer.closed, "{role:?} {version}");
            assert!(!world.closed, "our own goodbye is no event");
            let mut world = connect();
            world.peer.close();
            world.run(SECOND);
            assert!(world.closed, "{role:?} {version}");
            assert_eq!(world.failed, None);
            assert!(!world.ours.is_connected());
        }
    }
}

#[test]
fn an_active_side_waits_for_its_start_and_begins_once() {
    let mut dtls = ours(Role::Active);
    let mut out = Vec::new();
    assert_eq!(dtls.poll_timeout(), u64::MAX);
    assert!(!dtls.poll_transmit(&mut out));
    dtls.start(START);
    assert!(dtls.poll_transmit(&mut out));
    assert!(dtls.poll_timeout() < START + SECOND);
    dtls.start(START + MS);
    assert!(!dtls.poll_transmit(&mut out));
    let mut passive = ours(Role::Passive);
    passive.start(START);
    assert!(!passive.poll_transmit(&mut out));
}
