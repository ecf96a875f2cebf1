//! What is not an authentic check of this session changes nothing and is not answered.

use proptest::prelude::*;

use super::rig::{Bench, Check, START, credentials, pair, peer};
use crate::transport::{CONSENT, Credentials, IceError, IceEvent, IceLite};

/// What an outsider could see change.
fn state(lite: &IceLite) -> (Option<crate::transport::Pair>, Option<u64>, Vec<u8>, u64) {
    let valid = (0..=255).filter(|host| lite.is_valid(pair(*host)));
    (
        lite.selected(),
        lite.consent_until(),
        valid.collect(),
        lite.poll_timeout(),
    )
}

fn assert_refused(bench: &mut Bench, host: u8, datagram: &[u8], error: IceError) {
    let before = state(&bench.lite);
    assert_eq!(bench.take(host, datagram), Err(error));
    assert!(bench.answer.is_empty());
    assert_eq!(state(&bench.lite), before);
}

#[test]
fn wrong_names_and_passwords() {
    let mut bench = Bench::new();
    bench.check(1, 100, true);
    let honest = || Check {
        nominates: true,
        ..Check::of(&credentials(1))
    };
    let other = credentials(2);
    for (username, error) in [
        (format!("{}:peer", other.ufrag()), IceError::Unknown),
        (
            format!("{}:else", credentials(1).ufrag()),
            IceError::Username,
        ),
        (format!("{}:", credentials(1).ufrag()), IceError::Malformed),
        (
            format!("{}x:peer", credentials(1).ufrag()),
            IceError::Unknown,
        ),
        (credentials(1).ufrag().to_owned(), IceError::Unknown),
        ("peer".to_owned(), IceError::Unknown),
    ] {
        let check = Check {
            username,
            ..honest()
        };
        assert_refused(&mut bench, 2, &check.bytes(), error);
    }
    for pwd in [other.pwd(), peer().pwd(), ""] {
        let check = Check {
            pwd: pwd.to_owned(),
            ..honest()
        };
        assert_refused(&mut bench, 2, &check.bytes(), IceError::Integrity);
    }
    assert!(bench.take(2, &honest().bytes()).is_ok());
}

#[test]
fn a_check_before_signalling_is_taken_and_then_held_against_it() {
    let mut bench = Bench::new();
    bench.lite = IceLite::new(credentials(1), None);
    let check = Check {
        username: format!("{}:early", credentials(1).ufrag()),
        ..Check::of(&credentials(1))
    };
    assert!(bench.take(1, &check.bytes()).is_ok());
    bench.lite.set_remote(peer());
    let check = Check {
        transaction: is::stun::TransId::new(),
        ..check
    };
    assert_refused(&mut bench, 1, &check.bytes(), IceError::Username);
}

#[test]
fn a_replayed_check_is_worth_nothing_elsewhere() {
    let mut bench = Bench::new();
    let check = Check {
        nominates: true,
        ..Check::of(bench.lite.local())
    };
    let overheard = check.bytes();
    assert_eq!(bench.take(1, &overheard), Ok(IceEvent::Selected(pair(1))));
    assert_refused(&mut bench, 2, &overheard, IceError::Replayed);
    // From the address that it came from it is a retransmission: answered, and no news.
    let until = bench.lite.consent_until();
    assert_eq!(
        bench.take(1, &overheard),
        Ok(IceEvent::Answered { new_pair: false })
    );
    assert!(!bench.answer.is_empty());
    assert_eq!(bench.lite.consent_until(), until);
}

#[test]
fn a_replayed_check_does_not_revive_a_pair() {
    let mut bench = Bench::new();
    let overheard = Check {
        nominates: true,
        ..Check::of(bench.lite.local())
    }
    .bytes();
    bench.take(1, &overheard).unwrap();
    bench.now += CONSENT;
    assert!(bench.lite.handle_timeout(bench.now).is_some());
    assert_refused(&mut bench, 1, &overheard, IceError::Replayed);
}

#[test]
fn every_byte_counts() {
    let mut bench = Bench::new();
    let check = Check {
        nominates: true,
        ..Check::of(bench.lite.local())
    }
    .bytes();
    for at in 0..check.len() {
        for bit in 0..8 {
            let mut tampered = check.clone();
            tampered[at] ^= 1 << bit;
            let refused = bench.take(1, &tampered);
            assert!(refused.is_err(), "byte {at} bit {bit}: {refused:?}");
            assert!(bench.answer.is_empty());
        }
        assert!(bench.take(1, &check[..at]).is_err(), "cut to {at}");
        let longer = [&check[..], &check[..at + 1]].concat();
        assert!(bench.take(1, &longer).is_err());
    }
    assert_eq!(bench.lite.poll_timeout(), u64::MAX, "nothing was stored");
    assert!(bench.take(1, &check).is_ok());
}

#[test]
fn answers_and_indications_are_no_checks() {
    let mut bench = Bench::new();
    bench.check(1, 1, true);
    let mut answer = bench.answer.clone();
    assert_refused(&mut bench, 2, &answer, IceError::Unknown);
    answer[0] = 0;
    assert!(bench.take(2, &answer).is_err());
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut bench = Bench::new();
        prop_assert!(bench.take(1, &bytes).is_err());
    }

    /// Attributes of any kind and length behind an honest USERNAME, with a right CRC or none.
    #[test]
    fn any_attributes(
        attributes in proptest::collection::vec((any::<u16>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..8),
        known in proptest::collection::vec(0..0x30_u16, 8),
    ) {
        let local: Credentials = credentials(1);
        let mut body = Vec::new();
        let mut attribute = |kind: u16, value: &[u8]| {
            body.extend(kind.to_be_bytes());
            body.extend((value.len() as u16).to_be_bytes());
            body.extend(value);
            body.resize(body.len().next_multiple_of(4), 0);
        };
        attribute(6, format!("{}:peer", local.ufrag()).as_bytes());
        for ((kind, value), known) in attributes.iter().zip(known) {
            attribute(if value.len() % 2 == 0 { known } else { *kind }, value);
        }
        let mut message = vec![0, 1];
        message.extend((body.len() as u16 + 8).to_be_bytes());
        message.extend(0x2112_a442_u32.to_be_bytes());
        message.extend([7; 12]);
        message.extend(body);
        let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&message) ^ 0x5354_554e;
        message.extend([0x80, 0x28, 0, 4]);
        message.extend(crc.to_be_bytes());
        let mut bench = Bench::new();
        let refused = bench.take(1, &message);
        prop_assert!(matches!(refused, Err(IceError::Malformed | IceError::Integrity)), "{refused:?}");
        prop_assert_eq!(bench.now, START + 1_000_000);
    }
}
