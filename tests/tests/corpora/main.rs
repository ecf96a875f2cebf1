//! The committed corpora of the fuzz targets, replayed: seeds from the case table, and whatever fuzzing ever found.
//!
//! `FORWARDER_WRITE_SEEDS=1` writes the seeds anew after the case table has changed.

mod media;
mod sdp;
mod srtp;
mod transport;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use forwarder_common::{
    hop::Shape,
    ingress::{Verdict, judge},
    ticket::{DONE, LEN, SENT, Ticket, WAITING},
};
use forwarder_tests::{
    Family,
    cases::{cases, frame, rtp},
    fuzzing::{EveryOther, TARGETS},
    fuzzing_media, fuzzing_sdp, fuzzing_srtp, fuzzing_transport,
};

const VARIABLE: &str = "FORWARDER_WRITE_SEEDS";

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target)
}

/// Name and bytes of a seed, by target.
fn seeds() -> BTreeMap<&'static str, Vec<(String, Vec<u8>)>> {
    let mut seeds = BTreeMap::new();
    let named = |name: &str, bytes: Vec<u8>| (name.to_owned(), bytes);
    let frames = cases().into_iter().map(|case| (case.name, case.frame));
    seeds.insert("judge", frames.collect());
    let header_len = frame(Family::V4, &[]).build().len();
    let payloads = cases()
        .into_iter()
        .filter(|case| case.name.starts_with("v4") && case.frame.len() > header_len)
        .filter(|case| case.frame.len() < 200)
        .map(|case| (case.name, case.frame[header_len..].to_vec()));
    seeds.insert("rtp", payloads.collect());
    let tickets = [WAITING, SENT, DONE].map(|state| {
        let ticket = ticket(42, 100, state);
        named(&format!("state-{state}"), ticket)
    });
    let short = named("short", vec![0; LEN - 1]);
    seeds.insert("ticket", tickets.into_iter().chain([short]).collect());
    seeds.insert("replicate", replicas());
    seeds.insert("srtp", srtp::sealed());
    seeds.insert("framing", transport::streams());
    seeds.insert("hello", transport::hellos());
    seeds.insert("ice", transport::agents());
    seeds.insert("header", media::headers());
    seeds.insert("rtcp", media::reports());
    seeds.insert("sdp", sdp::descriptions());
    seeds.insert("negotiation", sdp::scripts());
    seeds
}

fn ticket(header_len: u8, payload_len: u16, state: u8) -> Vec<u8> {
    let ticket = Ticket {
        tag: 7,
        chunk: 3,
        mask: 0x8000_0000_0000_0005,
        now: 1 << 40,
        payload_len,
        sum: 0,
        header_len,
        state: state | 5 << 2,
        round: 9,
        load: 3,
    };
    let mut bytes = vec![0; LEN];
    ticket.write(bytes.as_mut_slice()).unwrap();
    bytes
}

/// All shapes and both modes, from the shortest and the longest headers that ingress takes.
fn replicas() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for kind in 0..8_u8 {
        for header_len in [42_u8, 70] {
            for len in [12_u16, 13, 60] {
                let mut leg = [0x11; 64];
                (leg[0], leg[63]) = (kind, 31);
                let mut bytes = leg.to_vec();
                bytes.extend(ticket(header_len, len, SENT));
                bytes.resize(64 + usize::from(header_len), 0xee);
                bytes.extend(rtp(1, 0xffff, u32::MAX, usize::from(len)));
                seeds.push((
                    format!("kind-{kind}-from-{header_len}-payload-{len}"),
                    bytes,
                ));
            }
        }
    }
    assert!(Shape::V6Vlan.header_len() > 42);
    seeds
}

#[test]
fn corpora_hold_no_surprise() {
    let targets = TARGETS
        .into_iter()
        .chain(fuzzing_media::TARGETS)
        .chain(fuzzing_sdp::TARGETS)
        .chain(fuzzing_srtp::TARGETS)
        .chain(fuzzing_transport::TARGETS);
    for (name, target) in targets {
        let mut replayed = 0;
        for entry in fs::read_dir(corpus(name)).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            target(&fs::read(&path).unwrap());
            replayed += 1;
        }
        assert!(replayed > 0, "the corpus of {name} is empty");
    }
}

/// The target's tables know the addresses and streams of the seeds, or else they would lead nowhere.
#[test]
fn seeds_are_taken() {
    let judged = seeds()["judge"].len();
    let taken = seeds()["judge"]
        .iter()
        .filter(|(_, frame)| matches!(judge(frame.as_slice(), &EveryOther), Verdict::Take(_)))
        .count();
    assert!(taken > judged / 3, "{taken} of {judged}");
}

#[test]
fn seeds_are_those_of_the_case_table() {
    let write = std::env::var_os(VARIABLE).is_some();
    let mut missing = BTreeSet::new();
    for (target, seeds) in seeds() {
        for (name, bytes) in seeds {
            let path = corpus(target).join(name);
            if write {
                fs::create_dir_all(corpus(target)).unwrap();
                fs::write(&path, &bytes).unwrap();
            }
            if fs::read(&path).ok().as_deref() != Some(&bytes) {
                missing.insert(path);
            }
        }
    }
    assert!(
        missing.is_empty(),
        "run this with {VARIABLE}=1: {missing:?}"
    );
}
