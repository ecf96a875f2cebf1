//! DTLS roles and versions, SRTP suites: whoever offers a GCM gets a GCM.

use forwarder_tests::rtc::participant::Joining;
use forwarder_tests::rtc::{AgentOptions, DtlsVersion, Participant, Suite};

use crate::hall::{Hall, Kind, Side, WHILE, play, subscribe};

scenarios!(roles_and_versions, every_offer_in_both_roles);

fn roles_and_versions(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let mut subscribers = Vec::new();
    for role in ["auto", "active", "passive"] {
        for dtls in [DtlsVersion::Both, DtlsVersion::V12, DtlsVersion::V13] {
            let n = subscribers.len();
            let options = AgentOptions {
                name: format!("{role} {dtls:?}"),
                dtls,
                ..hall.options(Side::Receiving, n)
            };
            let joining = Joining {
                role,
                ..Joining::default()
            };
            let crowd = hall.crowd(Side::Receiving);
            let joined = Participant::join_as(crowd, &hall.api, options, joining);
            let subscriber = joined.unwrap_or_else(|error| panic!("{role} {dtls:?}: {error:#}"));
            subscribe(&subscriber, &tracks);
            subscribers.push((subscriber, role, dtls));
        }
    }
    let all: Vec<&Participant> = subscribers.iter().map(|(one, ..)| one).collect();
    play(&[&publisher], &all, WHILE);
    for (subscriber, role, dtls) in &subscribers {
        let (view, report) = (hall.view(subscriber), subscriber.report());
        let suite = report.suite.unwrap().name();
        assert!(suite.starts_with("AEAD_AES_"), "{role} {dtls:?}: {suite}");
        assert_eq!(view["suite"], suite);
        assert_eq!(view["subscriptions"][0]["suite"], suite);
        let ours = if *role == "passive" {
            "active"
        } else {
            "passive"
        };
        assert_eq!(view["role"], ours);
        let version = report.dtls.unwrap();
        match dtls {
            DtlsVersion::V12 => assert!(version.contains("1_2"), "{version}"),
            DtlsVersion::V13 => assert!(version.contains("1_3"), "{version}"),
            DtlsVersion::Both => {}
        }
    }
    hall.close();
}

/// What clients offer, and what each gets. As DTLS clients they offer and the forwarder chooses; as servers they choose themselves.
fn every_offer_in_both_roles(kind: Kind) {
    use Suite::{AeadAes128Gcm as GCM_128, AeadAes256Gcm as GCM_256, Aes128CmHmacSha1_80 as CM};
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    // Chromium's order, Firefox', and what GStreamer and ffmpeg have.
    let offers = [
        vec![CM, GCM_256, GCM_128],
        vec![GCM_128, GCM_256, CM],
        vec![GCM_128],
        vec![GCM_256],
        vec![CM],
    ];
    let mut subscribers = Vec::new();
    for role in ["active", "passive"] {
        for offer in &offers {
            let options = AgentOptions {
                name: format!("{role} with {offer:?}"),
                suites: Some(offer.clone()),
                ..hall.options(Side::Receiving, subscribers.len())
            };
            let joining = Joining {
                role,
                ..Joining::default()
            };
            let crowd = hall.crowd(Side::Receiving);
            let joined = Participant::join_as(crowd, &hall.api, options, joining);
            let subscriber = joined.unwrap_or_else(|error| panic!("{role} {offer:?}: {error:#}"));
            subscribe(&subscriber, &tracks);
            subscribers.push((subscriber, role, offer));
        }
    }
    let all: Vec<&Participant> = subscribers.iter().map(|(one, ..)| one).collect();
    play(&[&publisher], &all, WHILE);
    for (subscriber, role, offer) in &subscribers {
        let (view, report) = (hall.view(subscriber), subscriber.report());
        let suite = report.suite.unwrap();
        assert_eq!(view["suite"], suite.name());
        assert!(offer.contains(&suite));
        let offers_gcm = offer.iter().any(|offered| *offered != CM);
        if *role == "active" {
            assert_eq!(suite != CM, offers_gcm, "{}: {suite:?}", report.name);
        } else {
            // The server chooses (RFC 5764 §4.1.1), and OpenSSL takes the first of its own that the client has.
            assert_eq!(suite, offer[0], "{}", report.name);
        }
    }
    hall.close();
}
