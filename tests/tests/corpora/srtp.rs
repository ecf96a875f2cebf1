//! Seeds of the target `srtp`.

use forwarder::srtp::{ReceiveKeys, SendKeys, SrtcpSender, Suite};
use forwarder_tests::{cases::rtp, fuzzing_srtp};

/// Of each suite: a packet that opens, the same with a bit changed and without its end, SRTCP, and what is to be sealed.
pub fn sealed() -> Vec<(String, Vec<u8>)> {
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
