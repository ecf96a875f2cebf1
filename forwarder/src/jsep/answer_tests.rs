//! Answers to offers of peers, rule by rule.

use super::{samples::*, *};
use crate::media::{Extension, Kind};

fn publication(change: &LineChange) -> &crate::sessions::specs::PublicationSpec {
    match &change.sends {
        Change::Start(spec) => spec,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_browser_sends_is_told() {
    let mut negotiation = Negotiation::new();
    let incoming = negotiation
        .handle_offer(offer("chromium-sendrecv"))
        .unwrap();
    assert_eq!(negotiation.state(), State::HaveRemoteOffer);
    let [audio, video] = incoming.changes.as_slice() else {
        panic!("{:?}", incoming.changes);
    };
    let spec = publication(audio);
    assert_eq!((audio.kind, spec.mid.as_deref()), (Kind::Audio, Some("0")));
    assert_eq!(
        (spec.encodings.len(), spec.encodings[0].rtx_ssrc),
        (1, None)
    );
    let spec = publication(video);
    assert_eq!(spec.codecs[0].rtx_payload_type, Some(97));
    assert!(spec.encodings[0].rtx_ssrc.is_some());
    let knows = |extension: Extension| {
        let mut specs = spec.header_extensions.iter();
        specs.any(|spec| spec.uri == extension.uri())
    };
    assert!(knows(Extension::Mid) && knows(Extension::TransportCc));
    assert!(!knows(Extension::Rid), "simulcast is not answered");
    assert!(audio.stream.is_some() && audio.stream == video.stream);
    assert!(matches!(&video.receives, Change::Start(receiving) if receiving.codecs == spec.codecs));
    assert!(!incoming.rolled_back && !incoming.remote.restarted);
}

#[test]
fn the_answer_of_a_lite_agent() {
    let mut negotiation = Negotiation::new();
    negotiation
        .handle_offer(offer("chromium-sendrecv"))
        .unwrap();
    let sending = Outcome::Accepted {
        receiving: true,
        sending: Some(sent("7", 4711)),
    };
    let side = Side::new(1);
    let answer = negotiation
        .answer(&side.local(), &[(1, sending), (0, TAKES)])
        .unwrap();
    assert_eq!(negotiation.state(), State::Stable);
    let head = answer.split("m=").next().unwrap();
    for line in ["a=ice-lite", "a=group:BUNDLE 0 1", "a=extmap-allow-mixed"] {
        assert!(head.contains(&format!("{line}\r\n")), "{head}");
    }
    let id = u64::MAX / 2 - 1;
    assert!(
        head.contains(&format!("o=- {id} 1 IN IP4 0.0.0.0\r\n")),
        "{head}"
    );
    let audio = attributes(&answer, 0);
    for line in [
        "setup:passive",
        "recvonly",
        "rtcp-mux",
        "mid:0",
        "end-of-candidates",
        "rtpmap:63 red/48000/2",
        "fmtp:63 111/111",
        "fmtp:111 minptime=10;useinbandfec=1",
        "rtcp-fb:111 transport-cc",
        "c=IN IP4 192.0.2.1",
    ] {
        assert!(audio.contains(&line), "{line}: {audio:?}");
    }
    let candidates = audio.iter().filter(|line| line.starts_with("candidate:"));
    let candidates: Vec<_> = candidates.collect();
    assert!(candidates[0].contains(" udp ") && candidates[0].ends_with("192.0.2.1 7700 typ host"));
    assert!(candidates[1].ends_with("typ host tcptype passive"));
    let video = attributes(&answer, 1);
    for line in [
        "sendrecv",
        "msid:stream-7 7",
        "ssrc:4711 cname:cname-7",
        "rtpmap:97 rtx/90000",
        "fmtp:97 apt=96",
        "rtcp-fb:96 nack pli",
        "rtcp-fb:96 ccm fir",
        "rtcp-fb:96 goog-remb",
    ] {
        assert!(video.contains(&line), "{line}: {video:?}");
    }
    assert_eq!(video.contains(&"rtcp-fb:96 nack"), ANSWERS_NACK);
    assert!(
        !video.iter().any(|line| line.starts_with("candidate")),
        "one transport"
    );
}

#[test]
fn extensions_for_one_way_are_answered_for_the_other() {
    let mut negotiation = Negotiation::new();
    let incoming = negotiation.handle_offer(offer("firefox-sendrecv")).unwrap();
    let (audio, video) = (&incoming.changes[0], &incoming.changes[1]);
    let delay = Extension::PlayoutDelay.uri();
    assert!(publication(audio).header_extensions.len() > 1);
    assert!(
        publication(video)
            .header_extensions
            .iter()
            .all(|spec| spec.uri != delay)
    );
    let Change::Start(receiving) = &video.receives else {
        panic!("it takes video");
    };
    assert!(
        receiving
            .header_extensions
            .iter()
            .any(|spec| spec.uri == delay)
    );
    let answer = negotiation
        .answer(&Side::new(1).local(), &[(1, TAKES)])
        .unwrap();
    let line = format!("extmap:6/sendonly {delay}");
    assert!(attributes(&answer, 1).contains(&line.as_str()), "{answer}");
}

#[test]
fn the_first_line_of_the_bundle_that_is_taken_carries_the_transport() {
    let answer = answered(&mut Negotiation::new(), offer("chromium-data-channel"));
    assert!(answer.contains("a=group:BUNDLE 0\r\n"));
    assert!(m_lines(&answer)[1].starts_with("m=application 0 UDP/DTLS/SCTP"));
    // The application first: the audio line carries it all.
    let offer = offer("aiortc-recvonly-data");
    let (head, lines) = offer.split_once("m=audio").unwrap();
    let (media, data) = lines.split_once("m=application").unwrap();
    let turned = format!("{head}m=application{data}m=audio{media}");
    let answer = answered(&mut Negotiation::new(), &turned);
    assert!(answer.contains("a=group:BUNDLE 0 1\r\n"), "{answer}");
    assert!(
        attributes(&answer, 1)
            .iter()
            .any(|line| line.starts_with("candidate:"))
    );
}

#[test]
fn lines_that_cannot_be_are_closed_and_the_others_are_not() {
    let closed = |offer: &str| {
        let answer = answered(&mut Negotiation::new(), offer);
        let ports = m_lines(&answer)
            .into_iter()
            .map(|line| line.split(' ').nth(1) == Some("0"));
        ports.collect::<Vec<_>>()
    };
    let name = "chromium-sendrecv";
    assert_eq!(closed(offer(name)), [false, false]);
    assert_eq!(
        closed(&changed(name, "BUNDLE 0 1", "BUNDLE 0")),
        [false, true]
    );
    assert_eq!(
        closed(&changed(name, "a=group:BUNDLE 0 1\r\n", "")),
        [false, true]
    );
    assert_eq!(closed(&changed(name, "VP8", "VP0")), [false, false]);
    let none = ["VP8", "VP9", "H264", "AV1"]
        .iter()
        .fold(offer(name).to_owned(), |offer, codec| {
            offer.replace(&format!(" {codec}/"), " stranger/")
        });
    assert_eq!(closed(&none), [false, true]);
    assert_eq!(closed(&changed(name, "a=mid:1\r\n", "")), [false, true]);
    let long = format!("{:017}", 1);
    let renamed = changed(name, "a=mid:1\r\n", &format!("a=mid:{long}\r\n"));
    assert_eq!(
        closed(&renamed.replace("BUNDLE 0 1", &format!("BUNDLE 0 {long}"))),
        [false, true]
    );
    let (audio, video) = offer(name).split_once("m=video").unwrap();
    let unmuxed = format!("{}m=video{video}", audio.replace("a=rtcp-mux\r\n", ""));
    assert_eq!(closed(&unmuxed), [true, false]);
    let plain = changed(name, "m=video 9 UDP/TLS/RTP/SAVPF", "m=video 9 RTP/AVP");
    assert_eq!(closed(&plain), [false, true]);
    assert_eq!(
        closed(offer("gstreamer-sendrecv")),
        [false, false],
        "bundle-only is open"
    );
}

#[test]
fn the_line_that_has_the_transport_of_the_bundle_is_not_closed() {
    let name = "chromium-sendrecv";
    let side = Side::new(1);
    let line = |answer: &str, at: usize| {
        let line = crate::sdp::read(answer).unwrap().lines.remove(at);
        line.is_open().then(|| line.direction.name())
    };
    let mut negotiation = Negotiation::new();
    let strange = changed(name, "opus", "sirius");
    let answer = answered(&mut negotiation, &strange);
    assert!(answer.contains("a=group:BUNDLE 0 1\r\n"), "{answer}");
    assert_eq!(line(&answer, 0), Some("inactive"));
    assert_eq!(line(&answer, 1), Some("recvonly"));
    assert!(attributes(&answer, 0).contains(&"rtpmap:111 sirius/48000/2"));
    let again = negotiation.handle_offer(&strange).unwrap();
    assert!(again.changes.is_empty(), "{:?}", again.changes);
    negotiation.abandon();
    // What it was kept open for does not hold the codec back that comes later.
    let incoming = negotiation.handle_offer(offer(name)).unwrap();
    let [audio] = incoming.changes.as_slice() else {
        panic!("{:?}", incoming.changes);
    };
    assert_eq!(publication(audio).codecs[0].name, "opus");
    let refused = negotiation
        .answer(&side.local(), &[(0, Outcome::Rejected)])
        .unwrap();
    assert_eq!(line(&refused, 0), Some("inactive"));
    assert_eq!(line(&refused, 1), Some("recvonly"));

    let both = |negotiation: &mut Negotiation| {
        let outcomes = [(0, Outcome::Rejected), (1, Outcome::Rejected)];
        negotiation.handle_offer(offer(name)).unwrap();
        negotiation.answer(&side.local(), &outcomes).unwrap()
    };
    let answer = both(&mut Negotiation::new());
    assert_eq!((line(&answer, 0), line(&answer, 1)), (None, None));
}

#[test]
fn attributes_nobody_knows_cost_nothing() {
    let strange = "a=unknown:\u{1f600} value\r\na=rtpmap:what\r\na=rtpmap:300 x/1\r\na=extmap:x y\r\na=fmtp:\r\na=rtcp-fb:\r\na=ssrc:no\r\na=candidate:no\r\na=msid\r\na=simulcast:\r\nx=unknown\r\na=";
    let offer = changed(
        "chromium-sendrecv",
        "a=rtcp-mux\r\n",
        &format!("a=rtcp-mux\r\n{strange}\r\n"),
    );
    let plain = answered(&mut Negotiation::new(), samples::offer("chromium-sendrecv"));
    assert_eq!(answered(&mut Negotiation::new(), &offer), plain);
}

#[test]
fn what_has_no_transport_is_refused_with_its_field() {
    let refused = |offer: &str| Negotiation::new().handle_offer(offer).unwrap_err().field;
    let name = "ffmpeg-whip";
    assert_eq!(refused(""), "sdp");
    assert_eq!(refused("v=0\r\n"), "sdp.m");
    assert_eq!(refused(&changed(name, "a=ice-pwd", "a=x")), "sdp.ice-ufrag");
    assert_eq!(refused(&changed(name, "bf0a4215", "bf0")), "ice.ufrag");
    assert_eq!(
        refused(&changed(name, "sha-256 33:", "sha-256 3:")),
        "dtls.fingerprints.value"
    );
    assert_eq!(
        refused(&changed(name, "sha-256", "md5")),
        "dtls.fingerprints"
    );
    assert_eq!(
        refused(&changed(name, "setup:passive", "setup:holdconn")),
        "sdp.setup"
    );
    assert_eq!(refused(&changed(name, "a=mid:1", "a=mid:0")), "sdp.mid");
    let syntax = Negotiation::new()
        .handle_offer(&changed(name, "t=0 0", "t=x 0"))
        .unwrap_err();
    assert!(syntax.value.starts_with("line 4: \"t=x 0\""), "{syntax}");
    let long = changed(name, "bf0a4215", &"u".repeat(5_000));
    let refusal = Negotiation::new().handle_offer(&long).unwrap_err();
    assert!(refusal.to_string().len() < 300, "{refusal}");
    let huge = "a=x\r\n".repeat(crate::sdp::MAX_TEXT);
    assert_eq!(refused(&huge), "sdp");
    assert_eq!(
        refused(&format!("v=0\r\n{}", "m=audio 9 x 0\r\n".repeat(513))),
        "sdp.m"
    );
}

#[test]
fn outcomes_decide_what_flows() {
    let direction = |outcome: Outcome| {
        let mut negotiation = Negotiation::new();
        negotiation
            .handle_offer(offer("chromium-sendrecv"))
            .unwrap();
        let answer = negotiation
            .answer(&Side::new(1).local(), &[(1, outcome)])
            .unwrap();
        let told = negotiation
            .handle_offer(offer("chromium-sendrecv"))
            .unwrap();
        let again = told
            .changes
            .iter()
            .any(|change| change.line == 1 && change.sends != Change::Keep);
        let line = crate::sdp::read(&answer).unwrap().lines.remove(1);
        let name = if line.is_open() {
            line.direction.name()
        } else {
            "closed"
        };
        (name, again)
    };
    let accepted = |receiving, sending| Outcome::Accepted { receiving, sending };
    let sending = Some(sent("7", 7));
    assert_eq!(
        direction(accepted(true, sending.clone())),
        ("sendrecv", false)
    );
    assert_eq!(direction(accepted(false, sending)), ("sendonly", true));
    assert_eq!(direction(accepted(true, None)), ("recvonly", false));
    assert_eq!(direction(accepted(false, None)), ("inactive", true));
    assert_eq!(direction(Outcome::Rejected), ("closed", true));
}

#[test]
fn names_of_others_cannot_break_a_line() {
    let mut negotiation = Negotiation::new();
    negotiation
        .handle_offer(offer("chromium-recvonly"))
        .unwrap();
    let sending = Some(Sent {
        source: Some((1, "c\r\na=ice-pwd:x".to_owned())),
        stream: "a b\r\na=x".to_owned(),
        track: String::new(),
    });
    let outcome = Outcome::Accepted {
        receiving: false,
        sending,
    };
    let answer = negotiation
        .answer(&Side::new(1).local(), &[(0, outcome)])
        .unwrap();
    let audio = attributes(&answer, 0);
    assert!(audio.contains(&"msid:a-b--a=x -"), "{audio:?}");
    assert!(audio.contains(&"ssrc:1 cname:c--a=ice-pwd:x"), "{audio:?}");
}

/// The number and the parameters of each codec of an m-line, retransmissions included.
fn parameters(sdp: &str, line: usize) -> Vec<(String, Option<String>)> {
    let attributes = attributes(sdp, line);
    let numbers = attributes.iter().filter_map(|line| {
        let (number, _) = line.strip_prefix("rtpmap:")?.split_once(' ')?;
        Some(number)
    });
    let of = |number: &str| {
        let prefix = format!("fmtp:{number} ");
        let found = attributes
            .iter()
            .find_map(|line| line.strip_prefix(&prefix));
        (number.to_owned(), found.map(str::to_owned))
    };
    numbers.map(of).collect()
}

/// Profiles, packetization modes, levels, what is repeated by what: an answer keeps of a codec what the offer said of it.
#[test]
fn codecs_keep_their_parameters() {
    for (name, offer) in OFFERS {
        let answer = answered(&mut Negotiation::new(), offer);
        for line in 0..m_lines(&answer).len() {
            let (asked, told) = (parameters(offer, line), parameters(&answer, line));
            for codec in &told {
                assert!(asked.contains(codec), "{name}: {codec:?} of {asked:?}");
            }
        }
    }
    let answer = answered(&mut Negotiation::new(), offer("chromium-sendonly"));
    let video = parameters(&answer, 1);
    let has = |wanted: &str| {
        let mut all = video
            .iter()
            .filter_map(|(_, parameters)| parameters.as_deref());
        assert!(all.any(|parameters| parameters == wanted), "{wanted}");
    };
    has("profile-id=0");
    has("profile-id=2");
    has("level-idx=5;profile=0;tier=0");
    for profile in ["42001f", "42e01f", "4d001f"] {
        let mut all = video
            .iter()
            .filter_map(|(_, parameters)| parameters.as_deref());
        assert!(
            all.any(|parameters| parameters.contains(profile)),
            "{profile}"
        );
    }
    for mode in ["packetization-mode=0", "packetization-mode=1"] {
        let mut all = video
            .iter()
            .filter_map(|(_, parameters)| parameters.as_deref());
        assert!(all.any(|parameters| parameters.contains(mode)), "{mode}");
    }
}

/// Stereo and silence that is not sent are the peer's to choose (RFC 7587 §6.1).
#[test]
fn opus_keeps_stereo_and_dtx() {
    let wanted = "minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1;usedtx=1;cbr=0";
    let offer = changed("chromium-sendonly", "minptime=10;useinbandfec=1", wanted);
    let answer = answered(&mut Negotiation::new(), &offer);
    let of_opus = ("111".to_owned(), Some(wanted.to_owned()));
    assert!(parameters(&answer, 0).contains(&of_opus));
}
