//! DTLS roles and versions, SRTP suites: whoever offers a GCM gets a GCM.

use forwarder_tests::rtc::participant::Joining;
use forwarder_tests::rtc::{AgentOptions, DtlsVersion, Participant};

use crate::hall::{Hall, Kind, Side, WHILE, play, subscribe};

scenarios!(
    kernel_v4: roles_and_versions;
    socket_v4: roles_and_versions
);

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
            let joining = Joining { role, waits: true };
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
        let ours = if *role == "passive" { "active" } else { "passive" };
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
