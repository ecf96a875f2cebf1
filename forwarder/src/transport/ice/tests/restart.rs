//! ICE restart, make-before-break.

use super::rig::{Bench, Check, SECOND, World, address, credentials, pair};
use crate::transport::{CONSENT, IceError, IceEvent};

#[test]
fn a_full_agent_restarts_and_nothing_is_lost() {
    let mut world = World::new(&[address("192.0.2.1:5000")]);
    world.run_until(2 * SECOND, |world| world.lite.selected().is_some());
    let selected = world.lite.selected();
    for seed in 2..6 {
        let before = world.lite.local().ufrag_key();
        world.restart(seed);
        assert!(world.lite.is_restarting());
        assert_eq!(world.lite.selected(), selected);
        world.run_until(5 * SECOND, |world| !world.lite.is_restarting());
        assert_eq!(world.lite.take_retired(), before);
        assert_eq!(world.lite.take_retired(), None);
        world.run(10 * SECOND);
        assert_eq!(world.lite.selected(), selected);
        assert!(world.full.state().is_connected());
    }
    assert!(world.lost.is_empty());
}

#[test]
fn a_restart_onto_another_address_keeps_the_old_pair_until_it_nominates() {
    let mut bench = Bench::new();
    bench.check(1, 100, true);
    let old = Check::of(bench.lite.local());
    bench.lite.restart(credentials(2), None);
    assert_eq!(bench.lite.selected(), Some(pair(1)));
    // Consent goes on under the old credentials.
    bench.now += CONSENT / 2;
    bench.take(1, &old.bytes()).unwrap();
    assert_eq!(bench.lite.consent_until(), Some(bench.now + CONSENT));
    // A check under the new ones is answered and moves nothing; a nomination does, whatever the priority.
    assert_eq!(
        bench.check(2, 1, false),
        IceEvent::Answered { new_pair: true }
    );
    assert_eq!(bench.lite.selected(), Some(pair(1)));
    assert_eq!(bench.check(2, 1, true), IceEvent::Selected(pair(2)));
    // From now on the old ones are nobody's.
    let late = Check {
        transaction: is::stun::TransId::new(),
        nominates: true,
        ..old
    };
    assert_eq!(bench.take(1, &late.bytes()), Err(IceError::Unknown));
    assert!(
        bench.lite.is_valid(pair(1)),
        "media of the old path is still let in"
    );
}

#[test]
fn a_pair_that_alternated_before_is_taken_at_once_under_new_credentials() {
    let mut bench = Bench::new();
    for host in [2, 1, 2, 1] {
        bench.check(host, u32::from(host == 1), true);
    }
    bench.lite.restart(credentials(2), None);
    assert_eq!(bench.check(2, 0, true), IceEvent::Selected(pair(2)));
}

/// Found by fuzzing: the restart went on, and yet a pair was selected.
#[test]
fn a_nomination_from_before_a_restart_selects_nothing_under_new_credentials() {
    let mut bench = Bench::new();
    bench.check(1, 100, true);
    bench.check(2, 10, true);
    let old = Check::of(bench.lite.local());
    bench.lite.restart(credentials(2), None);
    bench.now += 10 * SECOND;
    let answered = IceEvent::Answered { new_pair: false };
    assert_eq!(bench.check(1, 100, false), answered);
    assert_eq!(bench.lite.selected(), Some(pair(2)));
    // Under the credentials that still hold it, it does.
    let found = bench.take(1, &old.bytes());
    assert_eq!(found, Ok(IceEvent::Selected(pair(1))));
    assert!(bench.lite.is_restarting());
    assert_eq!(bench.check(1, 100, true), answered);
    assert!(!bench.lite.is_restarting());
}

#[test]
fn a_second_restart_replaces_the_first() {
    let mut bench = Bench::new();
    bench.check(1, 100, true);
    let first = bench.lite.local().ufrag_key();
    let old = Check::of(bench.lite.local());
    bench.lite.restart(credentials(2), None);
    let second = Check::of(bench.lite.local());
    let retired = bench.lite.local().ufrag_key();
    bench.lite.restart(credentials(3), None);
    assert_eq!(bench.lite.take_retired(), retired);
    assert_eq!(bench.take(1, &second.bytes()), Err(IceError::Unknown));
    assert!(
        bench.take(1, &old.bytes()).is_ok(),
        "what holds the pair still does"
    );
    bench.check(1, 100, true);
    assert_eq!(bench.lite.take_retired(), first);
    assert!(!bench.lite.is_restarting());
}

#[test]
fn before_there_is_a_pair_a_restart_just_replaces() {
    let mut bench = Bench::new();
    let old = Check::of(bench.lite.local());
    bench.lite.restart(credentials(2), None);
    assert!(!bench.lite.is_restarting());
    assert!(bench.lite.take_retired().is_some());
    assert_eq!(bench.take(1, &old.bytes()), Err(IceError::Unknown));
    assert_eq!(bench.check(1, 100, true), IceEvent::Selected(pair(1)));
}

#[test]
fn consent_lost_amid_a_restart_ends_the_old_credentials() {
    let mut bench = Bench::new();
    bench.check(1, 100, true);
    let old = bench.lite.local().ufrag_key();
    bench.lite.restart(credentials(2), None);
    assert!(bench.lite.handle_timeout(bench.now + CONSENT).is_some());
    assert_eq!(bench.lite.take_retired(), old);
    assert_eq!(bench.check(1, 100, true), IceEvent::Selected(pair(1)));
}
