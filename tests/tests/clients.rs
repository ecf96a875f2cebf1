//! The WebRTC clients of the lab against each other, without a forwarder: what they say about frames and packets can be relied on.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use forwarder_tests::rtc::{
    AgentOptions, Clip, Codec, Crowd, DtlsVersion, Expected, Ledger, Member, Numbering, Protocol,
    Remote, Suite,
};
use str0m::media::{KeyframeRequestKind, Mid};

const LONG: Duration = Duration::from_secs(20);

fn options(name: &str) -> AgentOptions {
    AgentOptions::new(name, IpAddr::from([127, 0, 0, 1]))
}

fn wait_until(mut reached: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + LONG;
    while !reached() {
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

/// Tells two clients of each other. The first one is the DTLS client.
fn join(left: &Member, right: &Member) {
    let parameters = |member: &Member| member.ask(|agent, _| agent.local().unwrap());
    for (member, other, active) in [(left, right, true), (right, left, false)] {
        let other = parameters(other);
        let remote = Remote {
            ufrag: other.ufrag,
            pwd: other.pwd,
            fingerprint: other.fingerprint,
            candidates: vec![(Protocol::Udp, other.address)],
            lite: false,
            active,
        };
        member.ask(move |agent, now| agent.start(&remote, now).unwrap());
    }
    for member in [left, right] {
        let connected = wait_until(|| member.ask(|agent, _| agent.is_connected()));
        assert!(connected, "{:?}", member.report());
    }
}

/// Publishes a clip at one, and expects it at the other.
fn publish(from: &Member, to: &Member, codec: Codec) -> (Ledger, Mid) {
    let clip = Clip::load(codec).unwrap();
    let track = from.ask(move |agent, _| agent.publish(&clip));
    let ledger = track.ledger.clone();
    let mid = to.ask(move |agent, now| {
        let mid = agent.next_mid(track.clip.codec.is_audio());
        let payload_type = agent.numbering().payload_type(track.clip.codec);
        agent.expect(mid, Expected::of(&track, payload_type), false, now);
        agent.tell_ssrc(mid, track.ssrc);
        mid
    });
    (ledger, mid)
}

fn flow(from: &Member, to: &Member, time: Duration) {
    from.ask(|agent, now| agent.start_media(now));
    std::thread::sleep(time);
    from.ask(|agent, _| agent.stop_media());
    assert!(
        wait_until(|| to.ask(|agent, _| agent.is_complete())),
        "{:?}",
        to.report().inbound
    );
}

fn pictures_and_sound(codec: Codec) {
    let crowd = Crowd::start(None).unwrap();
    let left = crowd.add(options("left")).unwrap();
    let right = crowd.add(options("right")).unwrap();
    join(&left, &right);
    let (video, _) = publish(&left, &right, codec);
    let (audio, _) = publish(&left, &right, Codec::Opus);
    flow(&left, &right, Duration::from_millis(2500));
    let report = right.report();
    assert_eq!(report.faults(), [""; 0]);
    assert_eq!(report.inbound["0"].frames, video.len());
    assert_eq!(report.inbound["1"].frames, audio.len());
    assert!(video.len() >= 70 && audio.len() >= 120);
    assert_eq!(report.suite, Some(Suite::AeadAes256Gcm));
    assert!(report.round_trip.is_some());
    assert!(report.inbound["0"].sender_reports > 0);
    assert!(
        report.inbound["0"].clock_error_us.unwrap() < 10_000,
        "{report:?}"
    );
    assert!(
        report.inbound["1"].clock_error_us.unwrap() < 10_000,
        "{report:?}"
    );
    assert_eq!(report.wire.streams.len(), 2);
}

#[test]
fn vp8_and_opus_come_bit_by_bit_and_in_time() {
    pictures_and_sound(Codec::Vp8);
}

#[test]
fn h264_and_opus_come_bit_by_bit_and_in_time() {
    pictures_and_sound(Codec::H264);
}

#[test]
fn dtls_versions_and_roles() {
    for version in [DtlsVersion::V12, DtlsVersion::V13] {
        let crowd = Crowd::start(None).unwrap();
        let only = AgentOptions {
            dtls: version,
            ..options("one version")
        };
        let left = crowd.add(only).unwrap();
        let right = crowd.add(options("both versions")).unwrap();
        join(&left, &right);
        let told = right.report().dtls.unwrap();
        let wanted = if version == DtlsVersion::V12 {
            "1_2"
        } else {
            "1_3"
        };
        assert!(told.contains(wanted), "{told}");
    }
}

#[test]
fn every_suite_in_both_roles() {
    for suite in Suite::ALL {
        for active in [true, false] {
            let crowd = Crowd::start(None).unwrap();
            let only = AgentOptions {
                suites: Some(vec![suite]),
                ..options("one suite")
            };
            let other = AgentOptions {
                dtls: DtlsVersion::V12,
                ..options("all suites")
            };
            let (one, all) = (crowd.add(only).unwrap(), crowd.add(other).unwrap());
            if active {
                join(&one, &all);
            } else {
                join(&all, &one);
            }
            let (to, _) = publish(&one, &all, Codec::Opus);
            flow(&one, &all, Duration::from_millis(200));
            for report in [one.report(), all.report()] {
                assert_eq!(report.suite, Some(suite), "{report:?}");
                assert_eq!(report.faults(), [""; 0]);
            }
            assert!(to.len() > 5);
        }
    }
}

#[test]
fn a_picture_that_was_not_published_there_is_found() {
    let crowd = Crowd::start(None).unwrap();
    let left = crowd.add(options("left")).unwrap();
    let right = crowd.add(options("right")).unwrap();
    join(&left, &right);
    let clip = Clip::load(Codec::Vp8).unwrap();
    let track = left.ask(move |agent, _| agent.publish(&clip));
    let (ssrc, ledger) = (track.ssrc, track.ledger.clone());
    // Another codec's clip is expected, and another payload type.
    let expected = Expected {
        clip: Clip::load(Codec::H264).unwrap(),
        ledger: ledger.clone(),
        payload_type: 99,
    };
    right.ask(move |agent, now| {
        let mid = agent.next_mid(false);
        agent.expect(mid, expected, false, now);
        agent.tell_ssrc(mid, ssrc);
    });
    left.ask(|agent, now| agent.start_media(now));
    assert!(wait_until(|| right.report().inbound["0"].wrong > 3));
    let report = right.report();
    assert!(report.inbound["0"].misnumbered > 0);
    assert_eq!(report.inbound["0"].frames, 0);
    assert!(!report.faults().is_empty());
}

#[test]
fn a_late_receiver_asks_for_a_keyframe_and_gets_one() {
    let crowd = Crowd::start(None).unwrap();
    let left = crowd.add(options("left")).unwrap();
    let right = crowd.add(options("right")).unwrap();
    join(&left, &right);
    let clip = Clip::load(Codec::Vp8).unwrap();
    let track = left.ask(move |agent, _| agent.publish(&clip));
    left.ask(|agent, now| agent.start_media(now));
    assert!(wait_until(|| track.ledger.len() > 20));
    let theirs = track.clone();
    let mid = right.ask(move |agent, now| {
        let mid = agent.next_mid(false);
        agent.expect(mid, Expected::of(&theirs, 96), false, now);
        agent.tell_ssrc(mid, theirs.ssrc);
        mid
    });
    assert!(wait_until(
        || right.ask(move |agent, _| agent.frames(mid)) > 5
    ));
    assert!(right.report().inbound["0"].keyframe_wait.is_none());
    right.ask(move |agent, now| {
        agent
            .request_keyframe(mid, KeyframeRequestKind::Pli, now)
            .unwrap()
    });
    assert!(wait_until(|| right.report().inbound["0"]
        .keyframe_wait
        .is_some()));
    let (sender, receiver) = (left.report(), right.report());
    assert_eq!(sender.outbound["0"].keyframe_requests.len(), 1);
    assert!(receiver.inbound["0"].before_keyframe > 0);
    assert_eq!(receiver.inbound["0"].wrong, 0);
}

#[test]
fn other_numbers_and_looking_into_rtcp() {
    let crowd = Crowd::start(None).unwrap();
    let other = |name| AgentOptions {
        numbering: Numbering::OTHER,
        inspects: true,
        estimates: true,
        ..options(name)
    };
    let left = crowd.add(other("left")).unwrap();
    let right = crowd.add(other("right")).unwrap();
    join(&left, &right);
    publish(&left, &right, Codec::Opus);
    right.ask(|agent, _| agent.enable_transport_feedback());
    flow(&left, &right, Duration::from_millis(1500));
    let (sender, receiver) = (left.report(), right.report());
    assert_eq!(receiver.faults(), [""; 0]);
    assert!(receiver.rtcp.sender_reports > 0 && !receiver.rtcp.names.is_empty());
    assert!(sender.rtcp.receiver_reports > 0 && sender.rtcp.transport_cc > 0);
    assert!(sender.outbound["0"].round_trip.is_some());
    left.ask(|agent, now| agent.close(now));
    assert!(wait_until(|| right.report().closed));
}

#[test]
fn a_client_goes_on_at_another_address() {
    let crowd = Crowd::start(None).unwrap();
    let left = crowd.add(options("left")).unwrap();
    let right = crowd.add(options("right")).unwrap();
    join(&left, &right);
    let (ledger, mid) = publish(&left, &right, Codec::Opus);
    left.ask(|agent, now| agent.start_media(now));
    assert!(wait_until(|| ledger.len() > 20));
    left.ask(|agent, now| agent.roam(IpAddr::from([127, 0, 0, 2]), now).unwrap());
    let before = right.ask(move |agent, _| agent.frames(mid));
    assert!(wait_until(
        || right.ask(move |agent, _| agent.frames(mid)) > before + 30
    ));
    assert_eq!(left.report().local.ip(), IpAddr::from([127, 0, 0, 2]));
    assert_eq!(right.report().inbound["0"].wrong, 0);
}
