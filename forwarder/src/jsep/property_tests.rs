//! What holds for any text, and for any offer.

use proptest::{prelude::*, sample::select};

use super::{samples::*, *};
use crate::sdp;

/// A line of a real offer, or something like one.
fn line() -> impl Strategy<Value = String> {
    let real: Vec<_> = OFFERS.iter().flat_map(|(_, offer)| offer.lines()).collect();
    prop_oneof![
        20 => select(real).prop_map(str::to_owned),
        1 => "[vosctbam]=[ -~]{0,40}",
        1 => "a=(rtpmap|fmtp|extmap|ssrc|mid|group|rtcp-fb|candidate):[ -~]{0,24}",
        1 => "m=(audio|video|application) [0-9]{1,3} UDP/TLS/RTP/SAVPF( [0-9]{1,3}){1,4}",
    ]
}

/// A real offer in which some lines were put, taken away or swapped.
fn offer_with_changes() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), 0..3_u8, line());
    (select(&OFFERS[..]), prop::collection::vec(change, 0..12)).prop_map(|((_, offer), changes)| {
        let mut lines: Vec<_> = offer.lines().map(str::to_owned).collect();
        for (at, what, line) in changes {
            let at = at.index(lines.len());
            match what {
                0 => lines.insert(at, line),
                1 if lines.len() > 1 => drop(lines.remove(at)),
                _ => lines[at] = line,
            }
        }
        lines.join("\r\n") + "\r\n"
    })
}

/// Number, order, kinds and mids of the lines agree; numbers are a subset; what is bundled is open (RFC 3264 §6).
fn check_answer(offer: &str, answer: &str) {
    let (offer, answer) = (sdp::read(offer).unwrap(), sdp::read(answer).unwrap());
    assert_eq!(offer.lines.len(), answer.lines.len());
    for (asked, answered) in offer.lines.iter().zip(&answer.lines) {
        assert_eq!(
            (&asked.media, &asked.protocol),
            (&answered.media, &answered.protocol)
        );
        assert_eq!(asked.mid, answered.mid);
        if !answered.is_open() {
            continue;
        }
        assert!(asked.is_open());
        for format in &answered.codecs {
            let mut all = asked.codecs.iter();
            let same = all.find(|other| other.codec == format.codec).unwrap();
            assert_eq!(same.feedback.and(format.feedback), format.feedback);
        }
        for map in &answered.extensions {
            let mut all = asked.extensions.iter();
            assert!(all.any(|other| other.spec == map.spec));
        }
        let bundled = answer.bundle.iter().flatten();
        assert_eq!(
            bundled
                .filter(|mid| Some(*mid) == answered.mid.as_ref())
                .count(),
            usize::from(answered.mid.is_some())
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_text_is_too_strange(text in ".{0,400}", lines in prop::collection::vec(line(), 0..60)) {
        for text in [text, format!("v=0\r\n{}", lines.join("\r\n"))] {
            let _ = sdp::read(&text);
            let _ = fragment::parse(&text);
            let _ = sdp::RemoteCandidate::parse(&text);
            let mut negotiation = Negotiation::new();
            if negotiation.handle_offer(&text).is_err() {
                prop_assert_eq!(negotiation.state(), State::Stable);
            }
        }
    }

    #[test]
    fn each_offer_that_is_taken_gets_its_answer(offer in offer_with_changes(), accepts: u64, sends: u64) {
        let mut negotiation = Negotiation::new();
        let Ok(incoming) = negotiation.handle_offer(&offer) else {
            return Ok(());
        };
        let bit = |bits: u64, line: usize| bits >> (line % 64) & 1 == 1;
        let outcomes: Vec<_> = incoming.changes.iter().map(|change| {
            let sending = bit(sends, change.line).then(|| sent("x", 5));
            (change.line, Outcome::Accepted { receiving: bit(accepts, change.line), sending })
        }).collect();
        let answer = negotiation.answer(&Side::new(1).local(), &outcomes).unwrap();
        check_answer(&offer, &answer);
        // The same again is no change, but for what was not accepted.
        let again = negotiation.handle_offer(&offer).unwrap();
        for change in again.changes {
            prop_assert!(matches!(change.sends, Change::Start(_)) && !bit(accepts, change.line));
        }
    }
}
