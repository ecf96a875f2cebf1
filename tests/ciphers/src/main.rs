//! Measures sealing of SRTP packets by the libraries that could do it, in place, with distinct keys in turn.
//!
//! `cd tests/ciphers && taskset -c 1 cargo run --release -- [payload bytes] [keys] [part of a name]`; on a busy machine with
//! `sudo chrt -f 1` in front, so that nothing else gets the CPU in between.

use std::{hint::black_box, time::Instant};

mod gcm;
mod legacy;
mod ours;

#[allow(dead_code, unused_imports)]
#[path = "../../../forwarder/src/srtp/mod.rs"]
mod srtp;

/// A packet: 12 bytes of header, the payload, room for the tag.
struct Packet {
    bytes: Vec<u8>,
    payload: usize,
}

/// A candidate: seals a packet with the key of this number.
type Seal = Box<dyn FnMut(usize, &mut Packet)>;

/// What is measured, by name.
struct Candidate {
    name: &'static str,
    seal: Seal,
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let number = |at: usize, default| {
        arguments
            .get(at)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let (payload, keys) = (number(0, 1200), number(1, 64));
    let wanted = arguments.get(2).map_or("", String::as_str);
    println!(
        "{payload} bytes of payload, {keys} keys in turn; nanoseconds per packet, least and median of 401 short rounds"
    );
    for candidates in [
        gcm::candidates(keys, 16),
        gcm::candidates(keys, 32),
        legacy::candidates(keys),
        ours::candidates(keys),
    ] {
        let candidates = candidates
            .into_iter()
            .filter(|candidate| candidate.name.contains(wanted))
            .collect();
        measure(candidates, payload, keys);
        println!();
    }
}

/// Rounds of all candidates in turn, so that what else the machine does meets them alike, and short enough to end before
/// another process gets the CPU.
fn measure(mut candidates: Vec<Candidate>, payload: usize, keys: usize) {
    const ROUNDS: usize = 401;
    const PACKETS: usize = 640;
    let mut packet = Packet {
        bytes: vec![0x5a; 12 + payload + 20],
        payload,
    };
    let mut figures = vec![Vec::new(); candidates.len()];
    for _ in 0..ROUNDS {
        for (candidate, figures) in candidates.iter_mut().zip(&mut figures) {
            let started = Instant::now();
            for number in 0..PACKETS {
                (candidate.seal)(number % keys, black_box(&mut packet));
            }
            figures.push(started.elapsed().as_nanos() as f64 / PACKETS as f64);
        }
    }
    for (candidate, figures) in candidates.iter().zip(&mut figures) {
        figures.sort_by(f64::total_cmp);
        println!(
            "{:<52} {:>7.0} {:>7.0}",
            candidate.name,
            figures[0],
            figures[ROUNDS / 2]
        );
    }
}

/// A key that no other number has.
fn key<const N: usize>(number: usize) -> [u8; N] {
    std::array::from_fn(|at| (number * 31 + at * 7) as u8)
}
