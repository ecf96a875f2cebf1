//! Connecting, nominating, roaming, and how long it holds.

use is::IceConnectionState;

use super::rig::{Bench, Check, MS, SECOND, START, World, address, pair, server};
use crate::transport::{CONSENT, IceEvent, Pair};

const WIFI: &str = "192.0.2.1:5000";
const MOBILE: &str = "203.0.113.9:6000";

#[test]
fn a_full_agent_connects_over_both_families() {
    for (theirs, ours) in [
        (WIFI, server()),
        ("[2001:db8::99]:5000", address("[2001:db8::1]:7700")),
    ] {
        let mut world = World::new(&[address(theirs)]);
        world.run_until(2 * SECOND, |world| world.lite.selected().is_some());
        let expected = Pair::udp(ours, address(theirs));
        assert_eq!(world.lite.selected(), Some(expected));
        assert!(world.lite.is_valid(expected));
        world.run(60 * SECOND);
        assert_eq!(world.selected, [expected], "selected once, for good");
        assert!(world.full.state().is_connected());
        assert!(world.lost.is_empty());
        assert!(world.lite.consent_until().unwrap() > world.now + 20 * SECOND);
    }
}

#[test]
fn behind_a_nat_the_address_as_seen_is_the_pair() {
    let mut world = World::new(&[address("10.0.0.7:5000")]);
    world.nat = vec![(address("10.0.0.7:5000"), address(WIFI))];
    world.run_until(2 * SECOND, |world| world.lite.selected().is_some());
    assert_eq!(
        world.lite.selected(),
        Some(Pair::udp(server(), address(WIFI)))
    );
    assert!(world.full.state().is_connected());
}

#[test]
fn a_peer_roams_and_the_next_nomination_moves_it() {
    let mut world = World::new(&[address(WIFI), address(MOBILE)]);
    world.run_until(3 * SECOND, |world| world.lite.selected().is_some());
    world.run(5 * SECOND);
    let first = world.lite.selected().unwrap();
    world.broken = vec![first.remote];
    world.run_until(CONSENT, |world| {
        world.lite.selected().is_some_and(|now| now != first)
    });
    assert!(world.lost.is_empty(), "before consent was lost");
    world.run(60 * SECOND);
    assert_ne!(world.lite.selected(), Some(first));
    assert!(!world.lite.is_valid(first), "not heard of any more");
    assert!(world.lite.selected().is_some());
}

#[test]
fn a_nat_rebinding_moves_it() {
    let mut world = World::new(&[address("10.0.0.7:5000")]);
    world.nat = vec![(address("10.0.0.7:5000"), address(WIFI))];
    world.run_until(2 * SECOND, |world| world.lite.selected().is_some());
    world.nat = vec![(address("10.0.0.7:5000"), address(MOBILE))];
    let moved = Pair::udp(server(), address(MOBILE));
    world.run_until(10 * SECOND, |world| world.lite.selected() == Some(moved));
    assert!(world.lost.is_empty());
}

#[test]
fn consent_is_lost_after_thirty_seconds_of_silence() {
    let mut world = World::new(&[address(WIFI)]);
    world.run_until(2 * SECOND, |world| world.lite.selected().is_some());
    let until = world.lite.consent_until().unwrap();
    world.broken = vec![address(WIFI)];
    let selected = world.lite.selected().unwrap();
    world.run_until(CONSENT + SECOND, |world| !world.lost.is_empty());
    assert!(world.now >= until && world.now < until + 20 * MS);
    assert_eq!(world.lost[0].pair, selected);
    assert_eq!(world.lite.selected(), None);
    assert_eq!(world.lite.consent_until(), None);
    assert!(!world.lite.is_valid(selected));
    assert_eq!(world.lite.poll_timeout(), u64::MAX);
    assert_ne!(world.full.state(), IceConnectionState::Completed);
}

#[test]
fn lost_consent_is_won_again_by_the_next_nomination() {
    let mut bench = Bench::new();
    bench.check(1, 100, true);
    bench.now += CONSENT;
    let lost = bench.lite.handle_timeout(bench.now);
    assert_eq!(lost.map(|lost| lost.pair), Some(pair(1)));
    assert_eq!(bench.lite.handle_timeout(bench.now), None, "told once");
    assert_eq!(bench.check(1, 100, true), IceEvent::Selected(pair(1)));
}

#[test]
fn the_wrong_role_is_refused_with_487() {
    let mut world = World::new(&[address(WIFI)]);
    world.full.set_controlling(false);
    world.run(5 * SECOND);
    assert!(world.conflicts > 0);
    // RFC 8445 §7.2.5.1: told of the conflict, the full agent takes the other role.
    assert!(world.full.controlling());
    assert!(world.lite.selected().is_some());
}

#[test]
fn a_role_conflict_stores_nothing_even_if_it_nominates() {
    let mut bench = Bench::new();
    let check = Check {
        nominates: true,
        controlling: false,
        ..Check::of(bench.lite.local())
    };
    let event = bench.take(1, &check.bytes());
    assert_eq!(event, Ok(IceEvent::RoleConflict));
    assert!(!bench.lite.is_valid(pair(1)));
    assert_eq!(bench.lite.selected(), None);
    let answer = is::stun::StunMessage::parse(&bench.answer).unwrap();
    assert_eq!(answer.error_code(), Some((487, "Role Conflict")));
}

#[test]
fn a_check_without_nomination_validates_and_selects_nothing() {
    let mut bench = Bench::new();
    assert_eq!(
        bench.check(1, 1, false),
        IceEvent::Answered { new_pair: true }
    );
    assert_eq!(
        bench.check(1, 1, false),
        IceEvent::Answered { new_pair: false }
    );
    assert!(bench.lite.is_valid(pair(1)));
    assert_eq!(bench.lite.selected(), None);
    assert_eq!(bench.lite.poll_timeout(), bench.now + CONSENT);
    assert_eq!(bench.check(1, 1, true), IceEvent::Selected(pair(1)));
}

#[test]
fn regular_nomination_follows_the_last_word_whatever_the_priorities() {
    let mut bench = Bench::new();
    for (host, priority) in [(1, 100), (2, 10), (1, 100), (3, 5)] {
        for _ in 0..3 {
            bench.check(host, priority, true);
        }
        assert_eq!(bench.lite.selected(), Some(pair(host)));
    }
    // Back to a pair of lower priority that was nominated before: the second nomination in a row is enough.
    assert_eq!(bench.check(1, 100, true), IceEvent::Selected(pair(1)));
    bench.check(2, 10, true);
    assert_eq!(bench.check(2, 10, true), IceEvent::Selected(pair(2)));
}

#[test]
fn aggressive_nomination_comes_to_rest_on_the_best_pair() {
    let mut bench = Bench::new();
    let mut moves = 0;
    for round in 0..50 {
        for (host, priority) in [(1, 50), (2, 100), (3, 10)] {
            let moved = matches!(bench.check(host, priority, true), IceEvent::Selected(_));
            moves += u32::from(moved);
            assert!(!moved || round < 2, "host {host} in round {round}");
        }
    }
    assert_eq!(bench.lite.selected(), Some(pair(2)));
    assert!(moves <= 5, "{moves}");
}

/// Firefox nominates each pair once, as its check succeeds, and goes on with the best.
#[test]
fn the_pair_that_is_checked_on_is_found_back_to() {
    let mut bench = Bench::new();
    bench.check(1, 100, true);
    bench.check(3, 50, false);
    assert_eq!(bench.check(2, 10, true), IceEvent::Selected(pair(2)));
    let answered = IceEvent::Answered { new_pair: false };
    bench.now += 5 * SECOND;
    assert_eq!(bench.check(1, 100, false), answered);
    bench.now += 5 * SECOND;
    assert_eq!(bench.check(3, 50, false), answered, "was never nominated");
    assert_eq!(bench.check(1, 100, false), IceEvent::Selected(pair(1)));
    bench.now += 5 * SECOND;
    assert_eq!(bench.check(2, 10, false), answered);
    assert_eq!(bench.lite.selected(), Some(pair(1)));
}

#[test]
fn tcp_does_not_take_over_from_udp_that_works() {
    let mut bench = Bench::new();
    bench.check(1, 100, true);
    bench.now += 2 * SECOND;
    let tcp = Pair::tcp(pair(2).local, pair(2).remote, 1);
    let nominate = |bench: &mut Bench| {
        let check = Check {
            nominates: true,
            ..Check::of(bench.lite.local())
        };
        bench.take_from(tcp, &check.bytes()).unwrap()
    };
    assert_eq!(nominate(&mut bench), IceEvent::Answered { new_pair: true });
    bench.now += 8 * SECOND;
    assert_eq!(nominate(&mut bench), IceEvent::Selected(tcp));
}

#[test]
fn a_late_nomination_of_the_old_pair_is_mended_by_the_next_two_of_the_new_one() {
    let mut bench = Bench::new();
    bench.check(1, 100, true);
    bench.check(2, 10, true);
    bench.check(1, 100, true);
    bench.check(2, 10, true);
    bench.check(2, 10, true);
    assert_eq!(bench.lite.selected(), Some(pair(2)));
}

#[test]
fn pairs_are_bounded_and_the_selected_one_stays() {
    let mut bench = Bench::new();
    bench.check(1, 100, true);
    for host in 2..200 {
        bench.check(host, 1, false);
    }
    assert_eq!(bench.lite.selected(), Some(pair(1)));
    assert!(bench.lite.is_valid(pair(1)));
    let valid: Vec<u8> = (0..=255)
        .filter(|host| bench.lite.is_valid(pair(*host)))
        .collect();
    assert_eq!(valid, [1, 193, 194, 195, 196, 197, 198, 199]);
}

#[test]
fn each_pair_lives_by_its_own_checks() {
    let mut bench = Bench::new();
    bench.check(1, 100, true);
    bench.check(2, 100, false);
    bench.now += CONSENT / 2;
    bench.check(1, 100, true);
    bench.now = START + 2 * MS + CONSENT;
    assert_eq!(bench.lite.handle_timeout(bench.now), None);
    assert!(bench.lite.is_valid(pair(1)) && !bench.lite.is_valid(pair(2)));
}

#[test]
fn a_closed_connection_is_forgotten() {
    let mut bench = Bench::new();
    bench.check(1, 100, true);
    bench.check(2, 100, false);
    assert!(!bench.lite.forget(pair(2)));
    assert!(bench.lite.forget(pair(1)));
    assert_eq!(bench.lite.selected(), None);
    assert_eq!(bench.lite.handle_timeout(bench.now + CONSENT), None);
    assert_eq!(bench.check(1, 1, true), IceEvent::Selected(pair(1)));
}
