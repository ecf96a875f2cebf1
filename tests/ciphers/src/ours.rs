//! What was made of the chosen ones: `SendKeys::seal` and `ReceiveKeys::open` of the forwarder's own module.

use crate::{
    Candidate, Packet, Seal, key,
    srtp::{MasterKey, ReceiveKeys, SendKeys, Suite},
};

/// Sealing, and opening of one packet over and over, by suite.
pub fn candidates(keys: usize) -> Vec<Candidate> {
    let named = |what: &str, suite: Suite| -> &'static str { format!("{what} {suite}").leak() };
    Suite::ALL
        .into_iter()
        .flat_map(|suite| {
            let (sealing, opening) = (
                named("SendKeys::seal", suite),
                named("ReceiveKeys::open", suite),
            );
            [
                Candidate {
                    name: sealing,
                    seal: seal(keys, suite),
                },
                Candidate {
                    name: opening,
                    seal: open(keys, suite),
                },
            ]
        })
        .collect()
}

fn master(suite: Suite, number: usize) -> MasterKey {
    let bytes = key::<32>(number);
    MasterKey::new(suite, &bytes[..suite.key_len()], &bytes[..suite.salt_len()]).unwrap()
}

fn seal(keys: usize, suite: Suite) -> Seal {
    let keys: Vec<_> = (0..keys)
        .map(|number| SendKeys::new(&master(suite, number)))
        .collect();
    Box::new(move |number, Packet { bytes, payload }| {
        bytes[0] = 0x80;
        bytes[2..4].copy_from_slice(&[0x5a; 2]);
        keys[number].seal(bytes, 12, 12 + *payload, 0x5a5a).unwrap();
    })
}

/// Opening is in place: a copy of the packet comes first, of which the cost is in the figure.
fn open(keys: usize, suite: Suite) -> Seal {
    let mut packets = Vec::new();
    let keys: Vec<_> = (0..keys)
        .map(|number| {
            (
                master(suite, number),
                ReceiveKeys::new(&master(suite, number)),
            )
        })
        .collect();
    let mut scratch = Vec::new();
    Box::new(move |number, Packet { bytes, payload }| {
        if packets.len() < keys.len() {
            for (master, _) in &keys {
                let mut packet = vec![0x5a; 12 + *payload + suite.tag_len()];
                SendKeys::new(master)
                    .seal(&mut packet, 12, 12 + *payload, 0x5a5a)
                    .unwrap();
                packets.push(packet);
            }
        }
        scratch.clear();
        scratch.extend_from_slice(&packets[number]);
        keys[number].1.open(&mut scratch, 12, 0x5a5a).unwrap();
        bytes[12] = scratch[12];
    })
}
