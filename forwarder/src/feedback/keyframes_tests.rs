//! Requests for keyframes: who may ask how often, and what reaches the publisher.

use proptest::prelude::*;

use super::{KeyframeRequest, Keyframes, Reason, Understands};

const MS: u64 = 1_000_000;
const BOTH: Understands = Understands {
    pli: true,
    fir: true,
};
const PLI_ALONE: Understands = Understands {
    pli: true,
    fir: false,
};
const PLI: Option<KeyframeRequest> = Some(KeyframeRequest::PictureLoss);

fn fir(sequence: u8) -> Option<KeyframeRequest> {
    Some(KeyframeRequest::FullIntra { sequence })
}

#[test]
fn a_new_subscriber_asks_at_once() {
    let mut keyframes = Keyframes::new(BOTH);
    assert_eq!(
        (keyframes.poll(0), keyframes.poll_timeout()),
        (None, u64::MAX)
    );
    assert!(keyframes.request(5 * MS, 1, Reason::NewDecoder, None));
    assert!(keyframes.poll_timeout() <= 5 * MS);
    assert_eq!(keyframes.poll(5 * MS), fir(1));
    assert_eq!(keyframes.poll(5 * MS), None);
}

#[test]
fn many_are_one() {
    let mut keyframes = Keyframes::new(PLI_ALONE);
    for receiver in 0..100 {
        assert!(keyframes.request(0, receiver, Reason::NewDecoder, None));
    }
    assert_eq!(keyframes.poll(0), PLI);
    for receiver in 100..200 {
        assert!(keyframes.request(10 * MS, receiver, Reason::Loss, None));
    }
    assert_eq!(keyframes.poll(199 * MS), None);
    assert_eq!(keyframes.poll_timeout(), 200 * MS);
    assert_eq!(keyframes.poll(200 * MS), PLI);
}

#[test]
fn a_keyframe_answers_what_was_asked_before_it() {
    let mut keyframes = Keyframes::new(PLI_ALONE);
    keyframes.request(0, 1, Reason::Loss, None);
    assert_eq!(keyframes.poll(0), PLI);
    keyframes.request(100 * MS, 2, Reason::Loss, None);
    // One that began before the second request leaves it open.
    keyframes.keyframe_seen(99 * MS);
    assert_eq!(keyframes.poll(200 * MS), PLI);
    keyframes.keyframe_seen(250 * MS);
    assert_eq!(keyframes.poll_timeout(), u64::MAX);
    assert_eq!(keyframes.poll(5000 * MS), None);
}

#[test]
fn a_receiver_that_missed_it_is_asked_for_again() {
    let mut keyframes = Keyframes::new(PLI_ALONE);
    assert!(keyframes.request(0, 1, Reason::NewDecoder, None));
    assert_eq!(keyframes.poll(0), PLI);
    keyframes.keyframe_seen(20 * MS);
    assert_eq!(keyframes.poll_timeout(), u64::MAX);
    assert!(keyframes.missed(20 * MS, 1));
    assert_eq!(keyframes.poll(199 * MS), None);
    assert_eq!(keyframes.poll(200 * MS), PLI);
    // Not at any rate: there may be none that it can be sent.
    assert!(keyframes.missed(220 * MS, 1));
    assert!(!keyframes.missed(420 * MS, 1));
    assert!(keyframes.missed(10_500 * MS, 1));
}

/// A receiver that has begun with nothing asks for nothing itself: it is not left alone with its fourth loss.
#[test]
fn who_misses_too_many_is_asked_for_when_that_is_allowed_again() {
    let mut keyframes = Keyframes::new(PLI_ALONE);
    assert!(keyframes.request(0, 1, Reason::NewDecoder, None));
    for at in [0, 300, 600] {
        assert_eq!(keyframes.poll(at * MS), PLI);
        keyframes.keyframe_seen((at + 10) * MS);
        assert_eq!(keyframes.missed((at + 10) * MS, 1), at < 600);
    }
    assert_eq!(keyframes.poll_timeout(), 10_000 * MS);
    assert_eq!(keyframes.poll(9999 * MS), None);
    assert_eq!(keyframes.poll(10_000 * MS), PLI);
    // It is repeated as any other, and a keyframe answers it.
    assert_eq!(keyframes.poll_timeout(), 11_000 * MS);
    keyframes.keyframe_seen(10_020 * MS);
    assert_eq!(keyframes.poll_timeout(), u64::MAX);
    // One that comes meanwhile, and is not missed, leaves nothing owed.
    for at in [10_100, 10_200, 10_300, 10_400] {
        keyframes.keyframe_seen(at * MS);
        keyframes.missed(at * MS, 1);
    }
    keyframes.keyframe_seen(10_500 * MS);
    assert_eq!(keyframes.poll_timeout(), u64::MAX);
    // Nor is anything owed to who is gone.
    keyframes.missed(10_600 * MS, 1);
    assert_ne!(keyframes.poll_timeout(), u64::MAX);
    keyframes.forget(1);
    assert_eq!(keyframes.poll_timeout(), u64::MAX);
}

#[test]
fn without_a_keyframe_it_is_asked_again() {
    let mut keyframes = Keyframes::new(BOTH);
    keyframes.request(0, 1, Reason::NewDecoder, None);
    assert_eq!(keyframes.poll(0), fir(1));
    assert_eq!(keyframes.poll_timeout(), 1000 * MS);
    assert_eq!(keyframes.poll(999 * MS), None);
    // A repetition keeps its number. If that does not help either, it is a new command, and so is a new request.
    assert_eq!(keyframes.poll(1000 * MS), fir(1));
    assert_eq!(keyframes.poll(2000 * MS), fir(2));
    keyframes.request(2100 * MS, 2, Reason::Loss, None);
    assert_eq!(keyframes.poll(2200 * MS), fir(3));
    keyframes.keyframe_seen(2300 * MS);
    keyframes.request(2400 * MS, 2, Reason::Loss, None);
    assert_eq!(keyframes.poll(2400 * MS), PLI);
}

#[test]
fn a_receiver_is_limited() {
    let mut keyframes = Keyframes::new(PLI_ALONE);
    let mut ask = |at: u64, rtt: Option<u64>| keyframes.request(at * MS, 1, Reason::Loss, rtt);
    assert!(ask(0, None));
    assert!(!ask(199, None));
    assert!(ask(200, None));
    assert!(!ask(600, Some(500 * MS)));
    assert!(ask(700, Some(500 * MS)));
    assert!(!ask(5000, None), "a fourth in 10 s");
    assert!(!ask(9999, None));
    assert!(ask(10_000, None));
    assert!(!ask(10_199, None));
    assert!(ask(10_200, None));
    // A round trip that is not believable does not silence it for ever.
    assert!(ask(20_200, Some(u64::MAX)));
}

#[test]
fn the_command_number_wraps() {
    let mut keyframes = Keyframes::new(BOTH);
    for command in 1..=600_u32 {
        let now = u64::from(command) * 20_000 * MS;
        assert!(keyframes.request(now, 1, Reason::NewDecoder, None));
        assert_eq!(keyframes.poll(now), fir(command as u8));
        keyframes.keyframe_seen(now);
    }
}

#[test]
fn a_publisher_is_asked_in_terms_that_it_understands() {
    let asked = |pli, fir, reason| {
        let mut keyframes = Keyframes::new(Understands { pli, fir });
        keyframes.request(0, 1, reason, None);
        (keyframes.poll_timeout(), keyframes.poll(0))
    };
    assert_eq!(asked(true, true, Reason::Loss), (0, PLI));
    assert_eq!(asked(true, true, Reason::NewDecoder), (0, fir(1)));
    assert_eq!(asked(true, false, Reason::Loss), (0, PLI));
    assert_eq!(asked(true, false, Reason::NewDecoder), (0, PLI));
    assert_eq!(asked(false, true, Reason::Loss), (0, fir(1)));
    assert_eq!(asked(false, true, Reason::NewDecoder), (0, fir(1)));
    assert_eq!(asked(false, false, Reason::Loss), (u64::MAX, None));
    assert_eq!(asked(false, false, Reason::NewDecoder), (u64::MAX, None));
}

#[test]
fn with_the_last_receiver_goes_the_request() {
    let mut keyframes = Keyframes::new(PLI_ALONE);
    keyframes.request(0, 1, Reason::Loss, None);
    keyframes.request(0, 2, Reason::Loss, None);
    keyframes.forget(1);
    assert_eq!(keyframes.poll(0), PLI);
    keyframes.forget(2);
    assert_eq!(keyframes.poll_timeout(), u64::MAX);
}

#[derive(Clone, Debug)]
enum Event {
    Request(u32, bool),
    Keyframe,
    Forget(u32),
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Whatever is asked: the source and each receiver are limited, and what is open is asked about within a second.
    #[test]
    fn limits_hold(fir: bool, steps in prop::collection::vec((0_u64..400, prop_oneof![
        8 => (0_u32..4, any::<bool>()).prop_map(|(receiver, new)| Event::Request(receiver, new)),
        1 => Just(Event::Keyframe),
        1 => (0_u32..4).prop_map(Event::Forget),
    ]), 1..200)) {
        let mut keyframes = Keyframes::new(Understands { pli: true, fir });
        let (mut now, mut sent) = (0, Vec::<u64>::new());
        let mut accepted = vec![Vec::<u64>::new(); 4];
        for (pause, event) in steps {
            let until = now + pause * MS;
            while keyframes.poll_timeout() <= until {
                now = now.max(keyframes.poll_timeout());
                prop_assert!(keyframes.poll(now).is_some());
                if let Some(last) = sent.last() {
                    prop_assert!(now - last >= 200 * MS);
                }
                sent.push(now);
                prop_assert!(keyframes.poll(now).is_none());
            }
            now = until;
            match event {
                Event::Request(receiver, new) => {
                    let reason = if new { Reason::NewDecoder } else { Reason::Loss };
                    let times = &mut accepted[receiver as usize];
                    let recent = times.iter().filter(|at| now < **at + 10_000 * MS).count();
                    let soon = times.last().is_some_and(|last| now < last + 200 * MS);
                    let taken = keyframes.request(now, receiver, reason, None);
                    prop_assert_eq!(taken, recent < 3 && !soon);
                    if taken {
                        times.push(now);
                        prop_assert!(keyframes.poll_timeout() <= now + 200 * MS);
                    }
                }
                Event::Keyframe => {
                    keyframes.keyframe_seen(now);
                    prop_assert_eq!(keyframes.poll_timeout(), u64::MAX);
                }
                Event::Forget(receiver) => {
                    keyframes.forget(receiver);
                    accepted[receiver as usize].clear();
                }
            }
            let timeout = keyframes.poll_timeout();
            prop_assert!(timeout == u64::MAX || timeout <= now + 1000 * MS);
        }
    }
}
