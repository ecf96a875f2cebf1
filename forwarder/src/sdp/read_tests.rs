//! What lines mean, one by one.

use super::*;
use crate::{
    media::Kind,
    sessions::specs::{EncodingSpec, PeerRole},
};

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";

/// The m-line with these attributes, all of which may be led by attributes of the session behind `whole`.
fn line(whole: &[&str], formats: &str, attributes: &[&str]) -> Line {
    let lines = |attributes: &[&str]| {
        let lines = attributes
            .iter()
            .map(|attribute| format!("a={attribute}\r\n"));
        lines.collect::<String>()
    };
    let text = format!(
        "{HEAD}{}m=video 9 UDP/TLS/RTP/SAVPF {formats}\r\n{}",
        lines(whole),
        lines(attributes)
    );
    read(&text).unwrap().lines.remove(0)
}

fn codecs(formats: &str, attributes: &[&str]) -> Vec<(u8, String, Option<u8>)> {
    let line = line(&[], formats, attributes);
    let codecs = line.codecs.into_iter().map(|format| format.codec);
    let of = |codec: crate::sessions::codec::CodecSpec| {
        (codec.payload_type, codec.name, codec.rtx_payload_type)
    };
    codecs.map(of).collect()
}

#[test]
fn codecs_stand_in_the_order_of_the_m_line() {
    let attributes = [
        "rtpmap:96 VP8/90000",
        "rtpmap:98 VP9/90000",
        "rtpmap:97 rtx/90000",
        "fmtp:97 apt=96",
        "rtpmap:99 rtx/90000",
        "fmtp:99 apt=55",
    ];
    assert_eq!(
        codecs("98 97 96 99 50", &attributes),
        [
            (98, "VP9".to_owned(), None),
            (96, "VP8".to_owned(), Some(97))
        ]
    );
    assert_eq!(codecs("97", &attributes), [], "it repairs nothing");
}

#[test]
fn codecs_that_cannot_be_are_left_out() {
    let kept = |attribute: &str| codecs("96 72", &[attribute]).len();
    assert_eq!(kept("rtpmap:96 VP8/90000"), 1);
    for attribute in [
        "rtpmap:96 VP8/0",
        "rtpmap:96 VP8",
        "rtpmap:96 /90000",
        "rtpmap:72 VP8/90000",
        "rtpmap:96 opus/48000/0",
        "rtpmap:96 opus/48000/x",
        "rtpmap:97 VP8/90000",
    ] {
        assert_eq!(kept(attribute), 0, "{attribute}");
    }
    let long = format!("fmtp:96 x={}", "y".repeat(300));
    assert_eq!(codecs("96", &["rtpmap:96 VP8/90000", &long]), []);
    let twice = codecs("96 96", &["rtpmap:96 VP8/90000", "rtpmap:96 VP9/90000"]);
    assert_eq!(twice, [(96, "VP8".to_owned(), None)]);
}

#[test]
fn feedback_is_for_one_codec_or_for_all() {
    let attributes = [
        "rtpmap:96 VP8/90000",
        "rtpmap:98 VP9/90000",
        "rtcp-fb:96 nack",
        "rtcp-fb:96 nack pli",
        "rtcp-fb:* transport-cc",
        "rtcp-fb:98 nack rpsi",
    ];
    let line = line(&[], "96 98", &attributes);
    let names = |at: usize| line.codecs[at].feedback.names().collect::<Vec<_>>();
    assert_eq!(names(0), ["transport-cc", "nack", "nack pli"]);
    assert_eq!(names(1), ["transport-cc"]);
}

#[test]
fn the_first_stream_of_a_line_with_its_retransmissions() {
    let encoding = |attributes: &[&str]| line(&[], "96", attributes).encoding;
    let spec = |ssrc, rtx_ssrc| Some(EncodingSpec { ssrc, rtx_ssrc });
    assert_eq!(encoding(&[]), None);
    assert_eq!(
        encoding(&["ssrc:7 cname:x", "ssrc:8 cname:x"]),
        spec(7, None)
    );
    let paired = ["ssrc:8 cname:x", "ssrc:7 cname:x", "ssrc-group:FID 7 8"];
    assert_eq!(encoding(&paired), spec(7, Some(8)));
    let layered = [
        "ssrc-group:FID 1 2",
        "ssrc-group:FID 3 4",
        "ssrc-group:SIM 3 1",
    ];
    assert_eq!(encoding(&layered), spec(3, Some(4)));
    assert_eq!(
        encoding(&["ssrc:99999999999 cname:x", "ssrc-group:FID 7 7"]),
        spec(7, None)
    );
}

#[test]
fn extensions_are_one_of_each_with_their_direction() {
    let attributes = [
        "extmap:4 urn:x",
        "extmap:4 urn:y",
        "extmap:5 urn:x",
        "extmap:15 urn:z",
        "extmap:0 urn:z",
        "extmap:6/sendonly urn:w",
        "extmap:300 urn:v",
    ];
    let line = line(&["extmap:9 urn:session"], "96", &attributes);
    let maps = line
        .extensions
        .iter()
        .map(|map| (map.spec.id, map.spec.uri.as_str(), map.direction.name()));
    assert_eq!(
        maps.collect::<Vec<_>>(),
        [
            (4, "urn:x", "sendrecv"),
            (6, "urn:w", "sendonly"),
            (9, "urn:session", "sendrecv")
        ]
    );
}

#[test]
fn what_a_line_does_not_say_the_session_says() {
    let whole = [
        "ice-ufrag:sess",
        "ice-pwd:whole",
        "fingerprint:sha-256 AB",
        "setup:active",
        "recvonly",
        "extmap-allow-mixed",
        "end-of-candidates",
    ];
    let silent = line(&whole, "96", &[]);
    assert_eq!(silent.transport.ufrag.as_deref(), Some("sess"));
    assert_eq!(silent.transport.setup, Some(Setup::Role(PeerRole::Active)));
    assert_eq!(silent.direction.name(), "recvonly");
    assert!(silent.mixes_extensions && silent.ended_candidates);
    let own = [
        "ice-ufrag:line",
        "setup:passive",
        "inactive",
        "fingerprint:sha-1 CD",
    ];
    let own = line(&whole, "96", &own);
    assert_eq!(own.transport.ufrag.as_deref(), Some("line"));
    assert_eq!(own.transport.pwd, None, "of another pair");
    assert_eq!(
        own.transport.fingerprints,
        [("sha-1".to_owned(), "CD".to_owned())]
    );
    assert_eq!(own.transport.setup, Some(Setup::Role(PeerRole::Passive)));
    assert_eq!(own.direction.name(), "inactive");
    assert_eq!(line(&[], "96", &[]).direction, Direction::default());
}

#[test]
fn streams_and_other_words() {
    let stream = |value: &str| line(&[], "96", &[&format!("msid:{value}")]).stream;
    assert_eq!(stream("camera track").as_deref(), Some("camera"));
    assert_eq!(stream("- track"), None);
    assert_eq!(stream(&"x".repeat(65)), None);
    let line = line(
        &[],
        "96",
        &["mid:0", "rtcp-mux", "rtcp-rsize", "bundle-only"],
    );
    assert!(line.rtcp_mux && line.rtcp_rsize && line.bundle_only);
    assert_eq!(
        (line.kind, line.mid.as_deref()),
        (Some(Kind::Video), Some("0"))
    );
}

#[test]
fn passwords_stand_in_no_log() {
    let line = line(&["ice-ufrag:some", "ice-pwd:hunter2"], "96", &[]);
    assert_eq!(line.transport.pwd.as_deref(), Some("hunter2"));
    assert!(!format!("{line:?}").contains("hunter2"));
}

#[test]
fn syntax_errors_name_the_line() {
    let refusal = |text: &str| read(text).unwrap_err();
    let error = refusal(&format!("{HEAD}m=audio x UDP/TLS/RTP/SAVPF 0\r\n"));
    assert_eq!(error.field, "sdp");
    assert!(error.value.starts_with("line 5: \"m=audio x"), "{error}");
    assert!(error.allowed.contains("Media port"), "{error}");
    assert!(
        refusal("o=- 1 1 IN IP4 0.0.0.0\r\n")
            .allowed
            .contains("v=0")
    );
    assert!(refusal("v=1\r\n").allowed.contains("v=0"));
    let long = format!("{HEAD}t={}\r\n", "x".repeat(10_000));
    assert!(refusal(&long).to_string().len() < 300);
}
