//! Seeds of the targets `sdp` and `negotiation`: what clients really offered.

use std::{fs, path::Path};

/// The offers by name.
fn offers() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../forwarder/src/sdp/fixtures");
    let mut offers = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let is_small = fs::metadata(&path).unwrap().len() < 8192;
        if is_small && path.extension().is_some_and(|extension| extension == "sdp") {
            offers.push((name, fs::read(&path).unwrap()));
        }
    }
    offers
}

/// Offers as they are, a fragment and a candidate.
pub fn descriptions() -> Vec<(String, Vec<u8>)> {
    let fragment = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n";
    let candidate = "candidate:2 1 tcp 2105524479 2001:db8::1 9 typ host tcptype active";
    let mut seeds = offers();
    seeds.push(("fragment".to_owned(), fragment.into()));
    seeds.push(("candidate".to_owned(), candidate.into()));
    seeds
}

/// Scripts: an offer that is answered, one of ours over which the peer's goes, and a rollback between.
pub fn scripts() -> Vec<(String, Vec<u8>)> {
    let describe = |what: u8, text: &[u8]| {
        let len = u16::try_from(text.len()).unwrap().to_be_bytes();
        [&[what][..], &len, text].concat()
    };
    let script = |offer: &[u8]| {
        let offer = describe(24, offer);
        [&offer, &[14, 3, 14][..], &offer, &[46], &offer].concat()
    };
    let scripts = offers().into_iter();
    scripts
        .map(|(name, offer)| (name, script(&offer)))
        .collect()
}
