//! Every peer that offers AES-GCM gets it, whatever the order and the version it offers.

use dimpl::{
    Config,
    crypto::{
        Buf, CryptoProvider, HashAlgorithm, HashContext, HashProvider, aws_lc_rs::default_provider,
    },
};

use super::{
    hello::hybrid,
    rig::{Peer, SECOND, START, World, ours},
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
                assert_eq!(offer.prefers_cm_to_gcm(), number == 4);
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

/// A client's hash of what it says that it has sent: the profiles in another order than that of `dimpl`.
#[derive(Debug)]
struct Reordering([u16; 3]);

#[derive(Debug)]
struct Reordered {
    order: [u16; 3],
    hash: Box<dyn HashContext>,
}

impl HashProvider for Reordering {
    fn create_hash(&self, algorithm: HashAlgorithm) -> Box<dyn HashContext> {
        let hash = default_provider().hash_provider.create_hash(algorithm);
        let Self(order) = *self;
        Box::new(Reordered { order, hash })
    }
}

impl HashContext for Reordered {
    fn update(&mut self, data: &[u8]) {
        let mut data = data.to_vec();
        reorder(&mut data, self.order);
        self.hash.update(&data);
    }

    fn clone_and_finalize(&self, out: &mut Buf) {
        self.hash.clone_and_finalize(out);
    }
}

/// Writes other profiles over those that `dimpl` offers, wherever a hello is.
fn reorder(bytes: &mut [u8], order: [u16; 3]) {
    let offered = [0, 14, 0, 9, 0, 6, 0, 8, 0, 7, 0, 1, 0];
    if let Some(at) = bytes.windows(offered.len()).position(|at| at == offered) {
        bytes[at + 6..][..6].copy_from_slice(order.map(u16::to_be_bytes).as_flattened());
    }
}

/// There is no other version to answer in, and none that the server could be told its order for.
#[test]
fn a_client_of_dtls_1_3_alone_gets_gcm_wherever_it_names_it() {
    static ORDERS: [Reordering; 6] = [
        Reordering([CM, GCM_256, GCM_128]),
        Reordering([CM, GCM_128, GCM_256]),
        Reordering([CM, GCM_128, 0x0002]),
        Reordering([0x0002, CM, GCM_256]),
        Reordering([CM, 0xffff, GCM_128]),
        Reordering([CM, CM, GCM_128]),
    ];
    for hash in &ORDERS {
        let Reordering(order) = *hash;
        let provider = CryptoProvider {
            hash_provider: hash,
            ..default_provider()
        };
        let config = Config::builder().with_crypto_provider(provider);
        let peer = Peer::with(config, dimpl::Dtls::new_13, true);
        let mut world = World::new(ours(Role::Passive), peer);
        world.tamper = Box::new(move |datagram| reorder(datagram, order));
        world.shake_hands(10 * SECOND);
        let connected = world.assert_agreed();
        assert_eq!(connected.version, Version::Dtls13);
        let gcm = order.into_iter().find(|id| [GCM_128, GCM_256].contains(id));
        let suite = connected.send.suite();
        assert_eq!(Suite::from_profile(gcm.unwrap()), Some(suite), "{order:x?}");
    }
}

/// Also where the number of what takes its place is named: then the client's first is taken, as ever.
#[test]
fn what_stands_for_a_hidden_profile_hides_nothing_itself() {
    static ORDER: Reordering = Reordering([CM, 0xfffe, GCM_128]);
    let provider = CryptoProvider {
        hash_provider: &ORDER,
        ..default_provider()
    };
    let config = Config::builder().with_crypto_provider(provider);
    let peer = Peer::with(config, dimpl::Dtls::new_13, true);
    let mut world = World::new(ours(Role::Passive), peer);
    world.tamper = Box::new(move |datagram| reorder(datagram, ORDER.0));
    world.shake_hands(10 * SECOND);
    let suite = world.assert_agreed().send.suite();
    assert_eq!(suite, Suite::Aes128CmHmacSha1_80);
}
