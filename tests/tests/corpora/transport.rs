//! Seeds of the targets `framing`, `hello` and `ice`.

use std::{fs, path::Path};

/// Frames of all kinds, in whole and in pieces, and one that is too long.
pub fn streams() -> Vec<(String, Vec<u8>)> {
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
pub fn hellos() -> Vec<(String, Vec<u8>)> {
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

/// Scripts for the agent: connecting, roaming, restarting, falling silent, and any datagram.
pub fn agents() -> Vec<(String, Vec<u8>)> {
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
