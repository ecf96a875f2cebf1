//! What no honest peer sends, before, amid and after a handshake.

use proptest::prelude::*;

use super::rig::{Peer, SECOND, START, VERSIONS, World, ours};
use crate::transport::{HelloBuffer, Offer, Role};

/// An attacker on the path repeats all that was sent, and adds alerts, hellos and noise: the session does not notice.
#[test]
fn a_session_outlives_what_is_not_authentic() {
    for role in [Role::Active, Role::Passive] {
        for (version, new) in VERSIONS {
            let peer = Peer::new(new, role == Role::Passive, false);
            let mut world = World::new(ours(role), peer);
            world.shake_hands(5 * SECOND);
            world.run(SECOND);
            world.assert_agreed();
            let mut hostile = world.received.clone();
            hostile.push(super::hello::hybrid());
            for number in 0..100 {
                for description in [0, 10, 40, 80, 90] {
                    let sequence = [0, 0, 0, 0, 0, number];
                    let header = [&[21, 0xfe, 0xfd, 0, 0][..], &sequence, &[0, 2]].concat();
                    hostile.push([&header[..], &[2, description]].concat());
                    let mut sealed = header;
                    (sealed[4], sealed[12]) = (1, 30);
                    sealed.extend([description; 30]);
                    hostile.push(sealed);
                }
            }
            for first in 0..=255 {
                hostile.push(vec![first; usize::from(first)]);
            }
            for datagram in &hostile {
                world.ours.handle(world.now, datagram);
            }
            world.run(SECOND);
            assert_eq!(world.failed, None, "{role:?} {version}");
            assert!(world.ours.is_connected() && !world.closed);
            // It still hears what is authentic.
            world.peer.close();
            world.run(SECOND);
            assert!(world.closed, "{role:?} {version}");
        }
    }
}

#[test]
fn noise_before_the_server_answers_does_no_harm() {
    for (version, new) in VERSIONS {
        let mut world = World::new(ours(Role::Active), Peer::new(new, false, false));
        world.ours.start(START);
        for first in 20..64 {
            world.ours.handle(START, &[first; 40]);
        }
        world.ours.handle(START, &super::hello::hybrid());
        world.shake_hands(5 * SECOND);
        assert_eq!(world.failed, None, "{version}");
        world.assert_agreed();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Flipped bits on the way: the handshake fails or recovers, and whoever gets keys got the right ones.
    #[test]
    fn tampered_handshakes(
        version in 0..3_usize,
        active: bool,
        flips in proptest::collection::vec((0..8_usize, 0..1200_usize, 0..8_u8), 1..12),
    ) {
        let role = if active { Role::Active } else { Role::Passive };
        let peer = Peer::new(VERSIONS[version].1, !active, false);
        let mut world = World::new(ours(role), peer);
        let mut number = 0;
        world.tamper = Box::new(move |datagram| {
            for (_, at, bit) in flips.iter().filter(|(on, ..)| *on == number) {
                let len = datagram.len();
                datagram[at % len] ^= 1 << bit;
            }
            number += 1;
        });
        world.shake_hands(32 * SECOND);
        if world.connected.is_some() && world.peer.keys.is_some() {
            world.assert_agreed();
        }
    }

    #[test]
    fn any_bytes_are_no_hello(datagrams in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..100), 0..6)) {
        let mut buffer = HelloBuffer::default();
        for datagram in &datagrams {
            prop_assert!(buffer.push(datagram).is_none());
        }
    }

    #[test]
    fn any_body(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Offer::parse(&body);
    }
}
