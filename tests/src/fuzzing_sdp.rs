//! What the fuzz targets of session descriptions run, and the tests on their committed corpora: any text, and scripts of
//! what peers say, with what must hold.
//!
//! Depends on `forwarder` alone, since the fuzz targets are built by a compiler and with flags of their own.

use forwarder::{
    jsep::{Change, Local, Negotiation, OfferedLine, Outcome, Sent, State, Wanted, fragment},
    media::Kind,
    sdp::{RemoteCandidate, read},
    sessions::candidate::Candidate,
    transport::{Credentials, Fingerprint, HashFunction, Protocol},
};

/// A target.
pub type Target = fn(&[u8]);

/// All targets, by the names of their corpora.
pub const TARGETS: [(&str, Target); 2] = [("negotiation", negotiation), ("sdp", sdp)];

/// Any text as a description, a fragment and a candidate: what is read stays within bounds.
pub fn sdp(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(refusal) = read(&text) {
        assert!(refusal.to_string().len() < 1024, "{refusal}");
    }
    if let Err(refusal) = fragment::parse(&text) {
        assert!(refusal.to_string().len() < 1024, "{refusal}");
    }
    let _ = RemoteCandidate::parse(&text);
    answer(&mut Negotiation::new(), &text, 0xff);
}

/// A script: a byte that says what happens, and for descriptions a length of two bytes and their text.
pub fn negotiation(data: &[u8]) {
    let mut negotiation = Negotiation::new();
    let mut rest = data;
    while let Some((what, after)) = rest.split_first() {
        rest = after;
        match what & 3 {
            0 | 1 => {
                let Some((len, after)) = rest.split_first_chunk() else {
                    return;
                };
                let len = usize::from(u16::from_be_bytes(*len)).min(after.len());
                let (text, after) = after.split_at(len);
                rest = after;
                let text = String::from_utf8_lossy(text);
                if what & 3 == 0 {
                    answer(&mut negotiation, &text, *what);
                } else {
                    let state = negotiation.state();
                    let taken = negotiation.handle_answer(&text).is_ok();
                    assert!(!taken || state == State::HaveLocalOffer);
                    let now = if taken { State::Stable } else { state };
                    assert_eq!(negotiation.state(), now);
                }
            }
            2 => offer(&mut negotiation, *what),
            _ => {
                let outstanding = negotiation.state() == State::HaveLocalOffer;
                assert_eq!(negotiation.rollback().is_ok(), outstanding);
            }
        }
    }
}

/// A peer's offer: refused without a change, or answered line by line.
fn answer(negotiation: &mut Negotiation, text: &str, how: u8) {
    let before = negotiation.state();
    let Ok(incoming) = negotiation.handle_offer(text) else {
        assert_eq!(negotiation.state(), before);
        return;
    };
    assert_eq!(incoming.rolled_back, before == State::HaveLocalOffer);
    if how == 4 {
        negotiation.abandon();
        return;
    }
    let outcomes = incoming.changes.iter().map(|change| {
        let sending = matches!(change.receives, Change::Start(_)) && how & 8 != 0;
        let outcome = Outcome::Accepted {
            receiving: how & 16 != 0,
            sending: sending.then(stream),
        };
        (change.line, outcome)
    });
    let outcomes: Vec<_> = outcomes.collect();
    let answer = with_local(|local| negotiation.answer(local, &outcomes));
    let answer = read(&answer.expect("an offer waits")).expect("ours can be read");
    let offer = read(text).expect("it was");
    assert_eq!(answer.lines.len(), offer.lines.len());
    for (answered, asked) in answer.lines.iter().zip(&offer.lines) {
        assert_eq!((&answered.media, &answered.mid), (&asked.media, &asked.mid));
        let codecs = answered.codecs.iter().filter(|_| answered.is_open());
        for format in codecs {
            let mut codecs = asked.codecs.iter();
            assert!(codecs.any(|one| one.codec == format.codec), "{format:?}");
        }
    }
}

fn offer(negotiation: &mut Negotiation, how: u8) {
    let wanted = Wanted {
        receiving: how & 4 != 0,
        sending: (how & 8 != 0).then(stream),
        codecs: Vec::new(),
    };
    let kind = if how & 16 != 0 {
        Kind::Audio
    } else {
        Kind::Video
    };
    let line = usize::from(how >> 6);
    let line = match how & 32 {
        0 => OfferedLine::Add(kind, wanted),
        _ => OfferedLine::Change(line, wanted),
    };
    let offered = with_local(|local| negotiation.offer(local, &[line]));
    if let Ok(offered) = offered {
        let read = read(&offered.sdp).expect("ours can be read");
        assert!(offered.lines.iter().all(|line| *line < read.lines.len()));
        assert_eq!(negotiation.state(), State::HaveLocalOffer);
    }
}

fn stream() -> Sent {
    Sent {
        source: Some((1, "cname".to_owned())),
        stream: "stream".to_owned(),
        track: "track".to_owned(),
    }
}

fn with_local<T>(then: impl FnOnce(&Local<'_>) -> T) -> T {
    let address = ([192, 0, 2, 1], 7700).into();
    then(&Local {
        ice: &Credentials::generate(&mut |bytes| bytes.fill(1)),
        candidates: &[Candidate::host(Protocol::Udp, address, 0)],
        fingerprint: &Fingerprint::of(HashFunction::Sha256, b"certificate"),
        session: 1,
    })
}
