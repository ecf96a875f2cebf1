//! The committed corpora of the fuzz targets, replayed: seeds from the case table, and whatever fuzzing ever found.
//!
//! `FORWARDER_WRITE_SEEDS=1` writes the seeds anew after the case table has changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use forwarder::srtp::{ReceiveKeys, SendKeys, SrtcpSender, Suite};
use forwarder_common::{
    hop::Shape,
    ingress::{Verdict, judge},
    ticket::{DONE, LEN, SENT, Ticket, WAITING},
};
use forwarder_tests::{
    Family,
    cases::{cases, frame, rtp},
    fuzzing::{EveryOther, TARGETS},
    fuzzing_srtp, fuzzing_transport,
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
    seeds.insert("srtp", sealed());
    seeds.insert("framing", streams());
    seeds.insert("hello", hellos());
    seeds.insert("ice", agents());
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

/// Of each suite: a packet that opens, the same with a bit changed and without its end, SRTCP, and what is to be sealed.
fn sealed() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for suite in Suite::ALL {
        let index = 0x0001_ffff_u64;
        let plain = rtp(7, index as u16, 96, 40);
        let prefix = fuzzing_srtp::prefix(suite, 12, index);
        let mut add = |name: &str, packet: &[u8]| {
            let bytes = [&prefix, packet].concat();
            seeds.push((format!("{suite}-{name}"), bytes));
        };
        let mut packet = plain.clone();
        packet.resize(plain.len() + suite.tag_len(), 0);
        let keys = SendKeys::new(&fuzzing_srtp::master(suite));
        keys.seal(&mut packet, 12, plain.len(), index).unwrap();
        let mut changed = packet.clone();
        changed[20] ^= 1;
        let mut rtcp = Vec::new();
        let report = [0x80, 201, 0, 1, 0, 0, 0, 9];
        SrtcpSender::new(&fuzzing_srtp::master(suite))
            .protect(&report, &mut rtcp)
            .unwrap();
        add("plain", &plain);
        add("sealed", &packet);
        add("changed", &changed);
        add("cut", &packet[..packet.len() - 1]);
        add("header", &packet[..12]);
        add("rtcp", &rtcp);
        add("report", &report);
    }
    seeds
}

/// Frames of all kinds, in whole and in pieces, and one that is too long.
fn streams() -> Vec<(String, Vec<u8>)> {
    let frames: [&[u8]; 4] = [b"", b"a frame", &[7; 200], &[8; 201]];
    let stream: Vec<u8> = frames
        .iter()
        .flat_map(|frame| [&(frame.len() as u16).to_be_bytes()[..], frame].concat())
        .collect();
    let named = |piece: u8| {
        (
            format!("pieces-of-{piece}"),
            [&[piece][..], &stream].concat(),
        )
    };
    [1, 2, 3, 199, 255].map(named).to_vec()
}

/// A block of a script: its length, then its bytes.
fn block(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

/// Hellos of browsers: as they came, in the other order, repeated, and with one piece only.
fn hellos() -> Vec<(String, Vec<u8>)> {
    let fixtures =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../forwarder/src/transport/fixtures");
    let mut seeds = Vec::new();
    for browser in ["chromium-156", "firefox-153"] {
        let [one, two] = [1, 2].map(|part| {
            block(&fs::read(fixtures.join(format!("{browser}-hello-{part}.bin"))).unwrap())
        });
        let orders: [(&str, Vec<&[u8]>); 4] = [
            ("whole", vec![&one, &two]),
            ("reversed", vec![&two, &one]),
            ("repeated", vec![&one, &one, &two, &two, &one]),
            ("one-piece", vec![&one]),
        ];
        for (name, order) in orders {
            seeds.push((format!("{browser}-{name}"), order.concat()));
        }
    }
    seeds
}

/// The seeds that are sealed open, or else they would lead nowhere.
#[test]
fn sealed_seeds_open() {
    let opened = sealed()
        .iter()
        .filter(|(name, _)| name.ends_with("-sealed"))
        .filter(|(_, bytes)| {
            let (prefix, packet) = bytes.split_at(fuzzing_srtp::PREFIX_LEN);
            let suite = Suite::from_profile(prefix[0].into()).unwrap();
            let keys = ReceiveKeys::new(&fuzzing_srtp::master(suite));
            keys.open(&mut packet.to_vec(), 12, 0x0001_ffff).is_ok()
        })
        .count();
    assert_eq!(opened, Suite::ALL.len());
}

/// Scripts for the agent: connecting, roaming, restarting, falling silent, and any datagram.
fn agents() -> Vec<(String, Vec<u8>)> {
    let sample = |bytes: &[u8]| [&[0, 1][..], &block(bytes)].concat();
    let scripts: [(&str, Vec<u8>); 6] = [
        ("connects", vec![4, 1, 100, 12, 1, 100, 12, 1, 100]),
        ("roams", vec![12, 1, 100, 12, 2, 10, 12, 2, 10, 12, 1, 100]),
        ("restarts", vec![12, 1, 100, 1, 0, 4, 2, 9, 12, 2, 9]),
        (
            "falls-silent",
            [&[12, 1, 100][..], &[251, 0, 251, 0, 251, 0]].concat(),
        ),
        ("forgets", vec![12, 1, 100, 2, 1, 12, 1, 0xff]),
        (
            "any-datagram",
            sample(&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]),
        ),
    ];
    scripts
        .into_iter()
        .map(|(name, script)| (name.to_owned(), script))
        .collect()
}

#[test]
fn corpora_hold_no_surprise() {
    let targets = TARGETS
        .into_iter()
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
