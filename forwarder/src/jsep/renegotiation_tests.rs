//! Offers of a peer that has offered before.

use super::{samples::*, *};

#[test]
fn the_role_stays_and_so_does_the_certificate() {
    let mut negotiation = Negotiation::new();
    let first = answered(&mut negotiation, offer("ffmpeg-whip"));
    assert!(
        attributes(&first, 0).contains(&"setup:active"),
        "the peer is passive"
    );
    let again = changed("ffmpeg-whip", "setup:passive", "setup:actpass");
    let second = answered(&mut negotiation, &again);
    assert!(attributes(&second, 0).contains(&"setup:active"));
    let turned = changed("ffmpeg-whip", "setup:passive", "setup:active");
    assert_eq!(
        negotiation.handle_offer(&turned).unwrap_err().field,
        "sdp.setup"
    );
    let other = changed("ffmpeg-whip", "sha-256 33:7A", "sha-256 33:7B");
    assert_eq!(
        negotiation.handle_offer(&other).unwrap_err().field,
        "dtls.fingerprints"
    );
    assert_eq!(negotiation.state(), State::Stable);
}

#[test]
fn again_the_same_changes_nothing_but_the_version() {
    let mut negotiation = Negotiation::new();
    let first = answered(&mut negotiation, offer("chromium-sendrecv"));
    let incoming = negotiation
        .handle_offer(offer("chromium-sendrecv"))
        .unwrap();
    assert_eq!(incoming.changes, []);
    let second = negotiation.answer(&Side::new(1).local(), &[]).unwrap();
    assert_eq!(first.replace(" 1 IN", " 2 IN"), second);
    assert_eq!(negotiation.version(), 2);
}

#[test]
fn other_credentials_restart() {
    let mut negotiation = Negotiation::new();
    answered(&mut negotiation, offer("ffmpeg-whip"));
    let restart = changed("ffmpeg-whip", "bf0a4215", "cf0a4215");
    let incoming = negotiation.handle_offer(&restart).unwrap();
    assert!(incoming.remote.restarted);
    negotiation.abandon();
    assert!(
        negotiation.handle_offer(&restart).unwrap().remote.restarted,
        "it was given up"
    );
    let answer = negotiation.answer(&Side::new(9).local(), &[]).unwrap();
    let ufrag = format!("ice-ufrag:{}", Side::new(9).ice.ufrag());
    assert!(attributes(&answer, 0).contains(&ufrag.as_str()));
    assert!(!negotiation.handle_offer(&restart).unwrap().remote.restarted);
}

#[test]
fn tracks_come_and_go_in_their_places() {
    let mut negotiation = Negotiation::new();
    answered(&mut negotiation, offer("chromium-sendrecv"));
    let fewer = offer("chromium-sendrecv").split("m=video").next().unwrap();
    assert_eq!(negotiation.handle_offer(fewer).unwrap_err().field, "sdp.m");
    let renamed =
        changed("chromium-sendrecv", "a=mid:1", "a=mid:5").replace("BUNDLE 0 1", "BUNDLE 0 5");
    assert_eq!(
        negotiation.handle_offer(&renamed).unwrap_err().field,
        "sdp.mid"
    );

    let (audio, video) = offer("chromium-sendrecv").split_once("m=video").unwrap();
    let muted = format!(
        "{audio}m=video{}",
        video.replace("a=sendrecv", "a=recvonly")
    );
    let incoming = negotiation.handle_offer(&muted).unwrap();
    assert_eq!(incoming.changes.len(), 1);
    assert_eq!(incoming.changes[0].sends, Change::Stop);
    assert_eq!(incoming.changes[0].receives, Change::Keep);
    negotiation.answer(&Side::new(1).local(), &[]).unwrap();

    let ended = format!(
        "{}m=video 0{}",
        audio.replace("BUNDLE 0 1", "BUNDLE 0"),
        video.trim_start_matches(" 9")
    );
    let incoming = negotiation.handle_offer(&ended).unwrap();
    assert_eq!(incoming.changes[0].receives, Change::Stop);
    let answer = negotiation.answer(&Side::new(1).local(), &[]).unwrap();
    assert!(m_lines(&answer)[1].starts_with("m=video 0 "));

    // Another transceiver takes the place, with a mid of its own.
    let incoming = negotiation.handle_offer(&renamed).unwrap();
    assert_eq!(incoming.changes[0].mid.as_deref(), Some("5"));
    assert!(matches!(incoming.changes[0].sends, Change::Start(_)));
}

#[test]
fn a_session_outlives_its_last_line() {
    let mut negotiation = Negotiation::new();
    let first = answered(&mut negotiation, offer("chromium-sendonly"));
    let remote = negotiation.remote().cloned();
    let ended = "v=0\r\no=- 1 3 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 0 UDP/TLS/RTP/SAVPF 111\r\nm=video 0 UDP/TLS/RTP/SAVPF 96\r\n";
    let incoming = negotiation.handle_offer(ended).unwrap();
    assert!(
        incoming
            .changes
            .iter()
            .all(|change| change.sends == Change::Stop)
    );
    assert_eq!(
        (incoming.changes.len(), Some(&incoming.remote)),
        (2, remote.as_ref())
    );
    let answer = negotiation.answer(&Side::new(1).local(), &[]).unwrap();
    assert!(
        !answer.contains("BUNDLE") && !answer.contains("candidate"),
        "{answer}"
    );
    let again = answered(&mut negotiation, offer("chromium-sendonly"));
    assert_eq!(again, first.replace(" 1 IN", " 3 IN"));
}
