//! Every peer that offers AES-GCM gets it, whatever the order and the version it offers.

use super::{
    hello::hybrid,
    rig::{START, ours},
};
use crate::{
    srtp::Suite,
    transport::{HelloBuffer, Offer, Role, Version},
};

const CM: u16 = 0x0001;
const GCM_128: u16 = 0x0007;
const GCM_256: u16 = 0x0008;

const CHROMIUM: [&[u8]; 2] = [
    include_bytes!("../../fixtures/chromium-156-hello-1.bin"),
    include_bytes!("../../fixtures/chromium-156-hello-2.bin"),
];
const FIREFOX: [&[u8]; 2] = [
    include_bytes!("../../fixtures/firefox-153-hello-1.bin"),
    include_bytes!("../../fixtures/firefox-153-hello-2.bin"),
];

/// What a ServerHello chooses: the version, and in DTLS 1.2 the SRTP profile; in 1.3 that is encrypted.
fn chosen(datagrams: &[&[u8]]) -> (Version, Option<u16>) {
    let mut dtls = ours(Role::Passive);
    for datagram in datagrams {
        dtls.handle(START, datagram);
    }
    let mut answer = Vec::new();
    assert!(dtls.poll_transmit(&mut answer), "no answer");
    let message = &answer[13..];
    assert_eq!((answer[0], message[0]), (22, 2), "a ServerHello");
    let body = &message[12..];
    let session = usize::from(body[34]);
    let mut extensions = &body[34 + 1 + session + 3 + 2..];
    let (mut version, mut profile) = (Version::Dtls12, None);
    while let [k0, k1, l0, l1, rest @ ..] = extensions {
        let len = usize::from(u16::from_be_bytes([*l0, *l1]));
        let Some((data, rest)) = rest.split_at_checked(len) else {
            break;
        };
        match u16::from_be_bytes([*k0, *k1]) {
            14 => profile = Some(u16::from_be_bytes([data[2], data[3]])),
            43 => version = Version::Dtls13,
            _ => {}
        }
        extensions = rest;
    }
    (version, profile)
}

/// The hybrid hello with other profiles in the place of the three that it offers.
fn with_profiles(profiles: [u16; 3]) -> Vec<u8> {
    let mut hello = hybrid();
    let extension = [0, 14, 0, 9, 0, 6];
    let at = hello.windows(6).position(|at| at == extension).unwrap() + 6;
    for (number, profile) in profiles.into_iter().enumerate() {
        hello[at + 2 * number..][..2].copy_from_slice(&profile.to_be_bytes());
    }
    hello
}

fn offer(datagrams: &[&[u8]]) -> Offer {
    let mut buffer = HelloBuffer::default();
    let whole = datagrams.iter().find_map(|datagram| buffer.push(datagram));
    whole.unwrap().0
}

#[test]
fn chromium_gets_gcm() {
    let offer = offer(&CHROMIUM);
    let order = [
        Suite::Aes128CmHmacSha1_80,
        Suite::AeadAes256Gcm,
        Suite::AeadAes128Gcm,
    ];
    assert_eq!(offer.suites[..], order);
    assert!(offer.dtls12 && offer.dtls13);
    assert_eq!(chosen(&CHROMIUM), (Version::Dtls12, Some(GCM_256)));
    let swapped = [CHROMIUM[1], CHROMIUM[0]];
    assert_eq!(chosen(&swapped), (Version::Dtls12, Some(GCM_256)));
}

#[test]
fn firefox_gets_gcm() {
    let offer = offer(&FIREFOX);
    // It also offers AES128_CM_HMAC_SHA1_32, which we do not have.
    let order = [
        Suite::AeadAes128Gcm,
        Suite::AeadAes256Gcm,
        Suite::Aes128CmHmacSha1_80,
    ];
    assert_eq!(offer.suites[..], order);
    // In 1.3 the server takes the client's first.
    assert_eq!(chosen(&FIREFOX), (Version::Dtls13, None));
}

#[test]
fn every_order_that_has_gcm_gets_gcm() {
    let orders = [
        [CM, GCM_256, GCM_128],
        [CM, GCM_128, GCM_256],
        [CM, CM, GCM_128],
        [0x0002, CM, GCM_256],
        [0xffff, 0x0005, GCM_128],
        [GCM_128, GCM_256, CM],
        [GCM_256, GCM_128, CM],
        [GCM_128, CM, GCM_256],
        [GCM_256, CM, 0x0002],
    ];
    for order in orders {
        let first_known = order
            .into_iter()
            .find(|id| [CM, GCM_128, GCM_256].contains(id));
        let (version, profile) = chosen(&[&with_profiles(order)]);
        if first_known == Some(CM) {
            assert_eq!(version, Version::Dtls12, "{order:x?}");
            let best = if order.contains(&GCM_256) {
                GCM_256
            } else {
                GCM_128
            };
            assert_eq!(profile, Some(best), "{order:x?}");
        } else {
            assert_eq!(version, Version::Dtls13, "{order:x?}");
        }
    }
}

#[test]
fn those_who_have_only_cm_get_cm() {
    let (version, _) = chosen(&[&with_profiles([CM, CM, 0x0002])]);
    assert_eq!(version, Version::Dtls13);
}

#[test]
fn the_version_follows_from_the_offer() {
    let (gcm, cm) = (Suite::AeadAes128Gcm, Suite::Aes128CmHmacSha1_80);
    let orders: [&[Suite]; 5] = [&[], &[cm], &[gcm], &[gcm, cm], &[cm, gcm]];
    for (number, suites) in orders.into_iter().enumerate() {
        for dtls12 in [false, true] {
            for dtls13 in [false, true] {
                let offer = Offer {
                    dtls12,
                    dtls13,
                    suites: suites.iter().copied().collect(),
                };
                // A client of 1.3 alone cannot be helped: it gets what its first profile is.
                let expected = match (dtls12, dtls13) {
                    (_, false) => Version::Dtls12,
                    (false, true) => Version::Dtls13,
                    (true, true) if number == 4 => Version::Dtls12,
                    (true, true) => Version::Dtls13,
                };
                assert_eq!(offer.version(), expected, "{offer:?}");
            }
        }
    }
}
