//! Offers of ours, and what becomes of them.

use super::{samples::*, *};
use crate::{media::Kind, sessions::codec::CodecSpec};

fn sends(track: &str) -> Wanted {
    Wanted {
        sending: Some(sent(track, 1)),
        ..Wanted::default()
    }
}

fn receives() -> Wanted {
    Wanted {
        receiving: true,
        ..Wanted::default()
    }
}

/// Offers to another negotiation, which accepts everything, and gives what the answer changed.
fn connect(ours: &mut Negotiation, theirs: &mut Negotiation, wanted: &[OfferedLine]) -> Incoming {
    let offered = ours.offer(&Side::new(1).local(), wanted).unwrap();
    let answer = answer_of(theirs, &offered.sdp);
    ours.handle_answer(&answer).unwrap()
}

/// Answers with what is asked for: a stream on each line that asks for one.
fn answer_of(theirs: &mut Negotiation, offer: &str) -> String {
    let incoming = theirs.handle_offer(offer).unwrap();
    let outcomes = incoming.changes.iter().map(|change| {
        let sending = matches!(change.receives, Change::Start(_)).then(|| sent("theirs", 9));
        (
            change.line,
            Outcome::Accepted {
                receiving: true,
                sending,
            },
        )
    });
    let outcomes: Vec<_> = outcomes.collect();
    theirs.answer(&Side::new(2).local(), &outcomes).unwrap()
}

#[test]
fn all_that_we_know_is_offered() {
    let wanted = [
        OfferedLine::Add(Kind::Audio, receives()),
        OfferedLine::Add(Kind::Video, sends("7")),
    ];
    let offered = Negotiation::new()
        .offer(&Side::new(1).local(), &wanted)
        .unwrap();
    assert_eq!((offered.lines, offered.version), (vec![0, 1], 1));
    let audio = attributes(&offered.sdp, 0);
    for line in [
        "mid:f0",
        "setup:actpass",
        "recvonly",
        "rtpmap:111 opus/48000/2",
        "fmtp:63 111/111",
    ] {
        assert!(audio.contains(&line), "{line}: {audio:?}");
    }
    let video = attributes(&offered.sdp, 1);
    for line in [
        "mid:f1",
        "sendonly",
        "msid:stream-7 7",
        "rtpmap:45 AV1/90000",
        "fmtp:46 apt=45",
        "rtcp-fb:96 transport-cc",
    ] {
        assert!(video.contains(&line), "{line}: {video:?}");
    }
    let read = crate::sdp::read(&offered.sdp).unwrap();
    assert_eq!(
        (read.lines[0].codecs.len(), read.lines[1].codecs.len()),
        (2, 12)
    );
    assert!(
        read.lines[1]
            .codecs
            .iter()
            .all(|format| format.codec.rtx_payload_type.is_some())
    );
}

#[test]
fn the_numbers_of_the_peer_are_kept_and_those_of_the_publisher_liked() {
    let mut negotiation = Negotiation::new();
    answered(&mut negotiation, offer("firefox-sendrecv"));
    let codec = |payload_type, name: &str| CodecSpec {
        payload_type,
        name: name.to_owned(),
        clock_rate: 90_000,
        channels: None,
        parameters: None,
        rtx_payload_type: Some(payload_type + 1),
    };
    let wanted = Wanted {
        codecs: vec![codec(96, "VP8"), codec(102, "H264"), codec(120, "H265")],
        ..sends("7")
    };
    let wanted = [OfferedLine::Add(Kind::Video, wanted)];
    let offered = negotiation.offer(&Side::new(1).local(), &wanted).unwrap();
    let line = &crate::sdp::read(&offered.sdp).unwrap().lines[2];
    let numbers: Vec<_> = line
        .codecs
        .iter()
        .map(|format| (format.codec.payload_type, format.codec.name.as_str()))
        .collect();
    assert_eq!(numbers, [(120, "VP8"), (102, "H264")]);
    let mids = |line: &crate::sdp::Line| {
        let mut maps = line.extensions.iter();
        maps.find(|map| map.spec.uri.ends_with("sdes:mid"))
            .unwrap()
            .spec
            .id
    };
    let firefox = crate::sdp::read(offer("firefox-sendrecv")).unwrap();
    assert_eq!(mids(line), mids(&firefox.lines[0]));
}

#[test]
fn high_is_offered_also_to_who_takes_it_as_more_than_high() {
    let high = CodecSpec {
        payload_type: 108,
        name: "H264".to_owned(),
        clock_rate: 90_000,
        channels: None,
        parameters: Some("packetization-mode=1;profile-level-id=640028".to_owned()),
        rtx_payload_type: None,
    };
    let wanted = Wanted {
        codecs: vec![high.clone()],
        ..sends("7")
    };
    let mut ours = Negotiation::new();
    let line = OfferedLine::Add(Kind::Video, wanted);
    let offered = ours.offer(&Side::new(1).local(), &[line]).unwrap().sdp;
    let formats = attributes(&offered, 0);
    let number = |level: &str| {
        let format = formats.iter().find(|line| line.ends_with(level)).unwrap();
        format[5..].split(' ').next().unwrap().to_owned()
    };
    assert_eq!(number("640028"), "108");
    // As Chromium does, which has no High.
    let stranger = offered.replace("108 H264/90000", "108 H26X/90000");
    let answer = answer_of(&mut Negotiation::new(), &stranger);
    let incoming = ours.handle_answer(&answer).unwrap();
    let Change::Start(receiving) = &incoming.changes[0].receives else {
        panic!("{:?}", incoming.changes);
    };
    let [taken] = receiving.codecs.as_slice() else {
        panic!("{:?}", receiving.codecs);
    };
    assert_eq!(taken.payload_type.to_string(), number("f40028"));
    let map = crate::sessions::codec::map(&[high], &receiving.codecs).unwrap();
    assert_eq!(map.as_slice(), [(108, taken.payload_type)]);
}

#[test]
fn lines_open_change_close_and_are_used_again() {
    let (mut ours, mut theirs) = (Negotiation::new(), Negotiation::new());
    let wanted = [
        OfferedLine::Add(Kind::Audio, receives()),
        OfferedLine::Add(Kind::Video, sends("7")),
    ];
    let incoming = connect(&mut ours, &mut theirs, &wanted);
    let [audio, video] = incoming.changes.as_slice() else {
        panic!("{incoming:?}");
    };
    assert!(matches!(audio.sends, Change::Start(_)) && audio.receives == Change::Keep);
    assert!(matches!(video.receives, Change::Start(_)) && video.sends == Change::Keep);
    assert_eq!(ours.remote().unwrap().ice, Side::new(2).ice);

    let incoming = connect(
        &mut ours,
        &mut theirs,
        &[OfferedLine::Change(1, Wanted::default())],
    );
    assert_eq!(incoming.changes, [], "the peer may still be ready to take");
    assert_eq!(ours.lines().nth(1).unwrap().sending, None);
    let incoming = connect(
        &mut ours,
        &mut theirs,
        &[OfferedLine::Change(1, sends("8"))],
    );
    assert_eq!(incoming.changes, []);

    let both = [
        OfferedLine::Close(1),
        OfferedLine::Add(Kind::Video, sends("9")),
    ];
    let offered = ours.offer(&Side::new(1).local(), &both).unwrap();
    assert_eq!(offered.lines, [1, 2], "what closes is not free yet");
    assert!(m_lines(&offered.sdp)[1].starts_with("m=video 0 "));
    let answer = answer_of(&mut theirs, &offered.sdp);
    let incoming = ours.handle_answer(&answer).unwrap();
    assert_eq!(incoming.changes[0].receives, Change::Stop);

    let again = [
        OfferedLine::Add(Kind::Audio, sends("10")),
        OfferedLine::Add(Kind::Video, sends("11")),
    ];
    let offered = ours.offer(&Side::new(1).local(), &again).unwrap();
    assert_eq!(offered.lines, [3, 1], "of the same kind");
    assert!(attributes(&offered.sdp, 1).contains(&"mid:f4"));
}

#[test]
fn what_cannot_be_offered_is_refused_and_changes_nothing() {
    let side = Side::new(1);
    let mut ours = Negotiation::new();
    assert_eq!(ours.offer(&side.local(), &[]).unwrap_err().field, "sdp.m");
    assert_eq!(
        ours.offer(&side.local(), &[OfferedLine::Close(0)])
            .unwrap_err()
            .field,
        "m-line"
    );
    let mut strange = sends("7");
    strange.codecs = crate::jsep::codecs::all(Kind::Audio);
    let strange = [OfferedLine::Add(Kind::Video, strange)];
    assert_eq!(
        ours.offer(&side.local(), &strange).unwrap_err().field,
        "codecs"
    );
    let wanted = vec![OfferedLine::Add(Kind::Audio, receives()); 513];
    assert_eq!(
        ours.offer(&side.local(), &wanted).unwrap_err().field,
        "m-line"
    );
    assert_eq!((ours.state(), ours.version()), (State::Stable, 0));
    assert!(ours.rollback().is_err());
    assert!(ours.answer(&side.local(), &[]).is_err());
    assert!(ours.handle_answer(offer("chromium-sendrecv")).is_err());
}

#[test]
fn answers_must_fit_the_offer() {
    let wanted = [
        OfferedLine::Add(Kind::Audio, receives()),
        OfferedLine::Add(Kind::Video, sends("7")),
    ];
    let mut ours = Negotiation::new();
    let offered = ours.offer(&Side::new(1).local(), &wanted).unwrap();
    let answer = answer_of(&mut Negotiation::new(), &offered.sdp);
    let mut refused = |from: &str, to: &str| {
        assert!(answer.contains(from), "{from}");
        let refusal = ours.handle_answer(&answer.replace(from, to)).unwrap_err();
        assert_eq!(ours.state(), State::HaveLocalOffer);
        refusal.field
    };
    assert_eq!(refused("m=video", "m=audio"), "sdp.m");
    assert_eq!(refused("mid:f1", "mid:f7"), "sdp.mid");
    assert_eq!(refused("setup:passive", "setup:holdconn"), "sdp.setup");
    assert_eq!(refused("ice-ufrag", "x"), "sdp.ice-ufrag");
    let half = answer.split("m=video").next().unwrap();
    assert_eq!(ours.handle_answer(half).unwrap_err().field, "sdp.m");

    // What was not offered, nobody can answer.
    let foreign = answer
        .replace("a=extmap:1 ", "a=extmap:9 ")
        .replace("VP8", "VP7");
    let incoming = ours.handle_answer(&foreign).unwrap();
    let Change::Start(video) = &incoming.changes[1].receives else {
        panic!("{incoming:?}");
    };
    assert!(
        video
            .codecs
            .iter()
            .all(|codec| codec.name != "VP7" && codec.name != "VP8")
    );
    assert!(video.header_extensions.iter().all(|spec| spec.id != 9));
}

#[test]
fn a_rollback_forgets() {
    let mut ours = Negotiation::new();
    let before = answered(&mut ours, offer("chromium-sendrecv"));
    let wanted = [OfferedLine::Add(Kind::Video, sends("7"))];
    let first = ours.offer(&Side::new(1).local(), &wanted).unwrap();
    assert!(
        ours.offer(&Side::new(1).local(), &wanted).is_err(),
        "one at a time"
    );
    ours.rollback().unwrap();
    let second = ours.offer(&Side::new(1).local(), &wanted).unwrap();
    assert_eq!(
        (first.lines, second.lines.as_slice()),
        (vec![2], [2].as_slice())
    );
    assert_eq!((first.version, second.version), (2, 3), "no version twice");
    assert!(second.sdp.contains("a=mid:f1\r\n"), "no mid twice");
    ours.rollback().unwrap();
    assert_eq!(
        ours.handle_offer(offer("chromium-sendrecv"))
            .unwrap()
            .changes,
        []
    );
    let after = ours.answer(&Side::new(1).local(), &[]).unwrap();
    assert_eq!(after, before.replace(" 1 IN", " 4 IN"));
}

#[test]
fn a_peer_that_offers_meanwhile_goes_first() {
    let mut ours = Negotiation::new();
    answered(&mut ours, offer("chromium-sendrecv"));
    let wanted = [OfferedLine::Add(Kind::Video, sends("7"))];
    ours.offer(&Side::new(1).local(), &wanted).unwrap();
    assert!(ours.handle_offer("v=0\r\n").is_err());
    assert_eq!(
        ours.state(),
        State::HaveLocalOffer,
        "what is refused rolls nothing back"
    );
    let incoming = ours.handle_offer(offer("chromium-sendrecv")).unwrap();
    assert!(incoming.rolled_back);
    ours.answer(&Side::new(1).local(), &[]).unwrap();
    assert_eq!(ours.state(), State::Stable);
    assert!(ours.offer(&Side::new(1).local(), &wanted).is_ok());
}

#[test]
fn a_browser_that_lists_more_codecs_ends_nothing() {
    let (mut ours, mut theirs) = (Negotiation::new(), Negotiation::new());
    let wanted = [OfferedLine::Add(Kind::Video, sends("7"))];
    connect(&mut ours, &mut theirs, &wanted);
    let sending = ours.lines().next().unwrap().sending.cloned();
    let again = theirs.offer(&Side::new(2).local(), &[]).unwrap().sdp;
    let more = again.replace(
        "m=video 7700 UDP/TLS/RTP/SAVPF",
        "m=video 7700 UDP/TLS/RTP/SAVPF 47",
    );
    let more = more.replace(
        "a=rtcp-mux\r\n",
        "a=rtcp-mux\r\na=rtpmap:47 AV1/90000\r\na=fmtp:47 profile=1\r\n",
    );
    // As browsers do, in an order of their own.
    let (first, second) = ("a=extmap:1 ", "a=extmap:2 ");
    let uri = |id: &str| {
        let from = more.split(id).nth(1).unwrap();
        from.split("\r\n").next().unwrap().to_owned()
    };
    let (one, two) = (
        format!("{first}{}", uri(first)),
        format!("{second}{}", uri(second)),
    );
    let more = more
        .replace(&one, "swap")
        .replace(&two, &one)
        .replace("swap", &two);
    assert_ne!(more, again);
    assert_eq!(ours.handle_offer(&more).unwrap().changes, []);
    ours.answer(&Side::new(1).local(), &[]).unwrap();
    assert_eq!(ours.lines().next().unwrap().sending.cloned(), sending);
}

/// Chromium takes no offer that gives an id to another extension, not even where the line that had it has ended.
#[test]
fn an_id_stays_with_its_extension_for_the_whole_session() {
    let ids = |sdp: &str| {
        let read = crate::sdp::read(sdp).unwrap();
        let lines = read.lines.into_iter().filter(sdp::Line::is_open);
        let maps = lines.flat_map(|line| line.extensions);
        maps.map(|map| (map.spec.id, map.spec.uri))
            .collect::<Vec<_>>()
    };
    let mut negotiation = Negotiation::new();
    let mut known = std::collections::BTreeMap::new();
    let mut theirs = Negotiation::new();
    for round in 0..6 {
        let kind = [Kind::Video, Kind::Audio][round % 2];
        let wanted = [OfferedLine::Add(kind, sends("7"))];
        let offered = negotiation.offer(&Side::new(1).local(), &wanted).unwrap();
        for (id, uri) in ids(&offered.sdp) {
            assert_eq!(known.entry(id).or_insert_with(|| uri.clone()), &uri);
        }
        let answer = answer_of(&mut theirs, &offered.sdp);
        negotiation.handle_answer(&answer).unwrap();
        // All that was there ends, and with it who else knew the ids.
        let open: Vec<usize> = negotiation.lines().map(|line| line.line).collect();
        let close: Vec<_> = open.into_iter().map(OfferedLine::Close).collect();
        connect(&mut negotiation, &mut theirs, &close);
    }
}
